//! How many challenge pages each network fetches in a second: who fetches many gets the small one.

use crate::config::Limits;
use puzzle::{ClientNetwork, UnixSeconds};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Challenge pages a second and client network, in a table of fixed size; networks that share a cell share the rate.
pub(super) struct PageRates {
    hasher: RandomState,
    /// The second in the upper half, the count in the lower.
    cells: Vec<AtomicU64>,
    /// Pages a second that are not too many.
    most: u32,
}

impl Default for PageRates {
    fn default() -> Self {
        Self::with_most(Limits::PAGES_PER_SECOND_MAX)
    }
}

impl PageRates {
    const CELLS: usize = 16_384;

    /// At most so many pages a second and client network.
    pub(super) fn with_most(most: u32) -> Self {
        let cells = (0..Self::CELLS).map(|_| AtomicU64::new(0)).collect();
        Self { hasher: RandomState::new(), cells, most }
    }

    /// Counts a page, and says whether the network fetches more than it should in this second.
    pub(super) fn is_crowded(&self, network: ClientNetwork, now: UnixSeconds) -> bool {
        let index = usize::try_from(self.hasher.hash_one(network)).unwrap_or_default() % Self::CELLS;
        let second = u64::from(now.0) << 32;
        let count = |cell: u64| if cell >> 32 == second >> 32 { cell + 1 } else { second + 1 };
        let before = self.cells[index].fetch_update(Ordering::Relaxed, Ordering::Relaxed, |cell| Some(count(cell)));
        let pages = count(before.unwrap_or_default()) & u64::from(u32::MAX);
        pages > u64::from(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eleventh_page_of_a_second_is_small_and_the_next_second_begins_anew() {
        let rates = PageRates::default();
        let network = ClientNetwork::of([192, 0, 2, 1].into());
        let crowded = |second| (0..12).map(|_| rates.is_crowded(network, UnixSeconds(second))).collect::<Vec<_>>();
        let mut expected = vec![false; 10];
        expected.extend([true, true]);
        assert_eq!(crowded(7), expected);
        assert_eq!(crowded(8), expected);
    }
}
