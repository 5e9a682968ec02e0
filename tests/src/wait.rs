//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How long a test waits for something that should happen at once: generous, because the machine may be busy.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks `condition` until it gives a value; panics with `what` when `limit` has passed.
pub fn until<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// [`until`] for a yes-or-no question.
pub fn until_true(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    until(limit, what, || condition().then_some(()));
}

/// Panics as soon as `broken` says what went wrong; returns when nothing did for so long.
pub fn stays(period: Duration, mut broken: impl FnMut() -> Option<String>) {
    let start = Instant::now();
    while start.elapsed() < period {
        if let Some(text) = broken() {
            panic!("{text}");
        }
        sleep(Duration::from_millis(50));
    }
}

/// Waits for a moment: a load of so many requests a second is not a loop.
pub fn until_due(due: Instant) {
    sleep(due.saturating_duration_since(Instant::now()));
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two looks at a condition, in a thread of the test's own"
)]
fn sleep(pause: Duration) {
    std::thread::sleep(pause);
}
