//! Paths that are assets by themselves, because the origin answered them as such. Only answers fill it, and nothing in it
//! grows: a table of fixed size for paths and one for targets with a query, each in two generations.

use super::networks::HashKey;
use puzzle::UnixSeconds;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Targets longer than this are not learned.
const TARGET_BYTES_MAX: usize = 512;
/// Paths without a query that are remembered of all sites, in each generation.
const PATH_SLOTS: usize = 1 << 16;
/// Targets with a query. They have a table of their own: whoever makes up queries pushes out no plain path.
const QUERY_SLOTS: usize = 1 << 15;
/// A target has its place in one of so many slots; where all are taken, one of the others goes.
const SLOTS_OF_A_BUCKET: usize = 8;
/// How long a generation is filled. What no answer confirms for two of them is forgotten.
const GENERATION_SECONDS: u32 = 6 * 3_600;

/// What was learned of all sites. Keyed: nobody outside knows which targets share a place.
pub struct LearnedAssets {
    hasher: HashKey,
    paths: [Slots; 2],
    queries: [Slots; 2],
    /// Which generation was filled last: unix seconds divided by its length.
    generation: AtomicU32,
}

impl LearnedAssets {
    /// Nothing learned yet.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self {
            hasher: key,
            paths: [Slots::new(PATH_SLOTS), Slots::new(PATH_SLOTS)],
            queries: [Slots::new(QUERY_SLOTS), Slots::new(QUERY_SLOTS)],
            generation: AtomicU32::new(0),
        }
    }

    /// The origin of a site has answered a target as a static part of pages.
    pub fn learn(&self, site: u16, target: &str, now: UnixSeconds) {
        if target.len() <= TARGET_BYTES_MAX {
            self.turn(now);
            self.of(target)[Self::filled(now)].insert(self.mark(site, target));
        }
    }

    /// Whether it has, in this generation or the one before.
    #[must_use]
    pub fn knows(&self, site: u16, target: &str, now: UnixSeconds) -> bool {
        if target.len() > TARGET_BYTES_MAX {
            return false;
        }
        self.turn(now);
        let mark = self.mark(site, target);
        self.of(target).iter().any(|slots| slots.contains(mark))
    }

    fn of(&self, target: &str) -> &[Slots; 2] {
        if target.contains('?') { &self.queries } else { &self.paths }
    }

    fn mark(&self, site: u16, target: &str) -> u64 {
        // Zero is an empty slot.
        self.hasher.hash_one((site, target)).max(1)
    }

    fn filled(now: UnixSeconds) -> usize {
        usize::from(now.0 / GENERATION_SECONDS % 2 == 1)
    }

    /// Empties the generation that begins.
    fn turn(&self, now: UnixSeconds) {
        let current = now.0 / GENERATION_SECONDS;
        let before = self.generation.load(Ordering::Relaxed);
        if before == current || self.generation.swap(current, Ordering::Relaxed) == current {
            return;
        }
        let both = before != 0 && current.wrapping_sub(before) != 1;
        for (number, (paths, queries)) in self.paths.iter().zip(&self.queries).enumerate() {
            if both || number == Self::filled(now) {
                paths.clear();
                queries.clear();
            }
        }
    }
}

/// Marks of targets.
struct Slots(Box<[AtomicU64]>);

impl Slots {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    fn bucket(&self, mark: u64) -> &[AtomicU64] {
        let buckets = self.0.len() / SLOTS_OF_A_BUCKET;
        let start = usize::try_from(mark >> 32).unwrap_or_default() % buckets * SLOTS_OF_A_BUCKET;
        self.0.get(start..start + SLOTS_OF_A_BUCKET).unwrap_or_default()
    }

    fn contains(&self, mark: u64) -> bool {
        self.bucket(mark).iter().any(|slot| slot.load(Ordering::Relaxed) == mark)
    }

    fn insert(&self, mark: u64) {
        let bucket = self.bucket(mark);
        let holds = |wanted: u64| bucket.iter().find(|slot| slot.load(Ordering::Relaxed) == wanted);
        if holds(mark).is_some() {
            return;
        }
        let pushed_out = || bucket.get(usize::try_from(mark & 0xff).unwrap_or_default() % SLOTS_OF_A_BUCKET);
        if let Some(slot) = holds(0).or_else(pushed_out) {
            slot.store(mark, Ordering::Relaxed);
        }
    }

    fn clear(&self) {
        self.0.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const ONE: u32 = GENERATION_SECONDS;

    #[test]
    fn a_target_is_known_for_its_site_and_as_it_was_asked_for() {
        let learned = LearnedAssets::new(HashKey([1; 16]));
        learned.learn(1, "/a.css", NOW);
        assert!(learned.knows(1, "/a.css", NOW));
        for (site, target) in [(2, "/a.css"), (1, "/a.css?x"), (1, "/b.css"), (1, "/A.css")] {
            assert!(!learned.knows(site, target, NOW), "{target}");
        }
        let long = format!("/{}", "a".repeat(TARGET_BYTES_MAX));
        learned.learn(1, &long, NOW);
        assert!(!learned.knows(1, &long, NOW));
    }

    #[test]
    fn what_no_answer_confirms_is_forgotten_after_two_generations() {
        let learned = LearnedAssets::new(HashKey([1; 16]));
        learned.learn(1, "/a", NOW);
        learned.learn(1, "/b", NOW);
        assert!(learned.knows(1, "/a", NOW.plus(ONE)));
        learned.learn(1, "/a", NOW.plus(ONE));
        assert!(learned.knows(1, "/a", NOW.plus(2 * ONE)) && !learned.knows(1, "/b", NOW.plus(2 * ONE)));
        assert!(!learned.knows(1, "/a", NOW.plus(9 * ONE)), "nor after a pause in which nothing turned");
    }

    #[test]
    fn a_million_made_up_queries_push_out_no_path_and_take_no_memory() {
        let learned = LearnedAssets::new(HashKey([1; 16]));
        let paths: Vec<String> = (0..2_000).map(|number| format!("/static/{number}.css")).collect();
        for path in &paths {
            learned.learn(1, path, NOW);
        }
        (0..1_000_000).for_each(|number| learned.learn(1, &format!("/a.css?{number}"), NOW));
        assert!(paths.iter().all(|path| learned.knows(1, path, NOW)));
        let unseen = (0..100_000).filter(|number| learned.knows(1, &format!("/x.css?{number}"), NOW)).count();
        assert_eq!(unseen, 0, "what was never answered is not taken for an asset however full the table is");
    }
}
