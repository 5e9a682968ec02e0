//! Every scenario, two seconds long, against the binary named by `PORTCULLIS_BINARY`: that the machinery works, not how
//! well anything is served.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::{Mutex, PoisonError};

use siege::holds;
use siege::outcome::Outcome;
use siege::report::{Played, Report};
use siege::run::{Lab, Timing};
use siege::scenario::{Scenario, Stand, scenarios};
use siege::visitor::Fate;

/// The longest that a run of a short scenario may take, in seconds: bounded, however busy the machine is.
const LONGEST_S: f64 = 20.0;

fn short(scenario: &Scenario, lab: &Lab, runtime: &tokio::runtime::Runtime) -> Vec<Outcome> {
    runtime.block_on(lab.play(scenario, |_| ())).unwrap()
}

/// Each scenario wants the machine for itself.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn every_scenario_runs_and_counts_what_happens() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let lab = Lab::open(Timing::SHORT).unwrap();
    let mut report = Report::default();
    for scenario in scenarios() {
        let outcomes = short(&scenario, &lab, &runtime);
        assert_eq!(outcomes.len(), 1, "{}", scenario.name);
        for outcome in &outcomes {
            holds_together(&scenario, outcome);
        }
        report.played.push(Played { scenario, outcomes });
    }
    let folder = tempfile::tempdir().unwrap();
    report.write(folder.path()).unwrap();
    let page = std::fs::read_to_string(folder.path().join("SIEGE.md")).unwrap();
    for scenario in scenarios() {
        assert!(page.contains(&format!("### {}\n", scenario.name)), "{} is not in the report", scenario.name);
        assert!(folder.path().join(format!("images/siege/{}.svg", scenario.name)).exists(), "{}", scenario.name);
    }
}

#[track_caller]
fn holds_together(scenario: &Scenario, outcome: &Outcome) {
    let what = format!("{}, {}", scenario.name, outcome.stand.name());
    assert!(!outcome.broken, "{what}: the verifier broke");
    assert!(!outcome.pages.is_empty(), "{what}: nobody came");
    assert!(outcome.readings.iter().all(|reading| reading.at_s < LONGEST_S), "{what}: it takes too long");
    assert_eq!(outcome.sent > 0, scenario.attack.is_some(), "{what}: sent {}, {:?}", outcome.sent, outcome.heard);
    if scenario.name == "http2" {
        let ended = |kind: &str| outcome.heard.keys().any(|heard| heard.starts_with(&format!("{kind}: GOAWAY")));
        assert!(ended("resets") && ended("continuation"), "{what}: nobody ended them: {:?}", outcome.heard);
    }
    if outcome.stand == Stand::Bare {
        assert!(outcome.readings.iter().all(|reading| reading.gate.is_none()), "{what}");
    } else {
        assert!(outcome.readings.iter().any(|reading| reading.gate.is_some()), "{what}: no status was read");
        assert!(outcome.memory_mib().is_some(), "{what}: no memory was read");
    }
    if outcome.stand == Stand::Profiled {
        let met = outcome.pages.iter().any(|page| page.fate == Fate::Served || page.challenged);
        assert!(met, "{what}: nobody was served or challenged: {:?}", outcome.losses());
        let before = outcome.readings.iter().find_map(|reading| reading.gate.as_ref()).unwrap();
        assert_eq!(before.state, "calm", "{what}: the gate is down before anybody attacks");
    }
}

#[test]
fn a_flood_is_played_without_the_gate_with_one_that_comes_late_and_with_a_profile() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let lab = Lab::open(Timing { all_stands: true, ..Timing::SHORT }).unwrap();
    let flood = scenarios().into_iter().find(|scenario| scenario.name == "plain-flood").unwrap();
    let outcomes = short(&flood, &lab, &runtime);
    assert_eq!(outcomes.iter().map(|outcome| outcome.stand).collect::<Vec<_>>(), flood.stands);
    for outcome in &outcomes {
        holds_together(&flood, outcome);
    }
}

#[test]
fn the_flood_against_the_verifier_itself_is_answered_and_measured() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let held = runtime.block_on(holds::measure(holds::Timing::SHORT)).unwrap();
    assert!(held.answered_per_second > 0.0 && held.challenged_percent > 99.0, "{held}");
    assert!(held.failed.0 < held.failed.1, "no admitted request came back: {held}");
    assert!(held.memory_mib.2 > 0.0 && held.descriptors.2 > 0, "{held}");
}
