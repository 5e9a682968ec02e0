//! Which algorithm a challenge is of (PROTOCOL §4, `algorithms=`).

use super::table::LiveIds;
use super::{Asking, Gate};
use crate::config::{ChallengeTerms, Config};
use puzzle::price::{Sale, table_price};
use puzzle::{Algorithm, Multiplier, UnixSeconds};

/// What a client can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abilities {
    /// It has not said: `sha256`, as any client can, unless that buys nothing now.
    Unsaid,
    /// It has said which, or we know it of our own page.
    Said {
        /// One block of SHA-256 an attempt.
        sha256: bool,
        /// Random programs.
        hashwx: bool,
    },
}

/// Why there is no challenge for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// It can do none of what is offered.
    NotOffered,
    /// What it can do buys less than the least that is sold.
    Outpriced,
}

impl Abilities {
    /// Our own page: `hashwx` where it is offered; if the browser refuses, the page asks again.
    pub const PAGE: Self = Self::Said { sha256: true, hashwx: true };

    /// The names of a list with commas; what is not known is left out.
    #[must_use]
    pub fn of_list(list: &str) -> Self {
        let names = |wanted: Algorithm| list.split(',').any(|name| Algorithm::of_name(name.trim()) == Some(wanted));
        Self::Said { sha256: names(Algorithm::Sha256), hashwx: names(Algorithm::HashWx) }
    }

    /// That of a client which has just used `algorithm`.
    #[must_use]
    pub const fn of_used(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Said { sha256: true, hashwx: false },
            Algorithm::HashWx => Self::PAGE,
        }
    }
}

impl Gate {
    /// The algorithm of a challenge for whoever asks.
    ///
    /// # Errors
    /// See [`NoChoice`].
    pub fn choose(
        &self,
        config: &Config,
        asking: &Asking<'_>,
        abilities: Abilities,
        now: UnixSeconds,
    ) -> Result<Algorithm, NoChoice> {
        if !config.challenge.offers(Algorithm::HashWx) {
            let able = !matches!(abilities, Abilities::Said { sha256: false, .. });
            return if able { Ok(Algorithm::Sha256) } else { Err(NoChoice::NotOffered) };
        }
        match abilities {
            Abilities::Said { hashwx: true, .. } => Ok(Algorithm::HashWx),
            Abilities::Said { sha256: false, .. } => Err(NoChoice::NotOffered),
            Abilities::Said { .. } | Abilities::Unsaid => {
                let algorithm = Algorithm::Sha256;
                if self.buys_something(config, asking, algorithm, now) {
                    Ok(algorithm)
                } else if abilities == Abilities::Unsaid {
                    Ok(Algorithm::HashWx)
                } else {
                    Err(NoChoice::Outpriced)
                }
            }
        }
    }

    /// Whether what a challenge of `algorithm` asks would be sold now.
    fn buys_something(&self, config: &Config, asking: &Asking<'_>, algorithm: Algorithm, now: UnixSeconds) -> bool {
        let Asking { site, network, quote, .. } = *asking;
        let multiplier = self.memory.multiplier(&self.memory.buyer(network), now);
        let (terms, price) = (config.challenge_of(site), self.pricing(config, site).price);
        let work = quote.price.max(price).saturating_mul(multiplier.in_hundredths().into()) / 100;
        self.sale(config, &terms, price, multiplier)
            .buy(work.min(terms.ceiling_of(algorithm)), quote.standing)
            .is_some()
    }

    /// The terms of a sale to a network that pays `multiplier`, at the price of this moment of the site with these `terms`.
    pub(super) fn sale(&self, config: &Config, terms: &ChallengeTerms, price: u64, multiplier: Multiplier) -> Sale {
        let (used, slots) = (self.table.used(), self.table.slots());
        Sale {
            full: config.clearance.full,
            price,
            multiplier,
            most_due: terms.most_due(),
            table_price: table_price(terms.floor(), used, slots),
            tenth_at_least: crowded(used, slots),
        }
    }
}

/// Whether the table has less to sell than usual.
pub(super) const fn crowded(used: usize, slots: usize) -> bool {
    used > slots / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_abilities_is_read_by_its_names() {
        let said = |sha256, hashwx| Abilities::Said { sha256, hashwx };
        assert_eq!(Abilities::of_list("sha256,hashwx"), said(true, true));
        assert_eq!(Abilities::of_list(" hashwx , blake3"), said(false, true));
        assert_eq!(Abilities::of_list("sha256"), said(true, false));
        assert_eq!(Abilities::of_list("SHA256,"), said(false, false));
    }
}
