//! The protected site: an HTTP/1.1 server of a known capacity.
//!
//! [`WORKERS`] workers with a fixed service time. A worker is held from the head of a request through reading its whole
//! body until the answer has been handed to the connection, and does not notice when whoever asked is gone, as most
//! application servers do not. Requests wait in line while all are busy, at most [`BACKLOG_MAX`] of them; beyond, the
//! answer is 503 at once. WebSockets and event streams hold a connection and no worker.

mod answer;
mod counts;
mod route;

pub use counts::{Counts, Flow};
pub use route::{PAGES, Route};

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::client::Sender;
use answer::Body;

/// Workers of the site.
pub const WORKERS: usize = 50;
/// How long one takes for a page.
pub const SERVICE: Duration = Duration::from_millis(250);
/// Requests a second of cost 1.
pub const CAPACITY: f64 = 200.0;
/// Requests that wait for a worker.
pub const BACKLOG_MAX: usize = 511;
/// Connections that are served; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 2_048;
/// How long a connection may take to a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a long poll lasts.
const POLL: Duration = Duration::from_secs(10);

/// A running origin; dropped, it ends with all its connections.
#[derive(Debug)]
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    site: Arc<Site>,
    _accepting: JoinSet<()>,
}

#[derive(Debug)]
struct Site {
    workers: Arc<Semaphore>,
    waiting: AtomicUsize,
    counts: Counts,
}

impl Origin {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let workers = Arc::new(Semaphore::new(WORKERS));
        let site = Arc::new(Site { workers, waiting: AtomicUsize::new(0), counts: Counts::default() });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept_all(listener, Arc::clone(&site)));
        Ok(Self { address, site, _accepting: accepting })
    }

    /// What it has been asked and has served.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.site.counts
    }

    /// Workers that are held now.
    #[must_use]
    pub fn busy(&self) -> usize {
        WORKERS - self.site.workers.available_permits()
    }
}

async fn accept_all(listener: TcpListener, site: Arc<Site>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let site = Arc::clone(&site);
        connections.spawn(async move {
            let service = service_fn(|request| answered(Arc::clone(&site), request));
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).half_close(false);
            let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answered(site: Arc<Site>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let sender = match request.headers().get(Sender::HEADER) {
        Some(name) if name == Sender::Visitor.name() => Sender::Visitor,
        _ => Sender::Attacker,
    };
    let route = Route::of(request.uri().path());
    site.counts.flow(sender).arrived(route.cost());
    if matches!(route, Route::WebSocket | Route::Events) {
        return Ok(answer::open(route, request));
    }
    // A task of its own: the work is done even if whoever asked is gone.
    let worked = tokio::spawn(async move {
        let Some(worker) = site.worker().await else {
            site.counts.flow(sender).refused(route.cost());
            return answer::full_house();
        };
        let whole = request.into_body().collect().await.is_ok();
        let service = if route == Route::Poll { POLL } else { SERVICE.mul_f64(route.cost()) };
        tokio::time::sleep(service).await;
        if whole {
            site.counts.flow(sender).served(route.cost());
        }
        answer::of(route, worker)
    });
    Ok(worked.await.unwrap_or_else(|_| answer::full_house()))
}

impl Site {
    /// The next worker that is free, in turn; `None` where too many wait.
    async fn worker(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(worker) = Arc::clone(&self.workers).try_acquire_owned() {
            return Some(worker);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= BACKLOG_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let worker = Arc::clone(&self.workers).acquire_owned().await.ok();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        worker
    }
}
