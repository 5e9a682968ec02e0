//! Attacks from beginning to end, across restarts and on a disk.

use super::record::tests::attack;
use super::*;
use crate::gate::price::Overload;
use crate::gate::top::{GENERATION_SECONDS, Heavy, TopReport};
use crate::load::demand::Demanded;
use crate::load::{Capacity, Measured};

const NOW: u32 = 1_800_000_000;
const MAIN: (&str, u16) = ("main", 7);

/// A site whose seconds are played one after the other.
struct Played {
    timeline: Timeline,
    second: u32,
    counts: Counts,
}

impl Played {
    fn new(timeline: Timeline) -> Self {
        Self { timeline, second: 0, counts: Counts::default() }
    }

    fn at(&self) -> UnixSeconds {
        UnixSeconds(NOW + self.second)
    }

    /// A second in which so many requests passed and so many were challenged.
    fn second(&mut self, state: State, passed: u64, challenged: u64) -> Option<Changed> {
        self.second_in(Mode::Auto, state, passed, challenged)
    }

    fn second_in(&mut self, mode: Mode, state: State, passed: u64, challenged: u64) -> Option<Changed> {
        self.second += 1;
        self.counts.unpaid += passed;
        self.counts.challenged += challenged;
        let raw = crate::load::float(passed + challenged);
        let measured = Measured {
            capacity: Some(Capacity::Configured(40.0)),
            demand: Demanded { raw, offered: raw, paid: 0.0 },
            ..Measured::default()
        };
        let step = Step {
            at: self.at(),
            elapsed_s: 1.0,
            state,
            mode,
            overload: Overload { offered: raw > 40.0, ..Overload::default() },
            price: if state == State::Calm { 0 } else { 262_144 },
            measured,
            counts: self.counts.clone(),
        };
        let changed = self.timeline.step(MAIN, UnixSeconds(NOW), step, || "0".repeat(32));
        let gone = self.timeline.second(&[MAIN.0], 90, self.at());
        changed.or_else(|| gone.into_iter().next())
    }

    fn calm(&mut self, seconds: u32) {
        for _ in 0..seconds {
            assert!(self.second(State::Calm, 3, 0).is_none());
        }
    }

    /// A flood that closes the gate after two seconds, lasts five more, and is over; then the gate holds and lets go.
    fn attack(&mut self) -> Attack {
        self.second(State::Calm, 20, 0);
        self.second(State::Calm, 100, 0);
        let begun = self.second(State::Attack, 90, 10).expect("an attack");
        for _ in 0..5 {
            assert!(self.second(State::Attack, 0, 100).is_none());
        }
        for _ in 0..60 {
            assert!(self.second(State::Hold, 0, 2).is_none());
        }
        let ended = self.second(State::Calm, 3, 0).expect("an end");
        assert_eq!((ended.turn, ended.attack.number), (Turn::Ended, begun.attack.number));
        self.timeline.in_memory(ended.attack.number).expect("the attack")
    }
}

#[test]
fn an_attack_has_everything_from_the_first_second_that_led_to_it() {
    let mut played = Played::new(Timeline::new(None));
    played.calm(100);
    let attack = played.attack();
    assert_eq!((attack.number, attack.began_at, attack.closed_at), (1, NOW + 100, NOW + 103));
    assert_eq!((attack.ended_at, attack.ending), (Some(NOW + 169), Some(Ending::LetGo)));
    assert_eq!(attack.overloaded_until, NOW + 108);
    assert_eq!((attack.counts.unpaid, attack.counts.challenged), (20 + 100 + 90 + 3, 10 + 500 + 120));
    assert_eq!((attack.before.seconds, attack.before.requests_per_second), (58, 3.0));
    assert_eq!((attack.peaks.requests_per_second, attack.peaks.requests_at), (100.0, NOW + 102));
    assert_eq!(attack.signals.len(), 1);
    assert_eq!((attack.signals[0].name.as_str(), attack.signals[0].seconds), ("offered", 7));
    let kinds: Vec<ActionKind> = attack.actions.iter().map(|action| action.kind).collect();
    assert_eq!(kinds, [ActionKind::GateDown, ActionKind::GateHolds, ActionKind::GateUp]);
    // The curve is the attack and the minute before it.
    let sum: u64 = attack.curve.points.iter().map(Point::requests).sum();
    assert_eq!(sum, attack.counts.requests() + 58 * 3);
    let of_attack = usize::try_from(attack.began_at - attack.curve.from).expect("small");
    let sum: u64 = attack.curve.points[of_attack..].iter().map(Point::requests).sum();
    assert_eq!(sum, attack.counts.requests());
    assert!(attack.is_sound());
}

#[test]
fn a_pulse_a_minute_is_one_attack_and_after_ten_quiet_minutes_it_is_another() {
    let mut played = Played::new(Timeline::new(None));
    let first = played.attack();
    let calm = played.counts.unpaid;
    played.calm(50);
    let again = played.attack();
    assert_eq!((again.number, again.returns), (1, 1));
    assert_eq!(again.counts.challenged, 2 * first.counts.challenged);
    assert_eq!(
        played.counts.unpaid,
        calm + 150 + again.counts.unpaid - first.counts.unpaid,
        "the quiet in between is none of it"
    );
    let kinds: Vec<ActionKind> = again.actions.iter().skip(3).map(|action| action.kind).collect();
    assert_eq!(kinds, [ActionKind::ComesBack, ActionKind::GateDown, ActionKind::GateHolds, ActionKind::GateUp]);
    for _ in 0..100 {
        played.calm(60);
        assert_eq!(played.attack().number, 1);
    }
    assert_eq!(played.timeline.list().len(), 1);
    played.calm(SAME_WITHIN_SECONDS);
    assert_eq!(played.attack().number, 2);
    assert_eq!(played.timeline.list().iter().map(|attack| attack.number).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn mode_off_ends_an_attack_and_says_so() {
    let mut played = Played::new(Timeline::new(None));
    played.second(State::Attack, 0, 50);
    played.second_in(Mode::On, State::Attack, 0, 50);
    let ended = played.second_in(Mode::Off, State::Calm, 50, 0).expect("an end");
    assert_eq!(ended.attack.ending, Some(Ending::ModeOff));
    let attack = played.timeline.in_memory(1).expect("the attack");
    let kinds: Vec<ActionKind> = attack.actions.iter().map(|action| action.kind).collect();
    assert_eq!(kinds, [ActionKind::GateDown, ActionKind::ModeOn, ActionKind::ModeOff]);
}

#[test]
fn a_site_that_is_taken_away_ends_its_attack() {
    let mut played = Played::new(Timeline::new(None));
    played.second(State::Attack, 0, 50);
    let changed = played.timeline.second(&["other"], 90, played.at());
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].attack.ending, Some(Ending::SiteRemoved));
    assert!(played.timeline.second(&["other"], 90, played.at()).is_empty());
}

#[test]
fn the_list_and_the_record_tell_of_an_attack_that_goes_on() {
    let mut played = Played::new(Timeline::new(None));
    for _ in 0..4 {
        played.second(State::Attack, 0, 50);
    }
    assert_eq!(played.timeline.list()[0].requests, 200);
    assert_eq!(played.timeline.list()[0].ended_at, None);
    assert_eq!(played.timeline.in_memory(1).expect("it").counts.challenged, 200);
    assert!(played.timeline.in_memory(2).is_none());
}

#[test]
fn after_a_crash_under_attack_it_goes_on_where_it_was_written_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut played = Played::new(Timeline::new(Some(folder.path())));
    for _ in 0..15 {
        played.second(State::Attack, 0, 50);
        if played.timeline.is_due() {
            played.timeline.keep().expect("written");
        }
    }
    // The first at its beginning, and one every ten seconds.
    let timeline = Timeline::new(Some(folder.path()));
    let gates = [(MAIN.0, MAIN.1, State::Hold, Mode::Auto)];
    assert!(timeline.resume(&gates, played.at()).unused.is_empty());
    let challenged = timeline.in_memory(1).expect("it goes on").counts.challenged;
    assert!((250..=750).contains(&challenged), "{challenged}");
    let mut again = Played { timeline, second: played.second + 5, counts: Counts::default() };
    assert!(again.second(State::Hold, 0, 7).is_none());
    let attack = again.timeline.in_memory(1).expect("it goes on");
    assert_eq!(attack.counts.challenged, challenged + 7);
    assert!(attack.actions.iter().any(|action| action.kind == ActionKind::Restarted));
}

#[test]
fn after_a_restart_with_the_gate_up_it_is_over_and_the_next_one_has_the_next_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut played = Played::new(Timeline::new(Some(folder.path())));
    played.second(State::Attack, 0, 50);
    played.timeline.hold_all();
    played.timeline.keep().expect("written");
    let timeline = Timeline::new(Some(folder.path()));
    timeline.resume(&[(MAIN.0, MAIN.1, State::Calm, Mode::Auto)], played.at());
    assert_eq!(timeline.list()[0].ending, Some(Ending::Interrupted));
    assert!(timeline.is_due());
    timeline.keep().expect("written");
    assert!(!timeline.is_due());
    let mut later = Played { timeline, second: 2 * SAME_WITHIN_SECONDS, counts: Counts::default() };
    later.calm(1);
    assert_eq!(later.attack().number, 2);
}

#[test]
fn a_disk_that_takes_nothing_costs_memory_for_ten_attacks_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file where the folder should be.
    std::fs::write(folder.path().join("attacks"), "").expect("written");
    let mut played = Played::new(Timeline::new(Some(folder.path())));
    for _ in 0..30 {
        played.calm(SAME_WITHIN_SECONDS + 1);
        played.attack();
        assert!(played.timeline.keep().is_err());
    }
    assert!(played.timeline.is_due());
    assert!(played.timeline.attacks().held.len() <= IN_MEMORY_MAX + 1);
}

#[test]
fn without_a_folder_the_last_ten_are_in_memory() {
    let mut played = Played::new(Timeline::new(None));
    for _ in 0..15 {
        played.calm(SAME_WITHIN_SECONDS + 1);
        played.attack();
    }
    let numbers: Vec<u32> = played.timeline.list().iter().map(|attack| attack.number).collect();
    assert_eq!(numbers, (6..=15).rev().collect::<Vec<_>>());
    assert!(played.timeline.in_memory(5).is_none() && played.timeline.in_memory(6).is_some());
    assert!(!played.timeline.is_due());
}

#[test]
fn old_attacks_are_removed_from_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = Archive::new(folder.path());
    archive.write(&attack(1)).expect("written");
    let timeline = Timeline::new(Some(folder.path()));
    let later = |days: u32| UnixSeconds(NOW + days * 86_400);
    timeline.resume(&[], later(1));
    timeline.second(&[], 90, later(1));
    assert_eq!(timeline.list().len(), 1);
    timeline.second(&[], 90, later(91));
    assert_eq!(timeline.list().len(), 0);
    timeline.keep().expect("removed");
    assert!(archive.read(1).expect("no error").is_none());
    // Its number stays given.
    let timeline = Timeline::new(Some(folder.path()));
    assert_eq!(timeline.resume(&[], later(92)).number_last, 1);
}

#[test]
fn sources_come_from_the_generations_that_the_attack_touches() {
    let mut played = Played::new(Timeline::new(None));
    let down = |_: &str| true;
    assert_eq!(played.timeline.wanted(down, played.at()), None, "nothing is looked at in peace");
    played.second(State::Attack, 0, 50);
    let number = played.at().0 / GENERATION_SECONDS;
    assert_eq!(played.timeline.wanted(down, played.at()), Some((None, number)));
    let networks = vec![Heavy { site: 0, name: "203.0.113.0/24".to_owned(), requests: 50, turned_away: 50, paid: 0 }];
    let top = TopReport { networks, paths: Vec::new(), user_agents: Vec::new(), reasons: Vec::new() };
    let generation = Generation { number, top, spared: vec![None] };
    played.timeline.take(&[generation], played.at());
    assert_eq!(played.timeline.in_memory(1).expect("it").sources.networks[0].turned_away, 50);
    assert_eq!(played.timeline.wanted(down, played.at()), None, "not every second");
    assert!(played.timeline.wanted(|_| false, played.at()).is_some(), "once more at its end");
    played.second += GENERATION_SECONDS;
    assert_eq!(played.timeline.wanted(down, played.at()), Some((Some(number), number + 1)));
}
