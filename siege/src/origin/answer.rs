//! The origin's answers. A body holds its worker until the connection has taken all of it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Interval;

use super::Route;

const PAGE: Bytes = Bytes::from_static(&[b'p'; 8 * 1024]);
const ASSET: Bytes = Bytes::from_static(&[b'a'; 2 * 1024]);
const CHUNK: Bytes = Bytes::from_static(&[b'd'; 64 * 1024]);
const EVENT: Bytes = Bytes::from_static(b"data: tick\n\n");
/// Chunks of a download: 8 MiB.
const DOWNLOAD_CHUNKS: u32 = 128;

/// So many times the same bytes, at once or at intervals.
#[derive(Debug)]
pub(super) struct Body {
    chunk: Bytes,
    left: u32,
    every: Option<Interval>,
    worker: Option<OwnedSemaphorePermit>,
}

impl Body {
    const fn of(chunk: Bytes, left: u32) -> Self {
        Self { chunk, left, every: None, worker: None }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            self.worker = None;
            return Poll::Ready(None);
        }
        if let Some(every) = &mut self.every {
            ready!(every.poll_tick(cx));
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self.every {
            None => hyper::body::SizeHint::with_exact(self.chunk.len() as u64 * u64::from(self.left)),
            Some(_) => hyper::body::SizeHint::default(),
        }
    }
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("x-origin", hyper::header::HeaderValue::from_static("siege"));
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

/// What a worker has made.
pub(super) fn of(route: Route, worker: OwnedSemaphorePermit) -> Response<Body> {
    let (status, content_type, mut body) = match route {
        Route::Asset => (StatusCode::OK, "text/css", Body::of(ASSET, 1)),
        Route::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "text/html", Body::of(ASSET, 1)),
        Route::Download => (StatusCode::OK, "application/octet-stream", Body::of(CHUNK, DOWNLOAD_CHUNKS)),
        _ => (StatusCode::OK, "text/html", Body::of(PAGE, 1)),
    };
    body.worker = Some(worker);
    response(status, content_type, body)
}

/// No worker and no place in the line.
pub(super) fn full_house() -> Response<Body> {
    response(StatusCode::SERVICE_UNAVAILABLE, "text/html", Body::of(ASSET, 1))
}

/// What stays open without a worker.
pub(super) fn open(route: Route, mut request: Request<Incoming>) -> Response<Body> {
    if route == Route::Events {
        let mut body = Body::of(EVENT, 3_600);
        body.every = Some(tokio::time::interval(Duration::from_secs(1)));
        return response(StatusCode::OK, "text/event-stream", body);
    }
    if !request.headers().contains_key(UPGRADE) {
        return response(StatusCode::UPGRADE_REQUIRED, "text/plain", Body::of(ASSET, 1));
    }
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else { return };
        let mut stream = TokioIo::new(upgraded);
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            if stream.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    });
    let mut response = response(StatusCode::SWITCHING_PROTOCOLS, "text/plain", Body::of(EVENT, 0));
    let headers = response.headers_mut();
    headers.insert(UPGRADE, hyper::header::HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("upgrade"));
    response
}
