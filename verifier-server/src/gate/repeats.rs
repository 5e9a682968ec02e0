//! One charge for one request, however often a web server asks about it: nginx asks again on internal redirects.

use super::Repeat;
use super::networks::HashKey;
use puzzle::{ClearanceId, UnixSeconds};
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

/// Checks that one charge covers, itself included.
const CHECKS_PER_CHARGE: u8 = 4;
/// How long a charge covers further checks.
const COVER_SECONDS: u32 = 10;
const BUCKETS: usize = 8192;
const BUCKET_CELLS: usize = 4;

#[derive(Clone, Copy, Default)]
struct Cell {
    key: u64,
    charged_at: UnixSeconds,
    checks: u8,
}

/// Charges of the last seconds, in a table of fixed size: it may forget, which costs a credit and nothing else.
pub(super) struct Repeats {
    hasher: HashKey,
    buckets: Vec<Mutex<[Cell; BUCKET_CELLS]>>,
}

impl Repeats {
    /// No charges yet.
    pub(super) fn new(key: HashKey) -> Self {
        Self { hasher: key, buckets: (0..BUCKETS).map(|_| Mutex::default()).collect() }
    }

    /// What a charge of the clearance `id` for this request is kept under.
    pub(super) fn key(&self, id: ClearanceId, repeat: &Repeat<'_>) -> u64 {
        self.hasher.hash_one((id.0, repeat))
    }

    /// Whether an earlier charge covers this check; counts it if so.
    pub(super) fn covers(&self, key: u64, now: UnixSeconds) -> bool {
        self.in_bucket(key, |cells| {
            let cell = cells.iter_mut().find(|cell| {
                cell.key == key && cell.checks < CHECKS_PER_CHARGE && now.since(cell.charged_at) < COVER_SECONDS
            });
            cell.map(|cell| cell.checks += 1).is_some()
        })
    }

    /// Notes a charge.
    pub(super) fn charged(&self, key: u64, now: UnixSeconds) {
        self.in_bucket(key, |cells| {
            let same = cells.iter().position(|cell| cell.key == key);
            let place = same.unwrap_or(0);
            // The oldest falls out.
            cells[place..].rotate_left(1);
            cells[BUCKET_CELLS - 1] = Cell { key, charged_at: now, checks: 1 };
        });
    }

    fn in_bucket<R>(&self, key: u64, act: impl FnOnce(&mut [Cell; BUCKET_CELLS]) -> R) -> R {
        // The upper bits choose the bucket, all of them are compared.
        let index = usize::try_from(key >> 51).unwrap_or_default() % BUCKETS;
        let mut cells = self.buckets[index].lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000);
    const ID: ClearanceId = ClearanceId([7; 16]);

    fn covers(repeats: &Repeats, id: ClearanceId, repeat: &Repeat<'_>, now: UnixSeconds) -> bool {
        repeats.covers(repeats.key(id, repeat), now)
    }

    fn charged(repeats: &Repeats, id: ClearanceId, repeat: &Repeat<'_>, now: UnixSeconds) {
        repeats.charged(repeats.key(id, repeat), now);
    }

    fn repeat(request_id: &str) -> Repeat<'_> {
        Repeat { request_id, method: "GET", target: "/" }
    }

    #[test]
    fn one_charge_covers_four_checks_of_the_same_request() {
        let repeats = Repeats::new(HashKey([1; 16]));
        assert!(!covers(&repeats, ID, &repeat("a"), NOW));
        charged(&repeats, ID, &repeat("a"), NOW);
        for _ in 1..CHECKS_PER_CHARGE {
            assert!(covers(&repeats, ID, &repeat("a"), NOW));
        }
        assert!(!covers(&repeats, ID, &repeat("a"), NOW));
        charged(&repeats, ID, &repeat("a"), NOW);
        assert!(covers(&repeats, ID, &repeat("a"), NOW), "charged anew");
    }

    #[test]
    fn another_request_target_method_entry_or_time_is_charged() {
        let repeats = Repeats::new(HashKey([1; 16]));
        charged(&repeats, ID, &repeat("a"), NOW);
        assert!(!covers(&repeats, ID, &repeat("b"), NOW));
        assert!(!covers(&repeats, ID, &Repeat { target: "/x", ..repeat("a") }, NOW));
        assert!(!covers(&repeats, ID, &Repeat { method: "POST", ..repeat("a") }, NOW));
        assert!(!covers(&repeats, ClearanceId([8; 16]), &repeat("a"), NOW));
        assert!(!covers(&repeats, ID, &repeat("a"), NOW.plus(COVER_SECONDS)));
    }

    #[test]
    fn a_full_bucket_forgets_the_oldest() {
        let repeats = Repeats::new(HashKey([1; 16]));
        let ids: Vec<String> = (0..100_000).map(|number| number.to_string()).collect();
        for id in &ids {
            charged(&repeats, ID, &repeat(id), NOW);
        }
        let held = ids.iter().filter(|id| covers(&repeats, ID, &repeat(id), NOW)).count();
        assert!(held <= BUCKETS * BUCKET_CELLS);
        assert!(covers(&repeats, ID, &repeat(&ids[ids.len() - 1]), NOW));
    }
}
