//! What the system says of a process.

use std::fs;

/// CPU, memory and descriptors of a process at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessState {
    /// CPU seconds of all its threads so far.
    pub cpu_s: f64,
    /// Resident memory.
    pub resident_mib: f64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl ProcessState {
    /// Of a process; nothing where it is gone.
    #[must_use]
    pub fn of(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The program's name, in parentheses, may hold anything (proc(5)).
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some(Self {
            cpu_s: ticks / rustix::param::clock_ticks_per_second() as f64,
            resident_mib: kib / 1024.0,
            descriptors: fs::read_dir(format!("/proc/{id}/fd")).ok()?.count(),
        })
    }

    /// Of this process.
    #[must_use]
    pub fn own() -> Self {
        Self::of(std::process::id()).unwrap_or_default()
    }
}
