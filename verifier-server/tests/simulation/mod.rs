//! A world of one site: an origin that can do so much a second, visitors, attackers, and the controller between them.

use puzzle::{ClientNetwork, Credits, UnixSeconds};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use verifier_server::config::Mode;
use verifier_server::gate::networks::{HashKey, Nested};
use verifier_server::gate::price::{Controller, State, Terms};
use verifier_server::load::demand::{DemandBuckets, Unknown};
use verifier_server::load::{Amount, Answered, Capacity, Measured, Outcome, SiteLoad, Surroundings, Told};

/// The price terms of the default configuration.
pub(crate) const TERMS: Terms = Terms { floor: 262_144, highest: 10 * CEILING };
/// `w` of `sha256`.
pub(crate) const CEILING: u64 = 10_194_372;
/// What the origin can do in a second, in credits, unless a test says otherwise.
pub(crate) const CAPACITY: f64 = 200.0;
/// The key of everything that hashes: the same figures in every run.
const HASH_KEY: HashKey = HashKey([1; 16]);
const BEGIN: UnixSeconds = UnixSeconds(1_800_000_000);
const ONE: Duration = Duration::from_secs(1);
/// What an answer of an idle origin takes, in seconds.
const SERVICE_S: f64 = 0.05;
/// Heads of answers that are reported in a second; the demand is counted whole.
const REPORTED_MAX: u32 = 64;

/// The network of a number: each in a /16 of its own for the first 50,000, then in others.
pub(crate) fn network(number: u32) -> Nested {
    let [_, _, high, low] = number.to_be_bytes();
    Nested::of(ClientNetwork::of(Ipv4Addr::new(high, low, 7, 1).into()))
}

/// A network in one /16 with all others of this kind.
pub(crate) fn neighbour(number: u8) -> Nested {
    Nested::of(ClientNetwork::of(Ipv4Addr::new(198, 18, number, 1).into()))
}

/// Any network, of 16 million.
pub(crate) fn any_network(number: u32) -> Nested {
    let [_, high, middle, low] = number.to_be_bytes();
    Nested::of(ClientNetwork::of(Ipv4Addr::new(high, middle, low, 1).into()))
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Served,
    Challenged,
}

/// Numbers without a pattern, the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to 1 (splitmix64).
    pub(crate) fn part(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u32::try_from((z ^ (z >> 31)) >> 32).unwrap();
        f64::from(bits) / f64::from(u32::MAX)
    }

    /// How many of something happen in a second that come `mean` times a second on average.
    pub(crate) fn arrivals(&mut self, mean: f64) -> u32 {
        let (mut count, mut gap) = (0, -self.part().max(1e-9).ln());
        while gap < mean {
            count += 1;
            gap -= self.part().max(1e-9).ln();
        }
        count
    }
}

/// The site and its gate.
pub(crate) struct World {
    pub(crate) load: SiteLoad,
    pub(crate) controller: Controller,
    pub(crate) mode: Mode,
    /// What the origin can do in a second, in credits.
    pub(crate) capacity: f64,
    /// What the configuration says it can do.
    pub(crate) configured: Option<f64>,
    /// What it says it did before.
    pub(crate) at_least: Option<f64>,
    pub(crate) surroundings: Surroundings,
    pub(crate) seconds: u32,
    /// Seconds at which the gate went down, and at which it let go.
    pub(crate) closed_at: Vec<u32>,
    pub(crate) opened_at: Vec<u32>,
    /// The price after every second.
    pub(crate) prices: Vec<u64>,
    pub(crate) measured: Measured,
    /// Credits that wait at the origin, those that came in this second among them.
    pub(crate) backlog: f64,
    pub(crate) waiting: u32,
    /// Networks that are answered in this second.
    pub(crate) asking: Vec<Nested>,
}

impl World {
    /// A calm site whose capacity is configured.
    pub(crate) fn new() -> Self {
        let load = SiteLoad::new(1, Arc::new(DemandBuckets::new(HASH_KEY)), HASH_KEY);
        load.demand.set_capacity(Some(CAPACITY));
        Self {
            load,
            controller: Controller::default(),
            mode: Mode::Auto,
            capacity: CAPACITY,
            configured: Some(CAPACITY),
            at_least: None,
            surroundings: Surroundings::default(),
            seconds: 0,
            closed_at: Vec::new(),
            opened_at: Vec::new(),
            prices: Vec::new(),
            measured: Measured::default(),
            backlog: 0.0,
            waiting: 0,
            asking: Vec::new(),
        }
    }

    /// A calm site whose capacity nobody has written down.
    pub(crate) fn that_learns() -> Self {
        let world = Self { configured: None, ..Self::new() };
        world.load.demand.set_capacity(None);
        world
    }

    fn now(&self) -> UnixSeconds {
        BEGIN.plus(self.seconds)
    }

    pub(crate) fn clock(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    pub(crate) fn price(&self) -> u64 {
        self.controller.price()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.controller.state() != State::Calm
    }

    pub(crate) fn known_capacity(&self) -> f64 {
        self.measured.capacity.map_or(0.0, Capacity::credits_per_second)
    }

    /// Requests without clearance that cost so much together.
    pub(crate) fn ask(&mut self, network: &Nested, credits: f64) -> Fate {
        self.load.demand.ask(network, Amount::of_credits(credits), &Unknown, self.now());
        let above_cap = || self.load.demand.is_above_cap(network, self.now());
        if self.price() > 0 || (self.controller.crowded(self.clock()) && above_cap()) {
            return Fate::Challenged;
        }
        self.serve(network, credits);
        Fate::Served
    }

    /// Requests that cost so much together, with clearances bought at `price_paid`; returns what they were charged.
    pub(crate) fn pay(&mut self, network: &Nested, credits: f64, price_paid: u64) -> f64 {
        self.load.demand.ask(network, Amount::of_credits(credits), &Unknown, self.now());
        self.serve(network, credits);
        if self.price() == 0 {
            return 0.0;
        }
        self.load.demand.pay(network, Amount::of_credits(credits), &Unknown, self.now());
        credits * ratio(self.price(), price_paid)
    }

    /// A visitor: pays what is asked.
    pub(crate) fn visit(&mut self, network: &Nested, credits: f64) {
        let price = self.price();
        self.pay(network, credits, price);
    }

    /// Visitors on twenty networks of their own, each with one page a second that costs a credit.
    pub(crate) fn twenty_visitors(&mut self) {
        (0..20).for_each(|number| self.visit(&network(60_000 + number), 1.0));
    }

    /// Requests without clearance from so many networks, that cost so much in each.
    pub(crate) fn flood(&mut self, networks: u32, credits: f64) {
        for number in 0..networks {
            self.ask(&network(number), credits);
        }
    }

    fn serve(&mut self, network: &Nested, credits: f64) {
        self.backlog += credits;
        if self.asking.len() < REPORTED_MAX as usize {
            self.asking.push(*network);
        }
    }

    /// Ends a second: the origin does what it can, and the controller takes a step.
    pub(crate) fn second(&mut self) {
        self.seconds += 1;
        let done = self.backlog.min(self.capacity);
        self.backlog -= done;
        let delay = Duration::from_secs_f64(SERVICE_S + self.backlog / self.capacity);
        self.wait_for(self.backlog + done * SERVICE_S);
        let asking = std::mem::take(&mut self.asking);
        if done > 0.0 && !asking.is_empty() {
            let cost = Amount::of_credits(done / f64::from(u32::try_from(asking.len()).unwrap()));
            for network in &asking {
                self.load.answered(&Answered { network, path: "/", cost, delay, outcome: Outcome::Fine }, self.now());
            }
        }
        self.step();
    }

    /// The controller takes a step, whatever the origin did.
    pub(crate) fn step(&mut self) {
        let before = self.is_closed();
        let (now, clock) = (self.now(), self.clock());
        let told = Told { capacity: self.configured, at_least: self.at_least, requests_max: None };
        self.measured = self.load.step(&told, before, &self.surroundings, ONE, now);
        self.controller.step(self.mode, TERMS, &self.measured, clock, ONE);
        match (before, self.is_closed()) {
            (false, true) => self.closed_at.push(self.seconds),
            (true, false) => self.opened_at.push(self.seconds),
            _ => {}
        }
        self.prices.push(self.price());
    }

    /// So many seconds of the same.
    pub(crate) fn run(&mut self, seconds: u32, mut traffic: impl FnMut(&mut Self)) {
        for _ in 0..seconds {
            traffic(self);
            self.second();
        }
    }

    pub(crate) fn highest_price(&self) -> u64 {
        self.prices.iter().copied().max().unwrap_or(0)
    }

    fn wait_for(&mut self, credits: f64) {
        let wanted = format!("{:.0}", credits.min(5_000.0)).parse::<u32>().unwrap();
        (self.waiting..wanted).for_each(|_| self.load.sent());
        (wanted..self.waiting).for_each(|_| self.load.left());
        self.waiting = wanted;
    }
}

/// What a request costs over its route's cost: `max(1, price now ÷ price paid)`.
pub(crate) fn ratio(price: u64, price_paid: u64) -> f64 {
    let number = |price: u64| f64::from(u32::try_from(price).unwrap());
    (number(price) / number(price_paid.max(1))).max(1.0)
}

/// Credits that so many attempts a second buy in a second.
pub(crate) fn bought(attempts: f64, price: u64) -> f64 {
    let full = f64::from(Credits::whole(100).in_hundredths()) / 100.0;
    full * attempts / f64::from(u32::try_from(price.max(1)).unwrap())
}
