//! A gradient limit on how many requests may be at the origin at once, and the capacity learned while it binds.
//!
//! The limit grows while answers are as quick as usual and shrinks as they become slower (after Netflix's *gradient2*
//! and TCP Vegas, which it only shares the idea with). Where it binds, the origin does what it can: what it then gets
//! done in a second is its capacity.

use super::amount::{float, whole};
use std::time::Duration;

/// What a second showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a second, any of which may be so")]
pub struct Second {
    /// Most requests that waited for the head of their answer at once.
    pub waiting_peak: u32,
    /// Most requests that were at the origin at once, those among them whose answers were on their way.
    pub in_use_peak: u32,
    /// Whether requests wait for a slot.
    pub queued: bool,
    /// Answers.
    pub answered: u64,
    /// Those of them that were 5xx, or that never came because the origin is gone.
    pub failed: u64,
    /// Credits a second of the others.
    pub goodput: f64,
    /// Delay against the usual one, median over client networks.
    pub delay_ratio: Option<f64>,
    /// More than half of the client networks get errors.
    pub failing: bool,
    /// Too much of what was answered is not known: lines of the web server's log are missing.
    pub unreliable: bool,
    /// The gate is down and nothing queues: what the origin gets is what the gate lets it have, and no more.
    pub held_back: bool,
}

/// What keeps the capacity from being learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learning {
    /// The limit does not bind: what the site can do is not seen.
    NotBinding,
    /// It binds, and the estimate follows.
    Binding,
    /// The site itself is down or answers with errors, or too little is known of its answers: the estimate stays.
    Frozen,
}

/// The limit and the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    slots: f64,
    slots_max: f64,
    /// The most that somebody who knows the origin told.
    told: Option<f64>,
    /// What the origin did before, in credits a second; 0 where nobody knows.
    at_least: f64,
    capacity: Option<f64>,
    /// The largest estimate of the last hours.
    slow_max: f64,
    learning: Learning,
    site_down: bool,
}

impl Limit {
    const SLOTS_BEGIN: f64 = 20.0;
    const SLOTS_MIN: f64 = 4.0;
    /// How much slower than usual answers may be before the limit shrinks.
    const TOLERANCE: f64 = 1.5;
    /// Part of a new limit that is taken over in a second.
    const SMOOTHING: f64 = 0.3;
    /// Slower than this, the origin has more to do than it can at once.
    const BINDING_RATIO: f64 = 1.25;
    /// While requests wait for slots and answers are quicker than this, the limit was too small,
    const QUICK_RATIO: f64 = 1.1;
    /// and rises by this part of itself besides.
    const QUICK_RISE: f64 = 1.0;
    /// Part of a larger estimate that is taken over in a second.
    const RISE: f64 = 0.5;
    /// The most that the estimate falls in a second, and that it rises by what is done without the limit binding.
    const STEP_MAX: f64 = 0.05;
    /// The estimate never falls below this part of its slow maximum.
    const PART_MIN: f64 = 0.25;
    /// In which the slow maximum is forgotten by half.
    const SLOW_MAX_HALVES_SECONDS: f64 = 3_600.0;
    /// Where the gate holds back what nothing queues for, the estimate rises by this part in a second as long as answers
    /// are quick, up to so many times what is done: otherwise one that was too small at first would stay so.
    const HELD_BACK_STEP: f64 = 0.02;
    const HELD_BACK_TIMES: f64 = 1.25;
    /// Errors above this part of the answers keep the estimate from falling: they are quicker than pages.
    const ERRORS_MAX: f64 = 0.1;

    /// A limit of at most `slots_max`, with an estimate from before, if there is one.
    #[must_use]
    pub fn new(slots_max: u32, capacity: Option<f64>) -> Self {
        let slots_max = f64::from(slots_max).max(Self::SLOTS_MIN);
        Self {
            slots: Self::SLOTS_BEGIN.min(slots_max),
            slots_max,
            told: None,
            at_least: 0.0,
            capacity,
            slow_max: capacity.unwrap_or(0.0),
            learning: Learning::NotBinding,
            site_down: false,
        }
    }

    /// How many requests may be at the origin at once.
    #[must_use]
    pub fn slots(&self) -> u32 {
        u32::try_from(whole(self.slots)).unwrap_or(u32::MAX)
    }

    /// The estimate in credits a second; `None` until the limit has bound for the first time.
    #[must_use]
    pub const fn capacity(&self) -> Option<f64> {
        self.capacity
    }

    /// Whether the capacity is being learned.
    #[must_use]
    pub const fn learning(&self) -> Learning {
        self.learning
    }

    /// Whether the site itself is down: nothing comes back, or mostly errors.
    #[must_use]
    pub const fn site_down(&self) -> bool {
        self.site_down
    }

    /// How many requests the origin works on at once, where somebody knows it.
    pub fn set_told(&mut self, told: Option<u32>) {
        self.told = told.map(|told| f64::from(told).min(self.slots_max));
        self.slots = self.slots.min(self.most());
    }

    /// What the origin did before, in credits a second: the first estimate is no less, and falls from there as any other.
    pub fn set_at_least(&mut self, at_least: Option<f64>) {
        self.at_least = at_least.unwrap_or(0.0);
    }

    fn most(&self) -> f64 {
        self.told.unwrap_or(self.slots_max)
    }

    /// Takes in a second that lasted `elapsed`.
    pub fn step(&mut self, second: &Second, elapsed: Duration) {
        let mostly_errors = second.failing || second.failed * 2 > second.answered;
        let nothing = second.answered == second.failed && second.waiting_peak > 0;
        let (waiting, in_use) = (f64::from(second.waiting_peak), f64::from(second.in_use_peak));
        self.site_down = second.failing || (nothing && waiting >= self.slots && !second.unreliable);
        let busy = in_use >= self.slots;
        let ratio = second.delay_ratio.unwrap_or(1.0);
        // What is told keeps the origin from getting more than it works on: its answers do not slow down then.
        let full = second.queued && self.told.is_some_and(|told| in_use >= told);
        self.learning = match () {
            () if self.site_down || second.unreliable || (second.answered > 0 && mostly_errors) => Learning::Frozen,
            () if busy && (full || ratio > Self::BINDING_RATIO) => Learning::Binding,
            () => Learning::NotBinding,
        };
        self.learn(second, elapsed);
        // Where slots are taken by answers on their way and hardly anybody waits for a head, the origin keeps up.
        let transfers = waiting * 4.0 <= in_use;
        if in_use * 2.0 >= self.slots && (second.delay_ratio.is_some() || transfers) {
            let gradient = (Self::TOLERANCE / ratio).clamp(0.5, 1.0);
            let quick = second.queued && ratio < Self::QUICK_RATIO;
            let more = if quick { self.slots * Self::QUICK_RISE } else { 0.0 };
            let wanted = self.slots * gradient + self.slots.sqrt() + more;
            self.slots += Self::SMOOTHING * (wanted - self.slots);
            self.slots = self.slots.clamp(Self::SLOTS_MIN.min(self.most()), self.most());
        }
    }

    fn learn(&mut self, second: &Second, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        self.slow_max *= (-seconds / Self::SLOW_MAX_HALVES_SECONDS).exp2();
        if second.goodput <= 0.0 || self.learning == Learning::Frozen {
            return;
        }
        let step = 1.0 + Self::STEP_MAX * seconds;
        self.capacity = match (self.capacity, self.learning) {
            (None, Learning::Binding) => Some(second.goodput.max(self.at_least)),
            (Some(known), Learning::Binding) if second.goodput >= known => {
                Some(known + Self::RISE * (second.goodput - known))
            }
            (Some(known), Learning::Binding) if float(second.failed) <= Self::ERRORS_MAX * float(second.answered) => {
                let least = (known / step).max(Self::PART_MIN * self.slow_max);
                Some(second.goodput.max(least).min(known))
            }
            (Some(known), Learning::NotBinding)
                if second.held_back && second.delay_ratio.is_some_and(|ratio| ratio < Self::QUICK_RATIO) =>
            {
                let most = known * (1.0 + Self::HELD_BACK_STEP * seconds);
                Some((second.goodput * Self::HELD_BACK_TIMES).clamp(known, most))
            }
            // What is done without haste can be done.
            (Some(known), Learning::NotBinding) if second.delay_ratio.is_some_and(|ratio| ratio <= 1.0) => {
                Some(second.goodput.clamp(known, known * step))
            }
            (known, _) => known,
        };
        self.slow_max = self.slow_max.max(self.capacity.unwrap_or(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Duration = Duration::from_secs(1);

    /// A second in which an origin of 200 credits/s has more to do than it can.
    const FULL: Second = Second {
        waiting_peak: 500,
        in_use_peak: 500,
        queued: false,
        answered: 200,
        failed: 0,
        goodput: 200.0,
        delay_ratio: Some(4.0),
        failing: false,
        unreliable: false,
        held_back: false,
    };
    const QUIET: Second =
        Second { waiting_peak: 2, in_use_peak: 2, answered: 20, goodput: 20.0, delay_ratio: Some(1.0), ..FULL };

    fn after(limit: &mut Limit, second: Second, seconds: u32) -> f64 {
        (0..seconds).for_each(|_| limit.step(&second, ONE));
        limit.capacity().unwrap_or(0.0)
    }

    #[test]
    fn nothing_is_learned_from_a_quiet_site() {
        let mut limit = Limit::new(10_000, None);
        after(&mut limit, QUIET, 1_000);
        assert_eq!((limit.capacity(), limit.learning()), (None, Learning::NotBinding));
        assert_eq!(limit.slots(), 20);
    }

    #[test]
    fn where_the_limit_binds_what_is_done_is_the_capacity() {
        let mut limit = Limit::new(10_000, None);
        assert!((after(&mut limit, FULL, 1) - 200.0).abs() < 1e-9);
        assert_eq!(limit.learning(), Learning::Binding);
        assert!((after(&mut limit, QUIET, 1_000) - 200.0).abs() < 1e-9, "and stays when it is quiet again");
    }

    #[test]
    fn what_the_origin_did_before_is_where_the_estimate_begins_and_what_is_measured_where_it_goes() {
        let swamped = Second { goodput: 5.0, answered: 5, ..FULL };
        let mut limit = Limit::new(10_000, None);
        limit.set_at_least(Some(24.0));
        after(&mut limit, QUIET, 100);
        assert_eq!(limit.capacity(), None, "it is no estimate");
        assert!((after(&mut limit, swamped, 1) - 24.0).abs() < 1e-9);
        assert!((after(&mut limit, Second { goodput: 12.0, ..swamped }, 100) - 12.0).abs() < 1e-6);
        assert!(after(&mut limit, FULL, 10) > 190.0, "and it binds nothing");
    }

    #[test]
    fn a_first_second_that_was_half_quiet_is_made_good() {
        let mut limit = Limit::new(10_000, None);
        limit.step(&Second { goodput: 90.0, answered: 90, ..FULL }, ONE);
        assert!(after(&mut limit, FULL, 4) > 190.0);
    }

    #[test]
    fn it_falls_by_five_per_cent_a_second_and_never_below_a_quarter() {
        let mut limit = Limit::new(10_000, None);
        after(&mut limit, FULL, 10);
        let halved = Second { goodput: 100.0, answered: 100, ..FULL };
        let first = after(&mut limit, halved, 1);
        assert!((190.0..191.0).contains(&first), "{first}");
        assert!((after(&mut limit, halved, 30) - 100.0).abs() < 1.0);
        let starved = Second { goodput: 1.0, answered: 1, ..FULL };
        let least = after(&mut limit, starved, 200);
        assert!((45.0..51.0).contains(&least), "{least}");
    }

    #[test]
    fn errors_and_silence_freeze_it() {
        let mut limit = Limit::new(10_000, None);
        after(&mut limit, FULL, 10);
        let errors = Second { failed: 190, goodput: 10.0, ..FULL };
        assert!((after(&mut limit, errors, 100) - 200.0).abs() < 1e-6);
        assert_eq!((limit.learning(), limit.site_down()), (Learning::Frozen, false), "one URL may fail on demand");
        after(&mut limit, Second { failing: true, ..errors }, 1);
        assert!(limit.site_down());
        let silence = Second { answered: 0, goodput: 0.0, delay_ratio: None, ..FULL };
        assert!((after(&mut limit, silence, 100) - 200.0).abs() < 1e-6);
        assert!(limit.site_down());
        after(&mut limit, QUIET, 1);
        assert!(!limit.site_down());
    }

    #[test]
    fn what_is_not_known_freezes_it_and_is_no_outage() {
        let mut limit = Limit::new(10_000, None);
        after(&mut limit, FULL, 10);
        let lost = Second { answered: 20, goodput: 20.0, unreliable: true, ..FULL };
        assert!((after(&mut limit, lost, 100) - 200.0).abs() < 1e-6);
        assert!((after(&mut limit, Second { goodput: 2_000.0, ..lost }, 100) - 200.0).abs() < 1e-6);
        let all_lost = Second { answered: 0, goodput: 0.0, delay_ratio: None, ..lost };
        assert!((after(&mut limit, all_lost, 100) - 200.0).abs() < 1e-6);
        assert_eq!((limit.learning(), limit.site_down()), (Learning::Frozen, false));
    }

    #[test]
    fn held_back_by_the_gate_it_rises_to_a_quarter_more_than_what_is_done_quickly() {
        let held_back = Second { goodput: 90.0, held_back: true, ..QUIET };
        let mut limit = Limit::new(10_000, Some(100.0));
        let risen = after(&mut limit, held_back, 100);
        assert!((112.0..=112.5).contains(&risen), "{risen}");
        let mut limit = Limit::new(10_000, Some(100.0));
        assert!(after(&mut limit, Second { delay_ratio: Some(1.15), ..held_back }, 100) <= 100.0, "not quick");
        let mut limit = Limit::new(10_000, Some(100.0));
        assert!(after(&mut limit, Second { goodput: 50.0, ..held_back }, 100) <= 100.0, "not what holds it back");
    }

    #[test]
    fn some_errors_keep_it_from_falling() {
        let mut limit = Limit::new(10_000, None);
        after(&mut limit, FULL, 10);
        let some = Second { failed: 80, goodput: 120.0, ..FULL };
        assert!((after(&mut limit, some, 100) - 200.0).abs() < 1e-6);
    }

    #[test]
    fn an_estimate_that_was_too_small_is_mended_by_what_is_done_without_haste() {
        let mut limit = Limit::new(10_000, Some(10.0));
        assert!(after(&mut limit, Second { goodput: 100.0, ..QUIET }, 60) > 99.0);
        let mut limit = Limit::new(10_000, Some(10.0));
        assert!(after(&mut limit, Second { goodput: 100.0, delay_ratio: Some(1.2), ..QUIET }, 60) < 10.1);
    }

    #[test]
    fn the_limit_grows_while_answers_are_quick_and_shrinks_as_they_slow_down() {
        let mut limit = Limit::new(200, None);
        let quick = |limit: &Limit| {
            let (waiting_peak, in_use_peak) = (limit.slots(), limit.slots());
            Second { waiting_peak, in_use_peak, delay_ratio: Some(1.0), ..FULL }
        };
        for _ in 0..600 {
            limit.step(&quick(&limit), ONE);
        }
        assert_eq!(limit.slots(), 200);
        after(&mut limit, FULL, 30);
        assert!((4..30).contains(&limit.slots()), "{}", limit.slots());
    }

    #[test]
    fn a_limit_that_is_too_small_for_a_quick_origin_doubles_in_seconds() {
        let mut limit = Limit::new(10_000, None);
        for _ in 0..10 {
            let (waiting_peak, in_use_peak) = (limit.slots(), limit.slots());
            limit.step(&Second { waiting_peak, in_use_peak, queued: true, delay_ratio: Some(1.0), ..FULL }, ONE);
        }
        assert!(limit.slots() > 200, "{}", limit.slots());
    }

    #[test]
    fn what_is_told_bounds_the_limit_and_where_it_is_full_the_capacity_is_learned() {
        let mut limit = Limit::new(10_000, None);
        limit.set_told(Some(50));
        let full = Second { waiting_peak: 50, in_use_peak: 50, queued: true, delay_ratio: Some(1.0), ..FULL };
        assert!((after(&mut limit, full, 10) - 200.0).abs() < 1e-6);
        assert_eq!((limit.slots(), limit.learning()), (50, Learning::Binding));
        limit.set_told(Some(2));
        assert_eq!(limit.slots(), 2);
        limit.step(&Second { in_use_peak: 2, waiting_peak: 2, ..full }, ONE);
        assert_eq!(limit.slots(), 2, "also below the least that is tried where nothing is told");
        limit.set_told(None);
        after(&mut limit, Second { waiting_peak: 9, in_use_peak: 9, ..full }, 10);
        assert!(limit.slots() > 4);
    }

    #[test]
    fn long_downloads_are_no_overload() {
        let mut limit = Limit::new(10_000, None);
        for _ in 0..10 {
            let second = Second {
                waiting_peak: 2,
                in_use_peak: limit.slots(),
                queued: true,
                answered: 0,
                goodput: 0.0,
                delay_ratio: None,
                ..FULL
            };
            limit.step(&second, ONE);
        }
        assert!(limit.slots() > 200 && !limit.site_down(), "{}", limit.slots());
    }
}
