//! What is paid again because it lasts: a slow transfer by the second, a stream by the minute (PROTOCOL §3).

use super::entry::Entry;
use super::table::LiveIds;
use super::{Gate, Receipt};
use crate::config::{Config, Site};
use puzzle::{Credits, UnixSeconds, price};

/// How a request that lasts went on paying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidAgain {
    /// The site's price is zero: nothing is asked.
    Free,
    /// It paid.
    Paid,
    /// Its clearance cannot pay any more.
    Lacking,
}

impl Entry {
    /// Pays once more for a request that lasts, or leaves the entry as it was and returns `false`. The reserve stays: it is
    /// for the visitor's forms.
    pub fn pay_again(&mut self, charge: Credits, now: UnixSeconds) -> bool {
        let left = i64::from(self.left) - i64::from(charge.in_hundredths());
        if now >= self.expires_at || left < i64::from(price::reserve(self.begun).in_hundredths()) {
            return false;
        }
        // Between −begun and begun, both within 32 bits.
        self.left = i32::try_from(left).unwrap_or(i32::MIN);
        true
    }
}

impl Gate {
    /// Charges `times` what the request costs. Nothing of it counts as paid demand: what lasts takes no work
    /// but a place, and whoever holds one must not raise the price of others with it.
    #[must_use]
    pub fn pay_again(
        &self,
        config: &Config,
        site: &Site,
        receipt: &Receipt,
        times: u32,
        now: UnixSeconds,
    ) -> PaidAgain {
        if self.pricing(config, site).price == 0 {
            return PaidAgain::Free;
        }
        let charge = Credits::hundredths(receipt.further.in_hundredths().saturating_mul(times));
        let pays = |entry: &mut Entry| self.honours(entry, receipt.clearance) && entry.pay_again(charge, now);
        match self.table.change(receipt.clearance, now, pays) {
            Some(true) => PaidAgain::Paid,
            Some(false) | None => PaidAgain::Lacking,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::entry::tests::{BORN, entry};

    #[test]
    fn what_lasts_is_paid_down_to_the_reserve_and_while_the_clearance_lives() {
        let mut entry = entry(10);
        let paid = (0..20).filter(|_| entry.pay_again(Credits::ONE, BORN)).count();
        assert_eq!((paid, entry.left), (9, 100));
        entry.left = 1_000;
        assert!(!entry.pay_again(Credits::ONE, entry.expires_at));
        assert_eq!(entry.left, 1_000);
    }
}
