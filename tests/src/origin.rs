//! The protected site: an HTTP server in this process that remembers every request it got.

use std::convert::Infallible;
use std::future::pending;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

use crate::pages;
use crate::transfer::Flood;

/// How many requests for `/work` the site works on at once, and for how long: 20 a second.
const WORKERS: usize = 2;
const WORK: Duration = Duration::from_millis(100);

type Body = BoxBody<Bytes, Infallible>;

/// One request as the origin saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its header fields.
    pub headers: HeaderMap,
}

impl Seen {
    /// The values of a header, joined by a bar.
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join("|")
    }
}

/// A running origin; its thread ends with the process.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Where it listens.
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    seen: Mutex<Vec<Seen>>,
    uploaded: AtomicU64,
    workers: Semaphore,
    files: Mutex<Option<PathBuf>>,
}

impl Origin {
    /// Starts a site that calls itself `name`.
    pub fn start(name: &str) -> Self {
        Self::start_on(name, 0)
    }

    /// The same on a given port.
    pub fn start_on(name: &str, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared {
            name: name.into(),
            seen: Mutex::default(),
            uploaded: AtomicU64::new(0),
            workers: Semaphore::new(WORKERS),
            files: Mutex::default(),
        });
        let origin = Self { port, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, shared));
        });
        origin
    }

    /// Its address as the configuration names it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Serves the files of a folder below `/files/` from now on.
    pub fn offer(&self, folder: &Path) {
        *self.shared.files.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.to_owned());
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last request.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the origin got no request at all")
    }

    /// How many requests had a target that begins so.
    pub fn count(&self, beginning: &str) -> usize {
        self.seen().iter().filter(|seen| seen.target.starts_with(beginning)).count()
    }

    /// Bytes of request bodies that `/upload` received.
    pub fn uploaded(&self) -> u64 {
        self.shared.uploaded.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, Infallible> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
        method: request.method().to_string(),
        target: target.clone(),
        headers: request.headers().clone(),
    });
    let mut response = respond(request, &target, &shared).await;
    response.headers_mut().insert("x-origin", HeaderValue::from_str(&shared.name).unwrap());
    Ok(response)
}

async fn respond(request: Request<Incoming>, target: &str, shared: &Shared) -> Response<Body> {
    let site = shared.name.as_str();
    let path = target.split('?').next().unwrap_or(target);
    match path {
        "/page60" => html(pages::with_assets(site)),
        "/form" => html(pages::form(site)),
        "/app" => {
            let mut response = html(pages::app(site, target));
            let policy = HeaderValue::from_static(pages::APP_POLICY);
            response.headers_mut().insert("content-security-policy", policy);
            response
        }
        "/shared" => shared_with(request.headers()),
        "/frame" => html(pages::framing(site, target)),
        "/submit" => {
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let text = String::from_utf8_lossy(&body).replace('<', "&lt;");
            html(pages::page(site, target, &format!("<p id=echo>{text}</p>")))
        }
        "/save" => {
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let mut response = status("/status/303");
            let location = HeaderValue::from_str(&format!("/page/9?{}", String::from_utf8_lossy(&body))).unwrap();
            response.headers_mut().insert("location", location);
            response
        }
        "/upload" => upload(request, shared).await,
        "/download" => {
            let bytes = target.split_once('?').and_then(|(_, size)| size.parse().ok()).unwrap_or(0);
            Response::new(Flood::new(bytes).boxed())
        }
        "/hang" => pending().await,
        "/work" => {
            let _worker = shared.workers.acquire().await.unwrap();
            tokio::time::sleep(WORK).await;
            html(pages::linked(site, target))
        }
        "/socket" => socket(request),
        "/events" => events(),
        path if path.starts_with("/files/") => file(path, request.headers(), shared),
        "/feed.xml" => typed("application/rss+xml", pages::FEED),
        path if path.starts_with("/static/") => typed("image/svg+xml", pages::PICTURE),
        path if path.starts_with("/status/") => status(path),
        _ => html(pages::linked(site, target)),
    }
}

fn html(page: String) -> Response<Body> {
    let mut response = Response::new(Full::from(page).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn typed(content_type: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(text).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Each page view asks for its pictures again.
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

/// What any page may read, with cookies.
fn shared_with(headers: &HeaderMap) -> Response<Body> {
    let mut response = typed("text/plain", "shared");
    if let Some(origin) = headers.get("origin") {
        response.headers_mut().insert("access-control-allow-origin", origin.clone());
        response.headers_mut().insert("access-control-allow-credentials", HeaderValue::from_static("true"));
    }
    response
}

fn status(path: &str) -> Response<Body> {
    let code = path.trim_start_matches("/status/").parse().unwrap_or(500);
    let mut response = typed("text/plain", "as asked");
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A browser runs a file as a script, and shows it as a page, by this alone.
fn type_of(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A file that was offered, or the part of it that `Range: bytes=FIRST-LAST` names.
fn file(path: &str, headers: &HeaderMap, shared: &Shared) -> Response<Body> {
    let folder = shared.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let read = folder.and_then(|folder| std::fs::read(folder.join(path.trim_start_matches("/files/"))).ok());
    let Some(bytes) = read else { return status("/status/404") };
    let asked = headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let range = asked.and_then(|(first, last)| Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?));
    let part = range.and_then(|range| Some((range.clone(), bytes.get(range)?.to_vec())));
    let Some((range, part)) = part else {
        let mut response = Response::new(Full::from(bytes).boxed());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(type_of(path)));
        return response;
    };
    let mut response = Response::new(Full::from(part).boxed());
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let told = format!("bytes {}-{}/{}", range.start(), range.end(), bytes.len());
    response.headers_mut().insert("content-range", HeaderValue::from_str(&told).unwrap());
    response
}

async fn upload(request: Request<Incoming>, shared: &Shared) -> Response<Body> {
    let mut body = request.into_body();
    let mut received = 0;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        received += bytes;
        shared.uploaded.fetch_add(bytes, Ordering::SeqCst);
    }
    let mut response = Response::new(Full::from(received.to_string()).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The WebSocket handshake of RFC 6455 §1.3 (its own example key), then an echo of bytes.
fn socket(request: Request<Incoming>) -> Response<Body> {
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let mut stream = TokioIo::new(upgraded);
        let mut buffer = [0; 1024];
        while let Ok(read) = stream.read(&mut buffer).await {
            if read == 0 || stream.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Full::default().boxed());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    headers.insert("sec-websocket-accept", HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    response
}

/// One event at once, and a stream that stays open.
fn events() -> Response<Body> {
    let mut response = Response::new(Flood::then_silence(Bytes::from_static(b"data: first\n\n")).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}
