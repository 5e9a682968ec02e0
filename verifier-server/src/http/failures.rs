//! The number that a visitor reads when something failed, and by which the operator finds it in the log.
//!
//! Strangers can fail as often as they like, so the log has one line a second of each kind. The number is that kind and that
//! second, so all who failed in the same way at the same time read the same one, and the line that is written has it.

use super::service::Verifier;
use crate::clock;
use crate::config::Site;
use crate::telemetry::Sampled;
use puzzle::{ClientNetwork, UnixSeconds};

/// What a page may say that it found out by itself, or was told without a number: with no challenge, or by a web server in between.
const OF_PAGES: [&str; 10] =
    ["busy", "cookies", "expired", "malformed", "network", "no_progress", "outpriced", "unknown", "used", "wrong_site"];

/// Lines about what pages found out: one a second of each kind.
#[derive(Default)]
pub(super) struct PageFailureLog([Sampled; OF_PAGES.len()]);

/// The number of a failure.
pub(super) fn failure_id(code: &str, now: UnixSeconds) -> String {
    format!("{code}-{:08x}", now.0)
}

impl Verifier {
    /// Says in the log what a page says that it found out, and gives the number; `None` for a word that pages do not know.
    pub(super) fn note_page_failure(
        &self,
        site: &Site,
        network: ClientNetwork,
        code: &str,
        request_id: &str,
    ) -> Option<String> {
        let (code, log) = OF_PAGES.iter().zip(&self.page_failure_log.0).find(|(known, _)| **known == code)?;
        let now = clock::now();
        let failure_id = failure_id(code, now);
        if let Some(left_out) = log.turn_in(now.0.into()) {
            let site = site.name.as_str();
            tracing::info!(site, code, %network, request_id, failure_id, left_out, "a page says that it failed");
        }
        Some(failure_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_kind_and_the_second() {
        assert_eq!(failure_id("used", UnixSeconds(0x1234_5678)), "used-12345678");
        assert_eq!(failure_id("no_progress", UnixSeconds(1)), "no_progress-00000001");
    }
}
