//! The processor first, where the system lets us: what else runs meanwhile then waits instead of being measured.

/// How much less nice we are, and every process that we start.
const STEP: i32 = -15;

/// Raises the priority of this process, and that of its session where the kernel shares time out by session (sched(7)).
/// Says whether that was allowed; without the right to do so everything stays as it is.
#[must_use]
pub fn raise() -> bool {
    let raised = rustix::process::nice(STEP).is_ok();
    let session = std::fs::write("/proc/self/autogroup", STEP.to_string()).is_ok();
    raised && session
}
