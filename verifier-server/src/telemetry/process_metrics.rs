//! What the verifier itself takes of the machine.

use prometheus::{Counter, IntGauge, IntGaugeVec, Opts, Registry};
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Mutex, PoisonError};

/// CPU, memory and version of this process.
pub(super) struct ProcessMetrics {
    /// Two readers at once would add the same seconds twice.
    cpu_seconds: Mutex<Counter>,
    resident_bytes: IntGauge,
}

impl ProcessMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let cpu_seconds = Counter::new("cpu_seconds_total", "CPU time that the verifier has used, all threads")?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        let resident_bytes = IntGauge::new("resident_memory_bytes", "Memory of the verifier that is in RAM")?;
        registry.register(Box::new(resident_bytes.clone()))?;
        let build = IntGaugeVec::new(Opts::new("build_info", "Always 1, with the version that runs"), &["version"])?;
        registry.register(Box::new(build.clone()))?;
        build.with_label_values(&[crate::VERSION]).set(1);
        Ok(Self { cpu_seconds: Mutex::new(cpu_seconds), resident_bytes })
    }

    /// Reads both anew: seconds, and bytes.
    pub(super) fn read(&self) -> (f64, f64) {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        // Whole seconds and their rest, both far below what a float holds exactly.
        let used =
            std::time::Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0));
        let counter = self.cpu_seconds.lock().unwrap_or_else(PoisonError::into_inner);
        counter.inc_by((used.as_secs_f64() - counter.get()).max(0.0));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(bytes) = resident_bytes(&status) {
            self.resident_bytes.set(bytes);
        }
        // A float holds whole bytes of up to eight pebibytes.
        #[expect(clippy::cast_precision_loss, reason = "far below what a float holds exactly")]
        let resident_bytes = self.resident_bytes.get() as f64;
        (used.as_secs_f64(), resident_bytes)
    }
}

/// `VmRSS:      1234 kB`, in bytes.
fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        assert_eq!(resident_bytes("Name:\tportcullis\nVmRSS:\t    5120 kB\nThreads:\t3\n"), Some(5120 * 1024));
        assert_eq!(resident_bytes("Name:\tportcullis\n"), None);
    }
}
