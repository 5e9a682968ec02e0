//! What the table has no room for: why pages were lost, who got them, what attackers heard and paid.

use std::fmt::Write as _;

use super::{GENERATOR_CORES_MAX, LATE_S_MAX, Played, is_bottleneck, price_difference};
use crate::holds::Held;
use crate::outcome::{Outcome, expected_s};
use crate::scenario::{Aim, Scenario, Stand};
use crate::visitor::Group;

/// How many answers to attackers are told.
const HEARD_MAX: usize = 8;
/// How far what attackers pay may be from what the design says, in percent.
const PRICE_TOLERANCE: f64 = 25.0;
/// What is asked of the flood of plain requests.
const ADDED_P99_MS_MAX: f64 = 20.0;
/// Memory that may be held longer after it, in MiB.
const KEPT_MIB_MAX: f64 = 2.0;

/// Whether the verifier itself holds.
pub(super) fn held(held: &Held) -> String {
    let added = held.added_p99_ms();
    let not_met = |met: bool| if met { "" } else { ", **not met**" };
    let kept = held.memory_mib.2 - held.memory_mib.0;
    format!(
        "\n### verifier-holds\n\n{} {held}. Added p99 of admitted requests: {added:.1} ms (aim: below \
         {ADDED_P99_MS_MAX:.0} ms{}). Memory kept: {kept:.0} MiB (aim: at most {KEPT_MIB_MAX:.0}{}), descriptors: {} (aim: none{}). \
         The paced client shares the generator's core.\n",
        crate::holds::WHAT,
        not_met(added < ADDED_P99_MS_MAX),
        not_met(kept <= KEPT_MIB_MAX),
        held.descriptors.2.saturating_sub(held.descriptors.0),
        not_met(held.descriptors.2 <= held.descriptors.0),
    )
}

/// A scenario.
pub(super) fn of(played: &Played) -> String {
    let Played { scenario, outcomes } = played;
    let mut text = format!("\n### {}\n\n{}\n\n", scenario.name, scenario.what);
    for outcome in outcomes {
        let _ = writeln!(text, "- *{}*: {}", outcome.stand.name(), note(scenario, outcome));
    }
    if outcomes.iter().any(|outcome| outcome.stand == scenario.main_stand()) {
        let _ = writeln!(text, "\n![Price and demand over time]({0}/{1}.svg)", super::PICTURES, scenario.name);
    }
    text
}

fn note(scenario: &Scenario, outcome: &Outcome) -> String {
    let mut parts = vec![served(scenario, outcome)];
    let groups: Vec<String> = Group::ALL
        .into_iter()
        .map(|group| format!("{} {:.0} %", group.name(), outcome.served_percent(|page| page.group == group)))
        .collect();
    parts.push(format!("by network: {}", groups.join(", ")));
    let losses = outcome.losses();
    if !losses.is_empty() {
        let losses: Vec<String> = losses.iter().map(|(fate, count)| format!("{} {count}", fate.name())).collect();
        parts.push(format!("lost: {}", losses.join(", ")));
    }
    if outcome.stand != Stand::Bare {
        parts.push(gate(outcome));
    }
    if let (Some((paid, sales)), Some(phones)) = (outcome.paid_s(), scenario.phones) {
        let difference = price_difference(scenario, outcome).unwrap_or_default();
        let verdict = if difference.abs() <= PRICE_TOLERANCE { "" } else { " (**beyond 25 %**)" };
        parts.push(format!(
            "attackers paid {paid:.2} s of a slow phone for a full clearance in the mean of {sales} sales, the design says \
             {:.2} s: {difference:+.0} %{verdict}",
            expected_s(phones)
        ));
    }
    if let Some(seconds) = outcome.to_let_go_s() {
        parts.push(format!("open again {seconds:.1} s after the end"));
    }
    let callbacks = ["callback 200", "callback lost"].map(|name| outcome.heard.get(name).copied().unwrap_or_default());
    if callbacks.iter().sum::<u64>() > 0 {
        let percent = 100.0 * callbacks[0] as f64 / callbacks.iter().sum::<u64>() as f64;
        parts.push(format!("payment callbacks answered: {percent:.0} %"));
    }
    parts.push(heard(outcome));
    if outcome.broken {
        parts.push("**the verifier panicked or was gone**".to_owned());
    }
    if is_bottleneck(outcome) {
        parts.push(format!(
            "**!** the lab itself may be what was measured: {:.2} cores (at most {GENERATOR_CORES_MAX}), a solution {:.0} ms \
             late (at most {:.0} ms)",
            outcome.generator_cores,
            outcome.solver_late_s * 1e3,
            LATE_S_MAX * 1e3,
        ));
    }
    parts.join("; ") + "."
}

fn served(scenario: &Scenario, outcome: &Outcome) -> String {
    let (served, count) = (outcome.served_percent(|_| true), outcome.under_attack().count());
    let text = format!("{served:.1} % of {count} pages");
    match scenario.aim {
        Aim::Served(aim) if outcome.stand == scenario.main_stand() && served < aim => {
            format!("{text}, {:.1} points below the aim of {aim:.0} %", aim - served)
        }
        Aim::Invisible => format!("{text}; {} saw the challenge page", outcome.challenged()),
        Aim::Served(_) => text,
    }
}

/// What the gate did meanwhile: how long it was down, and why.
fn gate(outcome: &Outcome) -> String {
    let (from, to) = outcome.attack_s;
    let during = outcome.readings.iter().filter(|reading| reading.at_s >= from && reading.at_s <= to);
    let states: Vec<_> = during.filter_map(|reading| reading.gate.as_ref()).collect();
    let percent = |count: usize| 100.0 * count as f64 / states.len().max(1) as f64;
    let down = percent(states.iter().filter(|gate| gate.state != "calm").count());
    let mut why: Vec<&str> = states.iter().flat_map(|gate| gate.overload.iter().map(String::as_str)).collect();
    why.sort_unstable();
    why.dedup();
    let crowded = percent(states.iter().filter(|gate| gate.crowded).count());
    let mean = |of: fn(&crate::watch::GateReading) -> f64| {
        states.iter().map(|gate| of(gate)).sum::<f64>() / states.len().max(1) as f64
    };
    let capacity = states.last().and_then(|gate| gate.capacity);
    format!(
        "gate down {down:.0} % of the time{}{}, demand offered {:.0}/s, paid {:.0}/s, capacity {}",
        if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) },
        if crowded > 0.0 { format!(", only crowded networks challenged {crowded:.0} %") } else { String::new() },
        mean(|gate| gate.offered),
        mean(|gate| gate.paid),
        capacity.map_or_else(|| "unknown".to_owned(), |capacity| format!("{capacity:.0}/s")),
    )
}

fn heard(outcome: &Outcome) -> String {
    let mut heard: Vec<_> = outcome.heard.iter().filter(|(what, _)| !what.starts_with("callback")).collect();
    heard.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let told: Vec<String> = heard.iter().take(HEARD_MAX).map(|(what, count)| format!("{what} × {count}")).collect();
    format!(
        "attackers sent {} and heard {}",
        outcome.sent,
        if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
    )
}
