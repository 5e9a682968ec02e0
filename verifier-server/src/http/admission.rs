//! The queue before each site's origin, over real requests: one waits here until it has a slot, or is dropped.

use crate::by_site::BySite;
use crate::config::{Config, Site};
use crate::gate::admission::{self, Asked, Request, Token, Turn};
use crate::gate::networks::HashKey;
use crate::load::Queued;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The queues of all sites.
pub(crate) struct Admissions {
    by_site: BySite<SiteQueue>,
    hash_key: HashKey,
}

/// The queue before the origin of a site.
pub(crate) struct SiteQueue {
    inner: Mutex<Inner>,
    began: Instant,
}

struct Inner {
    admission: admission::Admission<Waiting>,
    /// Whether the gate was down at the last look.
    closed: bool,
    /// Whether nobody who waits got a slot in the last second.
    stands_still: bool,
}

/// A request that waits for a word.
#[derive(Debug)]
struct Waiting(oneshot::Sender<Word>);

impl Token for Waiting {
    fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}

/// How waiting ends.
#[derive(Debug)]
pub(super) enum Word {
    /// The request goes to the origin and holds this until its answer has been passed on.
    Go(Slot),
    /// There was no room for it in time.
    Dropped,
    /// The gate went down meanwhile: it asks again.
    AskAgain,
}

/// One of the slots of an origin, given back when dropped.
pub(super) struct Slot {
    queue: Arc<SiteQueue>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Slot")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let turns = self.queue.with(|inner, now, turns| inner.admission.release(now, turns)).1;
        self.queue.deliver(turns);
    }
}

impl Admissions {
    /// None yet.
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self { by_site: BySite::default(), hash_key }
    }

    /// The queue of a site.
    pub(crate) fn of(&self, site: &Site) -> Arc<SiteQueue> {
        self.by_site.with(site, || SiteQueue::new(self.hash_key.of_site(site.mark)), Arc::clone)
    }

    /// Forgets the sites that are configured no more.
    pub(crate) fn keep_only(&self, config: &Config) {
        self.by_site.keep_only(config);
    }
}

impl SiteQueue {
    fn new(hash_key: HashKey) -> Self {
        let admission = admission::Admission::new(admission::OPEN_SLOTS_MIN, hash_key);
        Self { inner: Mutex::new(Inner { admission, closed: false, stands_still: false }), began: Instant::now() }
    }

    /// Waits for a slot. `shares` says what the networks of the request weigh, where it has to wait.
    pub(super) async fn ask(self: &Arc<Self>, mut request: Request, shares: impl FnOnce() -> [u32; 3]) -> Word {
        if self.with(|inner, now, _| inner.admission.take_free_slot(&request, now)).0 {
            return Word::Go(Slot { queue: Arc::clone(self) });
        }
        request.shares = shares();
        let (token, word) = oneshot::channel();
        let (asked, turns) = self.with(|inner, now, turns| inner.admission.ask(&request, Waiting(token), now, turns));
        self.deliver(turns);
        match asked {
            Asked::Now(_) => Word::Go(Slot { queue: Arc::clone(self) }),
            Asked::Full(_) => Word::Dropped,
            Asked::Waits => word.await.unwrap_or(Word::Dropped),
        }
    }

    /// Once a second: what the queue tells of the load.
    pub(crate) fn second(self: &Arc<Self>) -> Queued {
        let (second, turns) = self.with(|inner, now, turns| {
            let second = inner.admission.second(now, turns);
            inner.stands_still = second.stands_still;
            second
        });
        self.deliver(turns);
        Queued {
            delay: second.waits,
            waiting: u32::try_from(second.waiting).unwrap_or(u32::MAX),
            in_use_peak: second.in_use_peak,
        }
    }

    /// From now on there are so many slots, and the gate is down or not.
    pub(crate) fn set(self: &Arc<Self>, slots: u32, closed: bool) {
        let ((), turns) = self.with(|inner, now, turns| {
            if closed && !inner.closed {
                inner.admission.ask_free_again(turns);
            }
            inner.closed = closed;
            inner.admission.set_slots(slots, now, turns);
        });
        self.deliver(turns);
    }

    /// How many requests have a slot, and how many wait for one.
    pub(crate) fn fill(&self) -> (u32, usize) {
        let inner = self.lock();
        (inner.admission.slots().0, inner.admission.waiting())
    }

    /// How many wait for a slot, and how many of them pass unpaid while others pay.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.admission.waiting(), inner.admission.waiting_unpaid())
    }

    /// Whether requests waited in the last whole second and none got a slot.
    pub(super) fn stands_still(&self) -> bool {
        self.lock().stands_still
    }

    /// Words are sent only where the lock is not held: a slot that nobody takes gives itself back.
    fn deliver(self: &Arc<Self>, turns: Vec<Turn<Waiting>>) {
        for turn in turns {
            // Whoever waited may have gone by now.
            let _ = match turn {
                Turn::Slot(waiting) => waiting.0.send(Word::Go(Slot { queue: Arc::clone(self) })),
                Turn::Dropped(waiting) => waiting.0.send(Word::Dropped),
                Turn::AskAgain(waiting) => waiting.0.send(Word::AskAgain),
            };
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner, Duration, &mut Vec<Turn<Waiting>>) -> R) -> (R, Vec<Turn<Waiting>>) {
        let mut turns = Vec::new();
        let mut inner = self.lock();
        let result = act(&mut inner, self.began.elapsed(), &mut turns);
        (result, turns)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::admission::Class;
    use crate::gate::networks::Nested;
    use crate::load::Amount;
    use puzzle::{ClearanceId, ClientNetwork, Credits};

    fn request(class: Class) -> Request {
        let network = Nested::of(ClientNetwork::of([203, 0, 113, 9].into()));
        let clearance = ClearanceId([0; 16]);
        Request { class, network, shares: [1; 3], clearance, cost: Amount::of(Credits::ONE), part: false }
    }

    fn queue_of_one() -> Arc<SiteQueue> {
        let queue = Arc::new(SiteQueue::new(HashKey([1; 16])));
        queue.set(1, true);
        queue
    }

    async fn slot(queue: &Arc<SiteQueue>) -> Slot {
        match queue.ask(request(Class::Cleared), || [1; 3]).await {
            Word::Go(slot) => slot,
            other => unreachable!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_slot_that_is_dropped_goes_to_whoever_waits() {
        let queue = queue_of_one();
        let first = slot(&queue).await;
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { slot(&queue).await }
        });
        while queue.fill().1 == 0 {
            tokio::task::yield_now().await;
        }
        drop(first);
        let second = waiting.await.expect("served");
        assert_eq!(queue.fill(), (1, 0));
        drop(second);
        assert_eq!(queue.fill(), (0, 0));
    }

    #[tokio::test]
    async fn a_client_that_leaves_while_it_waits_loses_no_slot() {
        let queue = queue_of_one();
        let first = slot(&queue).await;
        let left = tokio::time::timeout(Duration::from_millis(1), queue.ask(request(Class::Cleared), || [1; 3])).await;
        assert!(left.is_err());
        drop(first);
        assert_eq!(queue.fill(), (0, 0));
        slot(&queue).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so_within_a_second() {
        let queue = queue_of_one();
        let _first = slot(&queue).await;
        let ask = queue.ask(request(Class::Cleared), || [1; 3]);
        let tick = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                queue.second();
            }
        };
        tokio::select! {
            word = ask => assert!(matches!(word, Word::Dropped)),
            () = tick => {}
        }
        assert!(queue.began.elapsed() <= admission::WAIT_MAX + Duration::from_secs(2));
    }

    #[tokio::test]
    async fn free_requests_ask_again_when_the_gate_goes_down() {
        let queue = Arc::new(SiteQueue::new(HashKey([1; 16])));
        queue.set(1, false);
        let _first = slot(&queue).await;
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.ask(request(Class::Free), || [1; 3]).await }
        });
        while queue.fill().1 == 0 {
            tokio::task::yield_now().await;
        }
        queue.set(1, true);
        assert!(matches!(waiting.await, Ok(Word::AskAgain)));
    }
}
