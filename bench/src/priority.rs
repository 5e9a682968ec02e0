//! The processor first, where the system lets us: what else runs meanwhile then waits instead of being measured.

use std::fs;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How much less nice we are, and everything we start.
const STEP: i32 = -15;

/// Raises the priority of this process, and that of its session where the kernel shares time out by session (sched(7)).
/// Without the right to do so everything stays as it is.
pub(crate) fn raise() {
    let raised = rustix::process::nice(STEP).is_ok();
    let session = fs::write("/proc/self/autogroup", STEP.to_string()).is_ok();
    if !(raised && session) {
        eprintln!("    at ordinary priority: other programs may disturb the measurements");
    }
}

/// Two of the cores that are ours, so that a server and whoever asks it do not share one: for the former, then for the
/// latter. The same one twice where there is no other.
pub(crate) fn two_cores() -> rustix::io::Result<[CpuSet; 2]> {
    let ours = sched_getaffinity(None)?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core)).collect();
    let only = |core: Option<&usize>| {
        let mut set = CpuSet::new();
        if let Some(core) = core {
            set.set(*core);
        }
        set
    };
    Ok([only(cores.first()), only(cores.last())])
}

/// Keeps this thread, and the processes that it starts from now on, on these cores.
pub(crate) fn stay_on(cores: &CpuSet) -> rustix::io::Result<()> {
    sched_setaffinity(None, cores)
}
