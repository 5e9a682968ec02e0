//! What is kept of an attack.

use super::counts::Counts;
use super::curve::Curve;
use super::sources::{SOURCES_MAX, Sources};
use crate::gate::price::State;
use serde::{Deserialize, Serialize};

/// The version of the record. A file of another one is left alone.
pub const VERSION: u32 = 1;
/// Actions that are kept; how many more there were is counted.
pub const ACTIONS_MAX: usize = 100;
/// Signals there are, and more than there will be.
const SIGNALS_MAX: usize = 32;

/// One attack on one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// [`VERSION`].
    pub version: u32,
    /// Its number: the next one, and never given again in the same `state_dir`.
    pub number: u32,
    /// 32 hexadecimal digits, drawn when it began: names in a report are made from it.
    pub id: String,
    /// The site's name.
    pub site: String,
    /// When it began, in unix seconds: the first second that led to the gate going down.
    pub began_at: u32,
    /// When the gate went down.
    pub closed_at: u32,
    /// The last second in which a signal said that the site is overloaded.
    pub overloaded_until: u32,
    /// When it ended: the gate let go. Nothing while it goes on.
    pub ended_at: Option<u32>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// When this was written.
    pub written_at: u32,
    /// How often it came back within ten minutes after the gate had let go.
    pub returns: u32,
    /// Which signals said that the site is overloaded.
    pub signals: Vec<Signal>,
    /// What the gate and its operator did.
    pub actions: Vec<Action>,
    /// What of that is not in the list.
    pub actions_left_out: u64,
    /// What was known of the site when it began.
    pub before: Before,
    /// The highest of everything.
    pub peaks: Peaks,
    /// What came and what became of it, from `began_at` to the end.
    pub counts: Counts,
    /// The same over time, from a minute before.
    pub curve: Curve,
    /// Who asked most.
    pub sources: Sources,
}

/// How an attack ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nothing came back for the time of the hold, and the gate let go.
    LetGo,
    /// The operator set the mode to `off`.
    ModeOff,
    /// The site was taken out of the configuration.
    SiteRemoved,
    /// The verifier stopped, and when it started again the gate was up.
    Interrupted,
}

impl Ending {
    /// In words.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::LetGo => "nothing came back, and the gate let go",
            Self::ModeOff => "the operator set mode off",
            Self::SiteRemoved => "the site was taken out of the configuration",
            Self::Interrupted => "the verifier stopped, and the gate was up when it started again",
        }
    }
}

/// A signal that said that the site is overloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its name in status and log.
    pub name: String,
    /// When it said so first, in unix seconds.
    pub first_at: u32,
    /// When it said so last.
    pub last_at: u32,
    /// In how many seconds.
    pub seconds: u64,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// When, in unix seconds.
    pub at: u32,
    /// What.
    pub kind: ActionKind,
    /// The price then, in attempts for a full clearance.
    pub price: u64,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// The gate went down.
    GateDown,
    /// What had closed it was over for the first time, and it waited whether it comes back.
    GateHolds,
    /// It came back while the gate waited.
    OverloadAgain,
    /// The price had doubled since it was noted last, or more.
    PriceRaised,
    /// The site itself was down: nothing came back from it, or mostly errors.
    SiteDown,
    /// It was there again.
    SiteUp,
    /// The operator set the mode.
    ModeOff,
    /// The operator set the mode.
    ModeAuto,
    /// The operator set the mode.
    ModeOn,
    /// The verifier was started again, with the gate down.
    Restarted,
    /// The gate let go.
    GateUp,
    /// It came back within ten minutes.
    ComesBack,
}

/// What was known of a site when an attack on it began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The mode.
    pub mode: String,
    /// What it can do, in credits a second.
    pub capacity: Option<f64>,
    /// Whether the configuration says so; otherwise it was learned.
    pub capacity_configured: bool,
    /// Requests a second in the minute before.
    pub requests_per_second: f64,
    /// How many seconds that is the mean of; less than a minute soon after a start.
    pub seconds: u64,
}

/// The highest of everything, each in a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peaks {
    /// Requests a second.
    pub requests_per_second: f64,
    /// When that was.
    pub requests_at: u32,
    /// Costs of all requests, in credits a second.
    pub raw: f64,
    /// The same, each network up to its cap.
    pub offered: f64,
    /// What was paid, in credits a second.
    pub paid: f64,
    /// Attempts for a full clearance.
    pub price: u64,
    /// How long cleared requests waited for the origin, in seconds.
    pub queue_delay_s: Option<f64>,
    /// The origin's delay against the usual one.
    pub delay_ratio: Option<f64>,
    /// The part of the client networks that got errors.
    pub failing_share: Option<f64>,
    /// The machine's pressure, in percent.
    pub pressure_percent: Option<f64>,
    /// What the probe took, in seconds.
    pub probe_s: Option<f64>,
    /// What the capacity was last, in credits a second: it is learned meanwhile.
    pub capacity: Option<f64>,
}

/// An attack in a line, for the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its number.
    pub number: u32,
    /// The site's name.
    pub site: String,
    /// When it began, in unix seconds.
    pub began_at: u32,
    /// When it ended; nothing while it goes on.
    pub ended_at: Option<u32>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// When it was noted last.
    pub written_at: u32,
    /// How often it came back.
    pub returns: u32,
    /// All requests.
    pub requests: u64,
    /// Those that were challenged, denied, or found no room.
    pub turned_away: u64,
    /// Those that were paid for.
    pub paid: u64,
    /// Those that passed without paying.
    pub unpaid: u64,
    /// Clearances sold.
    pub sold: u64,
    /// The most requests in a second.
    pub requests_per_second_max: f64,
    /// The highest demand, in credits a second: costs of all requests.
    pub demand_max: f64,
    /// What the site can do, in credits a second, as far as it was known.
    pub capacity: Option<f64>,
    /// The highest price, in attempts for a full clearance.
    pub price_max: u64,
    /// Which signals said that the site is overloaded.
    pub signals: Vec<String>,
}

impl Attack {
    /// In a line.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            number: self.number,
            site: self.site.clone(),
            began_at: self.began_at,
            ended_at: self.ended_at,
            ending: self.ending,
            written_at: self.written_at,
            returns: self.returns,
            requests: self.counts.requests(),
            turned_away: self.counts.turned_away(),
            paid: self.counts.paid,
            unpaid: self.counts.unpaid,
            sold: self.counts.sold,
            requests_per_second_max: self.peaks.requests_per_second,
            demand_max: self.peaks.raw,
            capacity: self.capacity(),
            price_max: self.peaks.price,
            signals: self.signals.iter().map(|signal| signal.name.clone()).collect(),
        }
    }

    /// What the site can do, in credits a second: as it was known when it began, or else learned meanwhile.
    #[must_use]
    pub fn capacity(&self) -> Option<f64> {
        self.before.capacity.or(self.peaks.capacity)
    }

    /// Its last second so far.
    #[must_use]
    pub fn until(&self) -> u32 {
        self.ended_at.unwrap_or(self.written_at).max(self.began_at)
    }

    /// Notes what was done. Beyond [`ACTIONS_MAX`] the first half and the latest ones stay.
    pub fn note(&mut self, at: u32, kind: ActionKind, price: u64) {
        if self.actions.len() >= ACTIONS_MAX {
            self.actions.remove(ACTIONS_MAX / 2);
            self.actions_left_out += 1;
        }
        self.actions.push(Action { at, kind, price });
    }

    /// Whether it can be one: what was read from a file.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let Sources { networks, paths, user_agents, reasons, .. } = &self.sources;
        self.version == VERSION
            && self.id.len() == 32
            && self.id.bytes().all(|digit| digit.is_ascii_hexdigit())
            && self.signals.len() <= SIGNALS_MAX
            && self.actions.len() <= ACTIONS_MAX
            && self.curve.is_sound()
            && [networks, paths, user_agents, reasons].into_iter().all(|kind| kind.len() <= SOURCES_MAX)
            && self.ended_at.is_none_or(|ended_at| ended_at >= self.began_at)
    }
}

/// The mode as an action.
#[must_use]
pub(super) const fn of_mode(mode: crate::config::Mode) -> ActionKind {
    match mode {
        crate::config::Mode::Off => ActionKind::ModeOff,
        crate::config::Mode::Auto => ActionKind::ModeAuto,
        crate::config::Mode::On => ActionKind::ModeOn,
    }
}

/// Whether the gate is down.
#[must_use]
pub(super) fn is_down(state: State) -> bool {
    state != State::Calm
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::timeline::counts::tests::counts;
    use crate::timeline::curve::Point;
    use crate::timeline::sources::Source;
    use puzzle::UnixSeconds;

    const NOW: u32 = 1_800_000_000;

    /// An attack of a minute and a half.
    pub(crate) fn attack(number: u32) -> Attack {
        let mut curve = Curve::new(UnixSeconds(NOW));
        curve.add(UnixSeconds(NOW + 1), &Point::new(1, &counts(1, 2, 30), 262_144, 400.0));
        let source =
            |name: &str| Source { name: name.to_owned(), requests: 30, turned_away: 28, paid: 0, spared: None };
        let sources =
            Sources { from: NOW, to: NOW + 90, networks: vec![source("203.0.113.0/24")], ..Sources::default() };
        Attack {
            version: VERSION,
            number,
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            site: "main".to_owned(),
            began_at: NOW,
            closed_at: NOW + 2,
            overloaded_until: NOW + 30,
            ended_at: Some(NOW + 90),
            ending: Some(Ending::LetGo),
            written_at: NOW + 90,
            returns: 0,
            signals: vec![Signal { name: "offered".to_owned(), first_at: NOW + 1, last_at: NOW + 30, seconds: 29 }],
            actions: vec![Action { at: NOW + 2, kind: ActionKind::GateDown, price: 262_144 }],
            actions_left_out: 0,
            before: Before { mode: "auto".to_owned(), capacity: Some(40.0), ..Before::default() },
            peaks: Peaks { requests_per_second: 33.0, price: 262_144, ..Peaks::default() },
            counts: counts(1, 2, 30),
            curve,
            sources,
        }
    }

    #[test]
    fn a_gate_that_flaps_all_night_hides_neither_its_beginning_nor_its_end() {
        let mut attack = attack(1);
        for second in 0..1_000 {
            attack.note(second, ActionKind::GateHolds, 1);
            attack.note(second, ActionKind::OverloadAgain, 1);
        }
        attack.note(1_000, ActionKind::GateUp, 0);
        assert_eq!((attack.actions.len(), attack.actions_left_out), (ACTIONS_MAX, 2_002 - ACTIONS_MAX as u64));
        assert_eq!(attack.actions[0].kind, ActionKind::GateDown);
        assert_eq!(attack.actions[ACTIONS_MAX - 1].kind, ActionKind::GateUp);
        assert!(attack.is_sound());
    }
}
