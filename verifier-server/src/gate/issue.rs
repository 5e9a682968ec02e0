//! Challenges: made of the keys of the day and of nothing else, and forgotten as soon as they are sent.

use super::site_keys::SiteKey;
use super::table::LiveIds;
use super::{Gate, Quote};
use crate::config::{Bind, Config, Site};
use puzzle::{Algorithm, Challenge, ClientNetwork, NewChallenge, Purpose, Shape, TagSource, UnixSeconds};

/// Who asks for a challenge, and what it is to cost.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The site whose endpoints are asked.
    pub site: &'a Site,
    /// The key of the form that a token is wanted for; `None` where it is a clearance.
    pub key: Option<&'a SiteKey>,
    /// Where the request comes from.
    pub network: ClientNetwork,
    /// What is asked.
    pub quote: Quote,
}

impl Gate {
    /// A fresh challenge of `algorithm`, at the quote times the multiplier of the network. `None` if the clock has left the
    /// days of the keys, which the next tick mends.
    #[must_use]
    pub fn issue(
        &self,
        config: &Config,
        asking: &Asking<'_>,
        algorithm: Algorithm,
        now: UnixSeconds,
        random: [u8; 16],
    ) -> Option<Challenge> {
        let Asking { site, key, network, quote } = *asking;
        let secrets = self.secrets.load();
        let keys = secrets.keys.signing(now)?;
        let terms = config.challenge_of(site);
        let least = match key {
            Some(_) => self.token_price(&terms),
            None => puzzle::price::table_price(terms.floor(), self.table.used(), self.table.slots()),
        };
        let price = if least > terms.floor() { quote.price.max(least) } else { quote.price };
        let multiplier = self.memory.multiplier(&self.memory.buyer(network), now);
        let (ceiling, count) = (terms.ceiling_of(algorithm), terms.count_of(algorithm));
        let difficulty = puzzle::price::asked(price, multiplier, ceiling, terms.rate_of(algorithm), count);
        Some(keys.issue(&NewChallenge {
            shape: Shape { algorithm, count, difficulty },
            issued_at: now,
            lifetime_seconds: terms.lifetime_seconds,
            purpose: if key.is_some() { Purpose::Form } else { Purpose::Gate },
            standing: quote.standing,
            random,
            binding: if config.clearance.bind == Bind::Strict { keys.binding(network) } else { [0; 8] },
            site: key.map_or_else(|| secrets.tags.of(site).tag(keys), |key| secrets.tags.of_key(key).tag(keys)),
        }))
    }
}
