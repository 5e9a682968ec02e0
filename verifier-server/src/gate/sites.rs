//! What the gate keeps of each site: what is measured of it, its controller, and the price that requests read.

use super::admission::OPEN_SLOTS_MIN;
use super::last_pages::FINISH_SECONDS;
use super::modes::ModeCell;
use super::networks::{HashKey, Nested};
use super::price::{Controller, ModeByHand, Overload, SavedPrices, SavedSite, State, Terms};
use super::unpaid::Supplies;
use super::{Gate, Pricing};
use crate::by_site::BySite;
use crate::config::{Config, Mode, Site};
use crate::load::demand::{DemandBuckets, Unknown, Usual};
use crate::load::{Capacity, Measured, SiteLoad, Surroundings, Told};
use arc_swap::ArcSwap;
use puzzle::{ClientNetwork, UnixSeconds};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A price that was written longer ago is not resumed; the capacity is.
pub(crate) const RESUMED_WITHIN_SECONDS: u32 = 86_400;

/// One site. Requests read atomics; only the step takes the controller.
pub struct SiteGate {
    /// What is measured.
    pub load: Arc<SiteLoad>,
    /// What passes unpaid, and beside a web server paid, and how much of it.
    pub(super) supplies: Supplies,
    /// The mode that was set for it by hand.
    pub(super) by_hand: ModeCell,
    controller: Mutex<Controller>,
    /// As the controller left it: attempts for a full clearance.
    price: AtomicU64,
    /// Whether the controller has closed the gate.
    closed: AtomicBool,
    /// When it did so last, in unix seconds; 0 for never.
    went_down_at: AtomicU32,
    /// Whether networks above their own cap are challenged while it is open.
    crowded: AtomicBool,
    /// Whether it is closed, in mode `on` too, or any signal says that the site is overloaded: no time to learn what is usual.
    strained: AtomicBool,
}

impl SiteGate {
    fn new(mark: u16, buckets: Arc<DemandBuckets>, key: HashKey) -> Self {
        Self {
            load: Arc::new(SiteLoad::new(mark, buckets, key.part("load"))),
            supplies: Supplies::new(key.part("supplies")),
            by_hand: ModeCell::empty(),
            controller: Mutex::default(),
            price: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            went_down_at: AtomicU32::new(0),
            crowded: AtomicBool::new(false),
            strained: AtomicBool::new(false),
        }
    }

    fn controller(&self) -> MutexGuard<'_, Controller> {
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What requests read from now on.
    fn publish(&self, controller: &Controller, mode: Mode, now: Duration) {
        self.price.store(controller.price(), Ordering::Relaxed);
        self.closed.store(controller.state() != State::Calm, Ordering::Relaxed);
        let crowded = controller.crowded(now);
        self.crowded.store(crowded, Ordering::Relaxed);
        let strained = mode == Mode::On || controller.state() != State::Calm || controller.overload().any() || crowded;
        self.strained.store(strained, Ordering::Relaxed);
    }
}

/// All sites that requests came for or that are configured. They are few: a configuration names them.
pub(super) struct Sites {
    by_site: BySite<SiteGate>,
    buckets: Arc<DemandBuckets>,
    usual: ArcSwap<Box<dyn Usual>>,
    key: HashKey,
    /// Held while they are written to a file.
    writing: Mutex<()>,
}

impl Sites {
    /// None yet.
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            by_site: BySite::default(),
            buckets: Arc::new(DemandBuckets::new(key.part("demand"))),
            usual: ArcSwap::from_pointee(Box::new(Unknown) as Box<dyn Usual>),
            key,
            writing: Mutex::default(),
        }
    }

    pub(super) fn of(&self, site: &Site) -> Arc<SiteGate> {
        self.with(site, Arc::clone)
    }

    /// What `act` makes of a site, without taking a share in it: requests ask several times each.
    pub(super) fn with<R>(&self, site: &Site, act: impl FnOnce(&Arc<SiteGate>) -> R) -> R {
        let make = || SiteGate::new(site.mark, Arc::clone(&self.buckets), self.key.of_site(site.mark));
        self.by_site.with(site, make, act)
    }

    /// Does something with each.
    pub(super) fn each(&self, act: impl Fn(&SiteGate)) {
        self.by_site.each(act);
    }

    /// Whether any site is closed or overloaded.
    pub(super) fn any_strained(&self) -> bool {
        self.by_site.any(|site| site.strained.load(Ordering::Relaxed))
    }
}

/// What a site's gate does now, for status, metrics and log.
#[derive(Clone, Copy, Debug)]
pub struct SiteReport {
    /// What the controller does.
    pub state: State,
    /// How long the gate stays down after the last overload.
    pub hold: Duration,
    /// How long it still stays down if nothing comes back.
    pub hold_left: Duration,
    /// Which signals say that the site is overloaded.
    pub overload: Overload,
    /// Whether networks above their own cap are challenged while the gate is open.
    pub crowded: bool,
    /// What the last step found.
    pub measured: Measured,
}

impl Gate {
    /// What is measured of a site, and where whoever forwards its requests reports to.
    #[must_use]
    pub fn load_of(&self, site: &Site) -> Arc<SiteLoad> {
        Arc::clone(&self.sites.of(site).load)
    }

    /// Takes what networks usually bring from `usual`, from now on.
    pub fn set_usual(&self, usual: Box<dyn Usual>) {
        self.sites.usual.store(Arc::new(usual));
    }

    /// What things cost now at a site.
    #[must_use]
    pub fn pricing(&self, config: &Config, site: &Site) -> Pricing {
        self.sites.with(site, |state| self.pricing_by(config, site, state))
    }

    /// What things cost now at a site for a client network: more than [`Gate::pricing`] while it is above its own cap.
    #[must_use]
    pub fn pricing_for(&self, config: &Config, site: &Site, network: ClientNetwork, now: UnixSeconds) -> Pricing {
        self.sites.with(site, |state| {
            let pricing = self.pricing_by(config, site, state);
            let above_cap = state.crowded.load(Ordering::Relaxed)
                && pricing.price == 0
                && state.load.demand.is_above_cap(&Nested::of(network), now);
            if above_cap { pricing.above_cap() } else { pricing }
        })
    }

    fn pricing_by(&self, config: &Config, site: &Site, state: &SiteGate) -> Pricing {
        let mode = self.mode_of(site);
        let closed = mode == Mode::On || state.closed.load(Ordering::Relaxed);
        let price = || self.by_hand.pinned(site).unwrap_or_else(|| state.price.load(Ordering::Relaxed));
        Pricing::of(config.challenge_of(site), mode, closed.then(price))
    }

    /// Whether the controller closed the gate of a site a moment ago: pages that began before are finished.
    pub(super) fn went_down_lately(&self, site: &Site, now: UnixSeconds) -> bool {
        let at = UnixSeconds(self.sites.of(site).went_down_at.load(Ordering::Relaxed));
        at.0 != 0 && now.since(at) < FINISH_SECONDS
    }

    /// How many requests may be at the origin of a site at once, and whether the gate is down for it.
    #[must_use]
    pub fn slots(&self, config: &Config, site: &Site) -> (u32, bool) {
        let state = self.sites.of(site);
        let mode = self.mode_of(site);
        let closed = mode == Mode::On || state.closed.load(Ordering::Relaxed);
        let slots = match mode {
            Mode::Off => u32::MAX,
            Mode::Auto | Mode::On if closed => state.load.slots(),
            Mode::Auto | Mode::On => state.load.slots().max(OPEN_SLOTS_MIN),
        };
        let told = config.origin_requests_max_of(site).filter(|_| mode != Mode::Off);
        (slots.min(told.unwrap_or(u32::MAX)), closed)
    }

    /// Once a second: takes in what was measured and moves every site's price. `now` is any clock that does not jump,
    /// `elapsed` what passed on it since the last step. Returns the names of the sites whose state has changed.
    pub fn step(
        &self,
        config: &Config,
        surroundings: &Surroundings,
        now: Duration,
        elapsed: Duration,
        second: UnixSeconds,
    ) -> Vec<String> {
        self.sites.by_site.keep_only(config);
        let mut changed = Vec::new();
        for site in &config.sites {
            let (state, mode) = (self.sites.of(site), self.mode_of(site));
            let terms = config.challenge_of(site);
            let terms = Terms { floor: terms.floor(), highest: terms.highest_price() };
            let mut controller = state.controller();
            let before = controller.state();
            let gated = before != State::Calm || mode == Mode::On;
            let (capacity, requests_max) = (config.capacity_of(site), config.origin_requests_max_of(site));
            let told = Told { capacity, at_least: config.capacity_at_least_of(site), requests_max };
            let measured = state.load.step(&told, gated, surroundings, elapsed, second);
            controller.step(mode, terms, &measured, now, elapsed);
            state.supplies.step(config, measured.capacity, elapsed.as_secs_f64());
            state.publish(&controller, mode, now);
            if before == State::Calm && controller.state() != State::Calm {
                state.went_down_at.store(second.0, Ordering::Relaxed);
            }
            if (before == State::Calm) != (controller.state() == State::Calm) {
                changed.push(site.name.clone());
            }
        }
        changed
    }

    /// What a site's gate does; `now` on the clock of [`Gate::step`].
    #[must_use]
    pub fn report(&self, site: &Site, now: Duration) -> SiteReport {
        let state = self.sites.of(site);
        let controller = state.controller();
        SiteReport {
            state: controller.state(),
            hold: controller.hold(),
            hold_left: controller.hold_left(now),
            overload: controller.overload(),
            crowded: controller.crowded(now),
            measured: state.load.last(),
        }
    }

    /// Writes mode, prices, holds and capacities to `state_dir`, as they are now: whole, or not at all, and one after the
    /// other, so that what was written last is the latest.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports; the file before it then stays.
    pub fn keep_prices(&self, config: &Config, state_dir: &Path, now: UnixSeconds) -> io::Result<()> {
        let _writing = self.sites.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.saved_prices(config, now).write(state_dir)
    }

    /// What is to be kept over a stop.
    #[must_use]
    pub fn saved_prices(&self, config: &Config, now: UnixSeconds) -> SavedPrices {
        let sites = config.sites.iter().map(|site| {
            let state = self.sites.of(site);
            let controller = state.controller();
            SavedSite {
                name: site.name.clone(),
                closed: controller.state() != State::Calm,
                price: controller.price(),
                hold_seconds: u32::try_from(controller.hold().as_secs()).unwrap_or(u32::MAX),
                capacity: state.load.learned_capacity(),
                by_hand: state.by_hand.get().map(|mode| ModeByHand::new(mode, site.mode)),
            }
        });
        SavedPrices::new(self.mode(), config.mode, sites.collect(), now)
    }

    /// Takes what the configuration says of the capacities, before the first step.
    pub fn begin(&self, config: &Config) {
        for site in &config.sites {
            let state = self.sites.of(site);
            let at_least = config.capacity_at_least_of(site).map(Capacity::AtLeast);
            let capacity = config.capacity_of(site).map(Capacity::Configured).or(at_least);
            state.load.demand.set_capacity(capacity.map(Capacity::bearable));
            state.supplies.step(config, capacity, 1.0);
        }
    }

    /// Goes on where a process ended: a gate that was down begins down, at that price and for its hold. `now` on the
    /// clock of [`Gate::step`].
    pub fn resume(&self, config: &Config, saved: &SavedPrices, now: Duration, second: UnixSeconds) {
        if let Some(mode) = saved.mode_by_hand(config.mode) {
            self.set_mode(mode);
        }
        let lately = second.since(UnixSeconds(saved.written_at)) < RESUMED_WITHIN_SECONDS;
        for (site, kept) in config.sites.iter().filter_map(|site| {
            let kept = saved.sites.iter().find(|kept| kept.name == site.name)?;
            Some((site, kept))
        }) {
            if let Some(mode) = kept.by_hand.as_ref().and_then(|by_hand| by_hand.against(site.mode)) {
                self.set_mode_of(site, Some(mode));
            }
            let (state, mode) = (self.sites.of(site), self.mode_of(site));
            let terms = config.challenge_of(site);
            let terms = (terms.floor(), terms.ceiling().saturating_mul(10));
            if let Some(capacity) = kept.capacity {
                state.load.remember_capacity(capacity);
            }
            if kept.closed && lately && mode != Mode::Off {
                let price = kept.price.clamp(terms.0, terms.1.max(terms.0));
                let controller = Controller::resumed(price, Duration::from_secs(kept.hold_seconds.into()), now);
                state.publish(&controller, mode, now);
                *state.controller() = controller;
            }
        }
    }

    /// Goes on where it is not known whether the gate was down: where the load decides it begins down, at the least price and for
    /// the shortest hold. A second of work for each visitor of a minute is less than a site that an attack overloads again.
    pub fn resume_unsure(&self, config: &Config, now: Duration) {
        for site in config.sites.iter().filter(|site| self.mode_of(site) == Mode::Auto) {
            let controller = Controller::resumed(config.challenge_of(site).floor(), Controller::HOLD_MIN, now);
            let state = self.sites.of(site);
            state.publish(&controller, Mode::Auto, now);
            *state.controller() = controller;
        }
    }

    /// Counts a request, whatever becomes of it.
    pub(super) fn asked(&self, site: &Site, network: &Nested, cost: crate::load::Amount, now: UnixSeconds) {
        self.sites.with(site, |state| state.load.demand.ask(network, cost, &***self.sites.usual.load(), now));
    }

    /// Counts what a clearance was charged, at the price it was bought for.
    pub(super) fn was_paid(&self, site: &Site, network: &Nested, kept: crate::load::Amount, now: UnixSeconds) {
        self.sites.with(site, |state| state.load.demand.pay(network, kept, &***self.sites.usual.load(), now));
    }
}
