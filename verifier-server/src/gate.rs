//! The decision core, without I/O: time and randomness are arguments, so everything in it can be simulated.
//!
//! [`Gate::meet`] is what a request meets; [`Gate::issue`] and [`Gate::redeem`] are how it comes to be paid for.

pub mod admission;
pub mod api_keys;
pub mod by_hand;
pub mod callers;
mod choice;
mod clearance;
pub mod crawlers;
pub mod entry;
mod forms;
mod issue;
mod last_pages;
pub mod learned;
pub mod level;
mod live;
mod modes;
pub mod networks;
mod overtime;
pub mod passes;
mod payback;
pub mod policy;
pub mod price;
mod pricing;
mod redeem;
mod repeats;
mod saved;
pub mod site_keys;
mod sites;
pub mod table;
mod tags;
pub mod target;
mod ticket;
mod token_mark;
pub mod top;
mod unpaid;
mod warrant;

pub use choice::{Abilities, NoChoice};
pub use clearance::Worth;
pub use forms::{Form, NoGood};
pub use issue::Asking;
pub use overtime::PaidAgain;
pub use payback::Receipt;
pub use pricing::{Pricing, Quote};
pub use redeem::{Begun, Redeemed, Submission};
pub use saved::{LEFT_BY_SECONDS_MAX, SavedTable, TableFileError};
pub(crate) use sites::RESUMED_WITHIN_SECONDS;
pub use sites::{SiteGate, SiteReport};
pub use ticket::{TICKET_SECONDS, TICKETS_MAX, TicketOffer};
pub use token_mark::Question;
pub use unpaid::{CLEARED_SHARE, Right, Supplies, SuppliesReport, UNPAID_SHARE, Unpaid};

use crate::config::{Bind, Config, Mode, Site};
use crate::load::Amount;
use arc_swap::ArcSwap;
use by_hand::ByHand;
use callers::Callers;
use entry::{Entry, Kind, NetworkMark, Payment};
use last_pages::LastPages;
use modes::ModeCell;
use networks::{HashKey, Memory, Nested, Profile};
use passes::Passes;
use policy::{Action, Reserve, Route};
use puzzle::{CHALLENGE_BYTES, ClearanceId, ClientNetwork, Credits, Day, KeyRing, Master, UnixSeconds};
use repeats::Repeats;
use sites::Sites;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use table::{LiveIds, Table};
use tags::SiteTags;

/// Cookies of the clearance's name that are looked at.
pub const CLEARANCES_MAX: usize = 16;

/// One or two masters: the first signs, both are believed.
#[derive(Clone, Debug)]
pub struct Masters {
    /// The master that signs.
    pub signing: Master,
    /// The one before it.
    pub old: Option<Master>,
}

/// What the gate knows of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The site it is for.
    pub site: &'a Site,
    /// What the rules say of it.
    pub route: Route,
    /// The slice of the API key that it shows.
    pub key: Option<Reserve>,
    /// Where it comes from.
    pub network: ClientNetwork,
    /// The clearances it carries, at most [`CLEARANCES_MAX`].
    pub clearances: &'a [ClearanceId],
    /// What it carries as tickets, at most [`TICKETS_MAX`].
    pub tickets: &'a [[u8; CHALLENGE_BYTES]],
    /// Whether its method is safe (GET, HEAD, OPTIONS, TRACE).
    pub safe_method: bool,
    /// Whether a person goes to a page.
    pub navigation: bool,
    /// Whether it is a CORS preflight.
    pub preflight: bool,
    /// What names the original request where a web server may ask about it more than once.
    pub repeat: Option<Repeat<'a>>,
}

/// The original request as a web server beside us names it.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Repeat<'a> {
    /// The web server's own id of the request.
    pub request_id: &'a str,
    /// Its method.
    pub method: &'a str,
    /// Its target as sent.
    pub target: &'a str,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is asked now, and it passes.
    Free,
    /// It passes without paying while others pay.
    Unpaid,
    /// The same, within a slice that a rule or a pass keeps for itself.
    Reserved,
    /// It has been paid for and passes.
    Paid,
    /// Nothing is asked of it, or it has been paid for, and there is no room for it now.
    Busy,
    /// It needs work first.
    Challenged,
    /// A rule refuses it.
    Denied,
}

/// A request that met the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// What becomes of it.
    pub decision: Decision,
    /// What it costs by its route, whether or not anything is asked now.
    pub cost: Credits,
    /// Whether it is part of a page, by rule.
    pub part: bool,
    /// What a clearance was charged for it; nothing where it did not pay, or an earlier charge covers it.
    pub receipt: Option<Receipt>,
    /// How it asked to pass unpaid while others pay, if it did.
    pub unpaid: Option<Unpaid>,
}

impl Met {
    const fn new(decision: Decision) -> Self {
        Self { decision, cost: Credits::ZERO, part: false, receipt: None, unpaid: None }
    }
}

/// The gate: keys, table of live ids, mode. Configuration comes with each call, so that it can be swapped whole.
pub struct Gate {
    table: Table,
    /// Unix seconds. Nothing issued before is honoured.
    table_begins: AtomicU32,
    secrets: ArcSwap<Secrets>,
    mode: ModeCell,
    /// Charges that cover further questions about the same request.
    repeats: Repeats,
    memory: Arc<Memory>,
    /// Requests that were counted as demand, for the same reason.
    counted: Repeats,
    last_pages: LastPages,
    sites: Sites,
    passes: Passes,
    by_hand: ByHand,
    callers: Callers,
    /// Of which everything that hashes has its key.
    hash_key: HashKey,
}

impl Gate {
    /// A gate whose table begins at `table_begins`: nothing issued before is honoured. By `hash_key`, which nobody outside
    /// may know, networks, paths and clearances are placed in tables of fixed size.
    #[must_use]
    pub fn new(
        masters: Masters,
        table: Table,
        table_begins: UnixSeconds,
        mode: Mode,
        hash_key: HashKey,
        now: UnixSeconds,
    ) -> Self {
        let [purchases, profile] = ["purchases", "profile"].map(|part| hash_key.part(part));
        Self {
            table,
            table_begins: AtomicU32::new(table_begins.0),
            secrets: ArcSwap::from_pointee(Secrets::new(masters, now)),
            mode: ModeCell::new(mode),
            repeats: Repeats::new(hash_key.part("repeats")),
            memory: Arc::new(Memory::new(purchases, Profile::new(profile), false, now)),
            counted: Repeats::new(hash_key.part("counted")),
            last_pages: LastPages::new(hash_key.part("last pages")),
            sites: Sites::new(hash_key.part("sites")),
            passes: Passes::default(),
            by_hand: ByHand::default(),
            callers: Callers::new(hash_key.part("callers")),
            hash_key,
        }
    }

    /// The key of a part of the verifier that is called so.
    #[must_use]
    pub fn hash_key(&self, part: &str) -> HashKey {
        self.hash_key.part(part)
    }

    /// Once a second: keys of the day, forgotten entries, what is remembered of networks.
    pub fn tick(&self, now: UnixSeconds) {
        if !self.secrets.load().keys.serves(now) {
            // Read and replaced in one step: masters that were replaced meanwhile do not come back.
            self.secrets.rcu(|secrets| Secrets::new(secrets.masters.clone(), now));
        }
        self.table.sweep(now);
        self.passes.forget_ended(now);
        self.by_hand.forget_ended(now);
        let at_peace = self.mode() != Mode::On && !self.sites.any_strained();
        self.memory.tick(now, at_peace);
        self.callers.tick(now, at_peace);
    }

    /// Honours nothing that was issued before this second: the clock has leapt to it, and was wrong while the table began.
    pub fn begin_not_before(&self, second: UnixSeconds) {
        self.table_begins.fetch_max(second.0, Ordering::AcqRel);
    }

    fn table_begins(&self) -> UnixSeconds {
        UnixSeconds(self.table_begins.load(Ordering::Acquire))
    }

    /// Believes other masters from now on.
    pub fn set_masters(&self, masters: Masters, now: UnixSeconds) {
        self.secrets.store(Secrets::new(masters, now).into());
    }

    /// Entries of the table in use, and how many fit.
    #[must_use]
    pub fn table_fill(&self) -> (usize, usize) {
        (self.table.used(), self.table.slots())
    }

    /// Decides about a request, counts it as demand, and charges it to the first of its clearances that can pay. What a
    /// receipt says was charged is told to [`Gate::goes_on`] or [`Gate::give_back`] when it is known what becomes of it.
    #[must_use]
    pub fn meet(&self, config: &Config, facts: &RequestFacts<'_>, now: UnixSeconds) -> Met {
        let route = facts.route;
        let (cost, part) = (cost(&route), route.asset);
        if route.action == Action::Deny {
            return Met { cost, part, ..Met::new(Decision::Denied) };
        }
        self.count(facts, cost, now);
        Met { cost, part, ..self.decide(config, facts, &route, now) }
    }

    fn decide(&self, config: &Config, facts: &RequestFacts<'_>, route: &Route, now: UnixSeconds) -> Met {
        let pricing = self.pricing_for(config, facts.site, facts.network, now);
        let mut quote = pricing.quote(route);
        let mut unpaid = self.passes_by_key(facts, route, quote, &pricing, now);
        if unpaid.is_some_and(|unpaid| unpaid.admitted) {
            return Met { unpaid, ..Met::new(Decision::Reserved) };
        }
        if quote.price == 0 || facts.preflight {
            if !pricing.others_pay() {
                if route.action == Action::Price && !facts.preflight {
                    self.memory.observe(facts.network, cost(route));
                }
                if facts.navigation {
                    self.last_pages.began(facts.site.mark, facts.network, now);
                }
                return Met::new(Decision::Free);
            }
            let asked = self.passes_unpaid(facts, route, now);
            unpaid = Some(asked);
            if let (Right::Reserved, true) = (asked.right, asked.admitted) {
                return Met { unpaid, ..Met::new(Decision::Reserved) };
            }
            if asked.admitted || facts.preflight {
                return Met { unpaid, ..Met::new(if asked.admitted { Decision::Unpaid } else { Decision::Busy }) };
            }
            // The share is used up: as if no rule spoke of the path.
            quote = pricing.quote_unallowed(route);
        }
        let kind = pricing::kind(facts, route);
        if let Some(met) = self.enters_by_pass(config, facts, route, (kind, quote), now) {
            return met;
        }
        let mut paid_by = None;
        let payment = facts.clearances.iter().find_map(|id| {
            let is_good = |entry: &mut Entry| entry.site == facts.site.mark && self.honours(entry, *id);
            let covered = || self.table.change(*id, now, is_good) == Some(true);
            let key = facts.repeat.map(|repeat| self.repeats.key(*id, &repeat));
            if key.is_some_and(|key| self.repeats.covers(key, now) && covered()) {
                return Some(None);
            }
            let receipt = self.pay(config, facts, *id, kind, route, quote, now)?;
            paid_by = key;
            Some(Some(receipt))
        });
        let Some(receipt) = payment else {
            if route.asset
                && self.went_down_lately(facts.site, now)
                && self.last_pages.finishes(facts.site.mark, facts.network, now)
            {
                return Met::new(Decision::Free);
            }
            unpaid = unpaid.or_else(|| self.passes_by_ticket(config, facts, route, &pricing, now));
            let passes = unpaid.is_some_and(|unpaid| unpaid.admitted);
            return Met { unpaid, ..Met::new(if passes { Decision::Unpaid } else { Decision::Challenged }) };
        };
        // Before an origin of ours there is a queue; a web server that asks us has none.
        if let (Some(receipt), true) = (receipt, facts.repeat.is_some() && pricing.others_pay())
            && !self.has_room_beside(facts, cost(route), now)
        {
            self.give_back(facts.site, &receipt, now);
            return Met { unpaid, ..Met::new(Decision::Busy) };
        }
        if let Some(key) = paid_by {
            self.repeats.charged(key, now);
        }
        self.memory.observe(facts.network, cost(route));
        Met { receipt, unpaid, ..Met::new(Decision::Paid) }
    }

    #[expect(clippy::too_many_arguments, reason = "what a payment depends on, each of its own type")]
    fn pay(
        &self,
        config: &Config,
        facts: &RequestFacts<'_>,
        id: ClearanceId,
        kind: Kind,
        route: &Route,
        quote: Quote,
        now: UnixSeconds,
    ) -> Option<Receipt> {
        let secrets = self.secrets.load();
        let receipt = self.table.change(id, now, |entry| {
            let network = secrets.network_mark(facts.network, entry.issued_day);
            let payment = payment(config, kind, route, quote, network);
            let (charged, kept) = (entry.charge(&payment, now), entry.weight(&payment, now));
            let paid = entry.site == facts.site.mark && self.honours(entry, id) && entry.pay(&payment, now);
            paid.then_some(Receipt { clearance: id, network: facts.network, charged, further: charged, kept })
        });
        receipt.flatten()
    }

    /// Counts a request as demand, once, however often a web server asks about it.
    fn count(&self, facts: &RequestFacts<'_>, cost: Credits, now: UnixSeconds) {
        let key = facts.repeat.map(|repeat| self.counted.key(ClearanceId([0; 16]), &repeat));
        if key.is_some_and(|key| self.counted.covers(key, now)) {
            return;
        }
        if let Some(key) = key {
            self.counted.charged(key, now);
        }
        self.asked(facts.site, &Nested::of(facts.network), Amount::of(cost), now);
    }
}

/// The masters and the keys derived from them, swapped together.
struct Secrets {
    masters: Masters,
    keys: KeyRing,
    tags: SiteTags,
}

impl Secrets {
    fn new(masters: Masters, now: UnixSeconds) -> Self {
        let keys = KeyRing::new(&masters.signing, masters.old.as_ref(), now);
        Self { masters, keys, tags: SiteTags::default() }
    }

    /// The hashes by which entries of `day` remember a network. A day whose keys are gone remembers nothing of it.
    fn network_mark(&self, network: ClientNetwork, day: Day) -> NetworkMark {
        let mut hashes = self.keys.of_day(day).map(|keys| keys.network_hash(network));
        let hash = hashes.next().unwrap_or_default();
        NetworkMark { v6: matches!(network, ClientNetwork::V6(_)), hash, old_hash: hashes.next() }
    }
}

fn payment(config: &Config, kind: Kind, route: &Route, quote: Quote, network: NetworkMark) -> Payment {
    let strict = config.clearance.bind == Bind::Strict;
    Payment { kind, cost: route.cost, route_price: quote.price, network, strict }
}

/// What a request to a route counts for, in demand and in the profile.
pub(crate) fn cost(route: &Route) -> Credits {
    if route.asset { Credits::TENTH } else { route.cost }
}
