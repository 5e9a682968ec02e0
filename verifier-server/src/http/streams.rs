//! WebSockets and event streams: what holds a place, for how long, and how many there are (DESIGN: slow transfers).
//!
//! While the site's price is above zero a new one needs a place, and pays for it each further minute. One that cannot pay
//! is not cut; it only holds no place any more. One that was opened while nothing was asked never held one.

use super::crowds::most_crowded;
use super::transfers::Transfer;
use crate::gate::{PaidAgain, Receipt};
use puzzle::{ClearanceId, ClientNetwork};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Streams with a place at a time that one clearance pays for.
pub(super) const STREAMS_PER_CLEARANCE_MAX: usize = 4;
/// Streams with a place at a site whose capacity nobody knows; else a quarter of its credits a second.
pub(super) const STREAMS_UNKNOWN_CAPACITY_MAX: usize = 64;
/// How often a stream pays.
pub(super) const STREAM_PAYS_EVERY: Duration = Duration::from_mins(1);

/// All open streams of a verifier.
#[derive(Debug, Default)]
pub(super) struct Streams {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    open: HashMap<u64, Stream>,
}

#[derive(Debug)]
struct Stream {
    site: u16,
    network: ClientNetwork,
    /// What paid for it; nothing where nothing was asked.
    receipt: Option<Receipt>,
    holds_place: bool,
    began: Instant,
    pays_at: Instant,
    cut: Arc<Notify>,
    /// The answer of an event stream, which is cut at its own place.
    transfer: Weak<Transfer>,
}

/// An open stream; dropped when it ends.
#[derive(Debug)]
pub(super) struct OpenStream {
    of: Arc<Streams>,
    id: u64,
    cut: Arc<Notify>,
}

/// How many streams of a site there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) open: usize,
    pub(super) with_place: usize,
}

impl Streams {
    /// Opens a stream. `places`: how many of the site may hold one, where the numbers bind. `None` if none is left for it.
    pub(super) fn open(
        self: &Arc<Self>,
        site: u16,
        network: ClientNetwork,
        receipt: Option<Receipt>,
        places: Option<usize>,
    ) -> Option<OpenStream> {
        let mut inner = self.lock();
        // What passes unpaid while others pay has no clearance to be counted by.
        if let (Some(places), Some(receipt)) = (places, receipt) {
            let of_site = inner.open.values().filter(|stream| stream.holds_place && stream.site == site);
            let of_entry = of_site.clone().filter(|stream| stream.is_of(receipt.clearance)).count();
            if of_entry >= STREAMS_PER_CLEARANCE_MAX || of_site.count() >= places {
                return None;
            }
        }
        let (id, began, cut) = (inner.next_id, Instant::now(), Arc::new(Notify::new()));
        inner.next_id += 1;
        let (holds_place, pays_at) = (receipt.is_some(), began + STREAM_PAYS_EVERY);
        let transfer = Weak::new();
        let stream = Stream { site, network, receipt, holds_place, began, pays_at, cut: Arc::clone(&cut), transfer };
        inner.open.insert(id, stream);
        drop(inner);
        Some(OpenStream { of: Arc::clone(self), id, cut })
    }

    /// Once a second: every stream whose minute is over pays, by `pay` for the site with that mark.
    pub(super) fn second(&self, now: Instant, mut pay: impl FnMut(u16, &Receipt) -> PaidAgain) {
        let mut inner = self.lock();
        for stream in inner.open.values_mut().filter(|stream| stream.pays_at <= now) {
            stream.pays_at += STREAM_PAYS_EVERY;
            if let Some(receipt) = &stream.receipt
                && pay(stream.site, receipt) == PaidAgain::Lacking
            {
                stream.holds_place = false;
            }
        }
    }

    /// Cuts so many streams of a site that never paid: of the network that has most of them the oldest first.
    pub(super) fn cut_free(&self, site: u16, count: usize, shares: impl Fn(ClientNetwork) -> u32) -> usize {
        let inner = self.lock();
        let free = inner.open.values().filter(|stream| stream.site == site && stream.receipt.is_none());
        let free = most_crowded(free, count, |stream| (stream.network, stream.began), shares);
        let (count, mut transfers) = (free.len(), Vec::new());
        for stream in free {
            stream.cut.notify_one();
            transfers.extend(stream.transfer.upgrade());
        }
        drop(inner);
        // With the lock released: a transfer that ends gives its stream back.
        for transfer in transfers {
            transfer.close();
        }
        count
    }

    /// How many there are of a site.
    pub(super) fn count(&self, site: u16) -> Count {
        let inner = self.lock();
        let of_site = inner.open.values().filter(|stream| stream.site == site);
        Count { open: of_site.clone().count(), with_place: of_site.filter(|stream| stream.holds_place).count() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn is_of(&self, clearance: ClearanceId) -> bool {
        self.receipt.is_some_and(|receipt| receipt.clearance == clearance)
    }
}

impl OpenStream {
    /// It is this answer, and is cut with it.
    pub(super) fn cut_by(&self, transfer: &Arc<Transfer>) {
        if let Some(stream) = self.of.lock().open.get_mut(&self.id) {
            stream.transfer = Arc::downgrade(transfer);
        }
    }

    /// Waits until it has to end for others.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.of.lock().open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Amount;
    use puzzle::Credits;

    fn paid_by(clearance: u8) -> Receipt {
        let clearance = ClearanceId([clearance; 16]);
        let (charged, further) = (Credits::ONE, Credits::ONE);
        Receipt { clearance, network: network(1), charged, further, kept: Amount::of(charged) }
    }

    fn network(third: u8) -> ClientNetwork {
        ClientNetwork::of([203, 0, third, 9].into())
    }

    fn open(streams: &Arc<Streams>, clearance: u8, places: usize) -> Option<OpenStream> {
        streams.open(1, network(1), Some(paid_by(clearance)), Some(places))
    }

    #[test]
    fn a_clearance_holds_four_places_and_a_site_has_so_many() {
        let streams = Arc::new(Streams::default());
        let mut first: Vec<OpenStream> = (0..4).filter_map(|_| open(&streams, 1, 6)).collect();
        assert_eq!(first.len(), 4);
        assert!(open(&streams, 1, 6).is_none());
        let _second: Vec<OpenStream> = (0..2).filter_map(|_| open(&streams, 2, 6)).collect();
        assert!(open(&streams, 3, 6).is_none(), "the site is full");
        assert!(streams.open(2, network(1), Some(paid_by(1)), Some(6)).is_some(), "another site is not");
        first.pop();
        assert!(open(&streams, 3, 6).is_some());
    }

    #[test]
    fn while_nothing_is_asked_no_number_binds_and_no_place_is_taken() {
        let streams = Arc::new(Streams::default());
        let many: Vec<OpenStream> = (0..100).filter_map(|_| streams.open(1, network(1), None, None)).collect();
        assert_eq!((many.len(), streams.count(1)), (100, Count { open: 100, with_place: 0 }));
        assert!(open(&streams, 1, 1).is_some(), "they take no place either when the gate goes down");
    }

    #[tokio::test(start_paused = true)]
    async fn each_further_minute_is_paid_and_who_cannot_pay_loses_the_place_and_nothing_else() {
        let streams = Arc::new(Streams::default());
        let stream = open(&streams, 1, 1).expect("a place");
        let begin = Instant::now();
        let mut budget = 3;
        let mut pay = |_: u16, _: &Receipt| {
            if budget == 0 {
                return PaidAgain::Lacking;
            }
            budget -= 1;
            PaidAgain::Paid
        };
        for second in 0..240 {
            streams.second(begin + Duration::from_secs(second), &mut pay);
            assert_eq!(streams.count(1).with_place, 1, "after {second} s");
        }
        streams.second(begin + Duration::from_mins(4), &mut pay);
        assert_eq!(streams.count(1), Count { open: 1, with_place: 0 });
        assert!(tokio::time::timeout(Duration::from_secs(1), stream.cut()).await.is_err(), "it goes on");
        assert!(open(&streams, 2, 1).is_some(), "its place is somebody else's");
    }

    #[test]
    fn while_the_price_is_zero_a_minute_costs_nothing_and_the_place_stays() {
        let streams = Arc::new(Streams::default());
        let _stream = open(&streams, 1, 1).expect("a place");
        let later = Instant::now() + STREAM_PAYS_EVERY * 2;
        streams.second(later, |_, _| PaidAgain::Free);
        assert_eq!(streams.count(1).with_place, 1);
    }

    #[tokio::test]
    async fn only_those_that_never_paid_are_cut_and_first_the_crowds() {
        let streams = Arc::new(Streams::default());
        let _paid = open(&streams, 1, 1).expect("a place");
        let lone = streams.open(1, network(2), None, None).expect("open");
        let crowd: Vec<OpenStream> = (0..3).filter_map(|_| streams.open(1, network(3), None, None)).collect();
        assert_eq!(streams.cut_free(1, 2, |_| 1), 2);
        for stream in crowd.iter().take(2) {
            stream.cut().await;
        }
        assert!(tokio::time::timeout(Duration::ZERO, lone.cut()).await.is_err());
        assert_eq!(streams.cut_free(1, 9, |_| 1), 4, "one that pays is never cut");
    }
}
