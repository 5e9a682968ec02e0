//! On, hold and off, and the price while it is on.

use super::FAILING_SHARE;
use crate::config::Mode;
use crate::load::{Capacity, Measured, Pressure, whole};
use std::time::Duration;

/// What the configuration says about prices, in attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The least price of a gate that is on.
    pub floor: u64,
    /// What the price may rise to: ten times the most work that one challenge of `sha256` asks, or more with `hashwx`.
    pub highest: u64,
}

/// What the gate does for a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is open.
    #[default]
    Calm,
    /// It is down, and what closed it goes on.
    Attack,
    /// It is down, and waits whether it comes back.
    Hold,
}

impl State {
    /// Its name in status and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Attack => "attack",
            Self::Hold => "hold",
        }
    }
}

/// Which signals say that the site is overloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "seven independent signals, any of which may be there")]
pub struct Overload {
    /// More is asked for than the site can do.
    pub offered: bool,
    /// Cleared requests wait too long, or where nothing queues, too many wait at the origin.
    pub queue_delay: bool,
    /// The machine is out of CPU or disk.
    pub pressure: bool,
    /// The probe is far slower than usual.
    pub probe: bool,
    /// More than half of the client networks get errors.
    pub failures: bool,
    /// Many networks hold the origin's workers with transfers that do not move.
    pub held_up: bool,
    /// A program says so.
    pub told: bool,
}

impl Overload {
    /// Queueing delay above which cleared requests wait too long, in seconds.
    const QUEUE_DELAY_S: f64 = 0.25;

    /// What a second showed.
    #[must_use]
    pub fn of(measured: &Measured) -> Self {
        let capacity = measured.capacity.map(Capacity::bearable);
        Self {
            offered: capacity.is_some_and(|capacity| measured.demand.offered > capacity),
            queue_delay: measured.backlog || measured.queue_delay_s.is_some_and(|delay| delay > Self::QUEUE_DELAY_S),
            pressure: measured.pressure.highest().is_some_and(|percent| percent > Pressure::OVERLOAD_PERCENT),
            probe: measured.probe.is_some_and(|probe| probe.slow == Some(true)),
            failures: measured.failing_share.is_some_and(|share| share > FAILING_SHARE),
            held_up: measured.held_up,
            told: measured.told_load.is_some_and(|load| load >= 1.0),
        }
    }

    /// Whether any signal but the demand says so: one that has no size.
    const fn beside_demand(self) -> bool {
        self.queue_delay || self.pressure || self.probe || self.failures || self.held_up || self.told
    }

    /// Whether any says so.
    #[must_use]
    pub const fn any(self) -> bool {
        self.offered || self.beside_demand()
    }

    /// The names of those that say so, in status and log.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.offered, "offered"),
            (self.queue_delay, "queue_delay"),
            (self.pressure, "pressure"),
            (self.probe, "probe"),
            (self.failures, "failures"),
            (self.held_up, "held_up"),
            (self.told, "told_load"),
        ];
        all.into_iter().filter_map(|(says_so, name)| says_so.then_some(name))
    }
}

/// The controller of one site.
#[derive(Clone, Debug, Default)]
pub struct Controller {
    state: State,
    /// Attempts for a full clearance; 0 while the gate is open.
    price: f64,
    /// Seconds of overload that are not made up for yet, by all that is offered and by the raw sum.
    overloaded_s: f64,
    crowded_s: f64,
    /// What is offered over the last seconds, as a part of the capacity, at most 1.
    offered_part: f64,
    /// Until when networks above their own cap are challenged while the gate is open.
    crowded_until: Duration,
    /// How long the gate stays down after the last overload; zero stands for the shortest.
    hold: Duration,
    /// When the hold runs out.
    hold_until: Duration,
    /// Seconds of overload since the gate went down.
    episode_s: f64,
    /// When the gate let go last, and whether what had closed it had lasted.
    let_go: Option<(Duration, bool)>,
    overload: Overload,
}

impl Controller {
    /// The shortest hold.
    pub const HOLD_MIN: Duration = Duration::from_mins(1);
    /// The longest hold.
    pub const HOLD_MAX: Duration = Duration::from_mins(30);
    /// An overload that lasted so many seconds,
    const LASTING_S: f64 = 10.0;
    /// and comes back so soon after the gate let go, doubles the hold.
    const COMES_BACK_WITHIN: Duration = Duration::from_mins(10);
    /// So much of a second of overload switches the gate on: a step is seldom a whole second.
    const ON_S: f64 = 0.9;
    /// While more than this part of the capacity is offered over some seconds, the gate stays down.
    const STAYS_ON: f64 = 0.7;
    /// Part of what a second showed that is taken over into the mean of the last seconds.
    const SMOOTHING: f64 = 0.2;
    /// The part of the capacity that paid demand is steered to.
    const AIM: f64 = 0.9;
    /// Least and most by which the price changes in a step, and least while the site itself is down.
    const STEP: (f64, f64) = (0.85, 2.0);
    const STEP_SITE_DOWN_MIN: f64 = 0.95;
    /// How long networks above their own cap are challenged after there was too much of them.
    const CROWDED: Duration = Duration::from_secs(10);

    /// A controller that begins with the gate down, as it was when its process ended.
    #[must_use]
    pub fn resumed(price: u64, hold: Duration, now: Duration) -> Self {
        let hold = hold.clamp(Self::HOLD_MIN, Self::HOLD_MAX);
        let price = crate::load::float(price);
        Self { state: State::Hold, price, hold, hold_until: now + hold, ..Self::default() }
    }

    /// What the gate does.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Attempts for a full clearance; 0 while nothing is asked.
    #[must_use]
    pub fn price(&self) -> u64 {
        whole(self.price.round())
    }

    /// How long the gate stays down after the last overload.
    #[must_use]
    pub fn hold(&self) -> Duration {
        self.hold.max(Self::HOLD_MIN)
    }

    /// How long it still stays down if nothing comes back; zero while it is open.
    #[must_use]
    pub const fn hold_left(&self, now: Duration) -> Duration {
        match self.state {
            State::Calm => Duration::ZERO,
            State::Attack | State::Hold => self.hold_until.saturating_sub(now),
        }
    }

    /// Which signals said at the last step that the site is overloaded.
    #[must_use]
    pub const fn overload(&self) -> Overload {
        self.overload
    }

    /// Whether networks above their own cap are challenged while the gate is open.
    #[must_use]
    pub fn crowded(&self, now: Duration) -> bool {
        self.state == State::Calm && now < self.crowded_until
    }

    /// Takes in a second. `now` is any clock that does not jump, the same at every step; `elapsed` what passed since the
    /// last one. In mode `on` the price is at least the floor and otherwise the same; in mode `off` there is none.
    pub fn step(&mut self, mode: Mode, terms: Terms, measured: &Measured, now: Duration, elapsed: Duration) {
        self.overload = Overload::of(measured);
        if mode == Mode::Off {
            let let_go = if self.state == State::Calm { self.let_go } else { Some((now, false)) };
            *self = Self { hold: self.hold, let_go, overload: self.overload, ..Self::default() };
            return;
        }
        let seconds = elapsed.as_secs_f64();
        let capacity = measured.capacity.map(Capacity::bearable);
        self.weigh(measured, capacity, seconds);
        let goes_on = self.overload.any() || self.offered_part > Self::STAYS_ON;
        match self.state {
            State::Calm if self.overloaded_s >= Self::ON_S => self.close(now),
            State::Calm => self.watch_crowds(measured, capacity, now),
            State::Attack | State::Hold if goes_on => {
                self.state = State::Attack;
                self.hold_until = now + self.hold;
            }
            State::Attack | State::Hold if now >= self.hold_until => self.open(now),
            State::Attack | State::Hold => self.state = State::Hold,
        }
        if self.state != State::Calm && self.overload.any() {
            self.episode_s += seconds;
        }
        self.price = if self.state == State::Calm && mode != Mode::On { 0.0 } else { self.moved(measured, terms) };
    }

    /// Adds up overload. Demand counts by what is too much of it, so that a second at twice the capacity weighs as much
    /// as ten at a tenth more, and a moment's burst of visitors weighs nothing: it is made up for at once.
    fn weigh(&mut self, measured: &Measured, capacity: Option<f64>, seconds: f64) {
        let part = |demand: f64| capacity.map_or(0.0, |capacity| (demand / capacity.max(f64::MIN_POSITIVE)).min(2.0));
        let excess = |demand| part(demand) - 1.0;
        self.offered_part += Self::SMOOTHING * (part(measured.demand.offered).min(1.0) - self.offered_part);
        let offered = if self.overload.beside_demand() { 1.0 } else { excess(measured.demand.offered) };
        self.overloaded_s = (self.overloaded_s + offered * seconds).clamp(0.0, 1.0);
        self.crowded_s = (self.crowded_s + excess(measured.demand.raw) * seconds).clamp(0.0, 1.0);
    }

    fn watch_crowds(&mut self, measured: &Measured, capacity: Option<f64>, now: Duration) {
        let begins = self.crowded_s >= Self::ON_S;
        let much = capacity.is_some_and(|capacity| measured.demand.raw > Self::STAYS_ON * capacity);
        if begins || (now < self.crowded_until && much) {
            self.crowded_until = now + Self::CROWDED;
        }
    }

    fn close(&mut self, now: Duration) {
        let hold = self.hold.max(Self::HOLD_MIN);
        self.hold = match self.let_go {
            Some((let_go, lasted)) if now.saturating_sub(let_go) <= Self::COMES_BACK_WITHIN => {
                if lasted {
                    (hold * 2).min(Self::HOLD_MAX)
                } else {
                    hold
                }
            }
            _ => Self::HOLD_MIN,
        };
        self.state = State::Attack;
        self.hold_until = now + self.hold;
        self.episode_s = 0.0;
        self.crowded_until = Duration::ZERO;
    }

    fn open(&mut self, now: Duration) {
        self.state = State::Calm;
        self.let_go = Some((now, self.episode_s >= Self::LASTING_S));
        self.overloaded_s = 0.0;
        self.crowded_s = 0.0;
    }

    /// The price after this step: it follows paid demand against the capacity, and where nobody knows the capacity it stays
    /// at the floor.
    fn moved(&self, measured: &Measured, terms: Terms) -> f64 {
        let floor = crate::load::float(terms.floor);
        let most = crate::load::float(terms.highest).max(floor);
        let known = measured.capacity.and_then(Capacity::known);
        let Some(capacity) = known.filter(|capacity| *capacity > 0.0) else { return floor };
        let load = measured.demand.paid / (Self::AIM * capacity);
        let waiting = (measured.queue_delay_s.unwrap_or(0.0) - Overload::QUEUE_DELAY_S).clamp(0.0, 1.0);
        let (least, step_max) = Self::STEP;
        let least = if measured.site_down { Self::STEP_SITE_DOWN_MIN } else { least };
        let factor = (load.sqrt() * (1.0 + waiting)).clamp(least, step_max);
        (self.price.max(floor) * factor).clamp(floor, most)
    }
}
