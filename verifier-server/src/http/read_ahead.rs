//! The bytes of request bodies that are read before the origin is opened: a bounded number of them in all.
//!
//! A body that trickles holds no worker of the origin and no slot meanwhile. At the limit nobody new is refused: what the
//! network gives up that has held most bytes for longest, over its shares, the oldest of its bodies first.

use puzzle::ClientNetwork;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes of a request's body that are read before the origin is opened.
pub(super) const READ_AHEAD_BYTES: usize = 64 * 1024;
/// Bytes held so over all requests, counted as they are really held.
pub(super) const READ_AHEAD_TOTAL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The part of the limit that is made free at a time: a look over all bodies serves that much.
const FREED_AT_A_TIME: usize = 16;

/// All bodies that are being read ahead, or wait for the origin.
#[derive(Debug)]
pub(super) struct ReadAheads {
    inner: Mutex<Inner>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    bytes: usize,
    next_id: u64,
    held: HashMap<u64, Share>,
}

#[derive(Debug)]
struct Share {
    network: ClientNetwork,
    bytes: usize,
    since: Instant,
    ended: Arc<Notify>,
}

/// What one body holds, given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    of: Arc<ReadAheads>,
    id: u64,
    ended: Arc<Notify>,
}

impl ReadAheads {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), bytes_max })
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// A body from `network` begins to be read.
    pub(super) fn begin(self: &Arc<Self>, network: ClientNetwork) -> Held {
        let mut inner = self.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        let ended = Arc::new(Notify::new());
        inner.held.insert(id, Share { network, bytes: 0, since: Instant::now(), ended: Arc::clone(&ended) });
        drop(inner);
        Held { of: Arc::clone(self), id, ended }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// It holds so many bytes now. `shares` says what a network weighs, where room has to be made.
    pub(super) fn set_bytes(&self, bytes: usize, shares: impl Fn(ClientNetwork) -> u32) {
        let mut inner = self.of.lock();
        let Some(share) = inner.held.get_mut(&self.id) else { return };
        let before = std::mem::replace(&mut share.bytes, bytes);
        inner.bytes = inner.bytes + bytes - before;
        if inner.bytes > self.of.bytes_max {
            inner.make_room(self.of.bytes_max - self.of.bytes_max / FREED_AT_A_TIME, shares);
        }
    }

    /// Waits until it has to give up what it holds.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.lock().end(self.id);
    }
}

impl Inner {
    fn end(&mut self, id: u64) {
        if let Some(share) = self.held.remove(&id) {
            self.bytes -= share.bytes;
            share.ended.notify_one();
        }
    }

    /// Ends bodies until no more than `bytes` are held.
    fn make_room(&mut self, bytes: usize, shares: impl Fn(ClientNetwork) -> u32) {
        let now = Instant::now();
        let mut crowds: HashMap<ClientNetwork, Crowd> = HashMap::new();
        for (id, share) in self.held.iter().filter(|(_, share)| share.bytes > 0) {
            let fresh = || Crowd { shares: shares(share.network).max(1), burden: 0, bodies: BinaryHeap::new() };
            crowds.entry(share.network).or_insert_with(fresh).add(*id, share, now);
        }
        let mut order: BinaryHeap<(u64, ClientNetwork)> =
            crowds.iter().map(|(network, crowd)| (crowd.weight(), *network)).collect();
        while self.bytes > bytes
            && let Some((_, network)) = order.pop()
            && let Some(crowd) = crowds.get_mut(&network)
        {
            if let Some((_, id, burden)) = crowd.bodies.pop() {
                self.end(id);
                crowd.burden = crowd.burden.saturating_sub(burden);
                order.push((crowd.weight(), network));
            }
        }
    }
}

/// What a network holds when room has to be made.
struct Crowd {
    shares: u32,
    /// Byte-milliseconds.
    burden: u64,
    /// Its bodies, the oldest first, with the burden of each.
    bodies: BinaryHeap<(Reverse<Instant>, u64, u64)>,
}

impl Crowd {
    fn add(&mut self, id: u64, share: &Share, now: Instant) {
        // A body counts from its first byte on, also within the first millisecond.
        let age_ms = u64::try_from(now.duration_since(share.since).as_millis()).unwrap_or(u64::MAX).max(1);
        let burden = u64::try_from(share.bytes).unwrap_or(u64::MAX).saturating_mul(age_ms);
        self.burden = self.burden.saturating_add(burden);
        self.bodies.push((Reverse(share.since), id, burden));
    }

    fn weight(&self) -> u64 {
        self.burden / u64::from(self.shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMIT: usize = 16 * 1024;

    fn network(third: u8) -> ClientNetwork {
        ClientNetwork::of([203, 0, third, 9].into())
    }

    fn is_ended(held: &Held) -> bool {
        !held.of.lock().held.contains_key(&held.id)
    }

    fn reading(all: &Arc<ReadAheads>, third: u8, bytes: usize) -> Held {
        let held = all.begin(network(third));
        held.set_bytes(bytes, |_| 1);
        held
    }

    #[test]
    fn what_is_dropped_is_given_back() {
        let all = ReadAheads::new(LIMIT);
        let held = reading(&all, 1, 1_000);
        held.set_bytes(3_000, |_| 1);
        assert_eq!(all.bytes(), 3_000);
        drop(held);
        assert_eq!(all.bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_who_trickles_for_long_makes_room_and_the_newcomer_stays() {
        let all = ReadAheads::new(LIMIT);
        let trickles: Vec<Held> = (0..8).map(|third| reading(&all, third, LIMIT / 8 - 1)).collect();
        tokio::time::advance(Duration::from_mins(1)).await;
        let newcomer = reading(&all, 99, LIMIT / 4);
        assert!(!is_ended(&newcomer), "though it holds more than any other network");
        assert!(trickles.iter().any(is_ended) && all.bytes() <= LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_body_of_the_heaviest_network_goes_first_and_its_task_hears_of_it() {
        let all = ReadAheads::new(LIMIT);
        let alone = reading(&all, 1, LIMIT / 4);
        let crowd: Vec<Held> = (0..4).map(|_| reading(&all, 2, LIMIT / 8)).collect();
        tokio::time::advance(Duration::from_secs(1)).await;
        let young = reading(&all, 2, LIMIT / 8);
        let _last = reading(&all, 3, LIMIT / 4);
        assert!(!is_ended(&alone) && !is_ended(&young));
        let ended = crowd.iter().find(|held| is_ended(held)).expect("one of the crowd");
        tokio::time::timeout(Duration::from_millis(1), ended.ended()).await.expect("told");
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_many_shares_may_hold_as_many_times_as_much() {
        let all = ReadAheads::new(LIMIT);
        let shares = |of| if of == network(1) { 8 } else { 1 };
        let office: Vec<Held> = (0..4).map(|_| reading(&all, 1, LIMIT / 8)).collect();
        let lone = reading(&all, 2, LIMIT / 4);
        tokio::time::advance(Duration::from_secs(1)).await;
        let newcomer = all.begin(network(3));
        newcomer.set_bytes(LIMIT * 3 / 8, shares);
        assert!(is_ended(&lone) && !office.iter().any(is_ended));
    }
}
