//! By what right a clearance or a token is minted, and on what terms.

use super::Gate;
use super::choice::crowded;
use super::forms::Form;
use super::networks::Buyer;
use super::passes::Shown;
use super::table::LiveIds;
use super::token_mark::TokenMark;
use crate::config::{ChallengeTerms, Config, Site};
use puzzle::price::{self, Bought};
use puzzle::{ClearanceId, ClientNetwork, Credits, Day, Purpose, Refusal, Solved, TOKEN_SECONDS, UnixSeconds};

/// Life of clearances sold while the table is a quarter full.
const CROWDED_LIFETIME_SECONDS: u32 = 600;
/// Seconds that an entry stays after its expiry at least.
const KEEP_SECONDS: u32 = puzzle::price::GRACE_SECONDS;

/// By what right a clearance or a token is minted: there is no other.
pub(super) enum Warrant<'a> {
    /// Proof of work, for a clearance.
    Work(&'a Solved),
    /// Proof of work, for a token.
    Form(&'a Solved, &'a Form<'a>),
    /// The secret of a staff pass.
    Pass(&'a Shown),
}

impl<'a> Warrant<'a> {
    /// That of a solved challenge: its purpose says what it buys.
    pub(super) fn of_work(solved: &'a Solved, form: Option<&'a Form<'a>>) -> Result<Self, Refusal> {
        match (solved.challenge().purpose(), form) {
            (Purpose::Gate, _) => Ok(Self::Work(solved)),
            (Purpose::Form, Some(form)) => Ok(Self::Form(solved, form)),
            // Of a key that nobody named there is no tag that could have held.
            (Purpose::Form, None) | (Purpose::Ticket, _) => Err(Refusal::WrongSite),
        }
    }

    pub(super) const fn id(&self) -> ClearanceId {
        match self {
            Self::Work(solved) | Self::Form(solved, _) => solved.clearance_id(),
            Self::Pass(shown) => shown.id,
        }
    }
}

/// A sale.
pub(super) struct Order<'a> {
    pub(super) config: &'a Config,
    pub(super) site: &'a Site,
    pub(super) warrant: Warrant<'a>,
    /// What is asked now.
    pub(super) price: u64,
    pub(super) network: ClientNetwork,
}

/// On what terms a clearance is minted.
pub(super) struct Terms {
    pub(super) credits: Credits,
    pub(super) price_paid: u64,
    pub(super) expires_at: UnixSeconds,
    pub(super) keep_seconds: u32,
    /// Whose key hashes its networks.
    pub(super) day: Day,
    pub(super) standing: bool,
    /// The mark of the pass.
    pub(super) pass: u16,
}

impl Gate {
    /// What the work buys at this moment.
    pub(super) fn by_work(
        &self,
        order: &Order<'_>,
        solved: &Solved,
        buyer: &Buyer,
        now: UnixSeconds,
    ) -> Result<Terms, Refusal> {
        let (used, slots, challenge) = (self.table.used(), self.table.slots(), solved.challenge());
        let crowded = crowded(used, slots);
        if challenge.standing() && self.table.standing() >= slots / 4 {
            return Err(Refusal::Busy);
        }
        let bought = self.bought(order, solved, buyer, now)?;
        let lifetime = order.config.clearance.lifetime_seconds;
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

    /// What a token costs at least: as the table would ask if tokens were all that it is for, so that the last of their quarter
    /// are the dearest.
    pub(super) fn token_price(&self, terms: &ChallengeTerms) -> u64 {
        let used = self.table.used().max(4 * self.table.tokens());
        price::table_price(terms.floor(), used, self.table.slots())
    }

    /// As how many credits the work for a token counts, where it buys one. There is no part of a token: it takes half of what a
    /// challenge would ask of this buyer now, the other half being for prices that rise while somebody solves.
    pub(super) fn for_form(
        &self,
        order: &Order<'_>,
        solved: &Solved,
        buyer: &Buyer,
        now: UnixSeconds,
    ) -> Result<Credits, Refusal> {
        if self.table.tokens() >= self.table.slots() / 4 {
            return Err(Refusal::Busy);
        }
        let (shape, terms) = (solved.challenge().shape(), order.config.challenge_of(order.site));
        let price = order.price.max(self.token_price(&terms));
        let (multiplier, ceiling) = (self.memory.multiplier(buyer, now), terms.ceiling_of(shape.algorithm));
        let asked = price::asked(price, multiplier, ceiling, terms.rate_of(shape.algorithm), shape.count);
        if u64::from(shape.difficulty.attempts()) * 2 < u64::from(asked.attempts()) {
            return Err(Refusal::Outpriced);
        }
        Ok(self.bought(order, solved, buyer, now)?.credits)
    }

    fn bought(&self, order: &Order<'_>, solved: &Solved, buyer: &Buyer, now: UnixSeconds) -> Result<Bought, Refusal> {
        let challenge = solved.challenge();
        let (shape, terms) = (challenge.shape(), order.config.challenge_of(order.site));
        let work = shape.work(terms.rate_of(shape.algorithm));
        let sale = self.sale(order.config, &terms, order.price, self.memory.multiplier(buyer, now));
        sale.buy(work, challenge.standing()).ok_or(Refusal::Outpriced)
    }
}

/// A full clearance at the price of this moment, for as long as the pass lives.
pub(super) fn by_pass(order: &Order<'_>, shown: &Shown, now: UnixSeconds) -> Terms {
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

/// The mark of a token sold at `now`: it stays until neither its challenge nor the token is worth anything.
pub(super) fn token_mark_of(solved: &Solved, form: &Form<'_>, now: UnixSeconds) -> TokenMark {
    let keep_seconds = solved.challenge().expires_at().since(now.plus(TOKEN_SECONDS));
    TokenMark::new(TokenMark::digest(&form.texts), now, u16::try_from(keep_seconds).unwrap_or(u16::MAX))
}
