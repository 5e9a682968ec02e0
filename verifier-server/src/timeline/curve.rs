//! An attack over time, in a bounded number of points: when they are too many, two become one.

use super::counts::Counts;
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};

/// Points of a curve at the most. An hour has points of 16 s, a day of 256 s.
pub const POINTS_MAX: usize = 360;
/// What the numbers of a point are, in their order. The last two are the highest of the point's time, the others sums.
pub const COLUMNS: [&str; 11] = [
    "seconds",
    "unpaid",
    "paid",
    "challenged",
    "denied",
    "busy",
    "sold",
    "refused",
    "origin_errors",
    "price",
    "offered_credits_per_second",
];
/// How many of them are sums.
const SUMS: usize = 9;

/// The numbers of [`COLUMNS`]. All zero where nothing was counted: the gate had let go, or the verifier was away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point(pub [u64; COLUMNS.len()]);

impl Point {
    /// One step of the verifier, which took `seconds` by the clock of the curve.
    #[must_use]
    pub fn new(seconds: u64, counts: &Counts, price: u64, offered: f64) -> Self {
        let Counts { unpaid, paid, challenged, denied, busy, sold, origin_errors, .. } = *counts;
        let (refused, offered) = (counts.refused_in_all(), crate::load::whole(offered.round()));
        Self([seconds, unpaid, paid, challenged, denied, busy, sold, refused, origin_errors, price, offered])
    }

    /// The seconds that were counted.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        self.0[0]
    }

    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0[1..=5].iter().sum()
    }

    /// Requests that were challenged, denied, or found no room.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.0[3..=5].iter().sum()
    }

    fn merge(&mut self, other: &Self) {
        for (column, (ours, theirs)) in self.0.iter_mut().zip(other.0).enumerate() {
            *ours = if column < SUMS { ours.saturating_add(theirs) } else { theirs.max(*ours) };
        }
    }
}

/// Points one after the other, each of the same length in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// When the first point begins, in unix seconds.
    pub from: u32,
    /// How long each is, in seconds: a power of two.
    pub point_seconds: u32,
    /// What the numbers of a point are.
    pub columns: Vec<String>,
    /// The points.
    pub points: Vec<Point>,
}

impl Curve {
    /// A curve that begins at `from`.
    #[must_use]
    pub fn new(from: UnixSeconds) -> Self {
        let columns = COLUMNS.map(str::to_owned).to_vec();
        Self { from: from.0, point_seconds: 1, columns, points: Vec::new() }
    }

    /// Adds what was counted in the step that ended at `at`. A step before the beginning counts in the first point.
    pub fn add(&mut self, at: UnixSeconds, point: &Point) {
        let after = at.0.saturating_sub(self.from).saturating_sub(1);
        loop {
            let index = usize::try_from(after / self.point_seconds).unwrap_or(usize::MAX);
            if index < POINTS_MAX {
                if self.points.len() <= index {
                    self.points.resize(index + 1, Point::default());
                }
                if let Some(there) = self.points.get_mut(index) {
                    there.merge(point);
                }
                return;
            }
            self.halve();
        }
    }

    fn halve(&mut self) {
        let pairs = self.points.chunks(2);
        self.points = pairs
            .map(|pair| {
                let mut sum = Point::default();
                for point in pair {
                    sum.merge(point);
                }
                sum
            })
            .collect();
        self.point_seconds = self.point_seconds.saturating_mul(2);
    }

    /// Whether it can be one: what was read from a file.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.points.len() <= POINTS_MAX
            && self.point_seconds.is_power_of_two()
            && self.columns.iter().map(String::as_str).eq(COLUMNS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn curve_of(seconds: u32) -> Curve {
        let mut curve = Curve::new(NOW);
        for second in 1..=seconds {
            let counts = Counts { challenged: 2, paid: 1, ..Counts::default() };
            curve.add(UnixSeconds(NOW.0 + second), &Point::new(1, &counts, u64::from(second), 7.4));
        }
        curve
    }

    #[test]
    fn an_hour_and_a_week_have_few_points_and_nothing_is_lost() {
        for (seconds, point_seconds) in [(1, 1), (360, 1), (361, 2), (3_600, 16), (604_800, 2_048)] {
            let curve = curve_of(seconds);
            assert_eq!(curve.point_seconds, point_seconds, "{seconds}");
            assert!(curve.is_sound());
            let sum = |of: fn(&Point) -> u64| curve.points.iter().map(of).sum::<u64>();
            assert_eq!(sum(Point::seconds), u64::from(seconds));
            assert_eq!(
                (sum(Point::requests), sum(Point::turned_away)),
                (3 * u64::from(seconds), 2 * u64::from(seconds))
            );
            let last = curve.points.last().expect("a point").0;
            assert_eq!((last[9], last[10]), (u64::from(seconds), 7), "the highest of its time");
        }
    }

    #[test]
    fn a_gap_is_left_empty_and_an_age_takes_no_memory() {
        let mut curve = curve_of(2);
        curve.add(UnixSeconds(NOW.0 + 10), &Point::new(1, &Counts::default(), 1, 0.0));
        assert_eq!(curve.points.len(), 10);
        assert_eq!(curve.points[5], Point::default());
        curve.add(UnixSeconds(u32::MAX), &Point::new(1, &Counts::default(), 1, 0.0));
        assert!(curve.points.len() <= POINTS_MAX);
        assert_eq!(curve.points.iter().map(Point::seconds).sum::<u64>(), 4);
    }

    #[test]
    fn a_clock_that_goes_back_counts_in_the_first_point() {
        let mut curve = curve_of(3);
        curve.add(UnixSeconds(NOW.0 - 100), &Point::new(1, &Counts::default(), 1, 0.0));
        assert_eq!(curve.points[0].seconds(), 2);
        assert_eq!(curve.points.len(), 3);
    }
}
