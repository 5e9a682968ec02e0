//! `[[rule]]`: first match decides.

use super::conditions::{self, Shared};
use super::document::{Lined, Section};
use super::{ChallengeTerms, ClearanceTerms, Site, default_rules};
use crate::gate::policy::{Action, Conditions, Policy, PolicyBuilder, Reserve, Route};
use puzzle::{Credits, price};
use std::collections::HashSet;

/// Rules at the most.
const RULES_MAX: usize = 20_000;

/// What reading the rules takes from the rest of the configuration.
pub(super) struct Around<'a> {
    pub(super) challenge: &'a ChallengeTerms,
    pub(super) clearance: &'a ClearanceTerms,
    pub(super) sites: &'a [Site],
    pub(super) shared: Shared<'a>,
    /// What API keys keep of the capacity.
    pub(super) kept: Vec<Lined<Credits>>,
}

/// Reads all rules, in order, and adds the built-in ones after them.
pub(super) fn read_all(root: &mut Section<'_, '_>, around: &mut Around<'_>, warnings: &mut Vec<String>) -> Policy {
    let built_in = root.boolean("default_rules").unwrap_or(true);
    let mut rules = Rules { reserves: std::mem::take(&mut around.kept), ..Rules::default() };
    let sections = root.sections("rule");
    if sections.len() > RULES_MAX {
        let message = format!("{} rules are more than {RULES_MAX}", sections.len());
        root.problem(1, message, "put rules that do the same into one: `path`, `host` and `network` take lists");
    }
    for section in sections.into_iter().take(RULES_MAX) {
        read(section, &mut rules, around, warnings);
    }
    leave_something(root, &rules.reserves, around.sites);
    if built_in {
        default_rules::add(&mut rules.policy);
    }
    rules.policy.build().unwrap_or_else(|why| {
        let remedy = "give them paths, hosts or networks that differ, or put what does the same into one rule";
        root.problem(1, format!("the rules cannot be used together: {why}"), remedy);
        Policy::default()
    })
}

/// The rules read so far.
#[derive(Default)]
struct Rules {
    policy: PolicyBuilder,
    /// What is kept of the capacity, for rules and before them for API keys.
    reserves: Vec<Lined<Credits>>,
    /// Rules with a slice of their own.
    slices: usize,
    names: HashSet<String>,
}

fn read(mut section: Section<'_, '_>, rules: &mut Rules, around: &mut Around<'_>, warnings: &mut Vec<String>) {
    let line = section.line;
    let name = name(&mut section, &mut rules.names);
    let conditions = conditions::read(&mut section, &mut around.shared);
    let action = section.choice("action", &["allow", "challenge", "deny"], |name| match name {
        "allow" => Some(Action::Allow),
        "challenge" => Some(Action::Challenge),
        "deny" => Some(Action::Deny),
        _ => None,
    });
    let asset = section.boolean("asset").unwrap_or(false);
    let cost = section.hundredths("cost", 1..=100_000_000);
    let min_price = section.integer("min_price", 0..=10 * around.challenge.ceiling());
    if asset && (cost.is_some() || matches!(action, Some(Action::Allow | Action::Deny))) {
        section.problem(line, "a rule with asset = true has no other cost or action", "remove `cost` or `action`");
    }
    let reserve = section.hundredths("reserve_per_second", 1..=100_000_000);
    let reserve = reserve.and_then(|per_second| reserve_of(&section, action, &per_second, rules));
    let route = Route {
        action: action.unwrap_or(Action::Price),
        cost: cost.as_ref().map_or(Credits::ONE, |cost| Credits::hundredths(cost.value)),
        asset,
        min_price: min_price.as_ref().map_or(0, |price| price.value),
        reserve,
        rule: None,
    };
    admits_a_fresh_clearance(&section, &route, around.challenge, around.clearance);
    holds_for_strangers(&section, &conditions, &route);
    if opens_everything(&conditions, &route) {
        warnings.push(format!(
            "the rule of line {line} allows every path to everybody: while the gate is down they share what passes unpaid, and \
             the first tenth of an attack is among them; name the paths, or who may: `network`, an [[api_key]]"
        ));
    }
    if let Err(why) = rules.policy.add(name, conditions, route, false) {
        section.problem(line, format!("the paths of this rule cannot be used: {why}"), "write fewer patterns");
    }
    section.finish();
}

fn name(section: &mut Section<'_, '_>, names: &mut HashSet<String>) -> Option<String> {
    let Lined { line, value } = section.string("name", "search")?;
    if !(1..=64).contains(&value.len()) || value.chars().any(char::is_control) {
        section.problem(line, "this name of a rule cannot be used", "write 1 to 64 characters");
    } else if !names.insert(value.clone()) {
        section.problem(line, format!("two rules are called `{value}`"), "give each its own `name`");
    }
    Some(value)
}

/// What a stranger writes into a header never makes a request cheaper.
fn holds_for_strangers(section: &Section<'_, '_>, conditions: &Conditions, route: &Route) {
    if !conditions.are_strangers_words() {
        return;
    }
    let names: Vec<&str> = conditions.headers.iter().map(|header| header.name.as_str()).collect();
    let names = names.join(", ");
    if route.is_lax() {
        let what = if names == "cookie" { "a cookie" } else { "a header" };
        let message =
            format!("{what} is what a stranger writes: a rule on `{names}` can ask for more, and never for less");
        let remedy = "say who sends it, by `network` or `verified_bot`; for programs of your own write an [[api_key]]; where \
                      the path is open to everybody, leave `header` out";
        section.problem(section.line, message, remedy);
    } else if !route.is_strict() {
        let message =
            format!("this rule changes nothing: a rule on `{names}` only makes dearer what other rules decide");
        section.problem(
            section.line,
            message,
            "write action = \"challenge\" or \"deny\", a `cost` above 1 or a `min_price`",
        );
    }
}

/// Whether a rule lets everybody pass everywhere.
fn opens_everything(conditions: &Conditions, route: &Route) -> bool {
    let everywhere = conditions.paths.is_empty()
        || conditions.paths.iter().any(|path| path.chars().all(|letter| matches!(letter, '*' | '/')) && path != "/");
    route.action == Action::Allow && everywhere && conditions.hosts.is_empty() && !conditions.say_who()
}

/// The next slice, for a rule that may have one.
fn reserve_of(
    section: &Section<'_, '_>,
    action: Option<Action>,
    per_second: &Lined<u32>,
    Rules { reserves, slices, .. }: &mut Rules,
) -> Option<Reserve> {
    let Lined { line, value } = *per_second;
    if action != Some(Action::Allow) {
        let message = "`reserve_per_second` is for what passes unpaid, and this rule does not say so";
        section.problem(line, message, "write action = \"allow\" in this rule, or remove `reserve_per_second`");
        return None;
    }
    let slice = *slices;
    if slice >= Reserve::RULES_MAX {
        let message = format!("more than {} rules have a `reserve_per_second`", Reserve::RULES_MAX);
        section.problem(line, message, "put the paths of several rules into one: `path` takes a list");
        return None;
    }
    let per_second = Credits::hundredths(value);
    reserves.push(Lined { line, value: per_second });
    *slices += 1;
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
