//! What a solved challenge buys, decided at redemption.

use crate::{Credits, Multiplier};

/// The terms of a sale.
#[derive(Clone, Copy, Debug)]
pub struct Sale {
    /// `F`: credits of a full clearance.
    pub full: Credits,
    /// `p`: the site's price now.
    pub price: u64,
    /// `m`: what the client's network pays more.
    pub multiplier: Multiplier,
    /// The most that is due, whatever the price: 20·w, or the highest ceiling of all algorithms where that is more.
    pub most_due: u64,
    /// The least that any sale costs now, by the table's fill: see [`table_price`].
    pub table_price: u64,
    /// Whether nothing below `F/10` is sold (the table is a quarter full), instead of `F/20`.
    pub tenth_at_least: bool,
}

/// What was bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bought {
    /// Credits the clearance begins with.
    pub credits: Credits,
    /// The price paid for a full clearance: what later requests are charged against.
    pub price_paid: u64,
}

impl Sale {
    /// What `work` must be worth for a full clearance, in hundredths of an attempt: `p·m`, at most [`Sale::most_due`]; for a
    /// standing challenge at least its own work; never below what the table asks.
    #[must_use]
    pub fn due_hundredths(&self, work: u64, standing: bool) -> u128 {
        let by_price = u128::from(self.price) * u128::from(self.multiplier.in_hundredths());
        let capped = by_price.min(u128::from(self.most_due) * 100);
        let own = if standing { u128::from(work) * 100 } else { 0 };
        capped.max(own).max(u128::from(self.table_price) * 100)
    }

    /// What `work` buys: `min(F, F·work ÷ due)`, or `None` if that is below the least that is sold (`outpriced`).
    #[must_use]
    pub fn buy(&self, work: u64, standing: bool) -> Option<Bought> {
        let work_hundredths = u128::from(work) * 100;
        let due = self.due_hundredths(work, standing).max(1);
        let most_due_per_work = if self.tenth_at_least { 10 } else { 20 };
        if due > work_hundredths * most_due_per_work {
            return None;
        }
        let full = u128::from(self.full.in_hundredths());
        let credits = (full * work_hundredths / due).min(full).max(1);
        let paid = full * work_hundredths / (credits * u128::from(self.multiplier.in_hundredths()));
        Some(Bought {
            credits: Credits::hundredths(u32::try_from(credits).unwrap_or(u32::MAX)),
            price_paid: u64::try_from(paid).unwrap_or(u64::MAX).max(self.price),
        })
    }
}

/// The least that a sale costs while `used` of `slots` table slots are taken: `floor × max(1, (4·fill)^4)`.
#[must_use]
pub fn table_price(floor: u64, used: usize, slots: usize) -> u64 {
    // 4·fill in 1/1024: a full table gives 4096, whose fourth power times any floor fits 128 bits.
    let quadruple = (used.min(slots) as u128 * 4096).div_ceil(slots.max(1) as u128).max(1024);
    let price = u128::from(floor) * quadruple.pow(4) / 1024_u128.pow(4);
    u64::try_from(price).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALE: Sale = Sale {
        full: Credits::whole(100),
        price: 262_144,
        multiplier: Multiplier::ONE,
        most_due: 20 * 10_194_372,
        table_price: 0,
        tenth_at_least: false,
    };

    #[test]
    fn work_at_the_price_buys_a_full_clearance() {
        let bought = SALE.buy(262_144, false).expect("bought");
        assert_eq!(bought, Bought { credits: Credits::whole(100), price_paid: 262_144 });
    }

    #[test]
    fn work_below_the_price_buys_less_at_the_same_price() {
        let bought = SALE.buy(26_214, false).expect("bought");
        assert_eq!(bought.credits, Credits::hundredths(999));
        assert!((262_144..262_500).contains(&bought.price_paid));
    }

    #[test]
    fn a_twentieth_is_sold_and_less_is_outpriced() {
        assert!(SALE.buy(13_108, false).is_some());
        assert!(SALE.buy(13_107, false).is_none());
        assert!(Sale { tenth_at_least: true, ..SALE }.buy(26_214, false).is_none());
    }

    #[test]
    fn a_standing_challenge_is_due_its_own_work_while_the_price_is_zero() {
        let bought = Sale { price: 0, ..SALE }.buy(500_000, true).expect("bought");
        assert_eq!(bought, Bought { credits: Credits::whole(100), price_paid: 500_000 });
    }

    #[test]
    fn above_twenty_ceilings_the_due_stays() {
        let sale = Sale { price: 101_943_720, multiplier: Multiplier::MAX, ..SALE };
        assert_eq!(sale.due_hundredths(1, false), 2_000 * 10_194_372);
        assert!(sale.buy(10_194_372, false).is_some(), "the work of one challenge at the ceiling is always sold");
    }

    #[test]
    fn a_filling_table_raises_what_a_sale_costs() {
        assert_eq!(table_price(1000, 0, 100), 1000);
        assert_eq!(table_price(1000, 25, 100), 1000);
        assert_eq!(table_price(1000, 50, 100), 16_000);
        assert_eq!(table_price(1000, 100, 100), 256_000);
        assert_eq!(table_price(u64::MAX, 100, 100), u64::MAX);
    }
}
