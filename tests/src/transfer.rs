//! Bodies too large for memory, and the two ways to send them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

const CHUNK: usize = 64 * 1024;
static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// A body of any length that is never in memory, or one chunk and then silence.
#[derive(Debug)]
pub struct Flood {
    left: u64,
    first: Option<Bytes>,
    silent: bool,
}

impl Flood {
    /// So many zero bytes.
    pub fn new(bytes: u64) -> Self {
        Self { left: bytes, first: None, silent: false }
    }

    /// These bytes, and then an open stream.
    pub fn then_silence(bytes: Bytes) -> Self {
        Self { left: 0, first: Some(bytes), silent: true }
    }
}

impl Body for Flood {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.silent {
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let size = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        self.left -= size as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS[..size])))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.silent { SizeHint::default() } else { SizeHint::with_exact(self.left) }
    }
}

/// Which version of HTTP carries a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    One,
    /// HTTP/2 over cleartext with prior knowledge.
    Two,
}

/// A client for one large transfer to 127.0.0.1:`port` under a clearance.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// The verifier's port.
    pub port: u16,
    /// The host to ask for.
    pub host: String,
    /// `name=value` of the clearance.
    pub cookie: String,
    /// The protocol.
    pub version: Version,
}

impl Transfer {
    /// Sends `bytes` to `/upload`; gives the status and what the origin says it counted.
    pub fn upload(&self, bytes: u64) -> (u16, String) {
        runtime().block_on(async {
            let response = self.send("POST", "/upload", Flood::new(bytes)).await;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8_lossy(&body).into_owned())
        })
    }

    /// Reads `bytes` from `/download`, standing still for `pause` after the first MiB; gives the status and the bytes read.
    pub fn download(&self, bytes: u64, pause: Duration) -> (u16, u64) {
        runtime().block_on(async {
            let response = self.send("GET", &format!("/download?{bytes}"), Flood::new(0)).await;
            let status = response.status().as_u16();
            let (mut body, mut read, mut paused) = (response.into_body(), 0, false);
            while let Some(frame) = body.frame().await {
                read += frame.unwrap().data_ref().map_or(0, |data| data.len() as u64);
                if !paused && read > 1 << 20 {
                    paused = true;
                    tokio::time::sleep(pause).await;
                }
            }
            (status, read)
        })
    }

    /// Asks for `target`, takes `frames` frames of the answer and nothing more; it goes on until what is returned is dropped.
    pub fn crawl(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        frames: usize,
    ) -> (Runtime, Response<hyper::body::Incoming>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let response = runtime.block_on(async {
            let mut response = self.send_with("GET", target, headers, Flood::new(0)).await;
            for _ in 0..frames {
                response.body_mut().frame().await.unwrap().unwrap();
            }
            response
        });
        (runtime, response)
    }

    async fn send(&self, method: &str, target: &str, body: Flood) -> Response<hyper::body::Incoming> {
        self.send_with(method, target, &[], body).await
    }

    async fn send_with(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Flood,
    ) -> Response<hyper::body::Incoming> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let authority = format!("{}:{}", self.host, self.port);
        let mut request = Request::builder().method(method).header("cookie", &self.cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let stream = TokioIo::new(stream);
        match self.version {
            Version::One => {
                let (mut sender, connection) = http1::handshake(stream).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(request.uri(target).header("host", authority).body(body).unwrap()).await.unwrap()
            }
            Version::Two => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                let (mut sender, connection) = builder.timer(TokioTimer::new()).handshake(stream).await.unwrap();
                tokio::spawn(connection);
                let uri = format!("http://{authority}{target}");
                sender.send_request(request.uri(uri).body(body).unwrap()).await.unwrap()
            }
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
