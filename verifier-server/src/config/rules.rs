//! `[[rule]]`: first match decides.

use super::document::Section;
use super::{ChallengeTerms, ClearanceTerms};
use crate::gate::policy::{Action, Policy, PolicyBuilder, Route};
use puzzle::{Credits, price};

/// Reads all rules, in order.
pub(super) fn read_all(root: &mut Section<'_, '_>, challenge: &ChallengeTerms, clearance: &ClearanceTerms) -> Policy {
    let mut policy = PolicyBuilder::default();
    for section in root.sections("rule") {
        read(section, &mut policy, challenge, clearance);
    }
    policy.build().unwrap_or_else(|why| {
        root.problem(1, format!("the rules cannot be used together: {why}"), "write fewer or shorter patterns");
        Policy::default()
    })
}

fn read(
    mut section: Section<'_, '_>,
    policy: &mut PolicyBuilder,
    challenge: &ChallengeTerms,
    clearance: &ClearanceTerms,
) {
    let line = section.line;
    let paths = section.strings("path", "/static/**").unwrap_or_default();
    if paths.is_empty() {
        section.problem(line, "a rule without `path` matches nothing", "write path = \"/**\" for every path");
    }
    let action = section.choice("action", &["allow", "challenge", "deny"], |name| match name {
        "allow" => Some(Action::Allow),
        "challenge" => Some(Action::Challenge),
        "deny" => Some(Action::Deny),
        _ => None,
    });
    let asset = section.boolean("asset").unwrap_or(false);
    let cost = section.hundredths("cost", 1..=100_000_000);
    let min_price = section.integer("min_price", 0..=10 * challenge.ceiling());
    if asset && (cost.is_some() || matches!(action, Some(Action::Allow | Action::Deny))) {
        section.problem(line, "a rule with asset = true has no other cost or action", "remove `cost` or `action`");
    }
    let route = Route {
        action: action.unwrap_or(Action::Price),
        cost: cost.as_ref().map_or(Credits::ONE, |cost| Credits::hundredths(cost.value)),
        asset,
        min_price: min_price.as_ref().map_or(0, |price| price.value),
    };
    admits_a_fresh_clearance(&section, &route, challenge, clearance);
    for path in paths {
        if !path.value.starts_with('/') {
            let message = format!("the path `{}` does not begin with a slash", path.value);
            section.problem(path.line, message, format!("write \"/{}\"", path.value));
        } else if let Err(why) = policy.add_path(&path.value, route.is_strict()) {
            section.problem(path.line, format!("the path `{}` is not a pattern: {why}", path.value), "use * and **");
        }
    }
    policy.add_rule(route);
    section.finish();
}

/// A `min_price` above the ceiling raises the cost in credits; a full clearance must still pay one request.
fn admits_a_fresh_clearance(
    section: &Section<'_, '_>,
    route: &Route,
    challenge: &ChallengeTerms,
    clearance: &ClearanceTerms,
) {
    let cost = price::counted_cost(route.cost, clearance.full);
    let most = Credits::hundredths(clearance.full.in_hundredths() - price::reserve(clearance.full).in_hundredths());
    if route.min_price > challenge.ceiling() && price::charge(cost, route.min_price, challenge.ceiling()) > most {
        let message = "no clearance could ever pay this rule's `cost` at its `min_price`";
        section.problem(
            section.line,
            message,
            format!("lower one of them: min_price up to {} costs nothing more", challenge.ceiling()),
        );
    }
}
