//! Somebody who asks from outside, and counts.

use super::silence::Silence;
use super::{DoctorError, REQUESTS_MAX};
use crate::cli::DoctorArguments;
use crate::client::{self, ClientError};
use crate::config::Listen;
use crate::setup::CHALLENGE_HEADER;
use crate::tls::Tls;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// And one from a port that is not the site's: what is filtered never answers, and there may be many.
const PATIENCE_ELSEWHERE: Duration = Duration::from_secs(4);
/// Addresses of one name that are looked at, at the most.
const ADDRESSES_MAX: usize = 64;

/// Who asks, and where.
pub(super) struct Visitor {
    is_https: bool,
    /// What is believed, at the site and at its other ports.
    tls: Option<Tls>,
    /// The site's host, without port.
    pub(super) host: String,
    /// The port in its address, where there is one.
    port: Option<u16>,
    /// Where it is.
    pub(super) address: IpAddr,
    source: Option<Ipv4Addr>,
    /// Path and query of the page that is looked at.
    pub(super) target: String,
    asked: AtomicU32,
}

/// A port that is not the site's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) tls: bool,
}

/// A request.
pub(super) struct Question<'q> {
    pub(super) method: Method,
    pub(super) target: &'q str,
    pub(super) host: Option<&'q str>,
    /// Where it is sent, if not to the site's own port.
    pub(super) elsewhere: Option<Port>,
    pub(super) headers: Vec<(&'q str, &'q str)>,
    pub(super) cookie: Option<&'q str>,
    /// A body, with its content type.
    pub(super) body: Option<(&'q str, String)>,
}

impl<'q> Question<'q> {
    /// `GET` of a target.
    pub(super) fn get(target: &'q str) -> Self {
        Self { method: Method::GET, target, host: None, elsewhere: None, headers: Vec::new(), cookie: None, body: None }
    }

    pub(super) fn header(mut self, name: &'q str, value: &'q str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn cookie(mut self, cookie: &'q str) -> Self {
        self.cookie = Some(cookie);
        self
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Scheme, host and port that were asked, as an address begins with them.
    asked: String,
}

impl Answer {
    /// A header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it is the gate's.
    pub(super) fn is_gate(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS && self.headers.contains_key(CHALLENGE_HEADER)
    }

    /// Whether nobody got in: by the gate, or because it was refused anyway.
    pub(super) fn is_closed(&self) -> bool {
        self.is_gate()
            || matches!(self.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST)
    }

    /// Whether it is an answer of a site: neither the gate's, nor a redirect to elsewhere, nor a refusal, nor a failure, nor empty.
    pub(super) fn leads_in(&self) -> bool {
        if self.status.is_redirection() {
            return self.header("location").is_some_and(|to| self.is_here(to));
        }
        !self.is_closed() && !self.status.is_server_error() && !self.body.is_empty()
    }

    /// Whether an address is of the same server.
    fn is_here(&self, to: &str) -> bool {
        let rest = to.strip_prefix(&self.asked);
        (to.starts_with('/') && !to.starts_with("//"))
            || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What it says as JSON; nothing if it is none.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Visitor {
    pub(super) async fn of(arguments: &DoctorArguments) -> Result<Self, DoctorError> {
        let url = &arguments.url;
        let wrong = |why: &str| DoctorError::Address(format!("{url}: {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("this is not an address"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("write it with http:// or https://")),
        };
        let tls = match &arguments.ca_file {
            Some(file) => Some(Tls::from_file(file)?),
            None if is_https => Some(Tls::of_system()?),
            // Only for other ports: a system without authorities can look all the same.
            None => Tls::of_system().ok(),
        };
        let host = uri.host().ok_or_else(|| wrong("it has no host"))?.trim_matches(['[', ']']).to_owned();
        let address = match arguments.address {
            Some(address) => address,
            None => first_address(&host).await.map_err(|error| wrong(&error))?,
        };
        Ok(Self {
            is_https,
            tls,
            host,
            port: uri.port_u16(),
            address,
            source: arguments.from,
            target: uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            asked: AtomicU32::new(0),
        })
    }

    /// Whether the site speaks TLS.
    pub(super) fn is_https(&self) -> bool {
        self.is_https
    }

    /// The port of the site.
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.is_https { 443 } else { 80 })
    }

    /// How many requests there were.
    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed).min(REQUESTS_MAX)
    }

    /// The address of this machine that the site sees, if nobody stands in between.
    pub(super) fn own_address(&self) -> Option<IpAddr> {
        if let Some(source) = self.source {
            return Some(source.into());
        }
        let any: IpAddr =
            if self.address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
        // Nothing is sent: the system only says which address it would take.
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((self.address, self.port())).ok()?;
        Some(socket.local_addr().ok()?.ip())
    }

    /// Asks.
    ///
    /// # Errors
    /// Why there is no answer; also that no more may be asked.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Answer, Silence> {
        if self.asked.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
            return Err(Silence::Unknown(format!("the {REQUESTS_MAX} requests of one run are used up")));
        }
        let Port { number: port, tls: is_tls } =
            question.elsewhere.unwrap_or(Port { number: self.port(), tls: self.is_https });
        let tls = self.tls.as_ref().filter(|_| is_tls);
        if is_tls && tls.is_none() {
            return Err(Silence::Unknown("this system knows no authorities: name some with --ca-file".to_owned()));
        }
        let patience = if question.elsewhere.is_some() { PATIENCE_ELSEWHERE } else { PATIENCE };
        let host = question.host.unwrap_or(&self.host);
        let standard = if tls.is_some() { 443 } else { 80 };
        let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authority = if port == standard { shown } else { format!("{shown}:{port}") };
        let asked = format!("{}://{authority}", if is_tls { "https" } else { "http" });
        let mut request = Request::builder().method(&question.method).uri(question.target).header(HOST, authority);
        request = request.header(USER_AGENT, "portcullis doctor").header(ACCEPT, "text/html,*/*;q=0.8");
        for (name, value) in &question.headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = question.cookie {
            request = request.header(COOKIE, cookie);
        }
        let body = match question.body {
            Some((kind, text)) => {
                request = request.header(CONTENT_TYPE, kind);
                Full::new(Bytes::from(text))
            }
            None => Full::default(),
        };
        let request = request.body(body).map_err(|error| Silence::Unknown(error.to_string()))?;
        let to = Listen::Tcp(SocketAddr::new(self.address, port));
        // TLS is with the site's own host, whatever host is asked for.
        let answer = client::send_by(tls.map(|tls| (tls, self.host.as_str())), self.source, &to, request);
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(answer)) => {
                let (parts, body) = answer.into_parts();
                Ok(Answer { status: parts.status, headers: parts.headers, body, asked })
            }
            // It is an answer all the same, of which no more is read.
            Ok(Err(ClientError::Unfinished(parts, _))) => {
                let body = Bytes::from_static(b"...");
                Ok(Answer { status: parts.status, headers: parts.headers, body, asked })
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Silence::Unknown(format!("no answer within {} s", patience.as_secs()))),
        }
    }
}

/// The first address of a host.
async fn first_address(host: &str) -> Result<IpAddr, String> {
    addresses(host).await?.first().copied().ok_or_else(|| "the host has no address".to_owned())
}

/// The addresses of a host, in the order in which the system names them.
pub(super) async fn addresses(host: &str) -> Result<Vec<IpAddr>, String> {
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| error.to_string())?;
    Ok(found.map(|address| address.ip()).take(ADDRESSES_MAX).collect())
}
