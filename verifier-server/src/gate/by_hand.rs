//! What the operator has set by hand, until it ends by itself: rules against a network or a path, and pinned prices.
//!
//! A rule made here only ever asks for more than the configuration does; it opens nothing.

mod kept;
mod rules;
#[cfg(test)]
mod tests;

pub use kept::KeptByHand;
pub use rules::{
    HAND_RULE_NUMBER_FIRST, HAND_RULES_MAX, HandAction, HandRule, HandRuleError, HandRuleReport, NewHandRule,
};

use super::Gate;
use super::policy::{Route, Subject};
use crate::config::{Config, Site};
use arc_swap::ArcSwap;
use puzzle::UnixSeconds;
use rules::Compiled;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long anything set by hand lasts at the most, in minutes: a week.
pub const BY_HAND_MINUTES_MAX: u32 = 7 * 24 * 60;

/// A price that the operator holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Whose it is.
    pub site: String,
    /// Attempts for a full clearance, while the gate is down.
    pub price: u64,
    /// When the load sets the price again.
    pub expires_at: UnixSeconds,
}

/// Why no price was pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// It is no price of this site.
    #[error("the price of this site is {0} to {1} attempts")]
    Price(u64, u64),
    /// It would last too long, or not at all.
    #[error("it lasts 1 to {BY_HAND_MINUTES_MAX} minutes")]
    Minutes,
}

/// Everything set by hand.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    set: Mutex<Set>,
    /// What requests look at.
    in_force: ArcSwap<InForce>,
    /// Whether something has changed since it was written last.
    changed: AtomicBool,
    /// Held while it is written to a file.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Set {
    rules: Vec<HandRule>,
    pins: Vec<Pin>,
    /// The number of the next rule.
    next: u32,
}

#[derive(Debug, Default)]
struct InForce {
    rules: Compiled,
    /// Prices by the marks of their sites.
    pins: Vec<(u16, u64)>,
}

impl ByHand {
    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what is set into force.
    fn publish(&self, set: &Set) {
        let pins = set.pins.iter().map(|pin| (Site::mark_of(&pin.site), pin.price)).collect();
        self.in_force.store(InForce { rules: Compiled::new(&set.rules), pins }.into());
    }

    /// Forgets what has ended.
    pub(super) fn forget_ended(&self, now: UnixSeconds) {
        let mut set = self.set();
        let before = (set.rules.len(), set.pins.len());
        set.rules.retain(|rule| now < rule.expires_at);
        set.pins.retain(|pin| now < pin.expires_at);
        if before != (set.rules.len(), set.pins.len()) {
            self.publish(&set);
        }
    }

    /// The price that is held at a site.
    pub(super) fn pinned(&self, site: &Site) -> Option<u64> {
        let in_force = self.in_force.load();
        in_force.pins.iter().find(|(mark, _)| *mark == site.mark).map(|(_, price)| *price)
    }
}

impl Gate {
    /// What the rules say of a request to a site: those of the configuration, and what was made by hand where that asks for more.
    #[must_use]
    pub fn route(&self, config: &Config, site: &Site, subject: &Subject<'_>) -> Route {
        let route = config.policy.route(subject);
        let in_force = self.by_hand.in_force.load();
        if in_force.rules.is_empty() { route } else { in_force.rules.raise(route, site.mark, subject) }
    }

    /// Makes a rule that lasts so long.
    ///
    /// # Errors
    /// See [`HandRuleError`]; then nothing has changed.
    pub fn new_hand_rule(&self, new: &NewHandRule, now: UnixSeconds) -> Result<HandRuleReport, HandRuleError> {
        let mut set = self.by_hand.set();
        let rule = HandRule::new(new, HAND_RULE_NUMBER_FIRST + set.next, now)?;
        // The same again only changes how long it lasts.
        set.rules.retain(|known| !known.is_like(&rule));
        if set.rules.len() >= HAND_RULES_MAX {
            return Err(HandRuleError::TooMany);
        }
        set.next = (set.next + 1) % HAND_RULE_NUMBER_FIRST;
        let report = rule.report(now);
        set.rules.push(rule);
        self.by_hand.changed.store(true, Ordering::Relaxed);
        self.by_hand.publish(&set);
        Ok(report)
    }

    /// Takes the rule of this number away; `None` where there is none.
    pub fn revoke_hand_rule(&self, number: u32, now: UnixSeconds) -> Option<HandRuleReport> {
        let mut set = self.by_hand.set();
        let place = set.rules.iter().position(|rule| rule.number == HAND_RULE_NUMBER_FIRST.saturating_add(number))?;
        let report = set.rules.remove(place).report(now);
        self.by_hand.changed.store(true, Ordering::Relaxed);
        self.by_hand.publish(&set);
        Some(report)
    }

    /// All rules made by hand that have not ended.
    #[must_use]
    pub fn hand_rules(&self, now: UnixSeconds) -> Vec<HandRuleReport> {
        self.by_hand.set().rules.iter().filter(|rule| now < rule.expires_at).map(|rule| rule.report(now)).collect()
    }

    /// The rule made by hand that decided about a route.
    #[must_use]
    pub fn hand_rule_of(&self, route: &Route, now: UnixSeconds) -> Option<HandRuleReport> {
        let number = route.rule.filter(|number| *number >= HAND_RULE_NUMBER_FIRST)?;
        self.by_hand.set().rules.iter().find(|rule| rule.number == number).map(|rule| rule.report(now))
    }

    /// Holds the price of a site, while its gate is down, for so long; or lets the load set it again.
    ///
    /// # Errors
    /// See [`PinError`]; then nothing has changed.
    pub fn pin_price(
        &self,
        config: &Config,
        site: &Site,
        price: Option<u64>,
        minutes: u32,
        now: UnixSeconds,
    ) -> Result<(), PinError> {
        let terms = config.challenge_of(site);
        let (least, most) = (terms.floor(), terms.highest_price().max(terms.floor()));
        let pin = match price {
            Some(price) if !(least..=most).contains(&price) => return Err(PinError::Price(least, most)),
            Some(_) if !(1..=BY_HAND_MINUTES_MAX).contains(&minutes) => return Err(PinError::Minutes),
            Some(price) => Some(Pin { site: site.name.clone(), price, expires_at: after(now, minutes) }),
            None => None,
        };
        let mut set = self.by_hand.set();
        set.pins.retain(|pin| pin.site != site.name);
        set.pins.extend(pin);
        self.by_hand.changed.store(true, Ordering::Relaxed);
        self.by_hand.publish(&set);
        Ok(())
    }

    /// The price that is held at a site, and when that ends.
    #[must_use]
    pub fn pin_of(&self, site: &Site, now: UnixSeconds) -> Option<Pin> {
        self.by_hand.set().pins.iter().find(|pin| pin.site == site.name && now < pin.expires_at).cloned()
    }
}

/// So many minutes from now.
fn after(now: UnixSeconds, minutes: u32) -> UnixSeconds {
    UnixSeconds(now.0.saturating_add(minutes.saturating_mul(60)))
}
