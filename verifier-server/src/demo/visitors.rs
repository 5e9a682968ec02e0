//! The demo's visitors: they read a page a second, and solve a puzzle when they are asked to.

use super::networks::Networks;
use crate::client::{self, ClientError};
use crate::config::Listen;
use crate::solve::{self, Solved};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, COOKIE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Visitors at once.
pub(super) const VISITORS: u32 = 8;
/// How long a visitor reads a page before asking for the next.
const READING: Duration = Duration::from_secs(1);
/// Pages that a visitor reads; then another one comes, from another network and without a clearance.
const PAGES_PER_VISIT: u32 = 10;
/// How often a visitor tries to get a page.
const TRIES_MAX: u32 = 5;
const PAGES: [&str; 3] = ["/", "/news", "/contact"];
/// What each page loads.
const PART: &str = "/static/site.css";

/// What visitors got in a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Visited {
    /// Pages, each with its parts.
    pub(super) pages: u32,
    /// Puzzles that were solved on the way to them.
    pub(super) solved: u32,
    /// Pages that a visitor gave up.
    pub(super) given_up: u32,
    /// How long the slowest page took, solving included.
    pub(super) slowest: Duration,
}

/// All visitors.
#[derive(Debug)]
pub(super) struct Visitors {
    port: u16,
    networks: Networks,
    next: AtomicU32,
    visited: Mutex<Visited>,
}

/// One of them.
struct Visitor {
    source: Ipv4Addr,
    to: SocketAddr,
    /// The cookie, `name=value`.
    clearance: Option<String>,
}

impl Visitors {
    /// They visit a port on 127.0.0.1 until their tasks are ended.
    pub(super) fn begin(port: u16, networks: Networks, tasks: &mut JoinSet<()>) -> Arc<Self> {
        let visitors = Arc::new(Self { port, networks, next: AtomicU32::new(0), visited: Mutex::default() });
        for number in 0..VISITORS {
            let visitors = Arc::clone(&visitors);
            tasks.spawn(async move {
                tokio::time::sleep(READING * number / VISITORS).await;
                loop {
                    visitors.one_visits().await;
                }
            });
        }
        visitors
    }

    /// What they got since this was asked last.
    pub(super) fn take(&self) -> Visited {
        std::mem::take(&mut *self.visited())
    }

    async fn one_visits(&self) {
        let source = self.networks.of_visitor(self.next.fetch_add(1, Ordering::Relaxed));
        let mut visitor = Visitor { source, to: (Ipv4Addr::LOCALHOST, self.port).into(), clearance: None };
        for path in PAGES.into_iter().cycle().take(PAGES_PER_VISIT as usize) {
            let asked = Instant::now();
            let read = visitor.read(path, || self.visited().solved += 1).await;
            self.note(read, asked.elapsed());
            tokio::time::sleep(READING.saturating_sub(asked.elapsed())).await;
        }
    }

    /// A page came after so long, or did not.
    fn note(&self, read: bool, took: Duration) {
        let mut visited = self.visited();
        if read {
            visited.pages += 1;
            visited.slowest = visited.slowest.max(took);
        } else {
            visited.given_up += 1;
        }
    }

    fn visited(&self) -> MutexGuard<'_, Visited> {
        self.visited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    /// Gets a page with its parts; says whether it came.
    async fn read(&mut self, path: &str, solved: impl Fn()) -> bool {
        for _ in 0..TRIES_MAX {
            match self.page(path).await {
                Ok(answer) if answer.status() == StatusCode::OK => return true,
                Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
                    let url = format!("http://{}{path}", self.to);
                    if let Ok(Solved::Cookie(cookie)) = solve::run_from(Some(self.source), &url, "/.portcullis/").await
                    {
                        self.clearance = Some(cookie);
                        solved();
                    }
                }
                Ok(answer) => tokio::time::sleep(wait(&answer)).await,
                Err(_) => tokio::time::sleep(READING).await,
            }
        }
        false
    }

    /// Asks for a page and then for its part; returns the first answer that is not what was asked for, or the last.
    async fn page(&self, path: &str) -> Result<Response<Bytes>, ClientError> {
        let answer = self.ask(path).await?;
        if answer.status() == StatusCode::OK { self.ask(PART).await } else { Ok(answer) }
    }

    async fn ask(&self, path: &str) -> Result<Response<Bytes>, ClientError> {
        let mut request = Request::builder()
            .uri(path)
            .header(HOST, self.to.to_string())
            .header(ACCEPT, "text/html,text/css")
            .header(USER_AGENT, "portcullis-demo-visitor");
        if let Some(cookie) = &self.clearance {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Full::default()).map_err(|error| ClientError::Broken(error.into()))?;
        client::send_from(Some(self.source), &Listen::Tcp(self.to), request).await
    }
}

/// How long an answer asks to wait, within what a visitor has patience for.
fn wait(answer: &Response<Bytes>) -> Duration {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1).clamp(1, 8))
}
