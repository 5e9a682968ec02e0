//! The yardstick for `check`: a server that does nothing but speak HTTP. Whatever is asked of it, it answers 204.
//!
//! Runtime, socket options and hyper's settings are those of the verifier's own listeners, so that what the verifier
//! costs above it is the verifier's own work.

use std::convert::Infallible;

use anyhow::Context as _;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).context("usage: bare-hyper PORT")?.parse::<u16>().context("PORT is a number")?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream));
    }
}

async fn connection(stream: TcpStream) {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .half_close(false)
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_headers(100)
        .max_buf_size(32 * 1024);
    // The connection ends when the client of the measurement closes it.
    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn answer(_request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
