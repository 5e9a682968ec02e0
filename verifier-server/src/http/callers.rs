//! Programs that come regularly: how they are told from browsers, and what the operator is told when they are turned away.

use super::service::Verifier;
use crate::clock;
use crate::config::{Config, Site};
use crate::gate::RequestFacts;
use crate::gate::by_hand::HandRuleReport;
use crate::gate::callers::{CALLER_DAYS_MIN, CALLERS_LISTED_MAX, Call, Caller};
use crate::gate::policy::{Action, Subject};
use crate::gate::target::Target;
use hyper::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderMap, ORIGIN};
use puzzle::{ClientNetwork, UnixSeconds};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Callers in the log when the gate goes down; the status has more.
const CALLERS_LOGGED_MAX: usize = 10;
/// Every browser of today sends one of these, over HTTPS.
const BROWSER_HEADERS: [&str; 3] = ["sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest"];

/// Whether a request looks like neither a navigation nor a part of a page. Only what is told to the operator hangs on it.
fn is_of_program(headers: &HeaderMap) -> bool {
    let accepts_html =
        headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")));
    !accepts_html
        && !headers.contains_key(ACCEPT_LANGUAGE)
        && !headers.contains_key(ORIGIN)
        && !BROWSER_HEADERS.iter().any(|name| headers.contains_key(*name))
}

impl Verifier {
    /// Notes a program that a gate which is down would turn away: one without API key and clearance, that no rule lets pass.
    pub(super) fn note_caller(&self, subject: &Subject<'_>, facts: &RequestFacts<'_>) {
        let would_be_asked = matches!(facts.route.action, Action::Price | Action::Challenge) && !facts.preflight;
        let has_right = facts.key.is_some() || !facts.clearances.is_empty();
        if !would_be_asked || has_right || !self.gate.listens_for_callers() {
            return;
        }
        let (Target::Plain(path), Some(method), Some(headers)) = (subject.target, subject.method, subject.headers)
        else {
            return;
        };
        if is_of_program(headers) {
            let call = Call { site: facts.site.mark, host: subject.host, network: facts.network, method, path };
            self.gate.caller_came(&call, clock::now());
        }
    }

    /// The programs that a site turns away while its gate is down, or at all times by a rule made by hand, as far as they came
    /// often before.
    pub(crate) fn turned_away(&self, config: &Config, site: &Site) -> Vec<TurnedAway> {
        let (callers, peace) = self.gate.callers(site);
        let turned_away = callers.into_iter().filter_map(|caller| {
            let (action, by_hand) = self.met_by(config, site, &caller);
            let is_turned_away = match action {
                Action::Price | Action::Challenge => true,
                // What the configuration refuses the operator knows.
                Action::Deny => by_hand.is_some(),
                Action::Allow => false,
            };
            is_turned_away.then_some(TurnedAway { named_hosts: config.sites.len() > 1, caller, peace, by_hand })
        });
        turned_away.take(CALLERS_LISTED_MAX).collect()
    }

    /// What the rules in force do with a caller, and the one made by hand that does it.
    fn met_by(&self, config: &Config, site: &Site, caller: &Caller) -> (Action, Option<HandRuleReport>) {
        let address: IpAddr = match caller.network {
            ClientNetwork::V4(address) => address.into(),
            ClientNetwork::V6(address) => address.into(),
        };
        let subject = Subject {
            target: &Target::parse(&caller.path),
            has_query: false,
            host: &caller.host,
            address,
            crawler: None,
            method: Some(&caller.method),
            headers: None,
        };
        let route = self.gate.route(config, site, &subject);
        (route.action, self.gate.hand_rule_of(&route, clock::now()))
    }

    /// Says in the log which programs a site turns away from now on.
    pub(crate) fn tell_turned_away(&self, config: &Config, site: &Site) {
        let turned_away = self.turned_away(config, site);
        for one in turned_away.iter().take(CALLERS_LOGGED_MAX) {
            tracing::warn!(site = site.name, "turned away from now on: {}", one.told(clock::now()));
        }
        let more = turned_away.len().saturating_sub(CALLERS_LOGGED_MAX);
        if more > 0 {
            tracing::warn!(site = site.name, "and {more} more; `portcullis status` names them");
        }
    }
}

/// A program that is turned away.
#[derive(Debug)]
pub(crate) struct TurnedAway {
    caller: Caller,
    peace: UnixSeconds,
    /// Whether there are several sites, so that the rule says which.
    named_hosts: bool,
    /// The rule made by hand that turns it away, whatever the gate does.
    by_hand: Option<HandRuleReport>,
}

impl TurnedAway {
    fn days(&self) -> u32 {
        self.caller.days(self.peace)
    }

    /// The rule that lets it pass, network, method and path together; `None` before it has come on enough days: whoever wants
    /// one written for himself has to come for a week, and is looked at then. Nor under a rule made by hand, which no other
    /// opens.
    fn rule(&self) -> Option<String> {
        let Caller { host, network, method, path, .. } = &self.caller;
        let host = if self.named_hosts { format!("host = \"{host}\"\n") } else { String::new() };
        let rule = format!(
            "[[rule]]\n{host}network = \"{network}\"\nmethod = \"{method}\"\npath = \"{path}\"\naction = \"allow\"\n"
        );
        (self.days() >= CALLER_DAYS_MIN && self.by_hand.is_none()).then_some(rule)
    }

    fn told(&self, now: UnixSeconds) -> String {
        let Caller { network, method, path, requests, first_seen, last_seen, .. } = &self.caller;
        let (since, ago) = (now.since(*first_seen) / 86_400, now.since(*last_seen) / 60);
        let rule = match (&self.by_hand, self.rule()) {
            (Some(by_hand), _) => format!("by hand, with the gate open as well: {by_hand}"),
            (None, Some(rule)) => {
                format!("if you know it, the rule is {}", rule.trim_end().replace('\n', ", ").replacen("]],", "]]", 1))
            }
            (None, None) => format!("no rule before it has come on {CALLER_DAYS_MIN} days"),
        };
        format!(
            "{method} {path} from {network}, {requests} times on {} days since {since} days ago, last {ago} min ago; {rule}",
            self.days()
        )
    }

    /// For `GET /status`.
    pub(super) fn json(&self, now: UnixSeconds) -> Value {
        let caller = &self.caller;
        json!({
            "network": caller.network.to_string(),
            "method": caller.method,
            "path": caller.path,
            "host": caller.host,
            "days": self.days(),
            "requests": caller.requests,
            "first_seen_seconds_ago": now.since(caller.first_seen),
            "last_seen_seconds_ago": now.since(caller.last_seen),
            "rule": self.rule(),
            "by_hand": self.by_hand.as_ref().map(ToString::to_string),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;

    #[test]
    fn browsers_are_not_programs() {
        let sends = |name: &str, value: &str| {
            let name: HeaderName = name.parse().expect("a name");
            is_of_program(&HeaderMap::from_iter([(name, value.parse().expect("a value"))]))
        };
        assert!(is_of_program(&HeaderMap::new()));
        assert!(sends("accept", "*/*") && sends("user-agent", "Mozilla/5.0") && sends("accept", "application/json"));
        for (name, value) in [
            ("accept", "text/html,*/*;q=0.8"),
            ("accept-language", "de"),
            ("origin", "https://a.example"),
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-dest", "image"),
            ("sec-fetch-site", "same-origin"),
        ] {
            assert!(!sends(name, value), "{name}: {value}");
        }
    }
}
