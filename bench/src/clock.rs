//! CPU time: what other processes do meanwhile is not in it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

/// What this thread has used so far.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let [seconds, nanoseconds] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

/// What a process has used so far in all its threads, in user and system mode (proc(5), fields 14 and 15), in steps of a
/// clock tick.
pub(crate) fn process_cpu(id: u32) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).context("the process is gone")?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = text.rsplit_once(')').context("no program name in /proc/PID/stat")?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    let [user, system] = ticks[..] else { anyhow::bail!("no times in /proc/PID/stat") };
    Ok(Duration::from_nanos((user + system) * 1_000_000_000 / rustix::param::clock_ticks_per_second()))
}
