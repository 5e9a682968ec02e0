//! The price of the site and of its routes (PROTOCOL §3).

use super::RequestFacts;
use super::entry::Kind;
use super::policy::{Action, Route};
use crate::config::{ChallengeTerms, Mode};

/// What things cost at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pricing {
    /// `p`: attempts for a full clearance; 0 while nothing is asked.
    pub price: u64,
    /// The least that is asked when anything is.
    pub floor: u64,
    /// `w`: the most work one challenge of `sha256` asks.
    pub ceiling: u64,
    mode: Mode,
    /// Whether it is for a client network above its own cap: only such are challenged, at the floor.
    above_cap: bool,
}

/// What a route asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Attempts for a full clearance; 0 where nothing is asked.
    pub price: u64,
    /// Whether it is asked even while the site's price is zero.
    pub standing: bool,
}

impl Pricing {
    /// The prices under `terms` in `mode`, where the controller's price is `by_load`, or none while it is open.
    pub(super) fn of(terms: ChallengeTerms, mode: Mode, by_load: Option<u64>) -> Self {
        let (floor, ceiling) = (terms.floor(), terms.ceiling());
        // The configuration may have changed since the last step.
        let held = |price: u64| price.clamp(floor, terms.highest_price().max(floor));
        let price = match mode {
            Mode::Off => 0,
            Mode::Auto => by_load.map_or(0, held),
            Mode::On => held(by_load.unwrap_or(floor)),
        };
        Self { price, floor, ceiling, mode, above_cap: false }
    }

    /// The same for a client network above its own cap.
    pub(super) const fn above_cap(self) -> Self {
        Self { above_cap: true, ..self }
    }

    /// What a route asks now. A route that a rule denies has no price.
    #[must_use]
    pub fn quote(&self, route: &Route) -> Quote {
        let nothing = Quote { price: 0, standing: false };
        if self.mode == Mode::Off {
            return nothing;
        }
        match route.action {
            Action::Challenge => Quote { price: self.price.max(self.floor).max(route.min_price), standing: true },
            Action::Price if self.above_cap => self.standing(),
            Action::Price if self.price > 0 => Quote { price: self.price.max(route.min_price), standing: false },
            Action::Price | Action::Allow | Action::Deny => nothing,
        }
    }

    /// What a route asks of a request that cannot pass unpaid: where a rule allows it, what a path under no rule asks.
    #[must_use]
    pub fn quote_unallowed(&self, route: &Route) -> Quote {
        self.quote(&route.without_allowance())
    }

    /// What a standing challenge asks that is renewed for its own sake.
    #[must_use]
    pub fn standing(&self) -> Quote {
        Quote { price: self.price.max(self.floor), standing: true }
    }
}

/// By which reserve a request is paid for.
pub(super) fn kind(facts: &RequestFacts<'_>, route: &Route) -> Kind {
    if !facts.safe_method {
        Kind::Unsafe
    } else if route.asset {
        Kind::Asset
    } else if facts.navigation {
        Kind::Navigation
    } else {
        Kind::Other
    }
}
