//! What is counted and logged of a decision.

use super::failures::failure_id;
use super::original::Visitor;
use super::service::Verifier;
use crate::clock;
use crate::config::{Config, Privacy, Site};
use crate::gate::by_hand::HAND_RULE_NUMBER_FIRST;
use crate::gate::policy::Rule;
use crate::gate::top::Asked;
use crate::gate::{Decision, Met, RequestFacts};
use crate::telemetry::Sampled;
use hyper::header::{HeaderMap, USER_AGENT};
use puzzle::Refusal;
use std::net::IpAddr;
use tracing::field::{DisplayValue, display};

/// What rules made by hand are called in metrics.
const BY_HAND_LABEL: &str = "by hand";

/// Lines about requests, by what was decided: strangers cause them, so there is one a second of each kind.
#[derive(Default)]
pub(super) struct DecisionLog {
    challenged: Sampled,
    denied: Sampled,
    busy: Sampled,
    dropped: Sampled,
    paid: Sampled,
    unpaid: Sampled,
}

/// Lines about solutions that were refused: one a second of each code.
#[derive(Default)]
pub(super) struct RefusalLog([Sampled; Refusal::ALL.len()]);

/// The whole address of a visitor, where the operator asks for it.
pub(super) fn address_told(config: &Config, visitor: &Visitor) -> Option<DisplayValue<IpAddr>> {
    (config.privacy == Privacy::Address).then(|| display(visitor.address))
}

impl Verifier {
    /// Counts a solution that was refused and says why in the log; gives the number that the client is told, by which the
    /// line is found.
    pub(super) fn note_refused(
        &self,
        config: &Config,
        site: &Site,
        visitor: &Visitor,
        refusal: Refusal,
        request_id: &str,
    ) -> String {
        let now = clock::now();
        self.metrics.refused(&site.name, refusal);
        self.top.refused(site.mark, refusal, now);
        let failure_id = failure_id(refusal.code(), now);
        let logs = Refusal::ALL.iter().zip(&self.refusal_log.0);
        let log = logs.filter(|(code, _)| **code == refusal).map(|(_, log)| log).next();
        if let Some(left_out) = log.and_then(|log| log.turn_in(now.0.into())) {
            let (site, code) = (site.name.as_str(), refusal.code());
            let (network, address) = (visitor.network(), address_told(config, visitor));
            tracing::info!(site, code, %network, address, request_id, failure_id, left_out, "a solution was refused: {refusal}");
        }
        failure_id
    }

    /// Counts what became of a request and says so in the log, with the rule that decided, if one did.
    pub(super) fn note_decided(
        &self,
        config: &Config,
        facts: &RequestFacts<'_>,
        visitor: &Visitor,
        met: &Met,
        request_id: &str,
    ) {
        self.metrics.met(&facts.site.name, met);
        let by_hand = facts.route.rule.is_some_and(|number| number >= HAND_RULE_NUMBER_FIRST);
        let rule = config.policy.rule_of(&facts.route);
        if rule.is_some() || by_hand {
            self.metrics.by_rule(rule.map_or(BY_HAND_LABEL, Rule::label), met.decision);
        }
        let (log, what) = match met.decision {
            Decision::Denied => (&self.decision_log.denied, "a request was refused by a rule"),
            Decision::Challenged => (&self.decision_log.challenged, "a request was asked for work"),
            Decision::Busy => (&self.decision_log.busy, "a request found no room"),
            // What passes is of interest to whoever looks for something, and to nobody else.
            _ if !tracing::enabled!(tracing::Level::DEBUG) => return,
            Decision::Paid => (&self.decision_log.paid, "a request was paid for"),
            Decision::Free | Decision::Unpaid | Decision::Reserved => {
                (&self.decision_log.unpaid, "a request passed unpaid")
            }
        };
        let Some(left_out) = log.turn() else { return };
        let told =
            || rule.map(Rule::told).or_else(|| Some(self.gate.hand_rule_of(&facts.route, clock::now())?.to_string()));
        let (site, rule, network) = (facts.site.name.as_str(), told(), visitor.network());
        let (address, rule) = (address_told(config, visitor), rule.as_deref());
        match met.decision {
            Decision::Denied | Decision::Challenged | Decision::Busy => {
                tracing::info!(site, rule, %network, address, request_id, left_out, "{what}");
            }
            _ => tracing::debug!(site, rule, %network, address, request_id, left_out, "{what}"),
        }
    }

    /// Counts a request that admission dropped, and says so in the log.
    pub(super) fn note_dropped(&self, config: &Config, facts: &RequestFacts<'_>, visitor: &Visitor, request_id: &str) {
        self.metrics.dropped.inc();
        if let Some(left_out) = self.decision_log.dropped.turn() {
            let (site, network) = (facts.site.name.as_str(), visitor.network());
            let address = address_told(config, visitor);
            tracing::info!(site, %network, address, request_id, left_out, "a request waited in vain for the origin");
        }
    }

    /// Counts a request among those of its network, path and user agent.
    pub(super) fn note_top(&self, facts: &RequestFacts<'_>, headers: &HeaderMap, target: &str, decision: Decision) {
        let user_agent = headers.get(USER_AGENT).map_or(&b""[..], |name| name.as_bytes());
        let asked = Asked { site: facts.site.mark, network: facts.network, target, user_agent };
        self.top.met(&asked, decision, clock::now());
    }
}
