//! When the demo's flood rises, stays and ends.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How long the flood may last, in seconds.
pub const FLOOD_SECONDS: RangeInclusive<u64> = 5..=300;
/// How long it lasts where nobody says so, in seconds.
pub const FLOOD_SECONDS_DEFAULT: u64 = 30;

/// The most that the flood asks in a second, whatever happens.
pub(super) const FLOOD_PER_SECOND_MAX: u32 = 300;

/// Seconds before the flood, and in which it rises: a part of its length within these bounds.
const CALM_SECONDS: RangeInclusive<f64> = 2.0..=8.0;
const RISE_SECONDS: RangeInclusive<f64> = 1.0..=5.0;

/// The course of the attack, from the begin of the demo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Course {
    calm: Duration,
    rise: Duration,
    flood: Duration,
}

/// What the flood does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not begun.
    Before,
    /// It becomes more.
    Rises,
    /// It is as much as it will be.
    Stays,
    /// It is over, and does not come back.
    Over,
}

impl Course {
    /// A flood that lasts so long.
    pub(super) fn of(flood: Duration) -> Self {
        let part = |part: f64, within: RangeInclusive<f64>| {
            Duration::from_secs_f64((flood.as_secs_f64() * part).round().clamp(*within.start(), *within.end()))
        };
        Self { calm: part(0.25, CALM_SECONDS), rise: part(0.2, RISE_SECONDS), flood }
    }

    /// What the flood does at a time.
    pub(super) fn phase(&self, at: Duration) -> Phase {
        match at {
            at if at < self.calm => Phase::Before,
            at if at < self.calm + self.rise => Phase::Rises,
            at if at < self.over() => Phase::Stays,
            _ => Phase::Over,
        }
    }

    /// How many requests a second it asks at a time.
    pub(super) fn per_second(&self, at: Duration) -> f64 {
        let most = f64::from(FLOOD_PER_SECOND_MAX);
        match self.phase(at) {
            Phase::Before | Phase::Over => 0.0,
            Phase::Rises => most * at.saturating_sub(self.calm).as_secs_f64() / self.rise.as_secs_f64(),
            Phase::Stays => most,
        }
    }

    /// When it first asks so many requests a second; `None` if it never does.
    pub(super) fn reaches(&self, per_second: f64) -> Option<Duration> {
        let part = (per_second / f64::from(FLOOD_PER_SECOND_MAX)).max(0.0);
        (part <= 1.0).then(|| self.calm + self.rise.mul_f64(part))
    }

    /// When it begins.
    pub(super) fn begins(&self) -> Duration {
        self.calm
    }

    /// When it ends.
    pub(super) fn over(&self) -> Duration {
        self.calm + self.flood
    }

    /// How long it stays at its height.
    pub(super) fn stays(&self) -> Duration {
        self.flood.saturating_sub(self.rise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flood_rises_stays_and_ends() {
        let course = Course::of(Duration::from_secs(FLOOD_SECONDS_DEFAULT));
        let at = |seconds| Duration::from_secs_f64(seconds);
        assert_eq!(course.phase(at(7.9)), Phase::Before);
        assert_eq!(course.phase(at(8.0)), Phase::Rises);
        assert_eq!(course.phase(at(13.0)), Phase::Stays);
        assert_eq!(course.phase(at(38.0)), Phase::Over);
        assert!((course.per_second(at(10.5)) - 150.0).abs() < 1e-9);
        assert_eq!(course.reaches(150.0), Some(at(10.5)));
        assert_eq!(course.reaches(301.0), None);
        assert_eq!(course.stays(), at(25.0));
    }

    #[test]
    fn no_course_asks_more_than_its_bound_or_for_longer() {
        for seconds in [*FLOOD_SECONDS.start(), 9, FLOOD_SECONDS_DEFAULT, *FLOOD_SECONDS.end()] {
            let course = Course::of(Duration::from_secs(seconds));
            let asked = |tenth: u64| course.per_second(Duration::from_millis(100 * tenth));
            let mut under_way = 0;
            for tenth in 0..10 * (2 * seconds + 20) {
                assert!((0.0..=f64::from(FLOOD_PER_SECOND_MAX)).contains(&asked(tenth)));
                under_way += u64::from(asked(tenth) > 0.0);
            }
            assert!(under_way <= 10 * seconds, "{under_way} tenths of a second of {seconds} s");
            assert!(course.stays() > Duration::ZERO);
        }
    }
}
