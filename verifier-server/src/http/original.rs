//! The original request: whose it is, and what it asked for, from the one configured source (PROTOCOL §5).
//!
//! Every other forwarding header is ignored, whoever the peer is: a web server passes on what a stranger sent.

use crate::config::{Beside, Config};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use ipnet::IpNet;
use puzzle::ClientNetwork;
use std::net::IpAddr;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// This address.
    Address(IpAddr),
    /// Whoever may open our unix socket.
    UnixSocket,
    /// The client that a load balancer announced by the PROXY protocol, and how it reached that.
    Announced(IpAddr, Scheme),
}

/// How the visitor reached the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        // Traefik says so of a WebSocket.
        let text = text.strip_prefix("ws").map_or_else(|| text.to_owned(), |tls| format!("http{tls}"));
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(&text))
    }
}

/// Whose a request is: what every endpoint needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    pub(super) scheme: Scheme,
    /// Host and port as asked for.
    pub(super) authority: String,
}

impl Visitor {
    pub(super) fn network(&self) -> ClientNetwork {
        ClientNetwork::of(self.address)
    }

    /// The host without port.
    pub(super) fn host(&self) -> &str {
        host_of(&self.authority)
    }
}

/// What a web server beside us says of the request that it asks about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'r> {
    pub(super) method: &'r str,
    pub(super) target: &'r str,
    /// The same for every question about one request; empty where the web server names none.
    pub(super) request_id: &'r str,
}

/// Why the original request cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    /// A header of the configured family is missing.
    #[error("the header {0} is missing")]
    Missing(String),
    /// It stands there more than once.
    #[error("the header {0} is there more than once")]
    Repeated(String),
    /// It cannot be read.
    #[error("the header {0} cannot be read")]
    Unreadable(String),
    /// Only a web server beside us may ask.
    #[error("the request does not come from a trusted web server")]
    Stranger,
}

/// Whether `peer` may speak for a client.
pub(super) fn trusts(config: &Config, peer: Peer) -> bool {
    match peer {
        Peer::UnixSocket => true,
        Peer::Address(address) | Peer::Announced(address, _) => {
            config.beside.is_some() && contains(&config.trusted_proxies, address)
        }
    }
}

/// Whose the request is.
pub(super) fn visitor<B>(config: &Config, peer: Peer, request: &Request<B>) -> Result<Visitor, Unclear> {
    let headers = request.headers();
    let Some(family) = config.family.as_ref().filter(|_| trusts(config, peer)) else {
        let (address, scheme) = match peer {
            Peer::Address(address) => (address, Scheme::Http),
            Peer::Announced(address, scheme) => (address, scheme),
            Peer::UnixSocket => return Err(Unclear::Stranger),
        };
        return Ok(Visitor { address: address.to_canonical(), scheme, authority: authority(request)? });
    };
    let authority = match &family.host {
        Some(name) => plain_host(single(headers, name)?, name)?,
        None => authority(request)?,
    };
    let address = address(headers, &family.address, &config.trusted_proxies)?;
    let scheme = single(headers, &family.scheme)?;
    let scheme = Scheme::parse(scheme).ok_or_else(|| Unclear::Unreadable(family.scheme.to_string()))?;
    Ok(Visitor { address, scheme, authority })
}

/// The address that a request gets whose address header says `said`, sent by `peer` (`None`: over a unix socket).
#[must_use]
pub fn believed_address(config: &Config, peer: Option<IpAddr>, said: &str) -> Option<IpAddr> {
    let peer = peer.map_or(Peer::UnixSocket, Peer::Address);
    let mut request = Request::new(());
    let family = config.family.as_ref()?;
    let own_host = family.host.as_ref().unwrap_or(&HOST);
    for (name, value) in
        [(&HOST, "localhost"), (own_host, "localhost"), (&family.scheme, "http"), (&family.address, said)]
    {
        request.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
    }
    visitor(config, peer, &request).ok().map(|visitor| visitor.address)
}

/// The request that a web server beside us asks about; `own_target` is where it is said in the question's own path.
pub(super) fn asked<'r, B>(
    config: &Config,
    peer: Peer,
    request: &'r Request<B>,
    own_target: &'r str,
) -> Result<Asked<'r>, Unclear> {
    let asks = config.beside.as_ref().is_some_and(Beside::asks) && trusts(config, peer);
    let family = config.family.as_ref().filter(|_| asks).ok_or(Unclear::Stranger)?;
    let headers = request.headers();
    let said = |name: &Option<HeaderName>| name.as_ref().map(|name| single(headers, name)).transpose();
    Ok(Asked {
        method: said(&family.method)?.unwrap_or_else(|| request.method().as_str()),
        target: said(&family.target)?.unwrap_or(own_target),
        request_id: said(&family.request_id)?.unwrap_or_default(),
    })
}

/// The host without its port.
pub(super) fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => {
            if host.contains(':') && !host.starts_with('[') { authority } else { host }
        }
        _ => authority,
    }
}

/// Host and port: of an absolute target or HTTP/2's `:authority`, else of the one `Host` header.
fn authority<B>(request: &Request<B>) -> Result<String, Unclear> {
    if let Some(authority) = Uri::authority(request.uri()) {
        let authority = authority.as_str();
        return Ok(authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned());
    }
    plain_host(single(request.headers(), &HOST)?, &HOST)
}

/// A host, with or without a port, in the characters that one may have.
fn plain_host(host: &str, header: &HeaderName) -> Result<String, Unclear> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if host.is_empty() || host.len() > 260 || !host.bytes().all(plain) {
        return Err(Unclear::Unreadable(header.to_string()));
    }
    Ok(host.to_owned())
}

/// The one value of a header.
fn single<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Result<&'r str, Unclear> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next().ok_or_else(|| Unclear::Missing(name.to_string()))?;
    if values.next().is_some() {
        return Err(Unclear::Repeated(name.to_string()));
    }
    value.to_str().map_err(|_| Unclear::Unreadable(name.to_string()))
}

/// The first address from the right that is not a trusted proxy's; where all are, the leftmost.
fn address(headers: &HeaderMap, name: &HeaderName, trusted: &[IpNet]) -> Result<IpAddr, Unclear> {
    let unreadable = || Unclear::Unreadable(name.to_string());
    let lines: Vec<&HeaderValue> = headers.get_all(name).into_iter().collect();
    let mut found = None;
    for line in lines.into_iter().rev() {
        for item in line.to_str().map_err(|_| unreadable())?.rsplit(',') {
            let address = parse_address(item.trim()).ok_or_else(unreadable)?;
            if !contains(trusted, address) {
                return Ok(address);
            }
            found = Some(address);
        }
    }
    found.ok_or_else(|| Unclear::Missing(name.to_string()))
}

/// An address, bare, or with a port as some proxies write it.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

pub(super) fn contains(nets: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    nets.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests;
