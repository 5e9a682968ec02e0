//! How large a part of the client networks gets errors from the site, in a table of fixed size.
//!
//! Every /24 and /48 has the same weight, so that one client that asks for broken pages all day is one voice. A network
//! counts as failing only when most of its answers are errors and three different first path segments were among
//! them: most sites have a URL that fails on demand.

use crate::gate::networks::{HashKey, Nested};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// Networks that are told apart: 32 KiB a site.
const CELLS: usize = 4096;
/// Seconds after which what was seen counts half.
const PERIOD_SECONDS: u64 = 4;
/// Networks below which nothing is said: a quiet site's few visitors are no sample.
const NETWORKS_MIN: usize = 4;
/// Different first path segments that must fail.
const SEGMENTS: usize = 3;
const COUNT_MAX: u64 = 0xfff;

/// What a network was answered lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    /// The period of the last answer, 16 bits of it.
    period: u64,
    answers: u64,
    errors: u64,
    /// Hashes of the first path segments that failed; 0 for none.
    segments: [u8; SEGMENTS],
}

/// The answers to all networks.
#[derive(Debug)]
pub(super) struct Failures {
    hasher: HashKey,
    cells: Box<[AtomicU64]>,
}

impl Failures {
    /// Nobody was answered yet.
    pub(super) fn new(key: HashKey) -> Self {
        Self { hasher: key, cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The site answered a request whose path has this first segment.
    pub(super) fn answered(&self, network: &Nested, segment: u8, failed: bool, now_seconds: u64) {
        let known_by = match network {
            Nested::V4([narrow, _]) => narrow,
            Nested::V6([_, site, _]) => site,
        };
        let index = usize::try_from(self.hasher.hash_one(known_by)).unwrap_or_default() % CELLS;
        let segment = if failed { segment } else { 0 };
        let noted = |cell| Some(Cell::unpack(cell).at(now_seconds).noting(failed, segment).pack());
        // The closure always gives a value, so the update never fails.
        let _ = self.cells[index].fetch_update(Ordering::Relaxed, Ordering::Relaxed, noted);
    }

    /// The part of the networks seen lately that gets errors, 0 to 1; `None` where too few were seen.
    pub(super) fn share(&self, now_seconds: u64) -> Option<f64> {
        let cells = self.cells.iter().map(|cell| Cell::unpack(cell.load(Ordering::Relaxed)).at(now_seconds));
        let (mut seen, mut failing) = (0_usize, 0_usize);
        for cell in cells.filter(|cell| cell.answers > 0) {
            seen += 1;
            failing += usize::from(cell.fails());
        }
        let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        (seen >= NETWORKS_MIN).then(|| number(failing) / number(seen))
    }

    /// By what the first segment of a path is known here, 1 to 255.
    pub(super) fn segment_of(&self, path: &str) -> u8 {
        let segment = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        u8::try_from(self.hasher.hash_one(segment) % 255).unwrap_or_default() + 1
    }
}

impl Cell {
    /// The cell as it counts now: half for every period that has passed.
    fn at(self, now_seconds: u64) -> Self {
        let period = (now_seconds / PERIOD_SECONDS) & 0xffff;
        let passed = period.wrapping_sub(self.period) & 0xffff;
        let halved = |count: u64| if passed >= 16 { 0 } else { count >> passed };
        let errors = halved(self.errors);
        let segments = if errors == 0 { [0; SEGMENTS] } else { self.segments };
        Self { period, answers: halved(self.answers), errors, segments }
    }

    fn noting(mut self, failed: bool, segment: u8) -> Self {
        // Held together, so that their ratio stays when they are full.
        if self.answers == COUNT_MAX {
            (self.answers, self.errors) = (self.answers / 2, self.errors / 2);
        }
        self.answers += 1;
        self.errors += u64::from(failed);
        if failed
            && !self.segments.contains(&segment)
            && let Some(free) = self.segments.iter_mut().find(|kept| **kept == 0)
        {
            *free = segment;
        }
        self
    }

    fn fails(&self) -> bool {
        self.errors * 2 > self.answers && self.segments.iter().all(|segment| *segment != 0)
    }

    fn pack(self) -> u64 {
        let segments = self.segments.iter().fold(0, |all, segment| all << 8 | u64::from(*segment));
        self.period << 48 | self.answers << 36 | self.errors << 24 | segments
    }

    fn unpack(packed: u64) -> Self {
        let [.., a, b, c] = packed.to_be_bytes();
        Self {
            period: packed >> 48,
            answers: packed >> 36 & COUNT_MAX,
            errors: packed >> 24 & COUNT_MAX,
            segments: [a, b, c],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use puzzle::ClientNetwork;

    const NOW: u64 = 1_000;

    fn network(third: u8) -> Nested {
        Nested::of(ClientNetwork::of([203, 0, third, 9].into()))
    }

    #[test]
    fn a_flood_of_one_url_that_answers_500_makes_no_network_fail() {
        let failures = Failures::new(HashKey([1; 16]));
        for _ in 0..1_000 {
            for third in 0..20 {
                failures.answered(&network(third), failures.segment_of("/broken"), true, NOW);
            }
        }
        assert_eq!(failures.share(NOW), Some(0.0));
    }

    #[test]
    fn one_network_is_one_voice_however_often_it_asks() {
        let failures = Failures::new(HashKey([1; 16]));
        for path in ["/a/x", "/b", "/c", "/d"] {
            (0..500).for_each(|_| failures.answered(&network(0), failures.segment_of(path), true, NOW));
        }
        (1..10).for_each(|third| failures.answered(&network(third), failures.segment_of("/"), false, NOW));
        let share = failures.share(NOW).expect("ten networks");
        assert!((share - 0.1).abs() < 1e-9, "{share}");
    }

    #[test]
    fn a_site_that_is_down_is_seen_and_forgotten_when_it_is_back() {
        let failures = Failures::new(HashKey([1; 16]));
        for third in 0..10 {
            for path in ["/", "/news", "/contact"] {
                failures.answered(&network(third), failures.segment_of(path), true, NOW);
            }
        }
        assert_eq!(failures.share(NOW), Some(1.0));
        assert_eq!(failures.share(NOW + 60), None, "nobody was seen lately");
        for third in 0..10 {
            (0..4).for_each(|_| failures.answered(&network(third), failures.segment_of("/"), false, NOW + 8));
        }
        assert_eq!(failures.share(NOW + 8), Some(0.0));
    }

    #[test]
    fn three_visitors_are_no_sample() {
        let failures = Failures::new(HashKey([1; 16]));
        for third in 0..3 {
            for path in ["/", "/news", "/contact"] {
                failures.answered(&network(third), failures.segment_of(path), true, NOW);
            }
        }
        assert_eq!(failures.share(NOW), None);
    }

    #[test]
    fn a_cell_survives_its_bits_and_full_counts_keep_their_ratio() {
        let mut cell = Cell::default();
        for number in 0..10_000_u32 {
            cell = Cell::unpack(cell.at(NOW).noting(number % 4 != 0, 1 + (number % 3) as u8).pack());
        }
        assert!(cell.fails(), "{cell:?}");
        assert!(cell.errors * 100 / cell.answers > 70, "{cell:?}");
    }
}
