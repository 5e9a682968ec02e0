//! What is counted of a site, and how it adds up over an attack.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counters of a site: what came and what became of it. As they stand in the metrics, or what was added to them in a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Requests that passed without paying, before the gate went down or by a right of their own.
    pub unpaid: u64,
    /// Requests that were paid for.
    pub paid: u64,
    /// Requests that were asked for work.
    pub challenged: u64,
    /// Requests that a rule refused.
    pub denied: u64,
    /// Requests for which there was no room.
    pub busy: u64,
    /// Requests that were let through and then dropped by admission, on all sites together.
    pub dropped: u64,
    /// Clearances sold.
    pub sold: u64,
    /// Solutions refused, by code of PROTOCOL §4.
    pub refused: BTreeMap<String, u64>,
    /// From a challenge's issue to its redemption: the wait that a visitor saw.
    pub solving: Waits,
    /// To the head of the origin's answer, as a reverse proxy.
    pub origin: Waits,
    /// Answers of the origin that were 5xx or did not come.
    pub origin_errors: u64,
}

/// A histogram of waits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waits {
    /// How many there were.
    pub count: u64,
    /// What they come to together, in seconds.
    pub seconds: f64,
    /// Bounds in seconds, and how many were within each; what was longer than the last is in `count` alone.
    pub within: Vec<(f64, u64)>,
}

impl Counts {
    /// All requests.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.let_in() + self.turned_away()
    }

    /// Requests that passed the gate, paid or not.
    #[must_use]
    pub const fn let_in(&self) -> u64 {
        self.unpaid + self.paid
    }

    /// Requests that were challenged, denied, or found no room.
    #[must_use]
    pub const fn turned_away(&self) -> u64 {
        self.challenged + self.denied + self.busy
    }

    /// Solutions refused, whatever the code.
    #[must_use]
    pub fn refused_in_all(&self) -> u64 {
        self.refused.values().sum()
    }

    /// What was added since `before`. A counter that went back, as after a restart, counts from zero.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let refused = self.refused.iter().filter_map(|(code, count)| {
            let added = since(*count, before.refused.get(code).copied().unwrap_or(0));
            (added > 0).then(|| (code.clone(), added))
        });
        Self {
            unpaid: since(self.unpaid, before.unpaid),
            paid: since(self.paid, before.paid),
            challenged: since(self.challenged, before.challenged),
            denied: since(self.denied, before.denied),
            busy: since(self.busy, before.busy),
            dropped: since(self.dropped, before.dropped),
            sold: since(self.sold, before.sold),
            refused: refused.collect(),
            solving: self.solving.since(&before.solving),
            origin: self.origin.since(&before.origin),
            origin_errors: since(self.origin_errors, before.origin_errors),
        }
    }

    /// Adds what was counted in a further time.
    pub fn add(&mut self, more: &Self) {
        self.unpaid += more.unpaid;
        self.paid += more.paid;
        self.challenged += more.challenged;
        self.denied += more.denied;
        self.busy += more.busy;
        self.dropped += more.dropped;
        self.sold += more.sold;
        for (code, count) in &more.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
        self.solving.add(&more.solving);
        self.origin.add(&more.origin);
        self.origin_errors += more.origin_errors;
    }
}

impl Waits {
    fn since(&self, before: &Self) -> Self {
        if self.count < before.count {
            return self.clone();
        }
        let before_within = |index: usize| before.within.get(index).map_or(0, |(_, count)| *count);
        let within = self.within.iter().enumerate();
        Self {
            count: self.count - before.count,
            seconds: (self.seconds - before.seconds).max(0.0),
            within: within.map(|(index, (bound, count))| (*bound, since(*count, before_within(index)))).collect(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.seconds += more.seconds;
        // A version of the program with other bounds wrote what was there before: then only how many is known.
        let same = |(ours, theirs): (&(f64, u64), &(f64, u64))| ours.0.total_cmp(&theirs.0).is_eq();
        if self.within.is_empty() {
            self.within.clone_from(&more.within);
        } else if self.within.len() == more.within.len() && self.within.iter().zip(&more.within).all(same) {
            self.within.iter_mut().zip(&more.within).for_each(|(ours, theirs)| ours.1 += theirs.1);
        }
    }

    /// How many lie up to each bound and above the one before it, and at the end how many above all bounds.
    pub fn between_bounds(&self) -> impl Iterator<Item = u64> {
        let mut before = 0;
        self.within.iter().map(|(_, count)| *count).chain([self.count]).map(move |up_to| {
            let between = up_to.saturating_sub(before);
            before = up_to;
            between
        })
    }

    /// The mean, in seconds; `None` where there was none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.seconds / crate::load::float(self.count))
    }

    /// The smallest bound, in seconds, within which at least this part of all were; `None` where it is beyond the last one,
    /// or there were none.
    #[must_use]
    pub fn bound_of(&self, part: f64) -> Option<f64> {
        let needed = crate::load::float(self.count) * part;
        let (bound, _) = self.within.iter().find(|(_, count)| crate::load::float(*count) >= needed)?;
        (self.count > 0).then_some(*bound)
    }
}

const fn since(now: u64, before: u64) -> u64 {
    if now < before { now } else { now - before }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::timeline) fn counts(unpaid: u64, paid: u64, challenged: u64) -> Counts {
        let refused = BTreeMap::from([("used".to_owned(), paid)]);
        let solving = Waits { count: paid, seconds: 2.0, within: vec![(1.0, paid / 2), (5.0, paid)] };
        Counts { unpaid, paid, challenged, sold: paid, refused, solving, ..Counts::default() }
    }

    #[test]
    fn what_was_added_adds_up_to_what_there_is() {
        let (before, after) = (counts(1, 2, 3), counts(10, 20, 30));
        let mut sum = before.clone();
        sum.add(&after.since(&before));
        assert_eq!(sum.requests(), 60);
        assert_eq!(sum.turned_away(), 30);
        assert_eq!(sum.refused, after.refused);
        assert_eq!((sum.solving.count, &sum.solving.within), (20, &after.solving.within));
    }

    #[test]
    fn after_a_restart_everything_counts_from_zero() {
        assert_eq!(counts(4, 2, 0).since(&counts(100, 200, 300)), counts(4, 2, 0));
    }

    #[test]
    fn half_and_nine_tenths_are_within_a_bound() {
        let waits = Waits { count: 10, seconds: 30.0, within: vec![(1.0, 4), (2.0, 5), (5.0, 8)] };
        assert_eq!((waits.bound_of(0.5), waits.bound_of(0.8), waits.bound_of(0.9)), (Some(2.0), Some(5.0), None));
        assert_eq!(waits.mean(), Some(3.0));
        assert_eq!(waits.between_bounds().collect::<Vec<_>>(), [4, 1, 3, 2]);
        assert_eq!((Waits::default().bound_of(0.5), Waits::default().mean()), (None, None));
    }

    #[test]
    fn waits_under_other_bounds_are_counted_and_not_mixed() {
        let mut waits = Waits { count: 1, seconds: 1.0, within: vec![(1.0, 1)] };
        waits.add(&Waits { count: 2, seconds: 1.0, within: vec![(2.0, 2)] });
        assert_eq!((waits.count, waits.within), (3, vec![(1.0, 1)]));
    }
}
