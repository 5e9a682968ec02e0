//! The clock at the edge: the one place that asks the system for the time of day. It never goes back.
//!
//! What was bought and used is remembered until it has expired, so a clock that goes back would make solutions good again that
//! were used and are forgotten. Where the system's is set back, ours goes on from where it was, more slowly, until the two agree;
//! forward it follows at once.

use puzzle::UnixSeconds;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Going back by so much is not worth a clock of our own: ours stands until the system's has caught up.
const STANDS_SECONDS: u32 = 1;
/// Ours takes so many seconds of sixteen while the system's is behind: an hour is made up for in sixteen. What is admitted in
/// each second is so by this clock.
const OF_SIXTEEN: u64 = 15;
/// A step forward by more than what a busy machine makes of a second: the clock was wrong before.
const LEAP_SECONDS: u32 = 30;

static CLOCK: Clock = Clock::new();
/// A moment from which time is measured that nobody can set.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that never goes back.
#[derive(Debug)]
pub struct Clock {
    /// The latest second that it has shown.
    last: AtomicU32,
    /// The second to which it has leapt last.
    leapt: AtomicU32,
    /// Whether there is something in `own`.
    is_own: AtomicBool,
    /// The second at which the system's was found behind, and when that was.
    own: Mutex<Option<(UnixSeconds, Duration)>>,
}

impl Clock {
    /// One that has shown nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            last: AtomicU32::new(0),
            leapt: AtomicU32::new(0),
            is_own: AtomicBool::new(false),
            own: Mutex::new(None),
        }
    }

    /// This second. `system` asks the system for it, and `since` how long it is since some moment, which nobody can set.
    pub fn now(&self, system: impl FnOnce() -> u32, since: impl FnOnce() -> Duration) -> UnixSeconds {
        // In this order: who is held up between the two finds the system's later, never earlier.
        let last = self.last.load(Ordering::Acquire);
        let system = system();
        if system >= last {
            if system > last {
                if last != 0 && system - last >= LEAP_SECONDS {
                    // Before anybody sees the second itself.
                    self.leapt.fetch_max(system, Ordering::Release);
                }
                self.last.fetch_max(system, Ordering::Release);
                if self.is_own.load(Ordering::Relaxed) {
                    self.agree();
                }
            }
            return UnixSeconds(system);
        }
        if last - system <= STANDS_SECONDS && !self.is_own.load(Ordering::Relaxed) {
            return UnixSeconds(last);
        }
        self.go_on_alone(last, since())
    }

    /// The second to which it has leapt last, once it has. Before it the clock was wrong, or nobody looked.
    #[must_use]
    pub fn leapt(&self) -> UnixSeconds {
        UnixSeconds(self.leapt.load(Ordering::Acquire))
    }

    /// Nothing before this second is shown from now on.
    pub fn not_before(&self, second: UnixSeconds) {
        self.last.fetch_max(second.0, Ordering::Release);
    }

    /// By how many seconds the system's is behind.
    #[must_use]
    pub fn ahead_of(&self, system: u32) -> u32 {
        self.last.load(Ordering::Acquire).saturating_sub(system)
    }

    #[cold]
    fn go_on_alone(&self, last: u32, since: Duration) -> UnixSeconds {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, began) = *own.get_or_insert((UnixSeconds(last), since));
        self.is_own.store(true, Ordering::Relaxed);
        let shown = since.saturating_sub(began).as_secs() * OF_SIXTEEN / 16;
        let shown = from.plus(u32::try_from(shown).unwrap_or(u32::MAX));
        UnixSeconds(self.last.fetch_max(shown.0, Ordering::AcqRel).max(shown.0))
    }

    fn agree(&self) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        *own = None;
        // Under the lock: who waits for it to go on alone says so after this.
        self.is_own.store(false, Ordering::Relaxed);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// What somebody did to the system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was set forward by so many seconds.
    Forward(u32),
    /// It was set back by so many.
    Back(u32),
    /// Ours and the system's agree again.
    Agreed,
}

/// Notices such steps, once a second, for the log.
#[derive(Debug, Default)]
pub struct Steps {
    last: Option<(UnixSeconds, Duration)>,
    is_behind: bool,
}

impl Steps {
    /// Less is what a busy machine makes of a second.
    const FORWARD_SECONDS: u32 = 60;
    const BACK_SECONDS: u32 = 5;

    /// A second has passed: ours shows `now`, the system's is `behind` by so much, and `since` some moment it is so long.
    pub fn second(&mut self, now: UnixSeconds, behind: u32, since: Duration) -> Option<Step> {
        let (last, then) = self.last.replace((now, since)).unwrap_or((now, since));
        let passed = u32::try_from(since.saturating_sub(then).as_secs()).unwrap_or(u32::MAX);
        let forward = now.since(last).saturating_sub(passed);
        if forward >= Self::FORWARD_SECONDS {
            return Some(Step::Forward(forward));
        }
        let was_behind = self.is_behind;
        self.is_behind = behind >= Self::BACK_SECONDS || (was_behind && behind > STANDS_SECONDS);
        match (was_behind, self.is_behind) {
            (false, true) => Some(Step::Back(behind)),
            (true, false) => Some(Step::Agreed),
            _ => None,
        }
    }

    /// The same by the clock of this process.
    pub fn look(&mut self) -> Option<Step> {
        self.second(now(), ahead(), BEGAN.elapsed())
    }
}

/// This second.
#[must_use]
pub fn now() -> UnixSeconds {
    CLOCK.now(system, || BEGAN.elapsed())
}

/// The second to which the clock has leapt last, once it has: what was issued before cannot be told from what was redeemed while it
/// was wrong.
#[must_use]
pub fn leapt() -> UnixSeconds {
    CLOCK.leapt()
}

/// Nothing before this second is shown from now on: an earlier process has been there.
pub fn not_before(second: UnixSeconds) {
    CLOCK.not_before(second);
}

/// By how many seconds the system's clock is behind ours.
#[must_use]
pub fn ahead() -> u32 {
    CLOCK.ahead_of(system())
}

/// How long until the next whole second begins.
#[must_use]
pub fn until_next_second() -> Duration {
    Duration::from_secs(1).saturating_sub(Duration::from_nanos(u64::from(since_epoch().subsec_nanos())))
}

/// The system's clock as it is, by which it dates files.
#[must_use]
pub fn of_files() -> SystemTime {
    SystemTime::now()
}

fn system() -> u32 {
    u32::try_from(since_epoch().as_secs()).unwrap_or(u32::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_800_000_000;

    fn shown(clock: &Clock, system: u32, since: u64) -> u32 {
        clock.now(|| system, || Duration::from_secs(since)).0
    }

    #[test]
    fn it_follows_the_system_forward() {
        let clock = Clock::new();
        for system in [NOW, NOW, NOW + 1, NOW + 86_400] {
            assert_eq!(shown(&clock, system, 0), system);
        }
    }

    #[test]
    fn set_back_by_an_hour_it_goes_on_until_the_two_agree() {
        let clock = Clock::new();
        shown(&clock, NOW, 1_000);
        let mut last = NOW;
        let back = NOW - 3_600;
        for second in 0..16 * 3_600 {
            let now = shown(&clock, back + second, 1_000 + u64::from(second));
            assert!(now >= last && now - last <= 1, "{last}, then {now}");
            last = now;
        }
        assert_eq!(last, NOW + 15 * 3_600 - 1, "fifteen seconds of sixteen");
        // From there on it is the system's again, and another step back is another beginning.
        assert_eq!(shown(&clock, last + 5, 60_005), last + 5);
        assert_eq!(shown(&clock, last - 60, 60_006), last + 5);
        assert_eq!(shown(&clock, last - 28, 60_038), last + 5 + 30);
    }

    #[test]
    fn a_step_of_a_second_back_is_waited_for() {
        let clock = Clock::new();
        shown(&clock, NOW, 0);
        assert_eq!([NOW - 1, NOW, NOW + 1].map(|system| shown(&clock, system, 9)), [NOW, NOW, NOW + 1]);
    }

    #[test]
    fn what_an_earlier_process_has_shown_is_not_shown_again() {
        let clock = Clock::new();
        clock.not_before(UnixSeconds(NOW + 3_600));
        assert_eq!(shown(&clock, NOW, 0), NOW + 3_600);
        assert_eq!(clock.ahead_of(NOW), 3_600);
        assert_eq!(shown(&clock, NOW + 16, 16), NOW + 3_615);
    }

    #[test]
    fn a_leap_is_known_before_the_second_is_shown() {
        let clock = Clock::new();
        let mut leapt = Vec::new();
        // The first second is no leap, nor is what a busy machine makes of one.
        for system in [NOW, NOW + 1, NOW + 25, NOW + 3_600, NOW + 3_601, NOW + 9] {
            shown(&clock, system, 0);
            leapt.push(clock.leapt().0);
        }
        assert_eq!(leapt, [0, 0, 0, NOW + 3_600, NOW + 3_600, NOW + 3_600]);
    }

    #[test]
    fn the_log_hears_of_steps_and_not_of_a_busy_machine() {
        let mut steps = Steps::default();
        let mut second = |now: u32, behind: u32, since: u64| {
            steps.second(UnixSeconds(NOW + now), behind, Duration::from_secs(since))
        };
        let told = [
            second(0, 0, 10),
            second(90, 0, 100),
            second(91, 4, 101),
            second(92, 3_600, 102),
            second(93, 3_599, 103),
            second(94, 1, 104),
            second(95 + 86_400, 0, 105),
        ];
        let expected =
            [None, None, None, Some(Step::Back(3_600)), None, Some(Step::Agreed), Some(Step::Forward(86_400))];
        assert_eq!(told, expected);
    }

    #[test]
    fn across_threads_nobody_sees_it_go_back() {
        let clock = Clock::new();
        let ticks = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut last = 0;
                    for _ in 0..20_000 {
                        let tick = ticks.fetch_add(1, Ordering::Relaxed);
                        // Now and then somebody sets the system's back.
                        let system = NOW + tick / 100 - if tick % 7_000 > 5_000 { 3_600 } else { 0 };
                        let now = shown(&clock, system, u64::from(tick / 100));
                        assert!(now >= last, "{last}, then {now}");
                        last = now;
                    }
                });
            }
        });
    }
}
