//! What a request was charged, and what of it comes back when admission drops the request (PROTOCOL §3).

use super::Gate;
use super::entry::Entry;
use super::networks::Nested;
use super::table::LiveIds;
use crate::config::Site;
use crate::load::Amount;
use puzzle::{ClearanceId, ClientNetwork, Credits, UnixSeconds};

/// Seconds in which one drop of an entry comes back whole; further ones come back by half, so that nobody asks for
/// more than there is and pays only for what is served.
const WHOLE_ONCE_IN_SECONDS: u32 = 5;

/// What a clearance was charged for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The clearance that paid.
    pub clearance: ClearanceId,
    /// Where the request came from.
    pub network: ClientNetwork,
    /// What it was charged, without a toll; nothing where a pass paid for it.
    pub charged: Credits,
    /// What it is charged for each further second or minute, where it lasts.
    pub further: Credits,
    /// What of it is paid demand once the request goes on.
    pub kept: Amount,
}

impl Entry {
    /// Takes back a charge for a request that was dropped, and says how much of it came back.
    pub fn give_back(&mut self, charged: Credits, now: UnixSeconds) -> Credits {
        let whole = self.dropped_at.0 == 0 || now.since(self.dropped_at) >= WHOLE_ONCE_IN_SECONDS;
        if whole {
            self.dropped_at = now;
        }
        let back = if whole { charged.in_hundredths() } else { charged.in_hundredths() / 2 };
        let most = i64::from(self.begun.in_hundredths());
        let left = (i64::from(self.left) + i64::from(back)).min(most);
        // Between −begun and begun, both within 32 bits.
        self.left = i32::try_from(left).unwrap_or(i32::MAX);
        Credits::hundredths(back)
    }
}

impl Gate {
    /// A request that was charged goes on: what it paid is demand. Counted here and not when it was charged, since a
    /// network's demand counts up to a cap, and what is dropped and paid back must not use that up: in simulation a queue
    /// full of requests that were dropped then held the price at the floor.
    pub fn goes_on(&self, site: &Site, receipt: &Receipt, now: UnixSeconds) {
        self.was_paid(site, &Nested::of(receipt.network), receipt.kept, now);
    }

    /// Pays back a request that was charged and then dropped, once for each receipt: it did not get what it paid for.
    /// What it does not get back is demand.
    pub fn give_back(&self, site: &Site, receipt: &Receipt, now: UnixSeconds) {
        let back = self.table.change(receipt.clearance, now, |entry| entry.give_back(receipt.charged, now));
        let charged = receipt.charged.in_hundredths();
        // Of an entry that is gone nothing is demand any more.
        let lost = charged.saturating_sub(back.unwrap_or(receipt.charged).in_hundredths());
        if lost > 0 {
            let kept = receipt.kept.times(lost.into(), charged.into());
            self.was_paid(site, &Nested::of(receipt.network), kept, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::entry::tests::{BORN, entry};

    #[test]
    fn the_first_drop_in_five_seconds_comes_back_whole_and_further_ones_by_half() {
        let mut entry = entry(100);
        entry.left = 5_000;
        let back: Vec<u32> = [0, 0, 4, 5, 6]
            .into_iter()
            .map(|second| entry.give_back(Credits::whole(2), BORN.plus(second)).in_hundredths())
            .collect();
        assert_eq!(back, [200, 100, 100, 200, 100]);
        assert_eq!(entry.left, 5_700);
    }

    #[test]
    fn nothing_comes_back_beyond_what_it_began_with() {
        let mut entry = entry(5);
        entry.left = 450;
        entry.give_back(Credits::whole(2), BORN);
        assert_eq!(entry.left, 500);
    }

    #[test]
    fn what_was_overdrawn_comes_back_too() {
        let mut entry = entry(5);
        entry.left = -20;
        entry.give_back(Credits::TENTH, BORN);
        assert_eq!(entry.left, -10);
    }
}
