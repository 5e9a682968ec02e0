//! Amounts per network in memory of fixed size: a count-min sketch with conservative update, and one that forgets.
//!
//! An estimate is never below what was added for a network; it is above it only where other networks share *all* of its
//! cells. How large a sketch must be for that to be rare is a matter of its users; see `purchases`.

use super::{HashKey, Prefix};
use puzzle::UnixSeconds;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Rows of cells, each of `width`; a network has one cell in each row.
#[derive(Clone, Debug)]
pub struct CountMin {
    cells: Vec<f32>,
    rows: usize,
    used: usize,
}

impl CountMin {
    /// `rows` times `width` cells at zero; memory that nobody wrote to yet is not handed out by the system.
    #[must_use]
    pub fn new(rows: usize, width: usize) -> Self {
        Self { cells: vec![0.0; rows * width], rows, used: 0 }
    }

    /// What was added for the network of this hash, or more.
    #[must_use]
    pub fn estimate(&self, hash: u64) -> f32 {
        self.positions(hash).map(|position| self.cells[position]).fold(f32::INFINITY, f32::min)
    }

    /// Raises the network's cells just so far that its estimate is `amount` more (conservative update), and says what
    /// it is then.
    pub fn add(&mut self, hash: u64, amount: f32) -> f32 {
        let raised = self.estimate(hash) + amount.max(0.0);
        for row in 0..self.rows {
            let position = self.position(hash, row);
            let cell = &mut self.cells[position];
            self.used += usize::from(*cell == 0.0 && raised > 0.0);
            *cell = cell.max(raised);
        }
        raised
    }

    /// Everything in `other`, which is of the same size, and what is here times `kept`.
    pub fn absorb(&mut self, other: &Self, kept: f32) {
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            *cell = *cell * kept + more;
        }
        self.used = used(&self.cells);
    }

    /// Back to zero. Pages that were never written to stay untouched.
    pub fn clear(&mut self) {
        if self.used > 0 {
            self.cells.iter_mut().filter(|cell| **cell != 0.0).for_each(|cell| *cell = 0.0);
            self.used = 0;
        }
    }

    /// Cells that are not zero.
    #[must_use]
    pub const fn used(&self) -> usize {
        self.used
    }

    /// All cells, row by row.
    #[must_use]
    pub fn cells(&self) -> &[f32] {
        &self.cells
    }

    /// Takes cells that were kept elsewhere; `None` unless there are as many, all finite and none negative.
    #[must_use]
    pub fn with_cells(mut self, cells: &[f32]) -> Option<Self> {
        let fits = cells.len() == self.cells.len() && cells.iter().all(|cell| cell.is_finite() && *cell >= 0.0);
        fits.then(|| {
            self.cells.copy_from_slice(cells);
            self.used = used(cells);
            self
        })
    }

    fn positions(&self, hash: u64) -> impl Iterator<Item = usize> + '_ {
        (0..self.rows).map(move |row| self.position(hash, row))
    }

    /// The cell of a hash in a row: the rows are independent of each other (the mixing function of `SplitMix64`).
    fn position(&self, hash: u64, row: usize) -> usize {
        let width = self.cells.len() / self.rows;
        let mut mixed = hash.wrapping_add((row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        row * width + usize::try_from((mixed ^ mixed >> 31) % width as u64).unwrap_or_default()
    }
}

fn used(cells: &[f32]) -> usize {
    cells.iter().filter(|cell| **cell != 0.0).count()
}

/// Sizes and pace of a [`DecayingSketch`].
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows of each shard and generation.
    pub rows: usize,
    /// Cells of each row.
    pub width: usize,
    /// Parts with a lock of their own; a network lies in one of them.
    pub shards: usize,
    /// After how many seconds an amount counts half.
    pub half_life_seconds: u16,
    /// How long a generation is written to; it is forgotten when the one after it ends.
    pub generation_seconds: u32,
}

/// A sketch whose amounts halve every half-life.
///
/// Nothing is rewritten to decay: what is added later counts more (forward decay, Cormode et al. 2009), relative to the
/// beginning of its generation. The older of the two generations is forgotten whole, and the collisions with it.
#[derive(Debug)]
pub struct DecayingSketch {
    key: HashKey,
    shape: Shape,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug)]
struct Shard {
    /// The one that is written to, and the one before it.
    generations: [CountMin; 2],
    /// When each began.
    began: [UnixSeconds; 2],
}

impl DecayingSketch {
    /// An empty sketch under a key that strangers do not know.
    #[must_use]
    pub fn new(key: HashKey, shape: Shape, now: UnixSeconds) -> Self {
        let generation = || CountMin::new(shape.rows, shape.width);
        let shard = || Mutex::new(Shard { generations: [generation(), generation()], began: [now; 2] });
        Self { key, shape, shards: (0..shape.shards).map(|_| shard()).collect() }
    }

    /// What was added for a network, decayed to `now`.
    #[must_use]
    pub fn estimate(&self, prefix: Prefix, now: UnixSeconds) -> f32 {
        let hash = self.key.hash(prefix);
        self.shard(hash).estimate(hash, self.shape.half_life_seconds, now)
    }

    /// Adds for a network, but not beyond an estimate of `most`, and says what the estimate was before.
    #[expect(clippy::must_use_candidate, reason = "what was there before is of interest to some")]
    pub fn add(&self, prefix: Prefix, amount: f32, most: f32, now: UnixSeconds) -> f32 {
        let hash = self.key.hash(prefix);
        let mut shard = self.shard(hash);
        let before = shard.estimate(hash, self.shape.half_life_seconds, now);
        let amount = amount.min(most - before);
        if amount > 0.0 {
            let gain = half_lives(shard.began[0], now, self.shape.half_life_seconds).exp2();
            shard.generations[0].add(hash, amount * gain);
        }
        before
    }

    /// Once a second or so: begins a new generation when its time has come.
    pub fn tick(&self, now: UnixSeconds) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            // A clock that went back begins anew: amounts of the future would never decay.
            let age = now.since(shard.began[0]);
            if age >= self.shape.generation_seconds || shard.began[0] > now.plus(self.shape.generation_seconds) {
                shard.generations.swap(0, 1);
                shard.began.swap(0, 1);
                shard.generations[0].clear();
                shard.began[0] = now;
            }
        }
    }

    /// Cells in use and cells in all.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        let used = self.shards.iter().map(|shard| lock(shard).generations.iter().map(CountMin::used).sum::<usize>());
        (used.sum(), 2 * self.shape.shards * self.shape.rows * self.shape.width)
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(hash % self.shards.len() as u64).unwrap_or_default();
        lock(&self.shards[index])
    }
}

impl Shard {
    fn estimate(&self, hash: u64, half_life_seconds: u16, now: UnixSeconds) -> f32 {
        let generations = self.generations.iter().zip(self.began);
        generations
            .map(|(cells, began)| cells.estimate(hash) * (-half_lives(began, now, half_life_seconds)).exp2())
            .sum()
    }
}

/// Half-lives from `began` to `now`, held where an `f32` still holds what they do.
fn half_lives(began: UnixSeconds, now: UnixSeconds, half_life_seconds: u16) -> f32 {
    const HELD: f32 = 64.0;
    let seconds = u16::try_from(now.since(began)).unwrap_or(u16::MAX);
    (f32::from(seconds) / f32::from(half_life_seconds)).min(HELD)
}

/// A panic elsewhere leaves a shard with amounts that are a little off and nothing worse.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const SHAPE: Shape = Shape { rows: 4, width: 64, shards: 4, half_life_seconds: 300, generation_seconds: 1_200 };

    fn network(number: u32) -> Prefix {
        Prefix::v4(std::net::Ipv4Addr::from_bits(number << 8), 24)
    }

    fn sketch() -> DecayingSketch {
        DecayingSketch::new(HashKey([1; 16]), SHAPE, NOW)
    }

    #[test]
    fn an_amount_halves_with_every_half_life_and_is_forgotten_in_the_end() {
        let sketch = sketch();
        sketch.add(network(1), 64.0, f32::MAX, NOW.plus(77));
        let mut last = f32::MAX;
        for second in 77..4_000 {
            sketch.tick(NOW.plus(second));
            let estimate = sketch.estimate(network(1), NOW.plus(second));
            assert!(estimate <= last, "it never rises by itself");
            last = estimate;
            if second % 300 == 77 && second < 2_400 {
                let halvings = f32::from(u16::try_from((second - 77) / 300).unwrap_or_default());
                assert!((estimate / (64.0 * (-halvings).exp2()) - 1.0).abs() < 1e-3, "{second}: {estimate}");
            }
        }
        assert!(last == 0.0);
        assert_eq!(sketch.fill().0, 0);
    }

    #[test]
    fn nothing_is_added_beyond_the_most() {
        let sketch = sketch();
        for _ in 0..100 {
            sketch.add(network(1), 1.0, 64.0, NOW);
        }
        assert!((sketch.estimate(network(1), NOW) - 64.0).abs() < 1e-3);
    }

    #[test]
    fn a_clock_that_goes_back_leaves_nothing_for_ever() {
        let sketch = sketch();
        sketch.add(network(1), 8.0, f32::MAX, NOW);
        let past = UnixSeconds(NOW.0 - 100_000);
        for second in 0..2 {
            sketch.tick(past.plus(second * 1_200));
        }
        assert!(sketch.estimate(network(1), past.plus(1_200)) == 0.0);
    }

    proptest! {
        #[test]
        fn an_estimate_is_never_below_what_was_added(
            additions in prop::collection::vec((0..200_u32, 1..50_u16, 0..30_u32), 1..300)
        ) {
            let sketch = sketch();
            let (mut now, mut truth) = (NOW, std::collections::HashMap::<u32, f64>::new());
            for (number, amount, seconds) in additions {
                now = now.plus(seconds);
                for kept in truth.values_mut() {
                    *kept *= (-f64::from(seconds) / 300.0).exp2();
                }
                sketch.add(network(number), f32::from(amount), f32::MAX, now);
                *truth.entry(number).or_default() += f64::from(amount);
            }
            for (number, kept) in truth {
                prop_assert!(f64::from(sketch.estimate(network(number), now)) >= kept * 0.999);
            }
        }
    }
}
