//! Amounts of demand, and counters that many threads add to.

use puzzle::Credits;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Demand in millionths of a credit: fine enough for an asset at a hundredth of what it would cost today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Millionths that make a credit.
    const PER_CREDIT: f64 = 1_000_000.0;

    /// So many credits.
    #[must_use]
    pub fn of(credits: Credits) -> Self {
        Self(u64::from(credits.in_hundredths()) * 10_000)
    }

    /// So many credits, rounded down; 0 for what is negative or no number.
    #[must_use]
    pub fn of_credits(credits: f64) -> Self {
        Self(whole(credits * Self::PER_CREDIT))
    }

    /// This amount × `part` ÷ `whole`, rounded down: for a charge without what a risen price added to it.
    #[must_use]
    pub fn times(self, part: u64, whole: u64) -> Self {
        let amount = u128::from(self.0) * u128::from(part) / u128::from(whole.max(1));
        Self(u64::try_from(amount).unwrap_or(u64::MAX))
    }

    /// In credits.
    #[must_use]
    pub fn credits(self) -> f64 {
        float(self.0) / Self::PER_CREDIT
    }

    pub(crate) const fn millionths(self) -> u64 {
        self.0
    }

    pub(crate) const fn of_millionths(millionths: u64) -> Self {
        Self(millionths)
    }
}

/// Shards of a [`Tally`]: threads that count at the same time seldom meet.
const SHARDS: usize = 8;

/// A counter that many threads add to and one takes from, once a second.
#[derive(Debug, Default)]
pub(super) struct Tally {
    shards: [Shard; SHARDS],
}

/// On a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(AtomicU64);

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Tally {
    pub(super) fn add(&self, count: u64) {
        self.shards[shard()].0.fetch_add(count, Ordering::Relaxed);
    }

    /// What was added since it was taken last.
    pub(super) fn take(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.swap(0, Ordering::Relaxed)).sum()
    }
}

fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|cell| {
        cell.get().unwrap_or_else(|| {
            let shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
            cell.set(Some(shard));
            shard
        })
    })
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "above 2^53 the last digits do not matter to a rate")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// The whole part of a number: 0 for what is negative or no number, the largest for what is too large.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
pub(crate) const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_what_a_dear_asset_weighs() {
        let asset = Amount::of(Credits::ONE).times(262_144, 101_943_720);
        assert!((asset.credits() - 0.002_571).abs() < 1e-6, "{asset:?}");
        assert_eq!(Amount::of_credits(-1.0), Amount::ZERO);
        assert_eq!(Amount::of_credits(f64::NAN), Amount::ZERO);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| (0..1_000).for_each(|_| tally.add(3)));
            }
        });
        assert_eq!(tally.take(), 48_000);
        assert_eq!(tally.take(), 0);
    }
}
