//! The requests of one client network that wait: by clearance, oldest first in each, and bounded.

use crate::gate::networks::HashKey;
use puzzle::ClearanceId;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::time::Duration;

/// Requests of a network that wait at the most, with one share,
pub const LANE_REQUESTS_MAX: usize = 128;
/// and for each further one.
pub const LANE_REQUESTS_PER_SHARE: usize = 16;
/// Clearances of a network share so many sub-buckets, by a keyed hash.
const CLEARANCES: usize = 8;
/// They have one for the parts of pages that they were given, which go first, and one for all else.
const BUCKETS: usize = 2 * CLEARANCES;

/// Whoever waits for a slot.
pub trait Token {
    /// Whether nobody waits behind it any more: its client has gone.
    fn is_gone(&self) -> bool;
}

/// One request that waits.
#[derive(Debug)]
pub(super) struct Waiter<T> {
    pub(super) token: T,
    /// When it came, on the queue's clock.
    pub(super) came: Duration,
    /// What it costs by its route, in millionths of a credit.
    pub(super) cost: u64,
    /// Nothing was asked of it.
    pub(super) free: bool,
    /// It is part of a page: the page is worth little without it.
    pub(super) part: bool,
}

/// One network's requests.
#[derive(Debug)]
pub(super) struct Lane<T> {
    buckets: [VecDeque<Waiter<T>>; BUCKETS],
    /// The clearance whose turn it is.
    turn: usize,
    len: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| VecDeque::new()), turn: 0, len: 0 }
    }
}

impl<T: Token> Lane<T> {
    /// The most that wait in the lane of a network with so many shares.
    pub(super) const fn most(shares: u32) -> usize {
        LANE_REQUESTS_MAX + LANE_REQUESTS_PER_SHARE * (shares.saturating_sub(1) as usize)
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Lets a request wait behind those of its clearance. At `most` the last one of the longest bucket makes room, and
    /// of pages before their parts: one bad neighbour must not starve the office.
    pub(super) fn push(
        &mut self,
        hasher: &HashKey,
        clearance: ClearanceId,
        waiter: Waiter<T>,
        most: usize,
    ) -> Option<T> {
        let own = usize::try_from(hasher.hash_one(clearance.0)).unwrap_or_default() % CLEARANCES;
        let bucket = if waiter.part { own } else { CLEARANCES + own };
        self.buckets[bucket].push_back(waiter);
        self.len += 1;
        (self.len > most).then(|| self.drop_last_of_longest()).flatten()
    }

    /// Takes the last request of the longest bucket: of pages, where there are any.
    pub(super) fn drop_last_of_longest(&mut self) -> Option<T> {
        let (parts, pages) = self.buckets.split_at_mut(CLEARANCES);
        let buckets = if pages.iter().any(|bucket| !bucket.is_empty()) { pages } else { parts };
        let longest = buckets.iter_mut().max_by_key(|bucket| bucket.len())?;
        let last = longest.pop_back()?;
        self.len -= 1;
        Some(last.token)
    }

    /// Takes away all that came before `since`, and those whose clients have gone. Gives the former to `dropped`.
    pub(super) fn drop_stale(&mut self, since: Duration, mut dropped: impl FnMut(T)) {
        for bucket in &mut self.buckets {
            while bucket.front().is_some_and(|waiter| waiter.came < since || waiter.token.is_gone()) {
                self.len -= 1;
                if let Some(waiter) = bucket.pop_front()
                    && !waiter.token.is_gone()
                {
                    dropped(waiter.token);
                }
            }
        }
    }

    /// Takes away those of which nothing was asked.
    pub(super) fn take_free(&mut self, taken: &mut impl FnMut(T)) {
        for bucket in &mut self.buckets {
            for waiter in std::mem::take(bucket) {
                if waiter.free {
                    self.len -= 1;
                    taken(waiter.token);
                } else {
                    bucket.push_back(waiter);
                }
            }
        }
    }

    fn next_bucket(&self) -> Option<usize> {
        let in_turn = |first: usize| (0..CLEARANCES).map(move |step| first + (self.turn + step) % CLEARANCES);
        in_turn(0).chain(in_turn(CLEARANCES)).find(|next| !self.buckets[*next].is_empty())
    }

    /// Takes the request that is next; the turn goes to the next clearance.
    pub(super) fn pop(&mut self) -> Option<Waiter<T>> {
        let next = self.next_bucket()?;
        let waiter = self.buckets[next].pop_front()?;
        self.turn = (next + 1) % CLEARANCES;
        self.len -= 1;
        Some(waiter)
    }

    /// When the request came that has waited longest.
    pub(super) fn oldest(&self) -> Option<Duration> {
        self.buckets.iter().filter_map(|bucket| bucket.front()).map(|waiter| waiter.came).min()
    }

    /// Everything of another lane waits here too, behind what is there.
    pub(super) fn append(&mut self, other: Self) {
        self.len += other.len;
        for (bucket, others) in self.buckets.iter_mut().zip(other.buckets) {
            bucket.extend(others);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Token for u32 {
        fn is_gone(&self) -> bool {
            *self == u32::MAX
        }
    }

    const NOW: Duration = Duration::from_secs(100);

    fn waiter(token: u32, came: Duration) -> Waiter<u32> {
        Waiter { token, came, cost: 1_000_000, free: false, part: false }
    }

    /// Two clearances in different buckets.
    fn two(hasher: &HashKey) -> [ClearanceId; 2] {
        let bucket = |id: &ClearanceId| hasher.hash_one(id.0) % 8;
        let one = ClearanceId([0; 16]);
        let other = (1..=255).map(|byte| ClearanceId([byte; 16])).find(|id| bucket(id) != bucket(&one));
        [one, other.expect("one of 255")]
    }

    fn served(lane: &mut Lane<u32>) -> Vec<u32> {
        std::iter::from_fn(|| lane.pop()).map(|waiter| waiter.token).collect()
    }

    #[test]
    fn clearances_take_turns_and_each_is_served_in_order() {
        let hasher = HashKey([1; 16]);
        let [many, few] = two(&hasher);
        let mut lane = Lane::default();
        (0..5).for_each(|number| assert_eq!(lane.push(&hasher, many, waiter(number, NOW), 10), None));
        (10..12).for_each(|number| assert_eq!(lane.push(&hasher, few, waiter(number, NOW), 10), None));
        let order = served(&mut lane);
        let of_few: Vec<usize> = [10, 11]
            .map(|number| order.iter().position(|served| *served == number))
            .map(|at| at.expect("served"))
            .into();
        assert!(of_few[0] <= 1 && of_few[1] <= 3, "{order:?}");
        let of_many: Vec<u32> = order.into_iter().filter(|number| *number < 10).collect();
        assert_eq!(of_many, [0, 1, 2, 3, 4]);
        assert_eq!(lane.len(), 0);
    }

    #[test]
    fn in_a_full_lane_the_longest_bucket_makes_room() {
        let hasher = HashKey([1; 16]);
        let [neighbour, colleague] = two(&hasher);
        let mut lane = Lane::default();
        (0..10).for_each(|number| assert_eq!(lane.push(&hasher, neighbour, waiter(number, NOW), 10), None));
        assert_eq!(lane.push(&hasher, colleague, waiter(10, NOW), 10), Some(9));
        assert_eq!(lane.push(&hasher, neighbour, waiter(11, NOW), 10), Some(11), "it takes no place but its own");
        assert!(served(&mut lane).contains(&10));
    }

    #[test]
    fn parts_of_a_page_go_before_other_pages_and_are_dropped_after_them() {
        let hasher = HashKey([1; 16]);
        let [one, other] = two(&hasher);
        let mut lane = Lane::default();
        lane.push(&hasher, one, waiter(1, NOW), 3);
        lane.push(&hasher, other, Waiter { part: true, ..waiter(2, NOW) }, 3);
        lane.push(&hasher, other, Waiter { part: true, ..waiter(3, NOW) }, 3);
        assert_eq!(lane.push(&hasher, other, Waiter { part: true, ..waiter(4, NOW) }, 3), Some(1));
        assert_eq!(lane.push(&hasher, one, waiter(5, NOW), 4), None);
        assert_eq!(served(&mut lane), [2, 3, 4, 5]);
    }

    #[test]
    fn who_waited_too_long_is_dropped_and_who_has_gone_is_forgotten() {
        let hasher = HashKey([1; 16]);
        let [one, _] = two(&hasher);
        let mut lane = Lane::default();
        for (token, age) in [(1, 9), (u32::MAX, 8), (2, 7), (3, 1)] {
            lane.push(&hasher, one, waiter(token, NOW.saturating_sub(Duration::from_secs(age))), 10);
        }
        let mut dropped = Vec::new();
        lane.drop_stale(NOW.saturating_sub(Duration::from_secs(5)), |token| dropped.push(token));
        assert_eq!(dropped, [1, 2]);
        assert_eq!(served(&mut lane), [3]);
    }
}
