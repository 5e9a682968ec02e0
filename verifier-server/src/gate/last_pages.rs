//! Pages that passed free just before the gate went down: their parts still pass for some seconds, so that no page loads
//! half because an attack began while it did.

use super::networks::HashKey;
use puzzle::{ClientNetwork, UnixSeconds};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long parts still pass after the gate went down.
pub(super) const FINISH_SECONDS: u32 = 5;
/// How long before that their page may have passed.
const BEGAN_WITHIN_SECONDS: u32 = 10;
/// Parts that pass for each page,
const PARTS_A_PAGE: u64 = 60;
/// and for all pages of a client network: an attack that asked for pages gets twelve credits on each of its networks,
/// once each time the gate goes down, and waits for them in the queue like anybody else.
const PARTS_A_NETWORK_MAX: u64 = 120;
/// Networks that share one share what is left in it: 128 KiB in all.
const CELLS: usize = 16_384;

/// The last pages of all sites. A cell holds the second of the last page and how many parts are left.
pub(super) struct LastPages {
    hasher: HashKey,
    cells: Vec<AtomicU64>,
}

impl LastPages {
    /// No pages yet.
    pub(super) fn new(key: HashKey) -> Self {
        Self { hasher: key, cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// A page passed free.
    pub(super) fn began(&self, site: u16, network: ClientNetwork, now: UnixSeconds) {
        let after = |cell: u64| {
            let left = if is_lately(cell, now) { left(cell) } else { 0 };
            Some(packed(now, (left + PARTS_A_PAGE).min(PARTS_A_NETWORK_MAX)))
        };
        // The closure always gives a value, so the update never fails.
        let _ = self.cell(site, network).fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
    }

    /// Whether a part belongs to one of them; counts it if so.
    pub(super) fn finishes(&self, site: u16, network: ClientNetwork, now: UnixSeconds) -> bool {
        let after = |cell: u64| (is_lately(cell, now) && left(cell) > 0).then(|| cell - 1);
        self.cell(site, network).fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }

    fn cell(&self, site: u16, network: ClientNetwork) -> &AtomicU64 {
        let hash = self.hasher.hash_one((site, network));
        &self.cells[usize::try_from(hash).unwrap_or_default() % CELLS]
    }
}

fn is_lately(cell: u64, now: UnixSeconds) -> bool {
    let began = cell >> 32;
    began != 0 && u64::from(now.0).saturating_sub(began) < u64::from(BEGAN_WITHIN_SECONDS + FINISH_SECONDS)
}

const fn left(cell: u64) -> u64 {
    cell & 0xffff_ffff
}

fn packed(now: UnixSeconds, left: u64) -> u64 {
    u64::from(now.0) << 32 | left
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn network(third: u8) -> ClientNetwork {
        ClientNetwork::of([203, 0, third, 9].into())
    }

    fn finished(pages: &LastPages, third: u8, now: UnixSeconds) -> usize {
        (0..1_000).filter(|_| pages.finishes(7, network(third), now)).count()
    }

    #[test]
    fn a_page_has_so_many_parts_and_a_network_so_many_in_all() {
        let pages = LastPages::new(HashKey([1; 16]));
        pages.began(7, network(1), NOW);
        assert_eq!(finished(&pages, 1, NOW.plus(3)), 60);
        (0..100).for_each(|_| pages.began(7, network(1), NOW));
        assert_eq!(finished(&pages, 1, NOW.plus(3)), 120);
        assert_eq!(finished(&pages, 2, NOW), 0, "who asked for no page has no parts");
        pages.began(8, network(1), NOW);
        assert_eq!(finished(&pages, 1, NOW), 0, "a page of another site is another page");
    }

    #[test]
    fn old_pages_have_come_whole_by_now() {
        let pages = LastPages::new(HashKey([1; 16]));
        pages.began(7, network(1), NOW);
        assert!(pages.finishes(7, network(1), NOW.plus(14)));
        assert!(!pages.finishes(7, network(1), NOW.plus(15)));
    }
}
