//! What a rule says: what happens to a request, and what it costs.

use puzzle::Credits;

/// What a rule does, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Passes unpaid.
    Allow,
    /// Pays while the site's price is above zero.
    Price,
    /// Pays at any time in the modes `auto` and `on`.
    Challenge,
    /// Is refused.
    Deny,
}

/// What the policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// What happens.
    pub action: Action,
    /// What a request costs.
    pub cost: Credits,
    /// Whether it is an asset, whose cost is a tenth.
    pub asset: bool,
    /// The least price of the route, in attempts for a full clearance.
    pub min_price: u64,
    /// What is kept for the rule alone, of what passes unpaid.
    pub reserve: Option<Reserve>,
    /// The number of the rule that decided, from 0.
    pub rule: Option<u32>,
}

/// A slice of the capacity that no other rule can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Which slice: below [`Reserve::SLICES_MAX`], and no two rules or API keys have the same.
    pub slice: usize,
    /// Credits a second, all verifiers together.
    pub per_second: Credits,
}

impl Reserve {
    /// Rules with a slice of their own at the most: theirs are the first ones.
    pub const RULES_MAX: usize = 16;
    /// API keys at the most.
    pub const KEYS_MAX: usize = 16;
    /// All slices: those of the two rules that are built in are the last ones.
    pub const SLICES_MAX: usize = Self::RULES_MAX + Self::KEYS_MAX + 2;

    /// For whoever renews a certificate.
    pub const ACME: Self = Self::of_built_in(0);
    /// For whoever watches whether the site is there.
    pub const HEALTH: Self = Self::of_built_in(1);

    /// A credit a second: as much as any of them needs.
    const fn of_built_in(number: usize) -> Self {
        Self { slice: Self::RULES_MAX + Self::KEYS_MAX + number, per_second: Credits::ONE }
    }
}

impl Route {
    /// A request under no rule.
    pub const DEFAULT: Self =
        Self { action: Action::Price, cost: Credits::ONE, asset: false, min_price: 0, reserve: None, rule: None };

    /// Whether it asks for more than a request under no rule.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        matches!(self.action, Action::Challenge | Action::Deny) || self.cost > Credits::ONE || self.min_price > 0
    }

    /// Whether it holds in doubt too, such as for another spelling of its path: it asks for more, and opens nothing.
    pub(super) fn holds_in_doubt(&self) -> bool {
        match self.action {
            Action::Allow => false,
            Action::Price => self.is_strict() && !self.is_lax(),
            Action::Challenge | Action::Deny => true,
        }
    }

    /// Whether it asks for less than a request under no rule.
    #[must_use]
    pub fn is_lax(&self) -> bool {
        self.action == Action::Allow || self.asset || self.cost < Credits::ONE
    }

    /// What is left of a rule that allows its path, once what passes unpaid has had its share.
    #[must_use]
    pub fn without_allowance(self) -> Self {
        if self.action == Action::Allow { Self { action: Action::Price, reserve: None, ..self } } else { self }
    }

    /// The dearer of both in every respect: what a request pays that the origin might read in more than one way.
    pub(super) fn dearest(self, other: Self) -> Self {
        if (Self { rule: other.rule, ..self }) == other {
            return self;
        }
        let dearest = Self {
            action: self.action.max(other.action),
            cost: self.cost.max(other.cost),
            asset: false,
            min_price: self.min_price.max(other.min_price),
            reserve: None,
            rule: self.rule,
        };
        let (ours, theirs) = (dearest.differs_from(&self), dearest.differs_from(&other));
        Self { rule: if ours > theirs { other.rule } else { self.rule }, ..dearest }
    }

    /// In how many respects it asks for something else.
    fn differs_from(&self, other: &Self) -> u8 {
        let action = u8::from(self.action != other.action);
        action + u8::from(self.cost != other.cost) + u8::from(self.min_price != other.min_price)
    }
}
