//! What is counted and logged of a decision.

use super::service::Verifier;
use crate::config::Config;
use crate::gate::policy::Route;
use crate::gate::{Decision, Met};
use crate::telemetry::Sampled;

/// Lines about rules: strangers cause them, so there is one a second of each kind.
#[derive(Default)]
pub(super) struct RuleLog {
    denied: Sampled,
    challenged: Sampled,
}

impl Verifier {
    /// Counts what became of a request and says in the log which rule refused it or asked work of it.
    pub(super) fn note_decided(&self, config: &Config, route: &Route, met: &Met, request_id: &str) {
        self.metrics.met(met);
        let Some(rule) = config.policy.rule_of(route) else { return };
        self.metrics.by_rule(rule.label(), met.decision);
        let (log, what) = match met.decision {
            Decision::Denied => (&self.rule_log.denied, "refused"),
            Decision::Challenged => (&self.rule_log.challenged, "asked for work"),
            _ => return,
        };
        if let Some(left_out) = log.turn() {
            tracing::info!(rule = rule.told(), request_id, left_out, "a request under a rule was {what}");
        }
    }
}
