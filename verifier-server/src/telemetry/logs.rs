//! Logs: text or JSON on standard error, sampled where strangers can cause them.

use crate::clock;
use crate::config::LogFormat;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::Level;

/// Sends log lines of `level` and above to standard error.
pub fn start_logging(level: Level, format: LogFormat) {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).with_target(false);
    // A line that cannot be written is lost. To say so, on the same standard error, would end the process.
    let lines = lines.log_internal_errors(false);
    // A second call, as in tests, keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => {
            let lines = lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            tracing::subscriber::set_global_default(lines.finish())
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            tracing::subscriber::set_global_default(lines.finish())
        }
    };
}

/// Lets one line of a kind pass a second, and counts the others.
#[derive(Debug, Default)]
pub struct Sampled {
    second: AtomicU64,
    left_out: AtomicU64,
}

impl Sampled {
    /// Whether a line may be written now; if so, how many were left out since the last one.
    pub fn turn(&self) -> Option<u64> {
        self.turn_in(clock::now().0.into())
    }

    /// The same for something that happened in this second: of each second that is named, at least one line is written.
    pub fn turn_in(&self, second: u64) -> Option<u64> {
        if self.second.swap(second, Ordering::Relaxed) == second {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_second_there_is_a_line() {
        let sampled = Sampled::default();
        let written: Vec<u64> =
            [7, 7, 8, 7, 8, 8, 9].into_iter().filter(|second| sampled.turn_in(*second).is_some()).collect();
        // Out of order it may be two, and it is never none.
        assert_eq!(written, [7, 8, 7, 8, 9]);
    }

    #[test]
    fn a_flood_of_lines_becomes_one_a_second() {
        let sampled = Sampled::default();
        let written = (0..100_000).filter(|_| sampled.turn().is_some()).count();
        assert!((1..=3).contains(&written), "{written}");
    }
}
