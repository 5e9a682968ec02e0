//! A sketch whose amounts halve every half-life.
//!
//! Nothing is rewritten to decay: what is added later counts more (forward decay, Cormode et al. 2009), relative to the
//! beginning of its generation. The older of the two generations is forgotten whole, and the collisions with it.

use super::sketch::{Cells, ROWS_MAX};
use super::{HashKey, Prefix};
use puzzle::UnixSeconds;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sizes and pace of a [`DecayingSketch`].
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows of each shard and generation, at most 8.
    pub rows: usize,
    /// Cells of each row: a power of two.
    pub width: usize,
    /// Parts with a lock of their own, a power of two; a network lies in one of them.
    pub shards: usize,
    /// After how many seconds an amount counts half.
    pub half_life_seconds: u16,
    /// How long a generation is written to; it is forgotten when the one after it ends.
    pub generation_seconds: u32,
}

/// Where the amounts of a network lie.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    shard: usize,
    cells: Cells,
}

/// Amounts of networks that decay.
#[derive(Debug)]
pub struct DecayingSketch {
    key: HashKey,
    shape: Shape,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug)]
struct Shard {
    /// Each cell holds both generations side by side: one look into memory, not two.
    cells: Vec<[f32; 2]>,
    /// The generation that is written to; the other is the one before it.
    current: usize,
    /// When each began.
    began: [UnixSeconds; 2],
    /// Cells of each that are not zero.
    used: [usize; 2],
    decay: Decay,
}

/// What is left of the amounts of each generation: the same for all of them within a second.
#[derive(Clone, Copy, Debug)]
struct Decay {
    at: UnixSeconds,
    kept: [f32; 2],
    /// What is added now counts so much more than at the beginning of the current generation.
    gain: f32,
}

impl DecayingSketch {
    /// An empty sketch under a key that strangers do not know; width and shards are rounded up to powers of two.
    #[must_use]
    pub fn new(key: HashKey, shape: Shape, now: UnixSeconds) -> Self {
        let shape = Shape {
            rows: shape.rows.clamp(1, ROWS_MAX),
            width: shape.width.next_power_of_two(),
            shards: shape.shards.next_power_of_two(),
            ..shape
        };
        Self { key, shape, shards: (0..shape.shards).map(|_| Mutex::new(Shard::new(&shape, now))).collect() }
    }

    /// Where the amounts of a network lie, for as long as the sketch lives.
    #[must_use]
    pub fn place(&self, prefix: Prefix) -> Place {
        let hash = self.key.hash(prefix);
        // The low bits choose the shard, all of them the cells.
        let shard = usize::try_from(hash & (self.shape.shards as u64 - 1)).unwrap_or_default();
        Place { shard, cells: Cells::of(hash, self.shape.rows, self.shape.width) }
    }

    /// What was added for a network, decayed to `now`.
    #[must_use]
    pub fn estimate(&self, place: &Place, now: UnixSeconds) -> f32 {
        let mut shard = self.shard(place);
        let decay = shard.decay(self.shape.half_life_seconds, now);
        decay.sum(shard.least(&place.cells))
    }

    /// Adds for a network, but not beyond an estimate of `most`, and says what the estimate was before.
    #[expect(clippy::must_use_candidate, reason = "what was there before is of interest to some")]
    pub fn add(&self, place: &Place, amount: f32, most: f32, now: UnixSeconds) -> f32 {
        let mut shard = self.shard(place);
        let decay = shard.decay(self.shape.half_life_seconds, now);
        let least = shard.least(&place.cells);
        let before = decay.sum(least);
        let amount = amount.min(most - before);
        if amount > 0.0 {
            let raised = least[shard.current] + amount * decay.gain;
            shard.raise(&place.cells, raised);
        }
        before
    }

    /// Once a second or so: begins a new generation when its time has come.
    pub fn tick(&self, now: UnixSeconds) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let began = shard.began[shard.current];
            // A clock that went back begins anew: amounts of the future would never decay.
            let age = now.since(began);
            if age >= self.shape.generation_seconds || began > now.plus(self.shape.generation_seconds) {
                shard.begin_generation(self.shape.half_life_seconds, now);
            }
        }
    }

    /// Cells in use and cells in all.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        let used = self.shards.iter().map(|shard| lock(shard).used.iter().sum::<usize>());
        (used.sum(), 2 * self.shape.shards * self.shape.rows * self.shape.width)
    }

    fn shard(&self, place: &Place) -> MutexGuard<'_, Shard> {
        lock(&self.shards[place.shard])
    }
}

impl Shard {
    fn new(shape: &Shape, now: UnixSeconds) -> Self {
        let began = [now; 2];
        Self {
            cells: vec![[0.0; 2]; shape.rows * shape.width],
            current: 0,
            began,
            used: [0; 2],
            decay: Decay::of(began, 0, shape.half_life_seconds, now),
        }
    }

    fn decay(&mut self, half_life_seconds: u16, now: UnixSeconds) -> Decay {
        if self.decay.at != now {
            self.decay = Decay::of(self.began, self.current, half_life_seconds, now);
        }
        self.decay
    }

    /// The least of the cells, for each generation.
    fn least(&self, cells: &Cells) -> [f32; 2] {
        cells
            .positions()
            .map(|position| self.cells[position])
            .fold([f32::INFINITY; 2], |least, cell| [least[0].min(cell[0]), least[1].min(cell[1])])
    }

    /// Conservative update: no cell is raised further than the estimate needs.
    fn raise(&mut self, cells: &Cells, raised: f32) {
        let current = self.current;
        for position in cells.positions() {
            let cell = &mut self.cells[position][current];
            self.used[current] += usize::from(*cell == 0.0 && raised > 0.0);
            *cell = cell.max(raised);
        }
    }

    fn begin_generation(&mut self, half_life_seconds: u16, now: UnixSeconds) {
        let current = 1 - self.current;
        if self.used[current] > 0 {
            // Pages that were never written to stay untouched.
            let cells = self.cells.iter_mut().map(|cell| &mut cell[current]);
            cells.filter(|cell| **cell != 0.0).for_each(|cell| *cell = 0.0);
            self.used[current] = 0;
        }
        self.current = current;
        self.began[current] = now;
        self.decay = Decay::of(self.began, current, half_life_seconds, now);
    }
}

impl Decay {
    fn of(began: [UnixSeconds; 2], current: usize, half_life_seconds: u16, now: UnixSeconds) -> Self {
        let half_lives = began.map(|began| half_lives(began, now, half_life_seconds));
        Self { at: now, kept: half_lives.map(|passed| (-passed).exp2()), gain: half_lives[current].exp2() }
    }

    fn sum(&self, amounts: [f32; 2]) -> f32 {
        amounts[0] * self.kept[0] + amounts[1] * self.kept[1]
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
        sketch.add(&sketch.place(network(1)), 64.0, f32::MAX, NOW.plus(77));
        let mut last = f32::MAX;
        for second in 77..4_000 {
            sketch.tick(NOW.plus(second));
            let estimate = sketch.estimate(&sketch.place(network(1)), NOW.plus(second));
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
            sketch.add(&sketch.place(network(1)), 1.0, 64.0, NOW);
        }
        assert!((sketch.estimate(&sketch.place(network(1)), NOW) - 64.0).abs() < 1e-3);
    }

    #[test]
    fn a_clock_that_goes_back_leaves_nothing_for_ever() {
        let sketch = sketch();
        sketch.add(&sketch.place(network(1)), 8.0, f32::MAX, NOW);
        let past = UnixSeconds(NOW.0 - 100_000);
        for second in 0..2 {
            sketch.tick(past.plus(second * 1_200));
        }
        assert!(sketch.estimate(&sketch.place(network(1)), past.plus(1_200)) == 0.0);
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
                sketch.add(&sketch.place(network(number)), f32::from(amount), f32::MAX, now);
                *truth.entry(number).or_default() += f64::from(amount);
            }
            for (number, kept) in truth {
                prop_assert!(f64::from(sketch.estimate(&sketch.place(network(number)), now)) >= kept * 0.999);
            }
        }
    }
}
