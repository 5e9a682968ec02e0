//! Whether the verifier serves: its loops go round, and a request that it sends to itself is answered.
//!
//! The request goes through a pair of sockets of its own. Through a listener it would wait behind whatever strangers have
//! queued there, and who fills that queue must not have the verifier taken for dead.

use super::client_io::Stream;
use super::original::Peer;
use super::serve;
use super::service::Verifier;
use crate::config::{Config, Host};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

/// How long a loop that goes round once a second may take before it counts as stuck.
const BEAT_AGE_MAX: Duration = Duration::from_secs(4);

/// The beats of all loops that have to go round.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    beats: Mutex<Vec<Arc<AtomicU64>>>,
}

/// One loop's beat.
#[derive(Debug)]
pub(super) struct Beat {
    began: Instant,
    at_ms: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { began: Instant::now(), beats: Mutex::default() }
    }
}

impl Pulse {
    /// Another loop, which beats at least once a second from now on.
    pub(super) fn begin(&self) -> Beat {
        let at_ms = Arc::new(AtomicU64::new(milliseconds(self.began)));
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&at_ms));
        Beat { began: self.began, at_ms }
    }

    /// Whether all of them go round.
    fn beats(&self) -> bool {
        let now = milliseconds(self.began);
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.iter().all(|beat| Duration::from_millis(now - beat.load(Ordering::Relaxed).min(now)) <= BEAT_AGE_MAX)
    }
}

impl Beat {
    /// The loop has gone round.
    pub(super) fn beat(&self) {
        self.at_ms.store(milliseconds(self.began), Ordering::Relaxed);
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Verifier {
    /// Whether it serves: any answer to its own request will do. The caller bounds the time.
    pub(crate) async fn serves(self: &Arc<Self>, stopped: &Receiver<bool>) -> bool {
        self.pulse.beats() && self.answers_itself(stopped).await.unwrap_or(false)
    }

    async fn answers_itself(self: &Arc<Self>, stopped: &Receiver<bool>) -> Option<bool> {
        let config = self.config.load_full();
        let (ours, theirs) = UnixStream::pair().ok()?;
        let peer = if config.beside.is_some() { Peer::UnixSocket } else { Peer::Address(Ipv4Addr::LOCALHOST.into()) };
        serve::accept(self, Stream::Unix(theirs), peer, false, stopped);
        let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await.ok()?;
        tokio::select! {
            answered = sender.send_request(question(&config)?) => Some(answered.is_ok()),
            // There was no room for one more, nor to say so: every connection is in a request that is being answered.
            _ = connection => Some(true),
        }
    }
}

/// The address of a documentation network: no proxy's, and no visitor's.
const NOBODY: &str = "192.0.2.1";

/// A request that every configuration understands and nobody pays for.
fn question(config: &Config) -> Option<Request<Empty<Bytes>>> {
    let named = config.sites.iter().flat_map(|site| &site.hosts).find_map(|host| match host {
        Host::Exact(name) => Some(name.as_str()),
        Host::Below(_) => None,
    });
    let host = named.unwrap_or("localhost");
    let mut request = Request::get(format!("{}clearance", config.base_path)).header("host", host);
    if let Some(beside) = &config.beside {
        let address = beside.address_header();
        request = request.header(address, NOBODY);
        for name in ["x-original-proto", "x-forwarded-proto"] {
            request = request.header(name, "http");
        }
        request = request.header("x-forwarded-host", host);
    }
    request.body(Empty::new()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_loop_that_stands_still_is_enough() {
        let pulse = Pulse::default();
        let (first, second) = (pulse.begin(), pulse.begin());
        tokio::time::advance(BEAT_AGE_MAX).await;
        assert!(pulse.beats());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!pulse.beats());
        first.beat();
        assert!(!pulse.beats());
        second.beat();
        assert!(pulse.beats());
    }
}
