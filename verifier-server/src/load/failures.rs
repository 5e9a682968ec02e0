//! How large a part of the client networks gets errors from the site, in a table of fixed size.
//!
//! Every /24 and /48 has the same weight, so that one client that asks for broken pages all day is one voice. A network
//! counts as failing only when most of its answers are errors and three different first path segments were among
//! them: most sites have a URL that fails on demand. Where most of its answers say that the site is swamped, one segment is
//! enough, but then sixteen networks have to be told so: hardly a site has a URL that says *that* on demand.

use super::Outcome;
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
/// Networks that must be told that the site is swamped, where fewer segments failed.
const SWAMPED_NETWORKS_MIN: usize = 16;
const COUNT_MAX: u64 = 0xff;

/// What a network was answered lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell {
    /// The period of the last answer, 16 bits of it.
    period: u64,
    answers: u64,
    errors: u64,
    /// Of the errors those that say that the site is swamped.
    swamped: u64,
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
    pub(super) fn answered(&self, network: &Nested, segment: u8, outcome: Outcome, now_seconds: u64) {
        let known_by = match network {
            Nested::V4([narrow, _]) => narrow,
            Nested::V6([_, site, _]) => site,
        };
        let index = usize::try_from(self.hasher.hash_one(known_by)).unwrap_or_default() % CELLS;
        let noted = |cell| Some(Cell::unpack(cell).at(now_seconds).noting(outcome, segment).pack());
        // The closure always gives a value, so the update never fails.
        let _ = self.cells[index].fetch_update(Ordering::Relaxed, Ordering::Relaxed, noted);
    }

    /// The part of the networks seen lately that gets errors, 0 to 1; `None` where too few were seen.
    pub(super) fn share(&self, now_seconds: u64) -> Option<f64> {
        let cells = self.cells.iter().map(|cell| Cell::unpack(cell.load(Ordering::Relaxed)).at(now_seconds));
        let (mut seen, mut failing, mut swamped) = (0_usize, 0_usize, 0_usize);
        for cell in cells.filter(|cell| cell.answers > 0) {
            seen += 1;
            failing += usize::from(cell.fails());
            swamped += usize::from(cell.fails() || cell.is_swamped());
        }
        let failing = if swamped >= SWAMPED_NETWORKS_MIN { swamped } else { failing };
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
        Self { period, answers: halved(self.answers), errors, swamped: halved(self.swamped), segments }
    }

    fn noting(mut self, outcome: Outcome, segment: u8) -> Self {
        // Held together, so that their ratios stay when they are full.
        if self.answers == COUNT_MAX {
            (self.answers, self.errors, self.swamped) = (self.answers / 2, self.errors / 2, self.swamped / 2);
        }
        self.answers += 1;
        self.errors += u64::from(outcome.is_error());
        self.swamped += u64::from(outcome == Outcome::Swamped);
        if outcome.is_error()
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

    fn is_swamped(&self) -> bool {
        self.swamped * 2 > self.answers
    }

    fn pack(self) -> u64 {
        let segments = self.segments.iter().fold(0, |all, segment| all << 8 | u64::from(*segment));
        self.period << 48 | self.answers << 40 | self.errors << 32 | self.swamped << 24 | segments
    }

    fn unpack(packed: u64) -> Self {
        let [_, _, answers, errors, swamped, a, b, c] = packed.to_be_bytes();
        Self {
            period: packed >> 48,
            answers: answers.into(),
            errors: errors.into(),
            swamped: swamped.into(),
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
                failures.answered(&network(third), failures.segment_of("/broken"), Outcome::Error, NOW);
            }
        }
        assert_eq!(failures.share(NOW), Some(0.0));
    }

    #[test]
    fn one_network_is_one_voice_however_often_it_asks() {
        let failures = Failures::new(HashKey([1; 16]));
        for path in ["/a/x", "/b", "/c", "/d"] {
            (0..500).for_each(|_| failures.answered(&network(0), failures.segment_of(path), Outcome::Error, NOW));
        }
        (1..10).for_each(|third| failures.answered(&network(third), failures.segment_of("/"), Outcome::Fine, NOW));
        let share = failures.share(NOW).expect("ten networks");
        assert!((share - 0.1).abs() < 1e-9, "{share}");
    }

    #[test]
    fn a_site_that_is_down_is_seen_and_forgotten_when_it_is_back() {
        let failures = Failures::new(HashKey([1; 16]));
        for third in 0..10 {
            for path in ["/", "/news", "/contact"] {
                failures.answered(&network(third), failures.segment_of(path), Outcome::Error, NOW);
            }
        }
        assert_eq!(failures.share(NOW), Some(1.0));
        assert_eq!(failures.share(NOW + 60), None, "nobody was seen lately");
        for third in 0..10 {
            (0..4).for_each(|_| failures.answered(&network(third), failures.segment_of("/"), Outcome::Fine, NOW + 8));
        }
        assert_eq!(failures.share(NOW + 8), Some(0.0));
    }

    #[test]
    fn a_swamped_site_is_seen_by_one_url_but_not_by_fifteen_networks() {
        let failures = Failures::new(HashKey([1; 16]));
        for third in 0..15 {
            failures.answered(&network(third), failures.segment_of("/"), Outcome::Swamped, NOW);
        }
        assert_eq!(failures.share(NOW), Some(0.0));
        failures.answered(&network(15), failures.segment_of("/"), Outcome::Swamped, NOW);
        assert_eq!(failures.share(NOW), Some(1.0));
        (16..48).for_each(|third| failures.answered(&network(third), failures.segment_of("/"), Outcome::Fine, NOW));
        let share = failures.share(NOW).expect("forty-eight networks");
        assert!((share - 1.0 / 3.0).abs() < 1e-9, "who is served counts as well: {share}");
    }

    #[test]
    fn three_visitors_are_no_sample() {
        let failures = Failures::new(HashKey([1; 16]));
        for third in 0..3 {
            for path in ["/", "/news", "/contact"] {
                failures.answered(&network(third), failures.segment_of(path), Outcome::Error, NOW);
            }
        }
        assert_eq!(failures.share(NOW), None);
    }

    #[test]
    fn a_cell_survives_its_bits_and_full_counts_keep_their_ratio() {
        let mut cell = Cell::default();
        for number in 0..10_000_u32 {
            cell = Cell::unpack(
                cell.at(NOW)
                    .noting(if number % 4 == 0 { Outcome::Fine } else { Outcome::Swamped }, 1 + (number % 3) as u8)
                    .pack(),
            );
        }
        assert!(cell.fails(), "{cell:?}");
        assert!(cell.errors * 100 / cell.answers > 70 && cell.errors == cell.swamped, "{cell:?}");
    }
}
