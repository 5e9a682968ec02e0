//! The clock at the edge: the one place that asks the system for the time of day.

use puzzle::UnixSeconds;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// This second.
#[must_use]
pub fn now() -> UnixSeconds {
    UnixSeconds(u32::try_from(since_epoch().as_secs()).unwrap_or(u32::MAX))
}

/// How long until the next whole second begins.
#[must_use]
pub fn until_next_second() -> Duration {
    Duration::from_secs(1).saturating_sub(Duration::from_nanos(u64::from(since_epoch().subsec_nanos())))
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
