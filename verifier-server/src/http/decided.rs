//! What is counted and logged of a decision.

use super::service::Verifier;
use crate::clock;
use crate::config::{Config, Site};
use crate::gate::top::Asked;
use crate::gate::{Decision, Met, RequestFacts};
use crate::telemetry::Sampled;
use hyper::header::{HeaderMap, USER_AGENT};
use puzzle::{ClientNetwork, Refusal};

/// Lines about rules: strangers cause them, so there is one a second of each kind.
#[derive(Default)]
pub(super) struct RuleLog {
    denied: Sampled,
    challenged: Sampled,
}

/// Lines about solutions that were refused: one a second of each code.
#[derive(Default)]
pub(super) struct RefusalLog([Sampled; Refusal::ALL.len()]);

impl Verifier {
    /// Counts a solution that was refused and says why in the log, by the id that the client is told.
    pub(super) fn note_refused(&self, site: &Site, network: ClientNetwork, refusal: Refusal, request_id: &str) {
        self.metrics.refused(&site.name, refusal);
        self.top.refused(site.mark, refusal, clock::now());
        let logs = Refusal::ALL.iter().zip(&self.refusal_log.0);
        let log = logs.filter(|(code, _)| **code == refusal).map(|(_, log)| log).next();
        if let Some(left_out) = log.and_then(Sampled::turn) {
            let (site, code) = (site.name.as_str(), refusal.code());
            tracing::info!(site, code, %network, request_id, left_out, "a solution was refused: {refusal}");
        }
    }

    /// Counts what became of a request and says in the log which rule refused it or asked work of it.
    pub(super) fn note_decided(&self, config: &Config, facts: &RequestFacts<'_>, met: &Met, request_id: &str) {
        self.metrics.met(&facts.site.name, met);
        let Some(rule) = config.policy.rule_of(&facts.route) else { return };
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

    /// Counts a request among those of its network, path and user agent.
    pub(super) fn note_top(&self, facts: &RequestFacts<'_>, headers: &HeaderMap, target: &str, decision: Decision) {
        let user_agent = headers.get(USER_AGENT).map_or(&b""[..], |name| name.as_bytes());
        let asked = Asked { site: facts.site.mark, network: facts.network, target, user_agent };
        self.top.met(&asked, decision, clock::now());
    }
}
