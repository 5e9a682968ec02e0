//! What became of solutions that were checked: sent again they cost next to nothing.

use puzzle::{Guarded, Refusal, Solved};
use sha2::{Digest, Sha256};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Solutions that are remembered because they failed. 512 KiB.
const FAILED_CELLS: usize = 65_536;
/// Solutions that are remembered because they hold, the latest ones. They were all paid for; some 3 MiB of them.
const GOOD_MAX: usize = 16_384;

/// By which a solution of a challenge is remembered.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    /// Under a key, so that a stranger finds no two with the same: one that failed must not stand for another.
    keyed: u64,
    /// Nobody finds two with the same: one that holds must not stand for another.
    digest: [u8; 32],
}

/// The verdicts on solutions that were checked.
pub(super) struct Known {
    hasher: RandomState,
    failed: Vec<AtomicU64>,
    good: Mutex<Good>,
}

/// The latest that hold, in the order in which they came.
#[derive(Default)]
struct Good {
    solved: HashMap<[u8; 32], Solved>,
    order: VecDeque<[u8; 32]>,
}

impl Default for Known {
    fn default() -> Self {
        let failed = (0..FAILED_CELLS).map(|_| AtomicU64::new(0)).collect();
        Self { hasher: RandomState::new(), failed, good: Mutex::default() }
    }
}

impl Known {
    pub(super) fn mark(&self, guarded: &Guarded) -> Mark {
        let (challenge, solution) = (guarded.challenge().bytes(), guarded.bytes());
        let keyed = self.hasher.hash_one((challenge, solution)) | 1;
        // The challenge has a fixed length.
        Mark { keyed, digest: Sha256::new().chain_update(challenge).chain_update(solution).finalize().into() }
    }

    /// What became of a solution when it was checked, where that is remembered.
    pub(super) fn verdict(&self, mark: &Mark) -> Option<Result<Solved, Refusal>> {
        if self.cell(mark).load(Ordering::Relaxed) == mark.keyed {
            return Some(Err(Refusal::Unsolved));
        }
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.solved.get(&mark.digest).copied().map(Ok)
    }

    /// Remembers what became of it.
    pub(super) fn note(&self, mark: &Mark, verdict: &Result<Solved, Refusal>) {
        match verdict {
            Ok(solved) => self.good.lock().unwrap_or_else(PoisonError::into_inner).add(mark.digest, *solved),
            Err(_) => self.cell(mark).store(mark.keyed, Ordering::Relaxed),
        }
    }

    fn cell(&self, mark: &Mark) -> &AtomicU64 {
        let place = usize::try_from(mark.keyed >> 1).unwrap_or(usize::MAX) % FAILED_CELLS;
        &self.failed[place]
    }
}

impl Good {
    /// One more; at the limit the oldest is forgotten, and would be checked again.
    fn add(&mut self, digest: [u8; 32], solved: Solved) {
        let Entry::Vacant(place) = self.solved.entry(digest) else { return };
        place.insert(solved);
        self.order.push_back(digest);
        if self.order.len() > GOOD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.solved.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::guarded;
    use super::*;

    #[test]
    fn of_those_that_hold_the_latest_are_remembered_and_no_more() {
        let (known, held) = (Known::default(), guarded(1));
        let solved = held.clone().solved(0).expect("of difficulty 1");
        let mark = known.mark(&held);
        known.note(&mark, &Ok(solved));
        known.note(&mark, &Ok(solved));
        assert!(known.verdict(&mark).is_some_and(|verdict| verdict.is_ok()));
        let others = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            digest
        };
        let add = |number| known.note(&Mark { digest: others(number), ..mark }, &Ok(solved));
        (1..GOOD_MAX).for_each(add);
        assert!(known.verdict(&mark).is_some(), "there is room for so many");
        add(GOOD_MAX);
        assert!(known.verdict(&mark).is_none(), "the oldest is checked again");
        let good = known.good.lock().expect("whole");
        assert_eq!((good.solved.len(), good.order.len()), (GOOD_MAX, GOOD_MAX));
    }
}
