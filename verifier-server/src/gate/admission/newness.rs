//! Which client networks are new to the queue: those go first, for as long as a page with its parts takes.

use crate::gate::networks::{HashKey, Nested, Prefix};
use crate::load::Amount;
use std::time::Duration;

/// What a new network is served, for each of its shares, before it stands behind newer ones: a page and its assets.
pub const NEW_CREDITS: u32 = 3;
/// After how long without being served a network is new again.
pub const NEW_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Cells of a row; a network has one in each of two.
const CELLS: usize = 32_768;

/// What a network was served since it was new, and when last.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Milliseconds on the queue's clock, plus one; 0 for never.
    served_at_ms: u64,
    /// In millionths of a credit.
    served: u64,
}

/// A memory of fixed size. Who shares both cells with busier networks is taken for one that was served, and no more.
#[derive(Debug)]
pub struct Newness {
    key: HashKey,
    rows: [Box<[Cell]>; 2],
}

impl Default for Newness {
    fn default() -> Self {
        let row = || vec![Cell::default(); CELLS].into_boxed_slice();
        Self { key: HashKey::of_process(), rows: [row(), row()] }
    }
}

impl Newness {
    /// Whether a network of so many shares is new.
    #[must_use]
    pub fn is_new(&self, network: &Nested, shares: [u32; 3], now: Duration) -> bool {
        let (prefix, shares) = asked_of(network, shares);
        let most = u64::from(shares) * u64::from(NEW_CREDITS) * 1_000_000;
        let cells = self.cells(prefix);
        self.rows.iter().zip(cells).any(|(row, cell)| row[cell].is_fresh(now) || row[cell].served < most)
    }

    /// A request of a network was served.
    pub fn served(&mut self, network: &Nested, cost: Amount, now: Duration) {
        let cells = self.cells(asked_of(network, [1; 3]).0);
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            let cell = &mut row[cell];
            let before = if cell.is_fresh(now) { 0 } else { cell.served };
            *cell = Cell { served_at_ms: milliseconds(now) + 1, served: before.saturating_add(cost.millionths()) };
        }
    }

    fn cells(&self, prefix: Prefix) -> [usize; 2] {
        let hash = self.key.hash(prefix);
        [hash & 0xffff_ffff, hash >> 32].map(|half| usize::try_from(half).unwrap_or_default() % CELLS)
    }
}

impl Cell {
    fn is_fresh(&self, now: Duration) -> bool {
        let again_at_ms = self.served_at_ms.saturating_add(milliseconds(NEW_AGAIN_AFTER));
        self.served_at_ms == 0 || milliseconds(now) + 1 >= again_at_ms
    }
}

/// Of which network it is asked, and that network's shares: an IPv6 subscriber has many /56 at hand in a /48.
fn asked_of(network: &Nested, shares: [u32; 3]) -> (Prefix, u32) {
    match network {
        Nested::V4([narrow, _]) => (*narrow, shares[0].max(1)),
        Nested::V6([_, site, _]) => (*site, shares[1].max(1)),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use puzzle::{ClientNetwork, Credits};

    fn nested(address: &str) -> Nested {
        Nested::of(ClientNetwork::of(address.parse().expect("an address")))
    }

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn a_network_is_new_for_three_credits_and_again_after_ten_seconds_unserved() {
        let mut newness = Newness::default();
        let home = nested("203.0.113.9");
        for credit in 0..3 {
            assert!(newness.is_new(&home, [1; 3], second(credit)));
            newness.served(&home, Amount::of(Credits::ONE), second(credit));
        }
        assert!(!newness.is_new(&home, [1; 3], second(2)));
        assert!(newness.is_new(&home, [2, 1, 1], second(2)), "as many visitors as it has shares");
        assert!(!newness.is_new(&home, [1; 3], second(11)));
        assert!(newness.is_new(&home, [1; 3], second(12)));
    }

    #[test]
    fn served_all_the_time_it_never_becomes_new() {
        let mut newness = Newness::default();
        let home = nested("203.0.113.9");
        (0..100).for_each(|at| newness.served(&home, Amount::of(Credits::ONE), second(at * 9)));
        assert!(!newness.is_new(&home, [1; 3], second(99 * 9 + 9)));
    }

    #[test]
    fn it_is_asked_of_the_slash_48() {
        let mut newness = Newness::default();
        for home in 0..4 {
            newness.served(&nested(&format!("2001:db8:5:{home:x}00::1")), Amount::of(Credits::ONE), second(1));
        }
        assert!(!newness.is_new(&nested("2001:db8:5:ff00::1"), [1; 3], second(1)));
        assert!(newness.is_new(&nested("2001:db8:6:ff00::1"), [1; 3], second(1)));
    }

    #[test]
    fn ten_thousand_served_networks_leave_a_newcomer_new() {
        let mut newness = Newness::default();
        for number in 0..10_000_u32 {
            let [_, _, high, low] = number.to_be_bytes();
            newness.served(&nested(&format!("10.{high}.{low}.1")), Amount::of(Credits::whole(5)), second(1));
        }
        let old = (0..=255).filter(|low| !newness.is_new(&nested(&format!("11.0.{low}.1")), [1; 3], second(1))).count();
        assert!(old < 40, "{old} of 256 are taken for others, 24 expected");
    }
}
