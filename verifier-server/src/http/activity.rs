//! What a connection is doing: the one account from which its timeouts and its eviction are decided.

use crate::config::Limits;
use puzzle::ClientNetwork;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Longest time between two looks at a connection that is not in a request.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No complete request head has come yet, since then.
    Head(Instant),
    /// It is silent between requests, since then.
    Idle(Instant),
    /// So many requests are in progress.
    Requests(u32),
}

/// One connection's account.
#[derive(Debug)]
pub(super) struct Activity {
    phase: Mutex<Phase>,
    /// The network that the connection comes from; `None` over a unix socket.
    pub(super) network: Option<ClientNetwork>,
    evicted: Notify,
}

impl Activity {
    /// A connection that was just accepted.
    pub(super) fn new(network: Option<ClientNetwork>) -> Self {
        Self { phase: Mutex::new(Phase::Head(Instant::now())), network, evicted: Notify::new() }
    }

    pub(super) fn phase(&self) -> Phase {
        *self.lock()
    }

    /// Bytes have come: an idle connection begins another head.
    pub(super) fn bytes_came(&self) {
        let mut phase = self.lock();
        if matches!(*phase, Phase::Idle(_)) {
            *phase = Phase::Head(Instant::now());
        }
    }

    /// A request begins.
    pub(super) fn request_begins(&self) {
        let mut phase = self.lock();
        *phase = match *phase {
            Phase::Requests(count) => Phase::Requests(count + 1),
            Phase::Head(_) | Phase::Idle(_) => Phase::Requests(1),
        };
    }

    /// A request ends: its answer has been sent, or its tunnel is closed.
    pub(super) fn request_ends(&self) {
        let mut phase = self.lock();
        *phase = match *phase {
            Phase::Requests(count) if count > 1 => Phase::Requests(count - 1),
            _ => Phase::Idle(Instant::now()),
        };
    }

    /// Tells the connection's task to close it.
    pub(super) fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Waits until the connection has to be closed: evicted, or silent for too long where it must not be.
    pub(super) async fn overdue(&self, limits: &Limits) {
        let look = async {
            loop {
                let deadline = match self.phase() {
                    Phase::Head(since) => Some(since + limits.head_timeout),
                    Phase::Idle(since) => Some(since + limits.idle_timeout),
                    Phase::Requests(_) => None,
                };
                let now = Instant::now();
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return;
                }
                let next_look = now + LOOK_AT_LEAST_EVERY;
                tokio::time::sleep_until(deadline.map_or(next_look, |deadline| deadline.min(next_look))).await;
            }
        };
        tokio::select! {
            biased;
            () = look => {}
            () = self.evicted.notified() => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
