//! Redemption: a solution becomes a clearance, once, and so does the secret of a staff pass. The checks of a solution run in
//! the order of PROTOCOL §4.

use super::choice::crowded;
use super::entry::{Entry, Networks};
use super::networks::Buyer;
use super::passes::{PASS_SECRET_BYTES, PassRefusal, Shown};
use super::table::{Inserted, LiveIds};
use super::{Gate, Secrets};
use crate::config::{Bind, Config, Mode, Site};
use puzzle::{
    CHALLENGE_BYTES, Challenge, ClearanceId, ClientNetwork, Credits, Day, Expectations, Guarded, Paid, Purpose,
    Refusal, SOLUTION_BYTES_MAX, Solution, Solved, UnixSeconds, decode,
};

/// Life of clearances sold while the table is a quarter full.
const CROWDED_LIFETIME_SECONDS: u32 = 600;
/// Seconds that an entry stays after its expiry at least.
const KEEP_SECONDS: u32 = puzzle::price::GRACE_SECONDS;

/// What a client sent to be redeemed.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The challenge as base64url text.
    pub challenge: &'a str,
    /// The solution as base64url text.
    pub solution: &'a str,
    /// Where it comes from.
    pub network: ClientNetwork,
}

/// What it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// Nothing is asked for now: neither MAC nor table were looked at.
    NotNeeded,
    /// A clearance: the same one each time the same solution is sent.
    Clearance {
        /// Its name.
        id: ClearanceId,
        /// Whole credits left.
        credits: u32,
        /// Seconds until it expires.
        expires_in: u32,
        /// Seconds from issue to redemption, where it was bought just now.
        solved_in: Option<u32>,
    },
}

/// How far a redemption came at once.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "it is moved once; a box would be an allocation for each")]
pub enum Begun {
    /// To its end.
    Redeemed(Redeemed),
    /// All but the nonces of `hashwx` is checked: whoever sent it has paid for that.
    Guarded(Guarded),
}

/// By what right a clearance is minted: there is no other.
enum Warrant<'a> {
    /// Proof of work.
    Work(&'a Solved),
    /// The secret of a staff pass.
    Pass(&'a Shown),
}

impl Warrant<'_> {
    const fn clearance_id(&self) -> ClearanceId {
        match self {
            Self::Work(solved) => solved.clearance_id(),
            Self::Pass(shown) => shown.id,
        }
    }
}

/// A sale.
struct Order<'a> {
    config: &'a Config,
    site: &'a Site,
    warrant: Warrant<'a>,
    /// What the site asks now.
    price: u64,
    network: ClientNetwork,
}

impl Gate {
    /// Redeems a solution, on this thread. `first` is random and says which sub-puzzle is checked first.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn redeem(
        &self,
        config: &Config,
        site: &Site,
        submission: &Submission<'_>,
        now: UnixSeconds,
        first: u8,
    ) -> Result<Redeemed, Refusal> {
        match self.begin_redeeming(config, site, submission, now, first)? {
            Begun::Redeemed(redeemed) => Ok(redeemed),
            Begun::Guarded(guarded) => {
                self.finish_redeeming(config, site, &guarded.solved(first)?, submission.network, now)
            }
        }
    }

    /// As much of [`Gate::redeem`] as takes microseconds.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn begin_redeeming(
        &self,
        config: &Config,
        site: &Site,
        submission: &Submission<'_>,
        now: UnixSeconds,
        first: u8,
    ) -> Result<Begun, Refusal> {
        let mut buffer = [0; CHALLENGE_BYTES];
        let challenge = decode(submission.challenge.as_bytes(), &mut buffer).ok_or(Refusal::Malformed)?;
        let challenge = Challenge::parse(challenge)?;
        if !config.challenge.offers(challenge.shape().algorithm) {
            return Err(Refusal::Malformed);
        }
        let mut buffer = [0; SOLUTION_BYTES_MAX];
        let solution = decode(submission.solution.as_bytes(), &mut buffer).ok_or(Refusal::Malformed)?;
        let solution = Solution::parse(solution, challenge.shape())?;
        // The price of this moment is the same for all that follows.
        let pricing = self.pricing(config, site);
        let asks_nothing = self.mode_of(site) == Mode::Off || (!challenge.standing() && pricing.price == 0);
        if challenge.purpose() == Purpose::Gate && asks_nothing {
            return Ok(Begun::Redeemed(Redeemed::NotNeeded));
        }
        let secrets = self.secrets.load();
        let expected = Expectations {
            now,
            audience: &secrets.tags.of(site),
            strict_network: (config.clearance.bind == Bind::Strict).then_some(submission.network),
            table_begins: self.table_begins,
        };
        match secrets.keys.authenticate(&challenge, &expected)?.paid_by(&solution, first)? {
            Paid::Solved(solved) => {
                let order = Order {
                    config,
                    site,
                    warrant: Warrant::Work(&solved),
                    price: pricing.price,
                    network: submission.network,
                };
                self.sell(&order, &secrets, now).map(Begun::Redeemed)
            }
            Paid::Guarded(guarded) => Ok(Begun::Guarded(guarded)),
        }
    }

    /// The rest, once the nonces of a guarded solution are found good: at the price of that moment.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn finish_redeeming(
        &self,
        config: &Config,
        site: &Site,
        solved: &Solved,
        network: ClientNetwork,
        now: UnixSeconds,
    ) -> Result<Redeemed, Refusal> {
        let (price, challenge) = (self.pricing(config, site).price, solved.challenge());
        let asks_nothing = self.mode_of(site) == Mode::Off || (!challenge.standing() && price == 0);
        if challenge.purpose() == Purpose::Gate && asks_nothing {
            return Ok(Redeemed::NotNeeded);
        }
        self.sell(&Order { config, site, warrant: Warrant::Work(solved), price, network }, &self.secrets.load(), now)
    }

    /// Gives a device that shows the secret of a pass its clearance, in every mode and at every price: the same one each time
    /// it comes with that. `held` are the clearances that it has, `fresh` is random.
    ///
    /// # Errors
    /// See [`PassRefusal`].
    pub fn redeem_pass(
        &self,
        config: &Config,
        (site, secret): (&Site, &[u8; PASS_SECRET_BYTES]),
        (network, held): (ClientNetwork, &[ClearanceId]),
        now: UnixSeconds,
        fresh: [u8; 16],
    ) -> Result<(Shown, Redeemed), PassRefusal> {
        let shown = self.passes.show(secret, &site.name, held, ClearanceId(fresh), now)?;
        let price = self.pricing(config, site).price;
        let order = Order { config, site, warrant: Warrant::Pass(&shown), price, network };
        let Ok(redeemed) = self.sell(&order, &self.secrets.load(), now) else {
            self.passes.give_up(&shown);
            return Err(PassRefusal::Busy);
        };
        Ok((shown, redeemed))
    }

    /// The one place in which a clearance is minted: in the `Fresh` arm, from proof of work or the secret of a pass.
    fn sell(&self, order: &Order<'_>, secrets: &Secrets, now: UnixSeconds) -> Result<Redeemed, Refusal> {
        let id = order.warrant.clearance_id();
        let mut buyer = None;
        let inserted = self.table.insert_if_absent(id, now, || {
            let terms = match order.warrant {
                Warrant::Work(solved) => {
                    self.by_work(order, solved, buyer.insert(self.memory.buyer(order.network)), now)?
                }
                Warrant::Pass(shown) => by_pass(order, shown, now),
            };
            let mut networks = Networks::default();
            networks.visit(secrets.network_mark(order.network, terms.day));
            Ok(Entry {
                begun: terms.credits,
                left: i32::try_from(terms.credits.in_hundredths()).unwrap_or(i32::MAX),
                price_paid: u32::try_from(terms.price_paid).unwrap_or(u32::MAX),
                expires_at: terms.expires_at,
                keep_seconds: u16::try_from(terms.keep_seconds).unwrap_or(u16::MAX),
                issued_day: terms.day,
                site: order.site.mark,
                standing: terms.standing,
                networks,
                navigated_at: UnixSeconds(0),
                navigation_ratio: 0,
                dropped_at: UnixSeconds(0),
                pass: terms.pass,
            })
        });
        let (entry, fresh) = match inserted {
            Inserted::Fresh(entry) => {
                // Only what was really sold counts, and once: neither a failure nor the same solution sent again.
                if let Some(buyer) = buyer {
                    self.memory.bought(&buyer, entry.begun.ratio(order.config.clearance.full), now);
                }
                (entry, true)
            }
            Inserted::Existing(entry) if entry.pass == 0 && entry.spent(order.price, now) => return Err(Refusal::Used),
            Inserted::Existing(entry) => (entry, false),
            Inserted::Declined(refusal) => return Err(refusal),
            Inserted::Full => return Err(Refusal::Busy),
        };
        Ok(Redeemed::Clearance {
            id,
            credits: entry.credits_left(),
            expires_in: entry.expires_at.since(now),
            solved_in: match order.warrant {
                Warrant::Work(solved) if fresh => Some(now.since(solved.challenge().issued_at())),
                Warrant::Work(_) | Warrant::Pass(_) => None,
            },
        })
    }

    /// What the work buys at this moment.
    fn by_work(&self, order: &Order<'_>, solved: &Solved, buyer: &Buyer, now: UnixSeconds) -> Result<Terms, Refusal> {
        let (config, challenge) = (order.config, solved.challenge());
        let (used, slots) = (self.table.used(), self.table.slots());
        let crowded = crowded(used, slots);
        if challenge.standing() && self.table.standing() >= slots / 4 {
            return Err(Refusal::Busy);
        }
        let (shape, terms) = (challenge.shape(), config.challenge_of(order.site));
        let work = shape.work(terms.rate_of(shape.algorithm));
        let sale = self.sale(config, &terms, order.price, self.memory.multiplier(buyer, now));
        let bought = sale.buy(work, challenge.standing()).ok_or(Refusal::Outpriced)?;
        let lifetime = config.clearance.lifetime_seconds;
        let lifetime = if crowded { lifetime.min(CROWDED_LIFETIME_SECONDS) } else { lifetime };
        let expires_at = now.plus(lifetime);
        Ok(Terms {
            credits: bought.credits,
            price_paid: bought.price_paid,
            expires_at,
            keep_seconds: KEEP_SECONDS.max(challenge.expires_at().since(expires_at)),
            day: challenge.day(),
            standing: challenge.standing(),
            pass: 0,
        })
    }
}

/// On what terms a clearance is minted.
struct Terms {
    credits: Credits,
    price_paid: u64,
    expires_at: UnixSeconds,
    keep_seconds: u32,
    /// Whose key hashes its networks.
    day: Day,
    standing: bool,
    /// The mark of the pass.
    pass: u16,
}

/// A full clearance at the price of this moment, for as long as the pass lives.
fn by_pass(order: &Order<'_>, shown: &Shown, now: UnixSeconds) -> Terms {
    Terms {
        credits: order.config.clearance.full,
        price_paid: order.price.max(order.config.challenge_of(order.site).floor()),
        expires_at: shown.expires_at,
        keep_seconds: KEEP_SECONDS,
        day: now.day(),
        standing: false,
        pass: shown.mark,
    }
}
