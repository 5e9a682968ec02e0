//! Redemption: a solution becomes a clearance or a token, once, and the secret of a staff pass a clearance. The checks of a
//! solution run in the order of PROTOCOL §4.

use super::entry::{Entry, Networks};
use super::forms::{self, Form};
use super::live::Live;
use super::passes::{PASS_SECRET_BYTES, PassRefusal, Shown};
use super::table::{Inserted, LiveIds};
use super::token_mark::TokenMark;
use super::warrant::{Order, Warrant, by_pass, token_mark_of};
use super::{Gate, Secrets};
use crate::config::{Bind, Config, Mode, Site};
use puzzle::{
    CHALLENGE_BYTES, Challenge, ClearanceId, ClientNetwork, Expectations, Guarded, Paid, Purpose, Refusal,
    SOLUTION_BYTES_MAX, Solution, Solved, TagSource, UnixSeconds, decode,
};

/// What a client sent to be redeemed.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The challenge as base64url text.
    pub challenge: &'a str,
    /// The solution as base64url text.
    pub solution: &'a str,
    /// Where it comes from.
    pub network: ClientNetwork,
    /// What a token is to say, where the challenge was made for a key whose pages may ask for one.
    pub form: Option<Form<'a>>,
}

/// What it got.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A token: the same one each time the same solution is sent, as long as it is not used.
    Token {
        /// As it goes over the wire.
        token: Box<str>,
        /// Seconds until it expires.
        expires_in: u32,
        /// Whether it was sold just now.
        is_new: bool,
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
                let Submission { network, form, .. } = *submission;
                self.finish_redeeming(config, site, &guarded.solved(first)?, (network, form), now)
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
        let of_site = secrets.tags.of(site);
        let of_key = submission.form.map(|form| secrets.tags.of_key(form.key));
        let audience: &dyn TagSource = match (challenge.purpose(), &of_key) {
            (Purpose::Form, Some(of_key)) => of_key,
            _ => &of_site,
        };
        let expected = Expectations {
            now,
            audience,
            strict_network: (config.clearance.bind == Bind::Strict).then_some(submission.network),
            table_begins: self.table_begins(),
        };
        match secrets.keys.authenticate(&challenge, &expected)?.paid_by(&solution, first)? {
            Paid::Solved(solved) => {
                let warrant = Warrant::of_work(&solved, submission.form.as_ref())?;
                let order = self.order(config, site, warrant, submission.network);
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
        (network, form): (ClientNetwork, Option<Form<'_>>),
        now: UnixSeconds,
    ) -> Result<Redeemed, Refusal> {
        let (price, challenge) = (self.pricing(config, site).price, solved.challenge());
        let asks_nothing = self.mode_of(site) == Mode::Off || (!challenge.standing() && price == 0);
        if challenge.purpose() == Purpose::Gate && asks_nothing {
            return Ok(Redeemed::NotNeeded);
        }
        let order = self.order(config, site, Warrant::of_work(solved, form.as_ref())?, network);
        self.sell(&order, &self.secrets.load(), now)
    }

    fn order<'a>(&self, config: &'a Config, site: &'a Site, warrant: Warrant<'a>, network: ClientNetwork) -> Order<'a> {
        let price = match warrant {
            Warrant::Form(..) => self.form_price(config, site),
            Warrant::Work(_) | Warrant::Pass(_) => self.pricing(config, site).price,
        };
        Order { config, site, warrant, price, network }
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
        let order = self.order(config, site, Warrant::Pass(&shown), network);
        let Ok(redeemed) = self.sell(&order, &self.secrets.load(), now) else {
            self.passes.give_up(&shown);
            return Err(PassRefusal::Busy);
        };
        Ok((shown, redeemed))
    }

    /// The one place in which a clearance or a token is minted: in the `Fresh` arm, from proof of work or the secret of a
    /// pass.
    fn sell(&self, order: &Order<'_>, secrets: &Secrets, now: UnixSeconds) -> Result<Redeemed, Refusal> {
        let id = order.warrant.id();
        if let Warrant::Form(solved, form) = order.warrant
            && form.key.test.is_some()
        {
            // Of what is worth nothing nothing is kept.
            return token(secrets, form, id, &token_mark_of(solved, form, now), false, now);
        }
        let mut sold = None;
        let inserted = self.table.insert_if_absent(id, now, || {
            let buyer = || self.memory.buyer(order.network);
            let terms = match order.warrant {
                Warrant::Work(solved) => {
                    let buyer = buyer();
                    let terms = self.by_work(order, solved, &buyer, now)?;
                    sold = Some((buyer, terms.credits));
                    terms
                }
                Warrant::Form(solved, form) => {
                    let buyer = buyer();
                    let credits = self.for_form(order, solved, &buyer, now)?;
                    sold = Some((buyer, credits));
                    return Ok(Live::Token(token_mark_of(solved, form, now)));
                }
                Warrant::Pass(shown) => by_pass(order, shown, now),
            };
            let mut networks = Networks::default();
            networks.visit(secrets.network_mark(order.network, terms.day));
            Ok(Live::Clearance(Entry {
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
            }))
        });
        let (live, is_new) = match inserted {
            Inserted::Fresh(live) => {
                // Only what was really sold counts, and once: neither a failure nor the same solution sent again.
                if let Some((buyer, credits)) = sold {
                    self.memory.bought(&buyer, credits.ratio(order.config.clearance.full), now);
                }
                (live, true)
            }
            Inserted::Existing(live) => (live, false),
            Inserted::Declined(refusal) => return Err(refusal),
            Inserted::Full => return Err(Refusal::Busy),
        };
        match (&order.warrant, live) {
            (Warrant::Form(_, form), Live::Token(mark)) if mark.is_still(&TokenMark::digest(&form.texts), now) => {
                token(secrets, form, id, &mark, is_new, now)
            }
            (Warrant::Form(..), _) | (_, Live::Token(_)) => Err(Refusal::Used),
            (Warrant::Work(_), Live::Clearance(entry)) if !is_new && entry.spent(order.price, now) => {
                Err(Refusal::Used)
            }
            (warrant, Live::Clearance(entry)) => Ok(Redeemed::Clearance {
                id,
                credits: entry.credits_left(),
                expires_in: entry.expires_at.since(now),
                solved_in: match warrant {
                    Warrant::Work(solved) if is_new => Some(now.since(solved.challenge().issued_at())),
                    _ => None,
                },
            }),
        }
    }
}

/// The token of a mark, as whoever redeemed its challenge gets it.
fn token(
    secrets: &Secrets,
    form: &Form<'_>,
    id: ClearanceId,
    mark: &TokenMark,
    is_new: bool,
    now: UnixSeconds,
) -> Result<Redeemed, Refusal> {
    let token = forms::written(secrets, form, id, mark).ok_or(Refusal::Busy)?;
    Ok(Redeemed::Token { token, expires_in: mark.expires_at().since(now), is_new })
}
