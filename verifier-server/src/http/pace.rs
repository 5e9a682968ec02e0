//! How fast one direction of a transfer goes, in the time in which the client is waited for (DESIGN: slow transfers).
//!
//! Pure: time is an argument. Only what moved in the last ten seconds of waiting counts, so that nobody saves up bytes.

use std::time::Duration;
use tokio::time::Instant;

/// Bytes a second below which a transfer is slow.
pub(super) const SLOW_BYTES_PER_SECOND: u64 = 8 * 1024;
/// Seconds of waiting over which that is asked: no transfer is slow before.
pub(super) const WINDOW_SECONDS: usize = 10;

/// The same where the origin has come to a standstill: whoever held a worker for so long and hardly moved holds it up.
pub(super) const STANDSTILL_SECONDS: usize = 3;

const WINDOW_BYTES_LEAST: u64 = SLOW_BYTES_PER_SECOND * WINDOW_SECONDS as u64;

/// One direction of a transfer.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Since when the client is waited for; what is before has been counted.
    waits_since: Option<Instant>,
    /// Waited in the second that runs.
    in_second: Duration,
    /// Bytes in each of the last seconds of waiting, in a ring.
    bytes: [u64; WINDOW_SECONDS],
    second: usize,
    /// Whole seconds waited, up to the window.
    seconds: usize,
    slow: bool,
    /// Slow seconds that nobody has been charged for.
    owed: u32,
}

impl Pace {
    /// From now on it is the client's turn.
    pub(super) fn waits(&mut self, now: Instant) {
        self.settle(now);
        self.waits_since = Some(now);
    }

    /// It is not: the client sent or took what there was.
    pub(super) fn goes_on(&mut self, now: Instant) {
        self.settle(now);
        self.waits_since = None;
    }

    /// So many bytes moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        let second = &mut self.bytes[self.second];
        *second = second.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Counts the time up to now, and says whether the transfer is slow.
    pub(super) fn is_slow(&mut self, now: Instant) -> bool {
        self.settle(now);
        self.slow
    }

    /// The same over [`STANDSTILL_SECONDS`], where that matters: nobody is charged for it.
    pub(super) fn holds_up(&mut self, now: Instant) -> bool {
        self.settle(now);
        let window = (1..=STANDSTILL_SECONDS).map(|back| (self.second + WINDOW_SECONDS - back) % WINDOW_SECONDS);
        let moved = window.fold(0, |sum: u64, second| sum.saturating_add(self.bytes[second]));
        let least = SLOW_BYTES_PER_SECOND * u64::try_from(STANDSTILL_SECONDS).unwrap_or(u64::MAX);
        self.slow || (self.waits_since.is_some() && self.seconds >= STANDSTILL_SECONDS && moved < least)
    }

    /// Slow seconds that have not been charged, once.
    pub(super) fn take_owed(&mut self) -> u32 {
        std::mem::take(&mut self.owed)
    }

    fn settle(&mut self, now: Instant) {
        let Some(since) = self.waits_since.replace(now) else {
            self.waits_since = None;
            return;
        };
        self.in_second += now.duration_since(since);
        while let Some(rest) = self.in_second.checked_sub(Duration::from_secs(1)) {
            self.in_second = rest;
            self.end_second();
        }
    }

    fn end_second(&mut self) {
        self.seconds = (self.seconds + 1).min(WINDOW_SECONDS);
        let moved = self.bytes.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        self.slow = self.seconds == WINDOW_SECONDS && moved < WINDOW_BYTES_LEAST;
        self.owed = self.owed.saturating_add(u32::from(self.slow));
        self.second = (self.second + 1) % WINDOW_SECONDS;
        self.bytes[self.second] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A client that moves so many bytes in each second of waiting.
    fn after(seconds: u32, bytes_in: impl Fn(u32) -> usize) -> (bool, u32) {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        for second in 0..seconds {
            pace.waits(begin + SECOND * second);
            pace.moved(bytes_in(second));
        }
        let slow = pace.is_slow(begin + SECOND * seconds);
        (slow, pace.take_owed())
    }

    #[test]
    fn nothing_is_slow_before_ten_seconds() {
        assert_eq!(after(9, |_| 0), (false, 0));
        assert_eq!(after(10, |_| 0), (true, 1));
    }

    #[test]
    fn eight_kibibytes_a_second_are_enough_and_a_byte_less_is_not() {
        assert_eq!(after(100, |_| 8 * 1024), (false, 0));
        assert_eq!(after(100, |_| 8 * 1024 - 1), (true, 91));
    }

    #[test]
    fn a_mebibyte_at_once_is_no_credit_for_later() {
        let burst = |second| if second == 0 { 100 << 20 } else { 1 };
        assert_eq!(after(10, burst), (false, 0));
        assert_eq!(after(11, burst), (true, 1), "it has slid out of the window");
        assert_eq!(after(70, burst), (true, 60));
    }

    #[test]
    fn a_client_that_hurries_up_is_slow_no_more() {
        assert_eq!(after(30, |second| if second < 20 { 0 } else { 100_000 }), (false, 11));
    }

    #[test]
    fn time_in_which_nobody_waits_for_the_client_does_not_count() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        for minute in 0..60 {
            let at = begin + SECOND * 60 * minute;
            pace.waits(at);
            pace.goes_on(at + Duration::from_millis(100));
            pace.moved(1);
        }
        assert!(!pace.is_slow(begin + SECOND * 3_600), "six seconds in an hour");
    }

    #[test]
    fn at_a_standstill_three_seconds_tell() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        pace.waits(begin);
        pace.moved(1 << 20);
        let after = |pace: &mut Pace, seconds: u32| pace.holds_up(begin + SECOND * seconds);
        assert!(!after(&mut pace, 2) && !after(&mut pace, 3), "a burst counts as long as it is in the window");
        assert!(after(&mut pace, 4));
        assert_eq!((pace.is_slow(begin + SECOND * 4), pace.take_owed()), (false, 0));
        pace.goes_on(begin + SECOND * 5);
        assert!(!after(&mut pace, 9), "it is not waited for any more");
        let mut quick = Pace::default();
        for second in 0..9 {
            quick.waits(begin + SECOND * second);
            quick.moved(8 * 1024);
            assert!(!quick.holds_up(begin + SECOND * second));
        }
    }

    #[test]
    fn no_second_is_charged_twice() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        pace.waits(begin);
        assert!(pace.is_slow(begin + SECOND * 12));
        assert_eq!(pace.take_owed(), 3);
        assert!(pace.is_slow(begin + SECOND * 13));
        assert_eq!(pace.take_owed(), 1);
    }
}
