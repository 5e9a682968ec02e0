//! How many admitted requests of a site wait at the origin, and how many lines of the log never come.
//!
//! A line is written when a request has *ended*, so a check without a line may be one that waits for the head of its
//! answer or a download on its way. Those that wait are told by their age: no older than a few times what a head takes.
//! Missing lines are a mean over client networks, each with the same weight: one that holds its downloads open for
//! minutes must not silence the log.

use super::{LINE_WITHIN, MISSING_SHARE_MAX};
use crate::gate::networks::{HashKey, Prefix};
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Networks that are told apart.
const CELLS: usize = 256;
/// Part of what was seen that still counts a second later: half after a minute.
const KEPT_A_SECOND: f32 = 0.988_514;
/// Checks below which nothing is said of missing lines.
const CHECKS_MIN: f32 = 8.0;
/// What a network must have asked lately to have a voice.
const VOICE_MIN: f32 = 0.5;
/// Checks of one network that count as a backlog.
const BACKLOG_OF_A_NETWORK: u16 = 16;
/// A check waits for its head for no longer than this, and so many times what heads take.
const WAITS_LEAST: Duration = Duration::from_secs(1);
const WAITS_TIMES: f64 = 3.0;

/// What the log of a site tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogState {
    /// Admitted requests that wait for the head of their answer.
    pub waiting: u32,
    /// The same with every client network up to sixteen of them: many networks wait, and not one for many pages.
    pub backlog: u32,
    /// The part of the lines that is missing, in the mean over client networks; `None` where there were too few checks.
    pub missing_share: Option<f64>,
}

impl LogState {
    /// Whether the log tells enough to learn from.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.missing_share.is_none_or(|share| share <= MISSING_SHARE_MAX)
    }
}

/// What came and what is missing at one site. Fixed in size.
#[derive(Debug)]
pub struct Arrivals {
    hasher: HashKey,
    second: Mutex<OfSecond>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    came: f32,
    missing: f32,
    waiting: u16,
}

#[derive(Debug, Default)]
struct OfSecond {
    /// Made with the first check.
    cells: Vec<Cell>,
    waiting: u32,
    backlog: u32,
    /// Heads that came in this second, and how long they took together.
    heads: u32,
    heads_took: Duration,
    /// Up to this age a check waits for its head.
    waits: Duration,
}

impl Arrivals {
    /// Nothing came yet.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self { hasher: key, second: Mutex::default() }
    }

    /// The line of a check of `network` came in time; `head` is how long the head took, where one came from the origin.
    pub fn came(&self, network: Prefix, head: Option<Duration>) {
        let mut second = self.second();
        self.cell(&mut second, network).came += 1.0;
        if let Some(head) = head {
            second.heads += 1;
            second.heads_took += head;
        }
    }

    /// The line of a check is not waited for any more.
    pub fn is_missing(&self, network: Prefix) {
        self.cell(&mut self.second(), network).missing += 1.0;
    }

    /// A line that counted as missing came after all: a slow download, and no loss.
    pub fn came_late(&self, network: Prefix) {
        let mut second = self.second();
        let cell = self.cell(&mut second, network);
        cell.missing = (cell.missing - 1.0).max(0.0);
        cell.came += 1.0;
    }

    /// Ends a second; the checks that wait are counted anew by [`Arrivals::may_wait`].
    pub fn next_second(&self) {
        let mut second = self.second();
        second.waits = if second.heads == 0 {
            // Nothing came: whoever has waited since then still waits.
            (second.waits + Duration::from_secs(1)).min(LINE_WITHIN)
        } else {
            let mean = second.heads_took / second.heads;
            (WAITS_LEAST + mean.mul_f64(WAITS_TIMES)).min(LINE_WITHIN)
        };
        (second.heads, second.heads_took) = (0, Duration::ZERO);
        (second.waiting, second.backlog) = (0, 0);
        for cell in &mut second.cells {
            cell.came *= KEPT_A_SECOND;
            cell.missing *= KEPT_A_SECOND;
            cell.waiting = 0;
        }
    }

    /// There is a check of `network`, of this age, without a line.
    pub fn may_wait(&self, network: Prefix, age: Duration) {
        let mut second = self.second();
        if age > second.waits {
            return;
        }
        second.waiting = second.waiting.saturating_add(1);
        let cell = self.cell(&mut second, network);
        cell.waiting = cell.waiting.saturating_add(1);
        if cell.waiting <= BACKLOG_OF_A_NETWORK {
            second.backlog = second.backlog.saturating_add(1);
        }
    }

    /// What the log tells; `None` while nobody was admitted.
    #[must_use]
    pub fn state(&self) -> Option<LogState> {
        let second = self.second();
        if second.cells.is_empty() {
            return None;
        }
        let all: f32 = second.cells.iter().map(|cell| cell.came + cell.missing).sum();
        let voices = second.cells.iter().filter(|cell| cell.came + cell.missing >= VOICE_MIN);
        let (sum, count) = voices.fold((0.0_f64, 0.0_f64), |(sum, count), cell| {
            (sum + f64::from(cell.missing / (cell.came + cell.missing)), count + 1.0)
        });
        let missing_share = (all >= CHECKS_MIN && count > 0.0).then(|| sum / count);
        Some(LogState { waiting: second.waiting, backlog: second.backlog, missing_share })
    }

    fn cell<'s>(&self, second: &'s mut OfSecond, network: Prefix) -> &'s mut Cell {
        if second.cells.is_empty() {
            second.cells = vec![Cell::default(); CELLS];
        }
        let index = usize::try_from(self.hasher.hash_one(network)).unwrap_or_default() % CELLS;
        &mut second.cells[index]
    }

    fn second(&self) -> MutexGuard<'_, OfSecond> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::networks::Nested;
    use puzzle::ClientNetwork;

    fn network(third: u8) -> Prefix {
        Nested::of(ClientNetwork::of([203, 0, third, 9].into())).levels()[0]
    }

    fn share(arrivals: &Arrivals) -> f64 {
        arrivals.state().expect("checks").missing_share.expect("enough")
    }

    #[test]
    fn a_site_that_nobody_asked_for_says_nothing_and_a_quiet_one_little() {
        let arrivals = Arrivals::new(HashKey([1; 16]));
        assert_eq!(arrivals.state(), None);
        arrivals.is_missing(network(1));
        let state = arrivals.state().expect("a check");
        assert!(state.missing_share.is_none() && state.is_reliable());
    }

    #[test]
    fn one_network_that_holds_its_downloads_open_does_not_silence_the_log() {
        let arrivals = Arrivals::new(HashKey([1; 16]));
        for _ in 0..20 {
            (0..40).for_each(|third| arrivals.came(network(third), None));
        }
        (0..1_000).for_each(|_| arrivals.is_missing(network(200)));
        assert!(arrivals.state().expect("checks").is_reliable(), "{}", share(&arrivals));
    }

    #[test]
    fn lines_that_are_lost_everywhere_silence_it() {
        let arrivals = Arrivals::new(HashKey([1; 16]));
        for third in 0..40 {
            (0..9).for_each(|_| arrivals.came(network(third), None));
            arrivals.is_missing(network(third));
        }
        assert!((share(&arrivals) - 0.1).abs() < 0.02);
        assert!(!arrivals.state().expect("checks").is_reliable());
        (0..40).for_each(|third| arrivals.came_late(network(third)));
        assert!(arrivals.state().expect("checks").is_reliable(), "they were late and not lost");
    }

    #[test]
    fn many_networks_that_wait_are_a_backlog_and_one_is_not() {
        let arrivals = Arrivals::new(HashKey([1; 16]));
        let backlog = |networks: u8, each: u32| {
            arrivals.next_second();
            for third in 0..networks {
                (0..each).for_each(|_| arrivals.may_wait(network(third), Duration::ZERO));
            }
            let state = arrivals.state().expect("checks");
            assert_eq!(state.waiting, u32::from(networks) * each);
            state.backlog
        };
        assert_eq!(backlog(1, 1_000), 16);
        assert!(backlog(100, 8) > 500);
    }

    #[test]
    fn downloads_do_not_wait_and_an_origin_that_hangs_makes_everybody_wait() {
        let arrivals = Arrivals::new(HashKey([1; 16]));
        let second = |ages: &[u64]| {
            arrivals.next_second();
            for age in ages {
                arrivals.may_wait(network(1), Duration::from_secs(*age));
            }
            arrivals.state().expect("checks").waiting
        };
        arrivals.came(network(1), Some(Duration::from_millis(20)));
        assert_eq!(second(&[0, 0, 5, 20]), 2, "heads take milliseconds: the others are downloads");
        for _ in 0..6 {
            second(&[]);
        }
        assert_eq!(second(&[0, 3, 6, 25]), 3, "no head has come for seven seconds");
    }
}
