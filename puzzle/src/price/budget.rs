//! What a request costs a clearance.

use crate::Credits;
use core::num::NonZeroU32;

/// Seconds after an admitted navigation in which its assets cost at most one credit each and may overdraw.
pub const ASSET_WINDOW_SECONDS: u32 = 30;
/// Seconds after expiry in which unsafe methods still spend, so that a form already filled in goes through.
pub const GRACE_SECONDS: u32 = 600;
/// Largest ratio of prices that an overdraft is reckoned with.
const OVERDRAFT_RATIO_MAX: u16 = 10;
/// Credits that assets may overdraw by, at ratio 1: 60 assets of a tenth.
const OVERDRAFT_CREDITS: u32 = 6;
const TEN: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");

/// `T`: the reserve of a clearance that began with `begun` credits, and the toll of a further network: a tenth.
#[must_use]
pub const fn reserve(begun: Credits) -> Credits {
    begun.part(TEN)
}

/// The cost of a route as it counts for a clearance: at most what it began with less the reserve, so that a fresh
/// clearance always admits one request to any route.
#[must_use]
pub fn counted_cost(cost: Credits, begun: Credits) -> Credits {
    cost.min(Credits::hundredths(begun.in_hundredths() - reserve(begun).in_hundredths()))
}

/// `cost × max(1, price of the route now ÷ price paid)`, rounded up.
#[must_use]
pub fn charge(cost: Credits, route_price: u64, price_paid: u64) -> Credits {
    let paid = u128::from(price_paid.max(1));
    let now = u128::from(route_price).max(paid);
    let charge = (u128::from(cost.in_hundredths()) * now).div_ceil(paid);
    Credits::hundredths(u32::try_from(charge).unwrap_or(u32::MAX))
}

/// What an asset costs: a tenth, charged like any other cost, and at most one credit within
/// [`ASSET_WINDOW_SECONDS`] of a navigation admitted on the same entry.
#[must_use]
pub fn asset_charge(route_price: u64, price_paid: u64, after_navigation: bool) -> Credits {
    let full = charge(Credits::TENTH, route_price, price_paid);
    if after_navigation { full.min(Credits::ONE) } else { full }
}

/// `max(1, price of the route now ÷ price paid)` in hundredths, rounded down, at most ten.
#[must_use]
pub fn ratio_hundredths(route_price: u64, price_paid: u64) -> u16 {
    let ratio = u128::from(route_price) * 100 / u128::from(price_paid.max(1));
    u16::try_from(ratio).unwrap_or(u16::MAX).clamp(100, OVERDRAFT_RATIO_MAX * 100)
}

/// How far the assets of a page may overdraw: `6 × min(10, the ratio that the navigation paid)`, at most the credits
/// begun.
#[must_use]
pub fn overdraft(navigation_ratio_hundredths: u16, begun: Credits) -> Credits {
    let ratio = navigation_ratio_hundredths.clamp(100, OVERDRAFT_RATIO_MAX * 100);
    Credits::hundredths(OVERDRAFT_CREDITS * u32::from(ratio)).min(begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_rounded_up_and_never_below_the_cost() {
        assert_eq!(charge(Credits::ONE, 100, 100), Credits::ONE);
        assert_eq!(charge(Credits::ONE, 50, 100), Credits::ONE);
        assert_eq!(charge(Credits::ONE, 101, 100), Credits::hundredths(101));
        assert_eq!(charge(Credits::TENTH, 101, 100), Credits::hundredths(11));
        assert_eq!(charge(Credits::MAX, u64::MAX, 1), Credits::MAX);
    }

    #[test]
    fn sixty_assets_of_one_page_never_cost_more_than_its_overdraft() {
        for ratio in [100_u64, 250, 1000, 5000] {
            let page = 60 * u64::from(asset_charge(ratio, 100, true).in_hundredths());
            let allowed = overdraft(ratio_hundredths(ratio, 100), Credits::whole(100)).in_hundredths();
            assert!(page <= u64::from(allowed), "{ratio}: {page} > {allowed}");
        }
    }

    #[test]
    fn a_cost_beyond_the_budget_counts_as_all_but_the_reserve() {
        assert_eq!(counted_cost(Credits::whole(20), Credits::whole(5)), Credits::hundredths(450));
        assert_eq!(counted_cost(Credits::whole(20), Credits::whole(100)), Credits::whole(20));
    }
}
