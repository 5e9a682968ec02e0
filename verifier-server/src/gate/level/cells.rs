//! What is known of the networks that ask: a fixed number of cells, found by a keyed hash.

use crate::gate::networks::{HashKey, Prefix};
use puzzle::UnixSeconds;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Cells that share a lock, of which any may be a network's.
const BUCKET_CELLS: usize = 4;
/// What half of it is older than one second: demand is that of the last few.
const NEWEST_PART: f64 = 0.5;
/// So many seconds of its share a network may use at once while it asks for less: a page with its parts is no flood.
const BURST_SECONDS_BELOW: f64 = 3.0;
/// The same for one that asks for more: it takes what is its own in each second, and nothing before its time.
const BURST_SECONDS_ABOVE: f64 = 1.0;
/// Below it a network is as good as gone, in credits a second.
const FORGOTTEN: f64 = 0.001;

/// A network around another: its key, and how many shares it has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outer {
    pub(super) key: u64,
    pub(super) shares: f64,
}

/// One network, narrow or around others. Amounts are in credits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// 0 while the cell is free.
    pub(super) key: u64,
    pub(super) shares: f64,
    /// The networks around a narrow one, the nearest first; `None` for one that is around others itself.
    pub(super) around: Option<[Outer; 2]>,
    /// Asked for since the last step.
    asked: f64,
    /// Asked for in a second, over the last few.
    demand: f64,
    /// What was admitted and has not been made up for by the share since.
    debt: f64,
    settled: UnixSeconds,
}

impl Cell {
    /// One that has asked for nothing yet.
    pub(super) fn newcomer(shares: f64) -> Self {
        Self { shares, ..Self::default() }
    }

    /// Asked for in a second, with what came since the last step.
    pub(super) fn demand(&self) -> f64 {
        self.demand + NEWEST_PART * (self.asked - self.demand).max(0.0)
    }

    /// Its share of the time since the last request is made up for.
    pub(super) fn settle(&mut self, level: f64, now: UnixSeconds) {
        let seconds = f64::from(now.since(self.settled));
        self.settled = self.settled.max(now);
        self.debt = if level.is_finite() { (self.debt - seconds * level * self.shares).max(0.0) } else { 0.0 };
    }

    pub(super) fn ask(&mut self, cost: f64) {
        self.asked += cost;
    }

    /// Whether it asks for no more than its share.
    pub(super) fn is_below(&self, level: f64) -> bool {
        self.demand() <= level * self.shares
    }

    /// Whether its share has room for a request. What one takes beyond it is made up for before the next.
    pub(super) fn has_room(&self, level: f64) -> bool {
        let burst = if self.is_below(level) { BURST_SECONDS_BELOW } else { BURST_SECONDS_ABOVE };
        !level.is_finite() || self.debt < burst * level * self.shares
    }

    pub(super) fn take(&mut self, cost: f64) {
        self.debt += cost;
    }

    pub(super) fn give_back(&mut self, cost: f64) {
        self.debt = (self.debt - cost).max(0.0);
    }

    fn step(&mut self, elapsed_s: f64) {
        self.demand += NEWEST_PART * (self.asked / elapsed_s - self.demand);
        self.asked = 0.0;
        if self.demand < FORGOTTEN && self.debt <= 0.0 {
            *self = Self::default();
        }
    }
}

/// The cells of all networks.
#[derive(Debug)]
pub(super) struct Cells {
    hasher: HashKey,
    buckets: Box<[Mutex<[Cell; BUCKET_CELLS]>]>,
}

impl Cells {
    pub(super) fn new(buckets: usize, key: HashKey) -> Self {
        Self { hasher: key, buckets: (0..buckets).map(|_| Mutex::default()).collect() }
    }

    /// By what a network is known here; never 0.
    pub(super) fn key(&self, prefix: Prefix) -> u64 {
        self.hasher.hash_one(prefix).max(1)
    }

    /// A copy of a network's cell, if it has one.
    pub(super) fn of(&self, key: u64) -> Option<Cell> {
        self.bucket(key).iter().find(|cell| cell.key == key).copied()
    }

    /// Changes a network's cell. Where all are taken it gets that of whoever asks for least.
    pub(super) fn change<R>(&self, key: u64, now: UnixSeconds, change: impl FnOnce(&mut Cell) -> R) -> R {
        let mut bucket = self.bucket(key);
        let place = bucket.iter().position(|cell| cell.key == key).unwrap_or_else(|| {
            let least = |place: &usize, other: &usize| bucket[*place].demand().total_cmp(&bucket[*other].demand());
            let free = bucket.iter().position(|cell| cell.key == 0);
            let place = free.or_else(|| (0..BUCKET_CELLS).min_by(least)).unwrap_or_default();
            bucket[place] = Cell { key, settled: now, ..Cell::default() };
            place
        });
        change(&mut bucket[place])
    }

    /// Ends a second and shows every cell in use.
    pub(super) fn step(&self, elapsed_s: f64, mut see: impl FnMut(&Cell)) {
        for bucket in &self.buckets {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            for cell in bucket.iter_mut().filter(|cell| cell.key != 0) {
                cell.step(elapsed_s);
                see(cell);
            }
        }
    }

    fn bucket(&self, key: u64) -> MutexGuard<'_, [Cell; BUCKET_CELLS]> {
        let place = usize::try_from(key >> 32).unwrap_or_default() % self.buckets.len();
        self.buckets[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_a_share_take_a_mebibyte_and_a_half() {
        let bucket = size_of::<Mutex<[Cell; BUCKET_CELLS]>>();
        assert!(4_096 * bucket <= 1_536 * 1_024, "{bucket} bytes for {BUCKET_CELLS} cells");
    }
}
