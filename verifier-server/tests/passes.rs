//! Staff passes at the gate: what a device with one meets while others pay, and what it never gets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stage;

use puzzle::{ClearanceId, UnixSeconds};
use stage::{Asked, HOME, NOW, Stage, network};
use verifier_server::gate::passes::PassRefusal;
use verifier_server::gate::{Decision, Right, Unpaid, Worth};

const SITE: &str =
    "[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\norigin = \"http://127.0.0.1:1\"\ncapacity_per_second = 200\n";
const OTHER: &str = "[[site]]\nname = \"other\"\nhosts = [\"other.test\"]\norigin = \"http://127.0.0.1:1\"\n";
const CHEAP: &str = "[challenge]\ncount = 1\ndifficulty = 4\n";

fn stage(mode: &str, rest: &str) -> Stage {
    Stage::new(&format!("mode = \"{mode}\"\n{SITE}{OTHER}{CHEAP}{rest}"))
}

/// How many of `times` requests for a page enter by the pass, and how many are paid.
fn entered_and_paid(stage: &Stage, id: ClearanceId, times: usize, now: UnixSeconds) -> (usize, usize) {
    let decisions: Vec<Decision> = (0..times).map(|_| stage.get("/", HOME, &[id], now)).collect();
    let count = |wanted| decisions.iter().filter(|decision| **decision == wanted).count();
    (count(Decision::Reserved), count(Decision::Paid))
}

#[test]
fn a_heartbeat_goes_on_for_all_the_hours_of_the_pass() {
    let stage = stage("on", "");
    stage.pass("ada", 12, NOW);
    let id = stage.show("ada", HOME, &[], NOW).unwrap();
    for minute in 0..12 * 60 {
        let now = NOW.plus(minute * 60);
        stage.step(None, now);
        for _ in 0..4 {
            assert_eq!(stage.get("/", HOME, &[id], now), Decision::Reserved, "minute {minute}");
        }
    }
    assert_eq!(stage.get("/", HOME, &[id], NOW.plus(12 * 3_600)), Decision::Challenged, "and then it ends");
}

#[test]
fn beyond_its_rate_the_clearance_pays_as_everybodys_does() {
    let stage = stage("on", "");
    stage.pass("ada", 12, NOW);
    let id = stage.show("ada", HOME, &[], NOW).unwrap();
    let met = stage.meet(&Asked { ids: &[id], ..Asked::default() }, NOW);
    assert_eq!((met.decision, met.unpaid), (Decision::Reserved, Some(Unpaid { right: Right::Pass, admitted: true })));
    assert!(met.receipt.is_some_and(|receipt| receipt.charged.in_hundredths() == 0));
    assert_eq!(
        entered_and_paid(&stage, id, 1_000, NOW),
        (59, 90),
        "half a minute of its rate, then 100 credits less a tenth"
    );
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Challenged);
    assert_eq!(stage.worth("/", HOME, &[id], NOW), Worth::Lacking);
    assert!(matches!(stage.worth("/", HOME, &[id], NOW.plus(10)), Worth::Admits { .. }));
    assert_eq!(entered_and_paid(&stage, id, 1_000, NOW.plus(10)), (20, 0));
}

#[test]
fn three_devices_share_one_rate_and_all_passes_a_tenth_of_the_capacity() {
    let stage = stage("on", "");
    stage.pass("ada", 12, NOW);
    let devices: Vec<ClearanceId> = (0..3).map(|_| stage.show("ada", HOME, &[], NOW).unwrap()).collect();
    let entered: usize = devices.iter().map(|id| entered_and_paid(&stage, *id, 200, NOW).0).sum();
    assert_eq!(entered, 60);
    // Forty passes in use: half a credit a second each, of 200 that the site can do.
    let others: Vec<ClearanceId> = (1..40)
        .map(|number| {
            stage.pass(&number.to_string(), 12, NOW);
            stage.show(&number.to_string(), HOME, &[], NOW).unwrap()
        })
        .collect();
    let entered: usize = others.iter().map(|id| entered_and_paid(&stage, *id, 100, NOW.plus(1)).0).sum();
    assert_eq!(entered, 39 * 15, "half a minute of 0.5 a second");
}

#[test]
fn a_revoked_pass_is_refused_at_once_with_all_that_its_clearance_still_held() {
    let stage = stage("on", "");
    stage.pass("ada", 12, NOW);
    let id = stage.show("ada", HOME, &[], NOW).unwrap();
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Reserved);
    assert!(stage.gate.revoke_pass("ada"));
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Challenged);
    assert_eq!(stage.worth("/", HOME, &[id], NOW), Worth::Lacking);
    assert_eq!(stage.show("ada", HOME, &[id], NOW), Err(PassRefusal::Unknown));
    // Nor does a new pass in the same place bring it back.
    stage.pass("bob", 12, NOW);
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Challenged);
}

#[test]
fn networks_and_toll_are_those_of_everybody() {
    let stage = stage("on", "");
    stage.pass("ada", 12, NOW);
    let id = stage.show("ada", HOME, &[], NOW).unwrap();
    let entered = (1..40).filter(|third| stage.get("/", network(*third), &[id], NOW) != Decision::Challenged).count();
    assert_eq!(entered, 10, "a link that is handed round dies after ten networks");
    let strict = self::stage("on", "[clearance]\nbind = \"strict\"\n");
    strict.pass("ada", 12, NOW);
    let id = strict.show("ada", HOME, &[], NOW).unwrap();
    assert_eq!(strict.get("/", network(1), &[id], NOW), Decision::Challenged);
    assert_eq!(strict.get("/", HOME, &[id], NOW), Decision::Reserved);
}

#[test]
fn it_is_of_one_site_and_comes_under_a_rule_that_asks_at_all_times() {
    let rule =
        "[[rule]]\npath = \"/admin/**\"\naction = \"challenge\"\n[[rule]]\npath = \"/secret\"\naction = \"deny\"\n";
    let stage = stage("auto", rule);
    stage.pass("ada", 12, NOW);
    let id = stage.show("ada", HOME, &[], NOW).unwrap();
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Free);
    assert_eq!(stage.get("/admin/post", HOME, &[id], NOW), Decision::Reserved);
    assert_eq!(stage.get("/admin/post", HOME, &[], NOW), Decision::Challenged);
    assert_eq!(stage.get("/secret", HOME, &[id], NOW), Decision::Denied);
    assert_eq!(stage.get_at("other.test", "/admin/post", HOME, &[id], NOW), Decision::Challenged);
}

#[test]
fn an_idle_gate_and_one_that_is_off_give_it_for_later() {
    for mode in ["auto", "off"] {
        let stage = stage(mode, "");
        stage.pass("ada", 12, NOW);
        let id = stage.show("ada", HOME, &[], NOW).unwrap();
        assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Free);
        stage.gate.set_mode(verifier_server::config::Mode::On);
        assert_eq!(stage.get("/", HOME, &[id], NOW.plus(3_600)), Decision::Reserved);
    }
}

#[test]
fn showing_it_again_is_the_same_clearance_and_makes_one_that_a_crash_took() {
    let mut stage = stage("on", "");
    stage.pass("ada", 12, NOW);
    let id = stage.show("ada", HOME, &[], NOW).unwrap();
    entered_and_paid(&stage, id, 1_000, NOW);
    assert_eq!(stage.show("ada", HOME, &[id], NOW), Ok(id));
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Challenged, "and no fuller than before");
    stage = stage.after_a_crash();
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Challenged, "the table is gone");
    assert_eq!(stage.show("ada", HOME, &[id], NOW), Ok(id));
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Reserved);
    assert_eq!(stage.gate.passes()[0].devices, 1);
}

#[test]
fn a_table_that_takes_nothing_gives_no_clearance_and_costs_no_device() {
    let stage = stage("on", "");
    stage.pass("ada", 12, NOW);
    stage.gate.save_table(tempfile::tempdir().unwrap().path(), NOW).unwrap();
    assert_eq!(stage.show("ada", HOME, &[], NOW), Err(PassRefusal::Busy), "it is being saved");
    assert_eq!(stage.gate.passes()[0].devices, 0);
}

#[test]
fn a_pass_is_no_purchase_and_moves_no_price() {
    let stage = stage("on", "");
    let before = stage.solve("/", HOME, NOW).work();
    for name in ["ada", "bob", "eve"] {
        stage.pass(name, 12, NOW);
        for _ in 0..3 {
            stage.show(name, HOME, &[], NOW).unwrap();
        }
    }
    assert_eq!(stage.solve("/", HOME, NOW).work(), before, "nobody there pays more for it");
}
