//! An HTTP/1.1 client for load: connections from an address of our choice, kept while they last.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{COOKIE, HOST, HeaderMap, RETRY_AFTER, SET_COOKIE};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::AbortHandle;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A connection from `from` to `to`.
///
/// # Errors
/// As the system reports.
pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Who sends a request, as the origin counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Somebody honest.
    Visitor,
    /// Somebody else.
    Attacker,
}

impl Sender {
    /// The header that tells the origin; the verifier passes it on as any other.
    pub const HEADER: &str = "x-siege-sender";

    /// The header's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Attacker => "attacker",
        }
    }
}

/// A request yet to be sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Header fields beside `Host`.
    pub headers: Vec<(&'static str, String)>,
    /// Its body; empty: none.
    pub body: Bytes,
}

impl Ask {
    /// `GET target`.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// `POST target` of JSON.
    #[must_use]
    pub fn post_json(target: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let ask = Self { method: Method::POST, body: body.into(), ..Self::get(target) };
        ask.with("content-type", "application/json")
    }

    /// As an address bar asks on plain HTTP.
    #[must_use]
    pub fn navigating(self) -> Self {
        self.with("accept", "text/html,*/*;q=0.8")
    }

    /// With one more header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a clearance, if there is one.
    #[must_use]
    pub fn paid_by(self, cookie: Option<&str>) -> Self {
        match cookie {
            Some(cookie) => self.with(COOKIE.as_str(), cookie),
            None => self,
        }
    }

    fn request(&self, host: &str) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = Request::builder().method(&self.method).uri(&self.target).header(HOST, host);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(self.body.clone()))
    }
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// A header field as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the lab's origin wrote it.
    #[must_use]
    pub fn is_from_origin(&self) -> bool {
        self.headers.contains_key("x-origin")
    }

    /// How long it asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?.parse().ok().map(Duration::from_secs)
    }

    /// Its body as JSON; `Null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `name=value` of the clearance that it sets.
    #[must_use]
    pub fn clearance(&self) -> Option<String> {
        let cookies = self.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies.into_iter().find(|cookie| cookie.starts_with("portcullis="))?;
        cookie.split(';').next().map(str::to_owned)
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No connection came about.
    Unconnected,
    /// The connection ended before the answer did.
    Cut,
    /// It took too long.
    Late,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The listener.
    pub address: SocketAddr,
    /// The `Host` field.
    pub host: String,
}

/// An open connection that is free for a request.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Connection {
    /// Opens one.
    ///
    /// # Errors
    /// [`Lost::Unconnected`].
    pub async fn open(from: Ipv4Addr, to: &Destination) -> Result<Self, Lost> {
        let stream = connect(from, to.address).await.map_err(|_| Lost::Unconnected)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Lost::Unconnected)?;
        let task = tokio::spawn(async move {
            // How it ends is seen by whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(Self { sender, task: task.abort_handle() })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`Lost::Cut`] where the connection ended.
    pub async fn ask(&mut self, ask: &Ask, host: &str) -> Result<Answer, Lost> {
        self.sender.ready().await.map_err(|_| Lost::Cut)?;
        let request = ask.request(host).map_err(|_| Lost::Cut)?;
        let response = self.sender.send_request(request).await.map_err(|_| Lost::Cut)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|_| Lost::Cut)?;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
    }

    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One client with one connection at a time.
#[derive(Debug)]
pub struct Client {
    /// Its address.
    pub from: Ipv4Addr,
    /// Whom it asks.
    pub to: Destination,
    connection: Option<Connection>,
}

impl Client {
    /// A client without a connection yet.
    #[must_use]
    pub const fn new(from: Ipv4Addr, to: Destination) -> Self {
        Self { from, to, connection: None }
    }

    /// Sends a request; a kept connection that was closed meanwhile is opened again once.
    ///
    /// # Errors
    /// See [`Lost`]; after `patience` the connection is given up.
    pub async fn ask(&mut self, ask: &Ask, patience: Duration) -> Result<Answer, Lost> {
        let mut kept = self.connection.take().filter(Connection::is_open);
        let asking = async {
            if let Some(mut connection) = kept.take()
                && let Ok(answer) = connection.ask(ask, &self.to.host).await
            {
                return Ok((answer, connection));
            }
            let mut connection = Connection::open(self.from, &self.to).await?;
            let answer = connection.ask(ask, &self.to.host).await?;
            Ok((answer, connection))
        };
        let (answer, connection) = tokio::time::timeout(patience, asking).await.map_err(|_| Lost::Late)??;
        self.connection = Some(connection);
        Ok(answer)
    }
}
