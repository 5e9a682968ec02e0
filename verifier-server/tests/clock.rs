//! The system's clock is set back or forward: nothing is sold twice for one solution, and nobody is asked more than once again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stage;

use puzzle::{Refusal, UnixSeconds};
use stage::{HOME, NOW, Stage, network};
use std::cell::Cell;
use std::time::Duration;
use verifier_server::clock::Clock;
use verifier_server::gate::{Decision, Redeemed, TableFileError};

const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;

fn stage(mode: &str) -> Stage {
    Stage::new(&format!(
        "mode = \"{mode}\"\n[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\norigin = \"http://127.0.0.1:1\"\n\
         [challenge]\ncount = 1\ndifficulty = 4\n"
    ))
}

/// A machine: the verifier's clock over that of the system, which somebody sets.
struct Machine {
    clock: Clock,
    system: Cell<u32>,
    /// How long it runs.
    since: Cell<u32>,
}

impl Machine {
    fn new() -> Self {
        Self { clock: Clock::new(), system: Cell::new(NOW.0), since: Cell::new(0) }
    }

    fn now(&self) -> UnixSeconds {
        self.clock.now(|| self.system.get(), || Duration::from_secs(self.since.get().into()))
    }

    /// So many seconds pass, in each of which the gate does what it does once a second.
    fn pass(&self, stage: &Stage, seconds: u32) {
        for _ in 0..seconds {
            self.system.set(self.system.get() + 1);
            self.since.set(self.since.get() + 1);
            stage.gate.tick(self.now());
        }
    }

    fn set_back(&self, seconds: u32) {
        self.system.set(self.system.get() - seconds);
    }

    fn set_forward(&self, seconds: u32) {
        self.system.set(self.system.get() + seconds);
    }
}

#[test]
fn a_used_solution_is_not_good_again_when_the_clock_was_set_back() {
    let (stage, machine) = (stage("on"), Machine::new());
    // One an hour long, of every minute; each is used, expires, and is forgotten.
    let used: Vec<_> = (0..60)
        .map(|minute| {
            let paid = stage.solve("/", network(minute), machine.now());
            stage.redeem(&paid, network(minute), machine.now()).unwrap();
            machine.pass(&stage, 60);
            paid
        })
        .collect();
    machine.pass(&stage, HOUR);
    assert_eq!(stage.gate.table_fill().0, 0, "all is forgotten");
    machine.set_back(2 * HOUR);
    for minute in 0..5 * 60 {
        for paid in &used {
            let again = stage.redeem(paid, HOME, machine.now());
            assert_eq!(again, Err(Refusal::Expired), "{minute} minutes after");
        }
        machine.pass(&stage, 60);
    }
    // By the system's own clock one of them would have been sold a second time.
    let naive = stage.redeem(&used[0], HOME, NOW.plus(1));
    assert!(matches!(naive, Ok(Redeemed::Clearance { solved_in: Some(_), .. })), "{naive:?}");
}

#[test]
fn an_hour_back_turns_nobody_away() {
    let (stage, machine) = (stage("on"), Machine::new());
    machine.pass(&stage, HOUR);
    let bought = stage.buy("/", HOME, machine.now());
    let in_hand = stage.solve("/", network(1), machine.now());
    machine.set_back(HOUR);
    assert_eq!(stage.get("/", HOME, &[bought], machine.now()), Decision::Paid, "a clearance goes on");
    assert!(stage.redeem(&in_hand, network(1), machine.now()).is_ok(), "and a challenge in somebody's hand");
    for second in 0..HOUR {
        if second % 60 == 0 {
            let id = stage.buy("/", network(2), machine.now());
            assert_eq!(stage.get("/", network(2), &[id], machine.now()), Decision::Paid, "after {second} s");
        }
        machine.pass(&stage, 1);
    }
}

#[test]
fn a_day_forward_ends_clearances_asks_once_and_moves_no_price() {
    let (stage, machine) = (stage("auto"), Machine::new());
    // Another one, whose clock nobody sets.
    let (other, its_machine) = (self::stage("auto"), Machine::new());
    let second = |told| {
        for (stage, machine) in [(&stage, &machine), (&other, &its_machine)] {
            machine.pass(stage, 1);
            stage.step_at(told, Duration::from_secs(machine.since.get().into()), machine.now());
        }
    };
    (0..5).for_each(|_| second(Some(1.0)));
    let bought = stage.buy("/", HOME, machine.now());
    let in_hand = stage.solve("/", network(1), machine.now());
    assert_eq!(stage.get("/", HOME, &[bought], machine.now()), Decision::Paid);
    let its_own = other.buy("/", HOME, its_machine.now());
    assert_eq!(other.get("/", HOME, &[its_own], its_machine.now()), Decision::Paid);
    machine.set_forward(DAY);
    for _ in 0..5 {
        second(Some(1.0));
        assert!(stage.price() > 0 && stage.price() == other.price(), "{} and {}", stage.price(), other.price());
    }
    assert_eq!(stage.get("/", HOME, &[bought], machine.now()), Decision::Challenged, "it has expired");
    assert_eq!(stage.redeem(&in_hand, network(1), machine.now()), Err(Refusal::Expired));
    for visitor in [HOME, network(1)] {
        let id = stage.buy("/", visitor, machine.now());
        assert_eq!(stage.get("/", visitor, &[id], machine.now()), Decision::Paid, "once more, and that is all");
    }
    // Whoever notices and sets it right turns nobody away a second time.
    let id = stage.buy("/", HOME, machine.now());
    machine.set_back(DAY);
    (0..5).for_each(|_| second(None));
    assert_eq!(stage.get("/", HOME, &[id], machine.now()), Decision::Paid);
    assert!(stage.price() > 0, "the hold runs by the clock that nobody sets");
}

#[test]
fn a_restart_after_the_clock_was_set_back_sells_nothing_twice_and_locks_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::new();
    let before = stage("on");
    machine.set_forward(HOUR);
    let paid = before.solve("/", HOME, machine.now());
    let Ok(Redeemed::Clearance { id, .. }) = before.redeem(&paid, HOME, machine.now()) else { panic!("refused") };
    before.gate.save_table(folder.path(), machine.now()).unwrap();

    // The machine's clock was an hour ahead, and is right at the next start.
    let saved = Stage::saved(folder.path(), stage::MASTER).unwrap().unwrap();
    assert_eq!(saved.goes_on_at, NOW.plus(HOUR));
    let machine = Machine::new();
    machine.clock.not_before(saved.goes_on_at);
    let after = before.revived(saved);
    let again = after.redeem(&paid, HOME, machine.now());
    assert!(matches!(again, Ok(Redeemed::Clearance { id: same, solved_in: None, .. }) if same == id), "{again:?}");
    assert_eq!(after.get("/", HOME, &[after.buy("/", HOME, machine.now())], machine.now()), Decision::Paid);
}

#[test]
fn what_was_used_before_a_start_under_a_clock_that_was_behind_is_not_good_again_once_it_is_right() {
    let right = Machine::new();
    right.set_forward(DAY);
    let before = stage("on");
    let used = before.solve("/", HOME, right.now());
    before.redeem(&used, HOME, right.now()).unwrap();
    // The process was killed. The machine starts a day behind, and so does the table, before the time comes over the network.
    let machine = Machine::new();
    let (after, naive) = (stage("on"), stage("on"));
    machine.pass(&after, 5);
    machine.set_forward(DAY);
    let now = machine.now();
    after.gate.begin_not_before(machine.clock.leapt());
    assert_eq!(after.redeem(&used, HOME, now), Err(Refusal::Expired));
    assert!(after.redeem(&after.solve("/", HOME, now), HOME, now).is_ok(), "and from there on all is as ever");
    let sold = naive.redeem(&used, HOME, now);
    assert!(matches!(sold, Ok(Redeemed::Clearance { solved_in: Some(_), .. })), "without that: {sold:?}");
}

#[test]
fn a_table_of_a_clock_that_was_days_ahead_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    for (ahead, is_used) in [(2 * DAY, true), (2 * DAY + 1, false)] {
        stage("on").gate.save_table(folder.path(), NOW.plus(ahead)).unwrap();
        let saved = Stage::saved(folder.path(), stage::MASTER);
        assert_eq!(saved.is_ok(), is_used, "{ahead}");
        assert!(is_used || matches!(saved, Err(TableFileError::Ahead)));
    }
}
