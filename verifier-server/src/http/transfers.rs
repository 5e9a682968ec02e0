//! Requests whose bodies are on their way: how fast they go, what the slow ones pay, and who is closed when slots are short
//! (DESIGN: slow transfers).

use super::activity::{Activity, Admittance};
use super::body::AtOrigin;
use super::pace::Pace;
use crate::config::Site;
use crate::gate::Receipt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use puzzle::ClientNetwork;
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use tokio::time::Instant;

/// Bytes of an answer that are handed to the client at a time: in larger parts nobody would see how it goes on.
const PART_BYTES_MAX: usize = 16 * 1024;

/// All transfers of a verifier.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    open: Mutex<HashMap<u64, Weak<Transfer>>>,
    next_id: AtomicU64,
}

/// Whose transfer it is.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// The mark of the site.
    pub(super) site: u16,
    pub(super) network: ClientNetwork,
    pub(super) connection: Arc<Activity>,
    /// Whether the connection carries other requests, too.
    pub(super) shared_connection: bool,
}

/// One request with a body in either direction.
#[derive(Debug)]
pub(super) struct Transfer {
    id: u64,
    of: Arc<Transfers>,
    pub(super) party: Party,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    up: Pace,
    down: Pace,
    /// What paid for it.
    receipt: Option<Receipt>,
    /// Whether its clearance could pay when it was last asked.
    pays: bool,
    admittance: Option<Arc<Admittance>>,
    /// Whether the origin has been asked.
    at_origin: bool,
    answer: Option<Answer>,
    closed: bool,
    body_reader: Option<Waker>,
    answer_reader: Option<Waker>,
}

/// The origin's answer as it goes to the client.
#[derive(Debug)]
struct Answer {
    incoming: Incoming,
    /// What of the last part has not been handed on.
    rest: Bytes,
    /// Given back with the end of the answer.
    _at_origin: AtOrigin,
    /// An event stream: it is not judged by its pace.
    stream: bool,
}

/// What a look at a transfer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) slow: bool,
    /// It has hardly moved for [`super::pace::STANDSTILL_SECONDS`]: slow where nothing else moves either.
    pub(super) holds_up: bool,
    /// Slow seconds to be charged, and to whom.
    pub(super) owed: u32,
    pub(super) receipt: Option<Receipt>,
}

impl Transfers {
    /// A request begins to move.
    pub(super) fn begin(self: &Arc<Self>, party: Party) -> Arc<Transfer> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let transfer =
            Arc::new(Transfer { id, of: Arc::clone(self), party, began: Instant::now(), state: Mutex::default() });
        self.lock().insert(id, Arc::downgrade(&transfer));
        transfer
    }

    /// All that are open now.
    pub(super) fn all(&self) -> Vec<Arc<Transfer>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<Transfer>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.of.lock().remove(&self.id);
    }
}

impl Transfer {
    /// What paid for it, and what keeps its connection from being closed for others.
    pub(super) fn admitted(&self, receipt: Option<Receipt>, admittance: Option<Arc<Admittance>>) {
        let mut state = self.lock();
        (state.receipt, state.pays, state.admittance) = (receipt, receipt.is_some(), admittance);
    }

    /// From now on the origin works for it.
    pub(super) fn goes_to_origin(&self) {
        self.lock().at_origin = true;
    }

    pub(super) const fn began(&self) -> Instant {
        self.began
    }

    pub(super) const fn is_of(&self, site: &Site) -> bool {
        self.party.site == site.mark
    }

    /// Whether it is slow now.
    pub(super) fn is_slow(&self, now: Instant) -> bool {
        let mut state = self.lock();
        (state.up.is_slow(now) | state.down.is_slow(now)) && !state.closed
    }

    /// Whether the origin works for it.
    pub(super) fn is_at_origin(&self) -> bool {
        self.lock().at_origin
    }

    /// Whether its clearance could pay when it was last asked.
    pub(super) fn pays(&self) -> bool {
        self.lock().pays
    }

    /// Its clearance cannot pay any more: nothing keeps its connection from being closed for others.
    pub(super) fn cannot_pay(&self) {
        let mut state = self.lock();
        state.pays = false;
        if let Some(admittance) = state.admittance.take() {
            admittance.withdraw();
        }
    }

    /// How it goes. What is owed is told once.
    pub(super) fn look(&self, now: Instant) -> Look {
        let mut state = self.lock();
        let slow = state.up.is_slow(now) | state.down.is_slow(now);
        let holds_up = state.up.holds_up(now) | state.down.holds_up(now);
        let owed = state.up.take_owed().saturating_add(state.down.take_owed());
        Look { slow: slow && !state.closed, holds_up: holds_up && !state.closed, owed, receipt: state.receipt }
    }

    /// A part of the request's body came.
    pub(super) fn client_sent(&self, bytes: usize) {
        let mut state = self.lock();
        state.up.goes_on(Instant::now());
        state.up.moved(bytes);
    }

    /// The request's body is waited for; returns whether it has been closed.
    pub(super) fn waits_for_body(&self, reader: &Waker) -> bool {
        let mut state = self.lock();
        state.up.waits(Instant::now());
        if !state.body_reader.as_ref().is_some_and(|known| known.will_wake(reader)) {
            state.body_reader = Some(reader.clone());
        }
        state.closed
    }

    /// Nobody waits for the request's body any more.
    pub(super) fn body_ends(&self) {
        let mut state = self.lock();
        state.up.goes_on(Instant::now());
        state.up = Pace::default();
        state.body_reader = None;
    }

    /// The origin answers. `stream`: it is an event stream, which nobody expects to be fast.
    pub(super) fn answered(&self, incoming: Incoming, at_origin: AtOrigin, stream: bool) {
        let mut state = self.lock();
        if !state.closed {
            state.answer = Some(Answer { incoming, rest: Bytes::new(), _at_origin: at_origin, stream });
        }
    }

    /// The next part of the answer.
    pub(super) fn poll_answer(&self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut state = self.lock();
        let State { answer, down, answer_reader, .. } = &mut *state;
        // Whoever asks for more has taken what there was. An origin that has nothing yet is no fault of the client.
        down.goes_on(Instant::now());
        let Some(answer) = answer else { return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))) };
        if answer.rest.is_empty() {
            let frame = Pin::new(&mut answer.incoming).poll_frame(context);
            if frame.is_pending() && !answer_reader.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                *answer_reader = Some(context.waker().clone());
            }
            match ready!(frame).transpose().map_err(io::Error::other)?.map(Frame::into_data) {
                None => return Poll::Ready(None),
                Some(Err(frame)) => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(data)) => answer.rest = data,
            }
        }
        let part = answer.rest.split_to(answer.rest.len().min(PART_BYTES_MAX));
        if !answer.stream {
            down.waits(Instant::now());
            down.moved(part.len());
        }
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    pub(super) fn answer_is_ended(&self) -> bool {
        let state = self.lock();
        state.answer.as_ref().is_some_and(|answer| answer.rest.is_empty() && answer.incoming.is_end_stream())
    }

    pub(super) fn answer_size(&self) -> SizeHint {
        let state = self.lock();
        let Some(answer) = &state.answer else { return SizeHint::default() };
        let (rest, hint) = (u64::try_from(answer.rest.len()).unwrap_or(u64::MAX), answer.incoming.size_hint());
        hint.exact().map_or(hint, |exact| SizeHint::with_exact(exact.saturating_add(rest)))
    }

    /// Nobody takes the answer any more: it has been handed over, or the client left.
    pub(super) fn answer_ends(&self) {
        let mut state = self.lock();
        (state.down, state.answer_reader) = (Pace::default(), None);
        let answer = state.answer.take();
        drop(state);
        // With the lock released: what it held goes to whoever waits for it.
        drop(answer);
    }

    /// Closes it at once: the origin is free, and the client learns of it as far as it listens.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let (answer, readers) = (state.answer.take(), [state.body_reader.take(), state.answer_reader.take()]);
        drop(state);
        if answer.is_some() && !self.party.shared_connection {
            // Whoever takes nothing does not ask for more either, and would not hear of it.
            self.party.connection.evict();
        }
        drop(answer);
        readers.into_iter().flatten().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
