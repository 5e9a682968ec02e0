//! Leaky buckets for client networks, in a fixed number of cells: how much of a network's demand is counted.
//!
//! A network has a cell in each of two rows, by a keyed hash, and is believed the emptier one: a stranger cannot choose
//! whose cells they share, and a newcomer is taken for somebody else only where both are taken.

use super::amount::{Amount, float};
use crate::gate::networks::{HashKey, Prefix};
use puzzle::UnixSeconds;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Cells of a row, for all sites together: 768 KiB.
const CELLS: usize = 65_536;
/// How long a network counts as above its cap after the last request that was.
pub const ABOVE_CAP_SECONDS: u32 = 10;
/// Bits of a cell's level, in millionths of a credit: 1.1 million credits. The rest are the second of the last change.
const LEVEL_BITS: u32 = 40;
const LEVEL_MAX: u64 = (1 << LEVEL_BITS) - 1;
const SECONDS_MASK: u64 = u64::MAX >> LEVEL_BITS;

/// How much of a network's demand is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cap {
    /// Credits a second for as long as it likes.
    pub(super) rate: f64,
    /// Credits at once beyond.
    pub(super) burst: f64,
}

/// The buckets of all networks.
#[derive(Debug)]
pub(super) struct Buckets {
    key: HashKey,
    rows: [Row; 2],
}

#[derive(Debug)]
struct Row {
    levels: Box<[AtomicU64]>,
    /// The second of the last request that was above its cap.
    above: Box<[AtomicU32]>,
}

impl Buckets {
    /// All of them empty.
    pub(super) fn new(key: HashKey) -> Self {
        let row = || Row {
            levels: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
            above: (0..CELLS).map(|_| AtomicU32::new(0)).collect(),
        };
        Self { key, rows: [row(), row()] }
    }

    /// Pours `amount` into the bucket of `network` at a site, and returns how much of it is counted.
    pub(super) fn pour(&self, site: u16, network: Prefix, amount: Amount, cap: Cap, now: UnixSeconds) -> Amount {
        let cells = self.cells(site, network);
        let depth = Amount::of_credits(cap.burst).millionths().clamp(1, LEVEL_MAX);
        let level = |cell: u64| level(cell, cap.rate, now);
        let room = cells.map(|(row, index)| depth.saturating_sub(level(row.levels[index].load(Ordering::Relaxed))));
        let counted = amount.millionths().min(room[0].max(room[1]));
        for (row, index) in cells {
            let added = |cell| Some(packed(now, level(cell).saturating_add(counted)));
            // The closure always gives a value, so the update never fails.
            let _ = row.levels[index].fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
            if counted < amount.millionths() {
                row.above[index].store(now.0, Ordering::Relaxed);
            }
        }
        Amount::of_millionths(counted)
    }

    /// Whether the network was above its cap a moment ago.
    pub(super) fn is_above(&self, site: u16, network: Prefix, now: UnixSeconds) -> bool {
        let lately = |(row, index): (&Row, usize)| {
            let above = row.above[index].load(Ordering::Relaxed);
            above != 0 && now.since(UnixSeconds(above)) < ABOVE_CAP_SECONDS
        };
        self.cells(site, network).into_iter().all(lately)
    }

    fn cells(&self, site: u16, network: Prefix) -> [(&Row, usize); 2] {
        let hash = self.key.hash_at(site, network);
        let index = |part: u64| usize::try_from(part).unwrap_or_default() % CELLS;
        let [first, second] = &self.rows;
        [(first, index(hash & 0xffff_ffff)), (second, index(hash >> 32))]
    }
}

/// What is left in a cell now.
fn level(cell: u64, rate: f64, now: UnixSeconds) -> u64 {
    let seconds = u64::from(now.0).wrapping_sub(cell >> LEVEL_BITS) & SECONDS_MASK;
    // A clock that was set back lets nothing leak.
    let seconds = if seconds > SECONDS_MASK / 2 { 0 } else { seconds };
    let leaked = Amount::of_credits(rate * float(seconds)).millionths();
    (cell & LEVEL_MAX).saturating_sub(leaked)
}

fn packed(now: UnixSeconds, level: u64) -> u64 {
    (u64::from(now.0) & SECONDS_MASK) << LEVEL_BITS | level.min(LEVEL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::networks::Nested;
    use puzzle::{ClientNetwork, Credits};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn network(third: u8) -> Prefix {
        Nested::of(ClientNetwork::of([203, 0, third, 9].into())).levels()[0]
    }

    fn pour(buckets: &Buckets, third: u8, credits: u32, seconds: u32) -> f64 {
        let cap = Cap { rate: 2.0, burst: 10.0 };
        buckets.pour(0, network(third), Amount::of(Credits::whole(credits)), cap, NOW.plus(seconds)).credits()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    #[test]
    fn a_burst_is_counted_once_and_then_the_rate() {
        let buckets = Buckets::new(HashKey([1; 16]));
        assert!(close(pour(&buckets, 1, 25, 0), 10.0));
        assert!(close(pour(&buckets, 1, 25, 0), 0.0));
        assert!(close(pour(&buckets, 1, 25, 3), 6.0));
        assert!(close(pour(&buckets, 1, 25, 1_000), 10.0));
    }

    #[test]
    fn only_who_is_above_the_cap_is_so_and_not_for_long() {
        let buckets = Buckets::new(HashKey([1; 16]));
        let above = |third, seconds| buckets.is_above(0, network(third), NOW.plus(seconds));
        pour(&buckets, 1, 25, 0);
        pour(&buckets, 2, 9, 0);
        assert!(above(1, ABOVE_CAP_SECONDS - 1) && !above(1, ABOVE_CAP_SECONDS));
        assert!(!above(2, 0) && !above(3, 0));
        assert!(!buckets.is_above(1, network(1), NOW), "at another site it is not");
    }

    #[test]
    fn a_clock_set_back_opens_nothing() {
        let buckets = Buckets::new(HashKey([1; 16]));
        pour(&buckets, 1, 25, 100);
        assert!(close(pour(&buckets, 1, 25, 0), 0.0));
    }
}
