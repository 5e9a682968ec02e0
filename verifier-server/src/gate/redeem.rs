//! Redemption: a solution becomes a clearance, once. The checks run in the order of PROTOCOL §4.

use super::Gate;
use super::entry::{Entry, Networks};
use super::table::{Inserted, LiveIds};
use crate::config::{Bind, Config, Mode, Site};
use puzzle::price::{Sale, table_price};
use puzzle::{
    CHALLENGE_BYTES, Challenge, ClearanceId, ClientNetwork, Expectations, Purpose, Refusal, SOLUTION_BYTES_MAX,
    Solution, Solved, UnixSeconds, decode,
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

impl Gate {
    /// Redeems a solution. `first` is random and says which sub-puzzle is checked first.
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
        let mut buffer = [0; CHALLENGE_BYTES];
        let challenge = decode(submission.challenge.as_bytes(), &mut buffer).ok_or(Refusal::Malformed)?;
        let challenge = Challenge::parse(challenge)?;
        let mut buffer = [0; SOLUTION_BYTES_MAX];
        let solution = decode(submission.solution.as_bytes(), &mut buffer).ok_or(Refusal::Malformed)?;
        let solution = Solution::parse(solution, challenge.shape())?;
        let asks_nothing = self.mode() == Mode::Off || (!challenge.standing() && self.pricing(config, site).price == 0);
        if challenge.purpose() == Purpose::Gate && asks_nothing {
            return Ok(Redeemed::NotNeeded);
        }
        let secrets = self.secrets.load();
        let expected = Expectations {
            now,
            audience: &secrets.tags.of(site),
            strict_network: (config.clearance.bind == Bind::Strict).then_some(submission.network),
            table_begins: self.table_begins,
        };
        let solved = secrets.keys.authenticate(&challenge, &expected)?.solved_by(&solution, first)?;
        self.sell(config, site, &solved, submission.network, now)
    }

    /// The one place in which a clearance is minted: in the `Fresh` arm, from proof of work alone.
    fn sell(
        &self,
        config: &Config,
        site: &Site,
        solved: &Solved,
        network: ClientNetwork,
        now: UnixSeconds,
    ) -> Result<Redeemed, Refusal> {
        let id = solved.clearance_id();
        let price = self.pricing(config, site).price;
        let inserted = self.table.insert_if_absent(id, now, || self.price(config, site, solved, network, now));
        let (entry, fresh) = match inserted {
            Inserted::Fresh(entry) => {
                // Only what was really sold counts, and once: neither a failure nor the same solution sent again.
                let full = config.clearance.full;
                self.memory.bought(network, entry.begun.ratio(full), now);
                (entry, true)
            }
            Inserted::Existing(entry) if entry.spent(price, now) => return Err(Refusal::Used),
            Inserted::Existing(entry) => (entry, false),
            Inserted::Declined(refusal) => return Err(refusal),
            Inserted::Full => return Err(Refusal::Busy),
        };
        Ok(Redeemed::Clearance {
            id,
            credits: entry.credits_left(),
            expires_in: entry.expires_at.since(now),
            solved_in: fresh.then(|| now.since(solved.challenge().issued_at())),
        })
    }

    /// What the work buys at this moment.
    fn price(
        &self,
        config: &Config,
        site: &Site,
        solved: &Solved,
        network: ClientNetwork,
        now: UnixSeconds,
    ) -> Result<Entry, Refusal> {
        let challenge = solved.challenge();
        let (used, slots) = (self.table.used(), self.table.slots());
        let crowded = used > slots / 4;
        if challenge.standing() && self.table.standing() >= slots / 4 {
            return Err(Refusal::Busy);
        }
        let floor = config.challenge.floor();
        let sale = Sale {
            full: config.clearance.full,
            price: self.pricing(config, site).price,
            multiplier: self.memory.multiplier(network, now),
            ceiling: config.challenge.ceiling(),
            table_price: table_price(floor, used, slots),
            tenth_at_least: crowded,
        };
        let bought = sale.buy(challenge.shape().work(), challenge.standing()).ok_or(Refusal::Outpriced)?;
        let lifetime = config.clearance.lifetime_seconds;
        let lifetime = if crowded { lifetime.min(CROWDED_LIFETIME_SECONDS) } else { lifetime };
        let expires_at = now.plus(lifetime);
        let keep = KEEP_SECONDS.max(challenge.expires_at().since(expires_at));
        let mut networks = Networks::default();
        networks.visit(self.network_mark(network, challenge.day()));
        Ok(Entry {
            begun: bought.credits,
            left: i32::try_from(bought.credits.in_hundredths()).unwrap_or(i32::MAX),
            price_paid: u32::try_from(bought.price_paid).unwrap_or(u32::MAX),
            expires_at,
            keep_seconds: u16::try_from(keep).unwrap_or(u16::MAX),
            issued_day: challenge.day(),
            site: site.mark,
            standing: challenge.standing(),
            networks,
            navigated_at: UnixSeconds(0),
            navigation_ratio: 0,
            dropped_at: UnixSeconds(0),
        })
    }
}
