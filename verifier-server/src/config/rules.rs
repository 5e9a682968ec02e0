//! `[[rule]]`: first match decides.

use super::document::{Lined, Section};
use super::{ChallengeTerms, ClearanceTerms, Site};
use crate::gate::policy::{Action, Policy, PolicyBuilder, Reserve, Route};
use puzzle::{Credits, price};

/// Reads all rules, in order.
pub(super) fn read_all(
    root: &mut Section<'_, '_>,
    challenge: &ChallengeTerms,
    clearance: &ClearanceTerms,
    sites: &[Site],
) -> Policy {
    let mut policy = PolicyBuilder::default();
    let mut reserves = Vec::new();
    for section in root.sections("rule") {
        read(section, &mut policy, &mut reserves, challenge, clearance);
    }
    leave_something(root, &reserves, sites);
    policy.build().unwrap_or_else(|why| {
        root.problem(1, format!("the rules cannot be used together: {why}"), "write fewer or shorter patterns");
        Policy::default()
    })
}

fn read(
    mut section: Section<'_, '_>,
    policy: &mut PolicyBuilder,
    reserves: &mut Vec<Lined<Credits>>,
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
    let reserve = section.hundredths("reserve_per_second", 1..=100_000_000);
    let reserve = reserve.and_then(|per_second| reserve_of(&section, action, &per_second, reserves));
    let route = Route {
        action: action.unwrap_or(Action::Price),
        cost: cost.as_ref().map_or(Credits::ONE, |cost| Credits::hundredths(cost.value)),
        asset,
        min_price: min_price.as_ref().map_or(0, |price| price.value),
        reserve,
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

/// The next slice, for a rule that may have one.
fn reserve_of(
    section: &Section<'_, '_>,
    action: Option<Action>,
    per_second: &Lined<u32>,
    reserves: &mut Vec<Lined<Credits>>,
) -> Option<Reserve> {
    let Lined { line, value } = *per_second;
    if action != Some(Action::Allow) {
        let message = "`reserve_per_second` is for what passes unpaid, and this rule does not say so";
        section.problem(line, message, "write action = \"allow\" in this rule, or remove `reserve_per_second`");
        return None;
    }
    let slice = reserves.len();
    if slice >= Reserve::SLICES_MAX {
        let message = format!("more than {} rules have a `reserve_per_second`", Reserve::SLICES_MAX);
        section.problem(line, message, "put the paths of several rules into one: `path` takes a list");
        return None;
    }
    let per_second = Credits::hundredths(value);
    reserves.push(Lined { line, value: per_second });
    Some(Reserve { slice, per_second })
}

/// What is kept for rules is kept from the visitors: at most half of what a site can do.
fn leave_something(root: &Section<'_, '_>, reserves: &[Lined<Credits>], sites: &[Site]) {
    let kept: u64 = reserves.iter().map(|reserve| u64::from(reserve.value.in_hundredths())).sum();
    let least = sites.iter().filter_map(|site| Some((site.capacity_per_second?, site))).min_by_key(|(least, _)| *least);
    let (Some((capacity, site)), Some(first)) = (least, reserves.first()) else { return };
    if 2 * kept > u64::from(capacity.in_hundredths()) {
        let lines: Vec<String> = reserves.iter().map(|reserve| reserve.line.to_string()).collect();
        let places = if lines.len() == 1 { "line" } else { "lines" };
        let message = format!(
            "`reserve_per_second` ({places} {}) keeps {} credits a second, more than half of what the site `{}` can do",
            lines.join(", "),
            crate::load::float(kept) / 100.0,
            site.name
        );
        let most = f64::from(capacity.in_hundredths()) / 200.0;
        root.problem(first.line, message, format!("keep {most} or less in all, or raise its capacity_per_second"));
    }
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
