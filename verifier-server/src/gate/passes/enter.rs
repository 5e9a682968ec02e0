//! What a request with a pass meets: a slice of the pass's own, and beyond it the clearance's credits as for everybody.

use super::super::entry::{Entry, Kind, Payment, Visit};
use super::super::policy::Route;
use super::super::table::LiveIds;
use super::super::{Gate, Met, Quote, Receipt, RequestFacts, Right, Unpaid, cost, payment};
use super::{PASS_CREDITS_PER_SECOND, PASSES_SHARE, PassError, PassReport};
use crate::config::{Config, Site};
use crate::gate::Decision;
use crate::load::{Amount, Capacity};
use puzzle::{ClearanceId, Credits, UnixSeconds, price};

impl Entry {
    /// Lets a request in that a pass pays for: only a network that the entry does not know costs its toll. Else it leaves
    /// the entry as it was and returns `false`.
    pub fn enter(&mut self, payment: &Payment, now: UnixSeconds) -> bool {
        if now >= self.expires_at {
            return false;
        }
        let mut networks = self.networks;
        let visit = networks.visit(payment.network);
        if payment.strict && visit != Visit::Remembered {
            return false;
        }
        if visit == Visit::Further {
            let toll = i64::from(price::reserve(self.begun).in_hundredths());
            let Ok(left) = i32::try_from(i64::from(self.left) - toll) else { return false };
            if left < 0 {
                return false;
            }
            self.left = left;
        }
        self.networks = networks;
        if payment.kind == Kind::Navigation {
            self.navigated_at = now;
            self.navigation_ratio = price::ratio_hundredths(payment.route_price, u64::from(self.price_paid));
        }
        true
    }
}

impl Gate {
    /// Makes a pass for a site; its link has `secret`.
    ///
    /// # Errors
    /// See [`PassError`].
    pub fn new_pass(
        &self,
        name: &str,
        site: &Site,
        secret: &[u8; super::PASS_SECRET_BYTES],
        hours: u32,
        now: UnixSeconds,
    ) -> Result<PassReport, PassError> {
        self.passes.add(name, &site.name, secret, hours, now)
    }

    /// Takes the pass of this name back, with the clearances of its devices. Whether there was one.
    pub fn revoke_pass(&self, name: &str) -> bool {
        self.passes.revoke(name)
    }

    /// All passes.
    #[must_use]
    pub fn passes(&self) -> Vec<PassReport> {
        self.passes.report()
    }

    /// Whether an entry may be used at all: one of a pass only while that is there.
    pub(in crate::gate) fn honours(&self, entry: &Entry, id: ClearanceId) -> bool {
        entry.pass == 0 || self.passes.has(entry.pass, id)
    }

    /// The answer to a request that has a pass and for which there is room in its slice.
    pub(in crate::gate) fn enters_by_pass(
        &self,
        config: &Config,
        facts: &RequestFacts<'_>,
        route: &Route,
        (kind, quote): (Kind, Quote),
        now: UnixSeconds,
    ) -> Option<Met> {
        if self.passes.is_empty() {
            return None;
        }
        let unpaid = Some(Unpaid { right: Right::Pass, admitted: true });
        facts.clearances.iter().find_map(|id| {
            let mark = self.pass_of(*id, facts.site, now)?;
            let key = facts.repeat.map(|repeat| self.repeats.key(*id, &repeat));
            if key.is_some_and(|key| self.repeats.covers(key, now)) {
                return Some(Met { unpaid, ..Met::new(Decision::Reserved) });
            }
            let rate = self.pass_rate(config, facts.site);
            let receipt = self.table.change(*id, now, |entry| {
                let network = self.secrets.load().network_mark(facts.network, entry.issued_day);
                let payment = payment(config, kind, route, quote, network);
                let (mut entered, further) = (*entry, entry.charge(&payment, now));
                let enters = entered.enter(&payment, now) && self.passes.take(mark, cost(route), rate, now);
                enters.then(|| {
                    *entry = entered;
                    let (charged, kept) = (Credits::ZERO, Amount::ZERO);
                    Receipt { clearance: *id, network: facts.network, charged, further, kept }
                })
            })??;
            if let Some(key) = key {
                self.repeats.charged(key, now);
            }
            Some(Met { receipt: Some(receipt), unpaid, ..Met::new(Decision::Reserved) })
        })
    }

    /// Whether a request with the entry `id` would enter by its pass now. Changes nothing.
    pub(in crate::gate) fn would_enter(
        &self,
        config: &Config,
        site: &Site,
        (id, entry): (ClearanceId, &Entry),
        (payment, cost): (&Payment, Credits),
        now: UnixSeconds,
    ) -> bool {
        entry.pass != 0
            && self.passes.has(entry.pass, id)
            && Entry::enter(&mut entry.clone(), payment, now)
            && self.passes.has_room(entry.pass, cost, self.pass_rate(config, site), now)
    }

    /// The mark of the pass that a clearance belongs to, if it does and that is there.
    fn pass_of(&self, id: ClearanceId, site: &Site, now: UnixSeconds) -> Option<u16> {
        let (mark, of) = self.table.change(id, now, |entry| (entry.pass, entry.site))?;
        (mark != 0 && of == site.mark && self.passes.has(mark, id)).then_some(mark)
    }

    /// Credits a second of one pass: all passes of a site together never take more than their share of what it can do.
    fn pass_rate(&self, config: &Config, site: &Site) -> f64 {
        let learned = || self.load_of(site).last().capacity.and_then(Capacity::known);
        let Some(capacity) = config.capacity_of(site).or_else(learned) else { return PASS_CREDITS_PER_SECOND };
        let in_use = u32::try_from(self.passes.in_use(&site.name)).unwrap_or(u32::MAX).max(1);
        PASS_CREDITS_PER_SECOND.min(PASSES_SHARE * capacity / f64::from(in_use))
    }
}
