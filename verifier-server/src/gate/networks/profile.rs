//! The peacetime profile: how much honest demand each network usually brings (DESIGN: peacetime profile).
//!
//! It learns while the gate is idle, and only what lies more than an hour back: requests are gathered in buckets of a
//! quarter of an hour, and a bucket is learned when an hour without overload has followed it. The first second of
//! overload throws away every bucket that waits, so that nothing done in the hour before an attack buys weight in it.

use super::sketch::CountMin;
use super::{HashKey, Prefix};
use puzzle::{Credits, UnixSeconds};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// After how many idle seconds what was learned counts half: two weeks.
pub const PROFILE_HALF_LIFE_SECONDS: u32 = 14 * 86_400;
/// How long no overload may follow before something is learned.
pub const LEARNING_DELAY_SECONDS: u32 = 3_600;
/// Demand of one share, over day and night: a page every fifty seconds.
pub const CREDITS_PER_SECOND_AND_SHARE: f32 = 0.02;
/// Shares of a client network at the most.
pub const SHARES_MAX: u16 = 256;
/// Shares of a network around client networks (/16, /48, /32) at the most.
pub const SHARES_AROUND_MAX: u16 = 4_096;
/// The mean is taken over a day at least: who came early to a new installation is not more than others for it.
const OBSERVED_SECONDS_LEAST: f64 = 86_400.0;

const BUCKET_SECONDS: u32 = 900;
/// One that is filled, and those that wait.
const BUCKETS: usize = 1 + (LEARNING_DELAY_SECONDS / BUCKET_SECONDS) as usize;
/// Ticks further apart, because the clock jumped, count as this much time.
const TICK_SECONDS_MAX: u32 = 60;

const SHARDS: usize = 16;
const ROWS: usize = 4;
const WIDTH: usize = 2_048;
/// Cells of the learned sketch, and of each bucket.
pub(super) const CELLS: usize = SHARDS * ROWS * WIDTH;

/// What networks usually bring.
#[derive(Debug)]
pub struct Profile {
    key: HashKey,
    shards: Vec<Mutex<Shard>>,
    /// Idle seconds that were learned from, decayed like the sketch: as bits of an `f64`.
    observed_seconds: AtomicU64,
    /// Where requests are counted now.
    bucket: AtomicUsize,
    learning: AtomicBool,
    /// How often something was learned in this process.
    lessons: AtomicU64,
    course: Mutex<Course>,
}

#[derive(Debug)]
struct Shard {
    learned: CountMin,
    buckets: [CountMin; BUCKETS],
}

/// How far the buckets are, in seconds by the ticks.
#[derive(Debug, Default)]
struct Course {
    last_tick: UnixSeconds,
    /// Idle seconds in the bucket that is filled.
    filled_seconds: u32,
    /// Whole buckets that wait, at most `BUCKETS − 1`.
    waiting: usize,
}

impl Profile {
    /// Nothing learned yet. It learns from the first tick on.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        let cells = || CountMin::new(ROWS, WIDTH);
        let shard = || Mutex::new(Shard { learned: cells(), buckets: std::array::from_fn(|_| cells()) });
        Self {
            key,
            shards: (0..SHARDS).map(|_| shard()).collect(),
            observed_seconds: AtomicU64::new(0),
            bucket: AtomicUsize::new(0),
            learning: AtomicBool::new(false),
            lessons: AtomicU64::new(0),
            course: Mutex::default(),
        }
    }

    /// A profile that was kept; `None` where the numbers cannot be those of one.
    pub(super) fn with(key: HashKey, observed_seconds: f64, cells: &[f32]) -> Option<Self> {
        if cells.len() != CELLS || !observed_seconds.is_finite() || observed_seconds < 0.0 {
            return None;
        }
        let profile = Self::new(key);
        for (shard, cells) in profile.shards.iter().zip(cells.chunks_exact(CELLS / SHARDS)) {
            lock(shard).learned = CountMin::new(ROWS, WIDTH).with_cells(cells)?;
        }
        profile.observed_seconds.store(observed_seconds.to_bits(), Ordering::Relaxed);
        Some(profile)
    }

    /// Notes a request of a network, if the gate is idle.
    pub fn observe(&self, levels: &[Prefix], cost: Credits) {
        if !self.learning.load(Ordering::Relaxed) {
            return;
        }
        let bucket = self.bucket.load(Ordering::Relaxed) % BUCKETS;
        let credits = cost.ratio(Credits::ONE);
        for prefix in levels {
            let hash = self.key.hash(*prefix);
            self.shard(hash).buckets[bucket].add(hash, credits);
        }
    }

    /// Once a second, at most a minute apart. `idle`: there is no overload and the gate asks nothing.
    pub fn tick(&self, now: UnixSeconds, idle: bool) {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.since(course.last_tick).min(TICK_SECONDS_MAX);
        let first = course.last_tick.0 == 0;
        course.last_tick = now;
        if !idle {
            if self.learning.swap(false, Ordering::Relaxed) {
                self.each_shard(|shard| shard.buckets.iter_mut().for_each(CountMin::clear));
            }
            (course.filled_seconds, course.waiting) = (0, 0);
            return;
        }
        if !self.learning.swap(true, Ordering::Relaxed) || first {
            return;
        }
        course.filled_seconds += seconds;
        if course.filled_seconds >= BUCKET_SECONDS {
            self.next_bucket(&mut course);
        }
    }

    /// The bucket that was filled waits from now on; the one that waited for an hour is learned and filled next.
    fn next_bucket(&self, course: &mut Course) {
        let next = (self.bucket.load(Ordering::Relaxed) + 1) % BUCKETS;
        let seconds = f64::from(std::mem::take(&mut course.filled_seconds));
        if course.waiting + 1 < BUCKETS {
            course.waiting += 1;
        } else {
            // Buckets are equally long but for a tick.
            let kept = (-seconds / f64::from(PROFILE_HALF_LIFE_SECONDS)).exp2();
            self.each_shard(|shard| {
                #[expect(clippy::cast_possible_truncation, reason = "a factor just below 1")]
                shard.learned.absorb(&shard.buckets[next], kept as f32);
                shard.buckets[next].clear();
            });
            let observed = self.observed_seconds() * kept + seconds;
            self.observed_seconds.store(observed.to_bits(), Ordering::Relaxed);
            self.lessons.fetch_add(1, Ordering::Relaxed);
        }
        self.bucket.store(next, Ordering::Relaxed);
    }

    /// Credits/s that a network usually brings: the mean over the idle time of the last weeks.
    #[must_use]
    pub fn learned_rate(&self, prefix: Prefix) -> f32 {
        let hash = self.key.hash(prefix);
        let credits = self.shard(hash).learned.estimate(hash);
        #[expect(clippy::cast_possible_truncation, reason = "weeks in seconds fit")]
        let observed = self.observed_seconds().max(OBSERVED_SECONDS_LEAST) as f32;
        credits / observed
    }

    /// The idle seconds that the profile was learned from, decayed like it; about 1.7 million after many weeks.
    #[must_use]
    pub fn observed_seconds(&self) -> f64 {
        f64::from_bits(self.observed_seconds.load(Ordering::Relaxed))
    }

    /// Whether requests are noted now.
    #[must_use]
    pub fn is_learning(&self) -> bool {
        self.learning.load(Ordering::Relaxed)
    }

    /// How often something was learned in this process.
    #[must_use]
    pub fn lessons(&self) -> u64 {
        self.lessons.load(Ordering::Relaxed)
    }

    /// Cells of the learned sketch in use, and in all.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        (self.shards.iter().map(|shard| lock(shard).learned.used()).sum(), CELLS)
    }

    /// What is kept of it: the key, the observed seconds, and the cells one by one.
    pub(super) fn for_keeping(&self) -> (HashKey, f64, Vec<f32>) {
        let mut cells = Vec::with_capacity(CELLS);
        self.each_shard(|shard| cells.extend_from_slice(shard.learned.cells()));
        (self.key, self.observed_seconds(), cells)
    }

    fn each_shard(&self, mut act: impl FnMut(&mut Shard)) {
        self.shards.iter().for_each(|shard| act(&mut lock(shard)));
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The low bits choose the shard, all of them the cells.
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        lock(&self.shards[index])
    }
}

/// A panic elsewhere leaves a shard with amounts that are a little off and nothing worse.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
