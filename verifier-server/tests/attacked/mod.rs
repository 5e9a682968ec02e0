//! A site under attack in simulated time: the real queue, controller, prices, multipliers and budgets between simulated
//! visitors, attackers and an origin of fifty workers.
#![allow(dead_code, reason = "each simulation takes what it needs")]

mod attackers;
pub(crate) mod people;
mod requests;
mod visitors;

use puzzle::price::Sale;
use puzzle::{ClearanceId, ClientNetwork, Credits, UnixSeconds};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use verifier_server::config::Mode;
use verifier_server::gate::admission::{self, Admission, Asked, Class, OPEN_SLOTS_MIN, Token, Turn};
use verifier_server::gate::entry::{Entry, Kind, NetworkMark, Networks, Payment};
use verifier_server::gate::networks::{Buyer, HashKey, Nested, Purchases};
use verifier_server::gate::price::{Controller, State, Terms};
use verifier_server::load::demand::{DemandBuckets, Unknown};
use verifier_server::load::{Amount, Answered, Outcome, SiteLoad, Surroundings, Told, Waiting};

/// The price terms of the default configuration: 2^18 attempts, and fifteen seconds of the slowest phone.
pub(crate) const TERMS: Terms = Terms { floor: 262_144, highest: 10 * CEILING };
/// `w` of `sha256`.
pub(crate) const CEILING: u64 = 10_194_372;
/// Attempts a second of the slowest supported phone, with all its workers.
pub(crate) const PHONE: f64 = 1e6;
const BEGIN: UnixSeconds = UnixSeconds(1_800_000_000);
/// Workers of the origin, and milliseconds that a request of one credit keeps one: 200 credits a second.
const WORKERS: usize = 50;
const SERVICE_MS: f64 = 250.0;
pub(crate) const CAPACITY: f64 = 200.0;
/// Parts of a page, a tenth of a credit each.
const ASSETS: usize = 20;
/// Pages that a visitor looks at, and how long each is read.
const PAGES: usize = 3;
const READING_MS: u64 = 25_000;
/// How long a visitor waits for a page before they give up.
const PATIENCE_MS: u64 = 30_000;
/// Sub-puzzles of a challenge.
const COUNT: usize = 8;

/// Numbers without a pattern, the same in every run (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn part(&mut self) -> f64 {
        f64::from(u32::try_from(self.bits() >> 32).unwrap()) / 4_294_967_296.0
    }

    pub(crate) fn below(&mut self, most: u32) -> u32 {
        u32::try_from(self.bits() % u64::from(most)).unwrap()
    }

    /// What `mean` becomes where it is the sum of so many exponentials.
    fn erlang(&mut self, mean: f64, count: usize) -> f64 {
        let sum: f64 = (0..count).map(|_| -(1.0 - self.part()).ln()).sum();
        mean * sum / f64::from(u32::try_from(count).unwrap())
    }
}

/// Where clients come from.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) network: ClientNetwork,
    /// Whole shares that are known of it.
    pub(crate) shares: u32,
}

/// The /24 of a number below 40,000, in one of 20,000 /16.
pub(crate) fn scattered(number: u32) -> Place {
    let octets = [20 + number % 100, (number / 100) % 200, number / 20_000, 1];
    let octets = octets.map(|octet| u8::try_from(octet).unwrap());
    Place { network: ClientNetwork::of(Ipv4Addr::from(octets).into()), shares: 1 }
}

/// Who attacks.
pub(crate) struct Attack {
    /// Attempts a second in all.
    pub(crate) rate: f64,
    pub(crate) places: Vec<Place>,
    /// Requests come together at the begin of each so many milliseconds; 0 for as soon as they can be paid.
    pub(crate) step_ms: u64,
    /// Requests that their lines carry in a second.
    pub(crate) requests: u64,
    /// Clearances that they hold at once.
    pub(crate) hoard: usize,
    /// Requests that nobody pays for, a second.
    pub(crate) unpaid: f64,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) pages: u32,
    pub(crate) pages_served: u32,
    pub(crate) whole_pages_served: u32,
    /// From the first request to the last asset, in milliseconds, of the whole pages.
    pub(crate) took_ms: Vec<u64>,
    pub(crate) attacker_credits: f64,
    pub(crate) prices: Vec<u64>,
    pub(crate) queue_delay_ms: Vec<u64>,
    pub(crate) closed_at: Vec<u32>,
    pub(crate) opened_at: Vec<u32>,
    pub(crate) price_times_multiplier: Vec<f64>,
    /// Of `pages` and `whole_pages_served`, those of visitors who cannot do what is offered besides `sha256`.
    pub(crate) unable: [u32; 2],
}

/// A second algorithm, in attempts of `sha256` that its attempts are worth.
#[derive(Clone, Copy)]
pub(crate) struct Offer {
    /// Its `w`.
    pub(crate) ceiling: u64,
    /// Which part of the visitors cannot do it.
    pub(crate) unable: f64,
    /// What a device does of it, by what it does of `sha256`.
    pub(crate) rate: fn(f64) -> f64,
}

impl Tally {
    pub(crate) fn whole_part(&self) -> f64 {
        f64::from(self.whole_pages_served) / f64::from(self.pages.max(1))
    }

    /// What attackers paid for a full clearance, in attempts, their multipliers included.
    pub(crate) fn paid_per_clearance(&self) -> f64 {
        let count = f64::from(u32::try_from(self.price_times_multiplier.len().max(1)).unwrap());
        self.price_times_multiplier.iter().sum::<f64>() / count
    }

    pub(crate) fn quantile_ms(&self, quantile: f64) -> u64 {
        let mut took = self.took_ms.clone();
        took.sort_unstable();
        let index =
            format!("{:.0}", f64::from(u32::try_from(took.len()).unwrap()) * quantile).parse::<usize>().unwrap();
        took.get(index.min(took.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(usize);

impl Token for Number {
    fn is_gone(&self) -> bool {
        false
    }
}

struct Client {
    place: Place,
    attacker: bool,
    entry: Option<Entry>,
    /// Attempts a second.
    rate: f64,
    /// The most work that a challenge asks of it.
    ceiling: u64,
    pages_left: usize,
}

struct View {
    client: usize,
    began_ms: u64,
    assets_left: usize,
    page_served: bool,
    failed: bool,
    counted: bool,
}

struct Request {
    client: usize,
    view: Option<usize>,
    kind: Kind,
    cost: Credits,
    charged: Option<(Credits, Amount)>,
    sent_ms: u64,
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    Open(usize),
    Retry(usize),
    Solved { client: usize, view: usize, work: u64 },
    Assets(usize),
    Served(usize),
    Buy,
    Bought { place: usize, work: u64 },
    Spend,
    Flood,
}

/// The site, its gate, and everybody.
pub(crate) struct World {
    now_ms: u64,
    random: Random,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
    load: Arc<SiteLoad>,
    controller: Controller,
    purchases: Purchases,
    admission: Admission<Number>,
    idle_workers: usize,
    at_origin: VecDeque<usize>,
    requests: Vec<Option<Request>>,
    unused: Vec<usize>,
    clients: Vec<Client>,
    views: Vec<View>,
    attack: Option<Attack>,
    next_place: usize,
    /// Clearances that attackers hold, the next to be spent first.
    hoard: VecDeque<usize>,
    /// Visitors a second.
    arrivals: f64,
    visitor: fn(&mut Random) -> (Place, f64),
    configured: Option<f64>,
    closed: bool,
    offer: Option<Offer>,
    pub(crate) tally: Tally,
    pub(crate) counting: bool,
}

impl World {
    /// A calm site with so many legitimate credits a second, of visitors with a place and attempts a second each. The same
    /// seed gives the same figures in every run.
    pub(crate) fn new(seed: u64, credits: f64, visitor: fn(&mut Random) -> (Place, f64)) -> Self {
        let key = HashKey(u128::from(seed).to_be_bytes());
        let load = Arc::new(SiteLoad::new(1, Arc::new(DemandBuckets::new(key.part("demand"))), key.part("load")));
        load.demand.set_capacity(Some(CAPACITY));
        let per_visitor = f64::from(u32::try_from(PAGES * (10 + ASSETS)).unwrap()) / 10.0;
        let mut world = Self {
            now_ms: 0,
            random: Random(seed),
            events: BinaryHeap::new(),
            order: 0,
            load,
            controller: Controller::default(),
            purchases: Purchases::new(key.part("purchases"), BEGIN),
            admission: Admission::new(OPEN_SLOTS_MIN, key.part("queue")),
            idle_workers: WORKERS,
            at_origin: VecDeque::new(),
            requests: Vec::new(),
            unused: Vec::new(),
            clients: Vec::new(),
            views: Vec::new(),
            attack: None,
            next_place: 0,
            hoard: VecDeque::new(),
            arrivals: credits / per_visitor,
            visitor,
            configured: Some(CAPACITY),
            closed: false,
            offer: None,
            tally: Tally::default(),
            counting: false,
        };
        world.at(0, Event::Arrive);
        world
    }

    /// The same where nobody has configured the capacity.
    pub(crate) fn that_learns(self) -> Self {
        self.load.demand.set_capacity(None);
        Self { configured: None, ..self }
    }

    /// The same where a second algorithm is offered; attackers do nothing else.
    pub(crate) fn that_offers(self, offer: Offer) -> Self {
        Self { offer: Some(offer), ..self }
    }

    /// The most work that is asked of whoever can do everything.
    fn highest_ceiling(&self) -> u64 {
        self.offer.map_or(CEILING, |offer| offer.ceiling)
    }

    /// From now on, an attack.
    pub(crate) fn attack(&mut self, attack: Attack) {
        if attack.unpaid > 0.0 {
            self.at(1, Event::Flood);
        }
        self.attack = Some(attack);
        self.begin_to_buy();
    }

    /// The attack is over.
    pub(crate) fn relent(&mut self) {
        self.attack = None;
    }

    /// So many seconds pass.
    pub(crate) fn run(&mut self, seconds: u32) {
        for _ in 0..seconds {
            let end = (self.now_ms / 1_000 + 1) * 1_000;
            while let Some(Reverse((at, _, event))) = self.events.peek().copied() {
                if at >= end {
                    break;
                }
                self.events.pop();
                self.now_ms = at;
                self.happens(event);
            }
            self.now_ms = end;
            self.second();
        }
    }

    pub(crate) fn price(&self) -> u64 {
        self.controller.price()
    }

    fn at(&mut self, in_ms: u64, event: Event) {
        self.order += 1;
        self.events.push(Reverse((self.now_ms + in_ms, self.order, event)));
    }

    fn clock(&self) -> Duration {
        Duration::from_millis(self.now_ms)
    }

    fn now(&self) -> UnixSeconds {
        BEGIN.plus(u32::try_from(self.now_ms / 1_000).unwrap())
    }

    fn second(&mut self) {
        let (clock, now) = (self.clock(), self.now());
        let mut turns = Vec::new();
        let second = self.admission.second(clock, &mut turns);
        self.take_turns(turns);
        self.load.set_queued(Some(verifier_server::load::Queued {
            delay: second.waits,
            waiting: u32::try_from(second.waiting).unwrap(),
            in_use_peak: second.in_use_peak,
        }));
        let one = Duration::from_secs(1);
        let told = Told { capacity: self.configured, ..Told::default() };
        let measured = self.load.step(&told, self.closed, &Surroundings::default(), one, now);
        let terms = Terms { highest: TERMS.highest.max(self.highest_ceiling()), ..TERMS };
        self.controller.step(Mode::Auto, terms, &measured, clock, one);
        let closed = self.controller.state() != State::Calm;
        let slots = if closed { self.load.slots() } else { self.load.slots().max(OPEN_SLOTS_MIN) };
        let mut turns = Vec::new();
        if closed && !self.closed {
            self.admission.ask_free_again(&mut turns);
            self.tally.closed_at.push(u32::try_from(self.now_ms / 1_000).unwrap());
        }
        if !closed && self.closed {
            self.tally.opened_at.push(u32::try_from(self.now_ms / 1_000).unwrap());
        }
        let goes_down = closed && !self.closed;
        self.closed = closed;
        self.admission.set_slots(slots, clock, &mut turns);
        self.take_turns(turns);
        self.purchases.tick(now);
        if self.counting {
            self.tally.prices.push(self.price());
            self.tally.queue_delay_ms.push(u64::try_from(second.waits.as_millis()).unwrap());
        }
        if goes_down {
            self.begin_to_buy();
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Open(client) => self.open(client),
            Event::Retry(view) => self.ask_page(view),
            Event::Solved { client, view, work } => {
                self.buy(client, work);
                self.ask_page(view);
            }
            Event::Assets(view) => {
                for _ in 0..ASSETS {
                    let client = self.views[view].client;
                    self.send(client, Some(view), Kind::Asset, Credits::TENTH);
                }
            }
            Event::Served(request) => self.served(request),
            Event::Buy => self.attacker_solves(),
            Event::Bought { place, work } => self.attacker_bought(place, work),
            Event::Spend => self.spend(),
            Event::Flood => self.flood(),
        }
    }

    fn multiplier(&self, place: Place) -> puzzle::Multiplier {
        self.purchases.multiplier(&self.buyer(place), self.now())
    }

    fn buyer(&self, place: Place) -> Buyer {
        self.purchases.buyer(&Nested::of(place.network), |_| f32::from(u16::try_from(place.shares).unwrap()))
    }

    fn buy(&mut self, client: usize, work: u64) {
        let place = self.clients[client].place;
        let price = self.price();
        if price == 0 {
            return;
        }
        let multiplier = self.multiplier(place);
        let sale = Sale {
            full: Credits::whole(100),
            price,
            multiplier,
            most_due: (20 * CEILING).max(self.highest_ceiling()),
            table_price: 0,
            tenth_at_least: false,
        };
        let Some(bought) = sale.buy(work, false) else { return };
        if self.clients[client].attacker && self.counting {
            let times = f64::from(multiplier.in_hundredths()) / 100.0;
            self.tally.price_times_multiplier.push(number(price) * times);
        }
        let now = self.now();
        self.purchases.count(&self.buyer(place), bought.credits.ratio(Credits::whole(100)), now);
        let mut networks = Networks::default();
        networks.visit(MARK);
        self.clients[client].entry = Some(Entry {
            begun: bought.credits,
            left: i32::try_from(bought.credits.in_hundredths()).unwrap(),
            price_paid: u32::try_from(bought.price_paid).unwrap(),
            expires_at: now.plus(1_800),
            keep_seconds: 600,
            issued_day: now.day(),
            site: 1,
            standing: false,
            networks,
            navigated_at: UnixSeconds(0),
            navigation_ratio: 0,
            dropped_at: UnixSeconds(0),
            pass: 0,
        });
    }
}

const MARK: NetworkMark = NetworkMark { v6: false, hash: 1, old_hash: None };

fn whole(number: f64) -> u64 {
    format!("{:.0}", number.max(0.0)).parse().unwrap()
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
