//! The probe: how long one fixed address takes now, against its long-term median.

use std::collections::VecDeque;
use std::time::Duration;

/// How often a site is probed.
pub const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How long a probe may take; one that takes longer took this long.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The last probes of a site: half an hour of them.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    usual: VecDeque<Duration>,
    last: Option<Duration>,
}

impl Probe {
    const KEPT: usize = 900;
    /// Probes before which nothing is said.
    const KNOWN_MIN: usize = 10;
    /// Slower than so many times the median is overload,
    const TIMES: u32 = 4;
    /// unless it is quicker than this: a machine's hiccup.
    const SLOW_MIN: Duration = Duration::from_millis(100);

    /// A probe took so long; one without answer took [`PROBE_TIMEOUT`].
    pub fn took(&mut self, time: Duration) {
        self.last = Some(time);
        if self.usual.len() == Self::KEPT {
            self.usual.pop_front();
        }
        self.usual.push_back(time);
    }

    /// The last probe.
    #[must_use]
    pub const fn last(&self) -> Option<Duration> {
        self.last
    }

    /// The long-term median; `None` while too little is known.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        if self.usual.len() < Self::KNOWN_MIN {
            return None;
        }
        let mut sorted: Vec<Duration> = self.usual.iter().copied().collect();
        let middle = sorted.len() / 2;
        Some(*sorted.select_nth_unstable(middle).1)
    }

    /// Whether the last probe was far slower than usual; `None` while that cannot be told.
    #[must_use]
    pub fn is_slow(&self) -> Option<bool> {
        let slow = (self.median()? * Self::TIMES).max(Self::SLOW_MIN);
        Some(self.last? > slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(milliseconds: u64, times: usize) -> Probe {
        let mut probe = Probe::default();
        (0..times).for_each(|_| probe.took(Duration::from_millis(milliseconds)));
        probe
    }

    #[test]
    fn four_times_its_median_is_slow() {
        let mut probe = probed(50, 30);
        assert_eq!(probe.is_slow(), Some(false));
        probe.took(Duration::from_millis(190));
        assert_eq!(probe.is_slow(), Some(false));
        probe.took(Duration::from_millis(210));
        assert_eq!(probe.is_slow(), Some(true));
    }

    #[test]
    fn a_hiccup_of_a_quick_address_is_not() {
        let mut probe = probed(1, 30);
        probe.took(Duration::from_millis(60));
        assert_eq!(probe.is_slow(), Some(false));
    }

    #[test]
    fn too_few_probes_say_nothing() {
        assert_eq!(probed(50, 9).is_slow(), None);
        assert_eq!(Probe::default().is_slow(), None);
    }

    #[test]
    fn a_site_that_stays_slower_is_so_for_a_quarter_of_an_hour_and_then_usual() {
        let mut probe = probed(50, 2_000);
        (0..440).for_each(|_| probe.took(Duration::from_millis(500)));
        assert_eq!(probe.is_slow(), Some(true));
        (0..20).for_each(|_| probe.took(Duration::from_millis(500)));
        assert_eq!(probe.is_slow(), Some(false));
    }
}
