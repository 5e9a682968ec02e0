//! A small HTTP client: for the command line's questions to the admin listener, and for `solve`.

use crate::config::Listen;
use crate::tls::Tls;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::http::response::Parts;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

/// How long an answer may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or not for us.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, io::Error),
    /// The conversation broke off.
    #[error("the answer broke off: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// The answer began, and its body broke off or is too long.
    #[error("the answer broke off: {1}")]
    Unfinished(Box<Parts>, Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// Sends one request to a listener and returns the whole answer.
///
/// # Errors
/// See [`ClientError`].
pub(crate) async fn send(to: &Listen, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, ClientError> {
    send_from(None, to, request).await
}

/// The same, from one of this machine's addresses; over a unix socket there is none.
///
/// # Errors
/// See [`ClientError`].
pub(crate) async fn send_from(
    source: Option<Ipv4Addr>,
    to: &Listen,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, ClientError> {
    send_by(None, source, to, request).await
}

/// The same, over TLS with the host of that name, where it is named.
///
/// # Errors
/// See [`ClientError`].
pub(crate) async fn send_by(
    tls: Option<(&Tls, &str)>,
    source: Option<Ipv4Addr>,
    to: &Listen,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, ClientError> {
    let conversation = async {
        match to {
            Listen::Tcp(address) => {
                let stream = connect_from(source, *address)
                    .await
                    .map_err(|error| ClientError::Connect(to.to_string(), error))?;
                let Some((tls, host)) = tls else { return converse(stream, request).await };
                let stream = tls.connect(host, stream).await;
                converse(stream.map_err(|error| ClientError::Connect(host.to_owned(), error))?, request).await
            }
            Listen::Unix(path) => {
                let stream =
                    UnixStream::connect(path).await.map_err(|error| ClientError::Connect(to.to_string(), error))?;
                converse(stream, request).await
            }
        }
    };
    tokio::time::timeout(TIMEOUT, conversation).await.unwrap_or(Err(ClientError::Timeout))
}

/// A connection to `address`, from `source` where one is named.
///
/// # Errors
/// The address is not this machine's, or nobody listens there.
pub(crate) async fn connect_from(source: Option<Ipv4Addr>, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(address).await };
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(address).await
}

/// Asks for `url` on a connection of its own and returns when the head of the answer has come. The caller bounds the time.
///
/// # Errors
/// See [`ClientError`].
pub(crate) async fn head_of(url: &Uri, tls: Option<&Tls>) -> Result<(), ClientError> {
    let authority = url.authority().map_or("", hyper::http::uri::Authority::as_str);
    let unconnected = |error| ClientError::Connect(authority.to_owned(), error);
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await.map_err(unconnected)?;
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let request = Request::builder().uri(target).header(HOST, authority).body(Full::<Bytes>::default());
    let request = request.map_err(|error| ClientError::Broken(error.into()))?;
    match tls {
        Some(tls) => head(tls.connect(host, stream).await.map_err(unconnected)?, request).await,
        None => head(stream, request).await,
    }
}

async fn head<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(), ClientError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| ClientError::Broken(error.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::select! {
        answered = sender.send_request(request) => answered.map(drop).map_err(broken),
        ended = connection => Err(ended.err().map_or(ClientError::Timeout, broken)),
    }
}

async fn converse<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, ClientError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| ClientError::Broken(error.into());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Its error reaches us through the answer.
    let driver = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    driver.abort();
    match body {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(error) => Err(ClientError::Unfinished(Box::new(parts), error)),
    }
}
