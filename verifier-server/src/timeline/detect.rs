//! When an attack on a site begins, what belongs to it, and when it is over.
//!
//! An attack lasts from the first second that led to the gate going down until the gate lets go. One that comes back within ten
//! minutes is the same one: whoever sends a pulse a minute fills no list.

use super::counts::Counts;
use super::curve::{Curve, Point};
use super::record::{ActionKind, Attack, Before, Ending, Peaks, Signal, VERSION, is_down, of_mode};
use super::sources::{Gathering, Generation, Sources};
use crate::config::Mode;
use crate::gate::price::{Overload, State};
use crate::load::{Capacity, Measured, float};
use puzzle::UnixSeconds;
use std::collections::VecDeque;

/// Steps before an attack that are remembered: about a minute.
const BEFORE_MAX: usize = 60;
/// An attack that comes back so soon after its end is the same.
pub const SAME_WITHIN_SECONDS: u32 = 600;
/// More than this part of the capacity leads to an overload.
const LEADS_TO_OVERLOAD: f64 = 0.7;

/// A step of the verifier, about a second, as a site saw it.
#[derive(Clone, Debug)]
pub struct Step {
    /// When it ended.
    pub at: UnixSeconds,
    /// What passed since the step before, in seconds.
    pub elapsed_s: f64,
    /// What the site's gate does.
    pub state: State,
    /// The mode of the site.
    pub mode: Mode,
    /// Which signals say that it is overloaded.
    pub overload: Overload,
    /// Its price, in attempts for a full clearance.
    pub price: u64,
    /// What was measured.
    pub measured: Measured,
    /// Its counters as they stand.
    pub counts: Counts,
}

/// What a new attack is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Its number.
    pub number: u32,
    /// Its id: 32 hexadecimal digits.
    pub id: String,
}

/// What a step changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// An attack has begun.
    Begun,
    /// The last one has come back.
    ComesBack,
    /// It is over.
    Ended,
}

/// What is remembered of a step before an attack.
#[derive(Clone, Debug)]
struct Past {
    at: UnixSeconds,
    elapsed_s: f64,
    /// Whether it was more than the site does with ease.
    strained: bool,
    /// What was counted in it.
    counts: Counts,
    /// The rest of it, without the counters.
    step: Step,
}

/// An attack that goes on, or ended a moment ago.
#[derive(Clone, Debug)]
struct Open {
    attack: Attack,
    gathering: Gathering,
    state: State,
    mode: Mode,
    site_down: bool,
    /// The price that was noted last.
    price: u64,
}

/// One site.
#[derive(Clone, Debug)]
pub struct SiteWatch {
    site: String,
    mark: u16,
    process_began_at: UnixSeconds,
    before: VecDeque<Past>,
    /// The counters at the last step.
    counts: Counts,
    open: Option<Box<Open>>,
    /// The last one, as long as it may come back.
    ended: Option<Box<Open>>,
}

impl SiteWatch {
    /// A site without an attack. The tables know of nothing before `process_began_at`.
    #[must_use]
    pub fn new(site: &str, mark: u16, process_began_at: UnixSeconds) -> Self {
        let (before, counts) = (VecDeque::new(), Counts::default());
        Self { site: site.to_owned(), mark, process_began_at, before, counts, open: None, ended: None }
    }

    /// Takes over an attack of an earlier process that had not ended: it goes on if the gate is down again, and is over
    /// otherwise.
    pub fn resume(&mut self, mut attack: Attack, state: State, mode: Mode, now: UnixSeconds) {
        let gathering = Gathering::resumed(self.mark, std::mem::take(&mut attack.sources), now);
        attack.sources = gathering.sources();
        let price = attack.peaks.price;
        let mut open = Box::new(Open { attack, gathering, state, mode, site_down: false, price });
        if is_down(state) {
            open.attack.note(now.0, ActionKind::Restarted, price);
            self.open = Some(open);
        } else {
            let at = UnixSeconds(open.attack.written_at);
            open.end(at, Ending::Interrupted);
            self.ended = Some(open);
        }
    }

    /// The site's name.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The attack that goes on.
    #[must_use]
    pub fn open(&self) -> Option<&Attack> {
        self.open.as_ref().map(|open| &open.attack)
    }

    /// The one that ended last, as long as it may come back.
    #[must_use]
    pub fn ended(&self) -> Option<&Attack> {
        self.ended.as_ref().map(|open| &open.attack)
    }

    /// Which generations of the heavy hitters the attack needs now: one that ended, if any, and the current one.
    #[must_use]
    pub fn wanted(&self, now: UnixSeconds) -> Option<(Option<u32>, u32)> {
        self.open.as_ref().map(|open| open.gathering.wanted(now))
    }

    /// Takes in generations of the heavy hitters, the earlier one first.
    pub fn take(&mut self, generations: &[&Generation], now: UnixSeconds) {
        if let Some(open) = &mut self.open {
            for generation in generations {
                open.gathering.take(generation, now);
            }
            open.attack.sources = open.gathering.sources();
        }
    }

    /// Ends what goes on, because the site is gone.
    pub fn remove(&mut self, now: UnixSeconds) -> Option<Turn> {
        let mut open = self.open.take()?;
        open.end(now, Ending::SiteRemoved);
        self.ended = Some(open);
        Some(Turn::Ended)
    }

    /// Takes in a step. `name` is asked for a new attack's name.
    pub fn step(&mut self, step: Step, name: impl FnOnce() -> Name) -> Option<Turn> {
        let counted = step.counts.since(&self.counts);
        self.counts.clone_from(&step.counts);
        let turn = match (&mut self.open, is_down(step.state)) {
            (None, false) => None,
            (None, true) => Some(self.begin(&step, &counted, name)),
            (Some(open), true) => {
                open.goes_on(&step, &counted);
                None
            }
            (Some(open), false) => {
                open.count(step.at, step.elapsed_s, &step, &counted);
                let ending = if step.mode == Mode::Off { Ending::ModeOff } else { Ending::LetGo };
                if ending == Ending::ModeOff {
                    open.attack.note(step.at.0, ActionKind::ModeOff, step.price);
                }
                open.end(step.at, ending);
                self.ended = self.open.take();
                Some(Turn::Ended)
            }
        };
        if turn.is_none() && self.open.is_none() {
            self.remember(step, counted);
        }
        turn
    }

    fn remember(&mut self, mut step: Step, counts: Counts) {
        step.counts = Counts::default();
        let capacity = step.measured.capacity.map(Capacity::credits_per_second);
        let much = capacity.is_some_and(|capacity| step.measured.demand.raw > LEADS_TO_OVERLOAD * capacity);
        if self.before.len() >= BEFORE_MAX {
            self.before.pop_front();
        }
        let strained = much || step.overload.any();
        self.before.push_back(Past { at: step.at, elapsed_s: step.elapsed_s, strained, counts, step });
        let over =
            |ended: &Open| self.before.back().is_some_and(|past| past.at.since(ended.until()) > SAME_WITHIN_SECONDS);
        if self.ended.as_deref().is_some_and(over) {
            self.ended = None;
        }
    }

    fn begin(&mut self, step: &Step, counted: &Counts, name: impl FnOnce() -> Name) -> Turn {
        let before: Vec<Past> = std::mem::take(&mut self.before).into();
        // The seconds that led here, and the one in which they began.
        let led = before.iter().rev().take_while(|past| past.strained).count();
        let (calm, led) = before.split_at(before.len().saturating_sub(led + 1));
        let ended = self.ended.take().filter(|ended| step.at.since(ended.until()) <= SAME_WITHIN_SECONDS);
        let (mut open, turn) = match ended {
            Some(mut ended) => {
                ended.attack.returns += 1;
                (ended.attack.ended_at, ended.attack.ending) = (None, None);
                ended.attack.note(step.at.0, ActionKind::ComesBack, step.price);
                (ended.state, ended.mode) = (step.state, step.mode);
                (ended, Turn::ComesBack)
            }
            None => (Box::new(self.new_attack(step, calm, led, name())), Turn::Begun),
        };
        if turn == Turn::ComesBack {
            for past in calm {
                open.attack.curve.add(past.at, &point(&past.step, past.elapsed_s, &past.counts));
            }
        }
        for past in led {
            open.count(past.at, past.elapsed_s, &past.step, &past.counts);
        }
        open.attack.note(step.at.0, ActionKind::GateDown, step.price);
        open.goes_on(step, counted);
        self.open = Some(open);
        turn
    }

    fn new_attack(&self, step: &Step, calm: &[Past], led: &[Past], name: Name) -> Open {
        let length = |elapsed_s: f64| u32::try_from(crate::load::whole(elapsed_s.round())).unwrap_or(u32::MAX);
        let began = |at: UnixSeconds, elapsed_s| UnixSeconds(at.0.saturating_sub(length(elapsed_s)));
        let began_at = led.first().map_or(began(step.at, step.elapsed_s), |past| began(past.at, past.elapsed_s));
        let mut curve = Curve::new(calm.first().map_or(began_at, |past| began(past.at, past.elapsed_s)));
        for past in calm {
            curve.add(past.at, &point(&past.step, past.elapsed_s, &past.counts));
        }
        let seconds: f64 = calm.iter().map(|past| past.elapsed_s).sum();
        let requests: u64 = calm.iter().map(|past| past.counts.requests()).sum();
        let before = Before {
            mode: step.mode.name().to_owned(),
            capacity: step.measured.capacity.map(Capacity::credits_per_second),
            capacity_configured: matches!(step.measured.capacity, Some(Capacity::Configured(_))),
            requests_per_second: if seconds > 0.0 { float(requests) / seconds } else { 0.0 },
            seconds: crate::load::whole(seconds.round()),
        };
        let attack = Attack {
            version: VERSION,
            number: name.number,
            id: name.id,
            site: self.site.clone(),
            began_at: began_at.0,
            closed_at: step.at.0,
            overloaded_until: step.at.0,
            ended_at: None,
            ending: None,
            written_at: step.at.0,
            returns: 0,
            signals: Vec::new(),
            actions: Vec::new(),
            actions_left_out: 0,
            before,
            peaks: Peaks::default(),
            counts: Counts::default(),
            curve,
            sources: Sources::default(),
        };
        let gathering = Gathering::new(self.mark, began_at, self.process_began_at);
        Open { attack, gathering, state: step.state, mode: step.mode, site_down: false, price: step.price }
    }
}

impl Open {
    fn until(&self) -> UnixSeconds {
        UnixSeconds(self.attack.until())
    }

    /// A step with the gate down.
    fn goes_on(&mut self, step: &Step, counted: &Counts) {
        self.count(step.at, step.elapsed_s, step, counted);
        let (at, price) = (step.at.0, step.price);
        if step.mode != self.mode {
            self.attack.note(at, of_mode(step.mode), price);
        }
        match (self.state, step.state) {
            (State::Attack, State::Hold) => self.attack.note(at, ActionKind::GateHolds, price),
            (State::Hold, State::Attack) => self.attack.note(at, ActionKind::OverloadAgain, price),
            _ => {}
        }
        if price >= self.price.saturating_mul(2) && price > 0 {
            if self.price > 0 {
                self.attack.note(at, ActionKind::PriceRaised, price);
            }
            self.price = price;
        }
        if step.measured.site_down != self.site_down {
            self.attack.note(
                at,
                if step.measured.site_down { ActionKind::SiteDown } else { ActionKind::SiteUp },
                price,
            );
        }
        (self.state, self.mode, self.site_down) = (step.state, step.mode, step.measured.site_down);
    }

    /// Counts a step, with the gate down or before it went down.
    fn count(&mut self, at: UnixSeconds, elapsed_s: f64, step: &Step, counted: &Counts) {
        let attack = &mut self.attack;
        attack.counts.add(counted);
        attack.curve.add(at, &point(step, elapsed_s, counted));
        attack.written_at = at.0;
        for name in step.overload.names() {
            attack.overloaded_until = attack.overloaded_until.max(at.0);
            match attack.signals.iter_mut().find(|signal| signal.name == name) {
                Some(signal) => (signal.last_at, signal.seconds) = (at.0, signal.seconds + 1),
                None => {
                    attack.signals.push(Signal { name: name.to_owned(), first_at: at.0, last_at: at.0, seconds: 1 });
                }
            }
        }
        attack.peaks.raise(at, elapsed_s, step, counted);
    }

    fn end(&mut self, at: UnixSeconds, ending: Ending) {
        let attack = &mut self.attack;
        let at = at.0.max(attack.began_at);
        (attack.ended_at, attack.ending, attack.written_at) = (Some(at), Some(ending), at);
        if ending == Ending::LetGo {
            attack.note(at, ActionKind::GateUp, 0);
        }
    }
}

impl Peaks {
    fn raise(&mut self, at: UnixSeconds, elapsed_s: f64, step: &Step, counted: &Counts) {
        let measured = &step.measured;
        let higher = |peak: &mut Option<f64>, now: Option<f64>| {
            *peak = match (*peak, now) {
                (Some(peak), Some(now)) => Some(peak.max(now)),
                (peak, now) => peak.or(now),
            }
        };
        let rate = float(counted.requests()) / elapsed_s.max(0.001);
        if rate > self.requests_per_second {
            (self.requests_per_second, self.requests_at) = (rate, at.0);
        }
        self.raw = self.raw.max(measured.demand.raw);
        self.offered = self.offered.max(measured.demand.offered);
        self.paid = self.paid.max(measured.demand.paid);
        self.price = self.price.max(step.price);
        self.capacity = measured.capacity.map(Capacity::credits_per_second).or(self.capacity);
        higher(&mut self.queue_delay_s, measured.queue_delay_s);
        higher(&mut self.delay_ratio, measured.origin.and_then(|origin| origin.delay_ratio));
        higher(&mut self.failing_share, measured.failing_share);
        higher(&mut self.pressure_percent, measured.pressure.highest());
        higher(&mut self.probe_s, measured.probe.map(|probe| probe.last_s));
    }
}

fn point(step: &Step, elapsed_s: f64, counted: &Counts) -> Point {
    let seconds = crate::load::whole(elapsed_s.round()).max(1);
    Point::new(seconds, counted, step.price, step.measured.demand.offered)
}
