//! What a connection is doing: the one account from which its timeouts and its eviction are decided.

use crate::config::Limits;
use puzzle::ClientNetwork;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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
    /// Requests are being answered that were not admitted; the last of them began or ended then.
    Answering(Instant),
    /// Admitted requests are in progress.
    Admitted,
}

/// Why a connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// To make room for another one.
    Evicted,
    /// It is silent where it must not be.
    Silent,
    /// The client takes nothing of an answer.
    Untaken,
}

/// The counts behind a [`Phase`].
#[derive(Debug)]
struct State {
    /// Requests in progress, admitted ones included.
    requests: u32,
    admitted: u32,
    /// Whether no head of a further request has begun to come.
    idle: bool,
    /// When the last of all this changed.
    since: Instant,
    /// Answers of which the client has something to take, and since when.
    untaken: Vec<(u32, Instant)>,
    next_answer: u32,
}

/// What an admitted request gives its connection: while any holds, the connection is not closed for others.
#[derive(Debug)]
pub(super) struct Admittance {
    activity: Arc<Activity>,
    holds: AtomicBool,
}

impl Admittance {
    /// A request of that connection is admitted.
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.lock().admitted += 1;
        Self { activity: Arc::clone(activity), holds: AtomicBool::new(true) }
    }

    /// The request has ended, or is not worth it any more.
    pub(super) fn withdraw(&self) {
        if self.holds.swap(false, Ordering::Relaxed) {
            let mut state = self.activity.lock();
            state.admitted = state.admitted.saturating_sub(1);
            state.since = Instant::now();
        }
    }
}

/// One connection's account.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// The network that the connection comes from; never set over a unix socket, later where a load balancer announces it.
    network: OnceLock<ClientNetwork>,
    evicted: Notify,
    /// Whether a request was answered whose body was not read to its end.
    leaves_unread: AtomicBool,
}

impl Activity {
    /// A connection that was just accepted.
    pub(super) fn new(network: Option<ClientNetwork>) -> Self {
        let since = Instant::now();
        let state = State { requests: 0, admitted: 0, idle: false, since, untaken: Vec::new(), next_answer: 0 };
        Self {
            state: Mutex::new(state),
            network: network.map_or_else(OnceLock::new, OnceLock::from),
            evicted: Notify::new(),
            leaves_unread: AtomicBool::new(false),
        }
    }

    /// The network that the connection comes from, where it is known.
    pub(super) fn network(&self) -> Option<ClientNetwork> {
        self.network.get().copied()
    }

    /// The network has been announced. What it comes from is told once.
    pub(super) fn comes_from(&self, network: ClientNetwork) {
        let _ = self.network.set(network);
    }

    /// A request is answered whose body may still be on its way.
    pub(super) fn leave_unread(&self) {
        self.leaves_unread.store(true, Ordering::Relaxed);
    }

    /// Whether the client may be sending a body that nobody wants.
    pub(super) fn leaves_unread(&self) -> bool {
        self.leaves_unread.load(Ordering::Relaxed)
    }

    pub(super) fn phase(&self) -> Phase {
        let state = self.lock();
        match &*state {
            State { admitted: 1.., .. } => Phase::Admitted,
            State { requests: 1.., since, .. } => Phase::Answering(*since),
            State { idle: true, since, .. } => Phase::Idle(*since),
            State { since, .. } => Phase::Head(*since),
        }
    }

    /// Bytes have come: an idle connection begins another head.
    pub(super) fn bytes_came(&self) {
        let mut state = self.lock();
        if state.idle && state.requests == 0 {
            state.idle = false;
            state.since = Instant::now();
        }
    }

    /// A request begins; returns the number under which its answer is known.
    pub(super) fn request_begins(&self) -> u32 {
        let mut state = self.lock();
        state.requests += 1;
        state.since = Instant::now();
        state.next_answer = state.next_answer.wrapping_add(1);
        state.next_answer
    }

    /// A request ends: its answer has been handed over, or its tunnel is closed.
    pub(super) fn request_ends(&self, answer: u32) {
        let mut state = self.lock();
        state.requests = state.requests.saturating_sub(1);
        state.untaken.retain(|(other, _)| *other != answer);
        state.idle = true;
        state.since = Instant::now();
    }

    /// From now on the client has something of an answer to take.
    pub(super) fn waits_for_client(&self, answer: u32) {
        self.lock().untaken.push((answer, Instant::now()));
    }

    /// The client has taken it.
    pub(super) fn client_took(&self, answer: u32) {
        self.lock().untaken.retain(|(other, _)| *other != answer);
    }

    /// Tells the connection's task to close it.
    pub(super) fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Waits until the connection has to be closed.
    pub(super) async fn overdue(&self, limits: &Limits) -> Overdue {
        let look = async {
            loop {
                let silent = match self.phase() {
                    Phase::Head(since) => Some(since + limits.head_timeout),
                    Phase::Idle(since) => Some(since + limits.idle_timeout),
                    Phase::Answering(_) | Phase::Admitted => None,
                };
                let oldest = self.lock().untaken.iter().map(|(_, since)| *since).min();
                let untaken = oldest.map(|since| since + limits.write_timeout);
                let deadline = silent.into_iter().chain(untaken).min();
                let now = Instant::now();
                if untaken.is_some_and(|deadline| deadline <= now) {
                    return Overdue::Untaken;
                }
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return Overdue::Silent;
                }
                let next_look = now + LOOK_AT_LEAST_EVERY;
                tokio::time::sleep_until(deadline.map_or(next_look, |deadline| deadline.min(next_look))).await;
            }
        };
        tokio::select! {
            biased;
            overdue = look => overdue,
            () = self.evicted.notified() => Overdue::Evicted,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
