//! What passes unpaid while others pay: allow rules, preflights, tickets. A tenth of the capacity for all of them, fair per
//! network, and besides what rules keep for themselves (DESIGN: unpaid, not unlimited).

use super::level::{LevelReport, WaterLevel};
use super::networks::{HashKey, Nested};
use super::policy::{Action, Reserve, Route};
use super::{Gate, Pricing, Quote, RequestFacts, cost};
use crate::config::{Config, Site};
use crate::load::{Amount, Capacity};
use puzzle::{ClearanceId, ClientNetwork, Credits, UnixSeconds};

/// What may pass unpaid, as a part of the capacity.
pub const UNPAID_SHARE: f64 = 0.1;
/// What may pass paid where nothing can queue, as a part of the capacity.
pub const CLEARED_SHARE: f64 = 0.9;
/// Networks of the share and of what is paid, four times as many, before they begin to share cells.
const SHARE_BUCKETS: usize = 4_096;
/// The same for a slice that one rule keeps.
const SLICE_BUCKETS: usize = 512;
/// What no clearance is called: a covered check of what passed unpaid stands under it.
const UNPAID: ClearanceId = ClearanceId([0; 16]);

/// By what right a request passes unpaid while others pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// A rule allows its path, and keeps a slice for it.
    Reserved,
    /// A rule allows its path.
    Allowed,
    /// It is a CORS preflight.
    Preflight,
    /// It has a ticket.
    Ticket,
    /// It shows an API key.
    Key,
    /// It has a staff pass, with a slice of its own.
    Pass,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Reserved, Self::Allowed, Self::Preflight, Self::Ticket, Self::Key, Self::Pass];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Allowed => "allowed",
            Self::Preflight => "preflight",
            Self::Ticket => "ticket",
            Self::Key => "key",
            Self::Pass => "pass",
        }
    }
}

/// A request that asked to pass unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpaid {
    /// By what right.
    pub right: Right,
    /// Whether there was room for it.
    pub admitted: bool,
}

/// The supplies of one site.
#[derive(Debug)]
pub struct Supplies {
    /// Of what passes unpaid.
    pub(super) unpaid: WaterLevel,
    /// Of what is paid, where nothing can queue.
    pub(super) cleared: WaterLevel,
    /// Of the rules and API keys that keep a slice.
    slices: [WaterLevel; Reserve::SLICES_MAX],
}

/// What the supplies of a site do, for status.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuppliesReport {
    /// Of what passes unpaid.
    pub unpaid: LevelReport,
    /// Of what is paid, where nothing can queue.
    pub cleared: LevelReport,
    /// Of the rules and API keys that keep a slice.
    pub slices: [LevelReport; Reserve::SLICES_MAX],
}

impl Default for SuppliesReport {
    fn default() -> Self {
        let nothing = LevelReport::default();
        Self { unpaid: nothing, cleared: nothing, slices: [nothing; Reserve::SLICES_MAX] }
    }
}

impl Supplies {
    /// Nothing known of them yet.
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            unpaid: WaterLevel::new(SHARE_BUCKETS, key.part("unpaid")),
            cleared: WaterLevel::new(SHARE_BUCKETS, key.part("cleared")),
            slices: std::array::from_fn(|_| WaterLevel::new(SLICE_BUCKETS, key.part("slices"))),
        }
    }

    /// Once a second: `capacity` is that of the site, where anybody knows. What it did before bounds what passes unpaid; who
    /// has paid is turned away by a measure only.
    pub(super) fn step(&self, config: &Config, capacity: Option<Capacity>, elapsed_s: f64) {
        self.unpaid.step(capacity.map(|capacity| UNPAID_SHARE * capacity.credits_per_second()), elapsed_s);
        self.cleared.step(capacity.and_then(Capacity::known).map(|capacity| CLEARED_SHARE * capacity), elapsed_s);
        let keys = config.api_keys.keys().iter().map(|key| key.reserve);
        for reserve in config.policy.reserves().chain(keys) {
            if let Some(slice) = self.slices.get(reserve.slice) {
                slice.step(Some(config.reserve_of(reserve)), elapsed_s);
            }
        }
    }

    /// What they do.
    pub(super) fn report(&self) -> SuppliesReport {
        SuppliesReport {
            unpaid: self.unpaid.report(),
            cleared: self.cleared.report(),
            slices: std::array::from_fn(|slice| self.slices[slice].report()),
        }
    }

    fn slice(&self, route: &Route) -> Option<&WaterLevel> {
        self.slices.get(route.reserve?.slice)
    }
}

impl Gate {
    /// What a route asks of a request from `network` now: where a rule allows it and there is no room for what passes
    /// unpaid, what a path under no rule asks.
    #[must_use]
    pub fn quote(
        &self,
        config: &Config,
        site: &Site,
        network: ClientNetwork,
        route: &Route,
        now: UnixSeconds,
    ) -> Quote {
        let pricing = self.pricing_for(config, site, network, now);
        let quote = pricing.quote(route);
        if quote.price > 0 || pricing.price == 0 || route.action != Action::Allow {
            return quote;
        }
        let site = self.sites.of(site);
        let (network, cost) = (Nested::of(network), Amount::of(cost(route)));
        let slice = site.supplies.slice(route).is_some_and(|slice| slice.has_room(&network, cost, now));
        if slice || site.supplies.unpaid.has_room(&network, cost, now) { quote } else { pricing.quote_unallowed(route) }
    }

    /// Whether a request that no clearance is asked of has room, by a slice or in the share.
    pub(super) fn passes_unpaid(&self, facts: &RequestFacts<'_>, route: &Route, now: UnixSeconds) -> Unpaid {
        let right = match (facts.preflight, route.reserve) {
            (true, _) => Right::Preflight,
            (false, Some(_)) => Right::Reserved,
            (false, None) => Right::Allowed,
        };
        let by = |right, admitted| Unpaid { right, admitted };
        if right == Right::Reserved && self.admits_once(facts, cost(route), now, |supplies| supplies.slice(route)) {
            return by(right, true);
        }
        // The origin answers a preflight without doing what the request itself would ask of it.
        let cost = if facts.preflight { cost(route).min(Credits::ONE) } else { cost(route) };
        let admitted = self.admits_once(facts, cost, now, |supplies| Some(&supplies.unpaid));
        by(if right == Right::Reserved { Right::Allowed } else { right }, admitted)
    }

    /// Whether a request that shows an API key has room in the slice of that key; `None` without a key, and where nothing is
    /// asked of it anyway. Beyond its rate it is a request like any other.
    pub(super) fn passes_by_key(
        &self,
        facts: &RequestFacts<'_>,
        route: &Route,
        quote: Quote,
        pricing: &Pricing,
        now: UnixSeconds,
    ) -> Option<Unpaid> {
        let key = facts.key.filter(|_| !facts.preflight && (quote.price > 0 || pricing.others_pay()))?;
        let admitted = self.admits_once(facts, cost(route), now, |supplies| supplies.slices.get(key.slice));
        Some(Unpaid { right: Right::Key, admitted })
    }

    /// Whether a request with a good ticket has room in the share; `None` without one. A route that asks for work at any
    /// time is not opened by waiting.
    pub(super) fn passes_by_ticket(
        &self,
        config: &Config,
        facts: &RequestFacts<'_>,
        route: &Route,
        pricing: &Pricing,
        now: UnixSeconds,
    ) -> Option<Unpaid> {
        let opens = pricing.others_pay() && route.action == Action::Price && self.holds_good_ticket(config, facts, now);
        opens.then(|| {
            let admitted = self.admits_once(facts, cost(route), now, |supplies| Some(&supplies.unpaid));
            Unpaid { right: Right::Ticket, admitted }
        })
    }

    /// Whether a paid request has room where nothing can queue.
    pub(super) fn has_room_beside(&self, facts: &RequestFacts<'_>, cost: Credits, now: UnixSeconds) -> bool {
        let weight = |prefix| self.memory.weight(prefix);
        let site = self.sites.of(facts.site);
        site.supplies.cleared.admits(&Nested::of(facts.network), Amount::of(cost), weight, now)
    }

    /// What the supplies of a site do.
    #[must_use]
    pub fn supplies(&self, site: &Site) -> SuppliesReport {
        self.sites.of(site).supplies.report()
    }

    /// Takes from a supply, once, however often a web server asks about the request.
    fn admits_once(
        &self,
        facts: &RequestFacts<'_>,
        cost: Credits,
        now: UnixSeconds,
        supply: impl FnOnce(&Supplies) -> Option<&WaterLevel>,
    ) -> bool {
        let key = facts.repeat.map(|repeat| self.repeats.key(UNPAID, &repeat));
        if key.is_some_and(|key| self.repeats.covers(key, now)) {
            return true;
        }
        let site = self.sites.of(facts.site);
        let weight = |prefix| self.memory.weight(prefix);
        let admitted = supply(&site.supplies)
            .is_some_and(|supply| supply.admits(&Nested::of(facts.network), Amount::of(cost), weight, now));
        if let (true, Some(key)) = (admitted, key) {
            self.repeats.charged(key, now);
        }
        admitted
    }
}

impl Pricing {
    /// Whether others pay now, so that what passes unpaid has to share.
    pub(super) const fn others_pay(&self) -> bool {
        self.price > 0
    }
}
