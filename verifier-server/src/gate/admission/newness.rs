//! Which client networks are new to the queue: those go first, for as long as a page with its parts takes.

use crate::gate::networks::{HashKey, Nested, Prefix};
use crate::load::Amount;
use std::time::Duration;

/// What a new network is served, for each of its shares, before it stands behind newer ones: a page and its assets.
pub const NEW_CREDITS: u32 = 3;
/// In which what it was served is forgotten. Who asks for a page with its parts once in this time is always new, and an
/// office of fifty shares that asks for fifty of them; a thousand networks that attack can be so for three credits each.
pub const NEW_AGAIN_AFTER: Duration = Duration::from_secs(20);
/// How long a network that was served something goes before those that were not: its page is finished first.
pub const FINISHED_FIRST: Duration = Duration::from_secs(10);

/// Cells of a row; a network has one in each of two.
const CELLS: usize = 32_768;
const ALLOWED: u64 = NEW_CREDITS as u64 * 1_000_000;

/// How far a network has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was served less of late than a page with its parts.
    New,
    /// The same, and it began so lately that a page of it may be on its way.
    Begun,
    /// It has had its page.
    Served,
}

/// What a network was served: it leaks.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// In millionths of a credit, as of `at_ms`.
    level: u64,
    /// Milliseconds on the queue's clock.
    at_ms: u64,
    /// When the level rose from nothing.
    began_ms: u64,
}

/// A memory of fixed size. Who shares both cells with busier networks is taken for one that was served, and no more.
#[derive(Debug)]
pub struct Newness {
    key: HashKey,
    rows: [Box<[Cell]>; 2],
}

impl Newness {
    /// Nobody was served.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        let row = || vec![Cell::default(); CELLS].into_boxed_slice();
        Self { key, rows: [row(), row()] }
    }

    /// How far a network of so many shares has come.
    #[must_use]
    pub fn standing(&self, network: &Nested, shares: [u32; 3], now: Duration) -> Standing {
        let (prefix, shares) = asked_of(network, shares);
        let cells = self.rows.iter().zip(self.cells(prefix)).map(|(row, cell)| row[cell].at(shares, now));
        let Some(cell) = cells.min_by_key(|cell| cell.level) else { return Standing::New };
        let since_ms = milliseconds(now).saturating_sub(cell.began_ms);
        match cell.level {
            level if level >= ALLOWED * shares => Standing::Served,
            0 => Standing::New,
            _ if since_ms < milliseconds(FINISHED_FIRST) => Standing::Begun,
            _ => Standing::New,
        }
    }

    /// A request of a network was served.
    pub fn served(&mut self, network: &Nested, shares: [u32; 3], cost: Amount, now: Duration) {
        let (prefix, shares) = asked_of(network, shares);
        let cells = self.cells(prefix);
        for (row, index) in self.rows.iter_mut().zip(cells) {
            let cell = row[index].at(shares, now);
            let began_ms = if cell.level == 0 { cell.at_ms } else { cell.began_ms };
            // Beyond twice what is allowed there is nothing more to remember: it would only take longer to forget.
            let level = (cell.level + cost.millionths()).min(2 * ALLOWED * shares);
            row[index] = Cell { level, began_ms, ..cell };
        }
    }

    fn cells(&self, prefix: Prefix) -> [usize; 2] {
        let hash = self.key.hash(prefix);
        [hash & 0xffff_ffff, hash >> 32].map(|half| usize::try_from(half).unwrap_or_default() % CELLS)
    }
}

impl Cell {
    /// What is left of it now, at the rate of so many shares.
    fn at(self, shares: u64, now: Duration) -> Self {
        let now_ms = milliseconds(now);
        let leaked = now_ms.saturating_sub(self.at_ms) * (ALLOWED * shares / milliseconds(NEW_AGAIN_AFTER));
        Self { level: self.level.saturating_sub(leaked), at_ms: now_ms, ..self }
    }
}

/// Of which network it is asked, and that network's shares: an IPv6 subscriber has many /56 at hand in a /48.
fn asked_of(network: &Nested, shares: [u32; 3]) -> (Prefix, u64) {
    match network {
        Nested::V4([narrow, _]) => (*narrow, shares[0].max(1).into()),
        Nested::V6([_, site, _]) => (*site, shares[1].max(1).into()),
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
    fn a_network_is_new_for_three_credits_and_again_as_they_are_forgotten() {
        let mut newness = Newness::new(HashKey([1; 16]));
        let home = nested("203.0.113.9");
        let mut standings = Vec::new();
        for _ in 0..3 {
            standings.push(newness.standing(&home, [1; 3], second(1)));
            newness.served(&home, [1; 3], Amount::of(Credits::ONE), second(1));
        }
        assert_eq!(standings, [Standing::New, Standing::Begun, Standing::Begun]);
        assert_eq!(newness.standing(&home, [1; 3], second(1)), Standing::Served);
        assert_eq!(newness.standing(&home, [2, 1, 1], second(1)), Standing::Begun, "for each of its visitors");
        assert_eq!(newness.standing(&home, [1; 3], second(9)), Standing::Begun);
        assert_eq!(newness.standing(&home, [1; 3], second(12)), Standing::New, "no page takes that long");
        assert_eq!(newness.standing(&home, [1; 3], second(21)), Standing::New);
    }

    #[test]
    fn who_asks_for_more_all_the_time_is_not_new() {
        let mut newness = Newness::new(HashKey([1; 16]));
        let home = nested("203.0.113.9");
        (0..100).for_each(|at| newness.served(&home, [1; 3], Amount::of(Credits::ONE), second(at)));
        assert_eq!(newness.standing(&home, [1; 3], second(100)), Standing::Served);
        assert_eq!(newness.standing(&home, [1; 3], second(120)), Standing::New, "and that is forgotten too");
    }

    #[test]
    fn an_office_within_its_shares_is_always_new() {
        let mut newness = Newness::new(HashKey([1; 16]));
        let office = nested("203.0.113.9");
        for at in 0..100 {
            assert_ne!(newness.standing(&office, [50, 1, 1], second(at)), Standing::Served);
            newness.served(&office, [50, 1, 1], Amount::of(Credits::whole(7)), second(at));
        }
    }

    #[test]
    fn it_is_asked_of_the_slash_48() {
        let mut newness = Newness::new(HashKey([1; 16]));
        for home in 0..4 {
            newness.served(&nested(&format!("2001:db8:5:{home:x}00::1")), [1; 3], Amount::of(Credits::ONE), second(1));
        }
        assert_eq!(newness.standing(&nested("2001:db8:5:ff00::1"), [1; 3], second(1)), Standing::Served);
        assert_eq!(newness.standing(&nested("2001:db8:6:ff00::1"), [1; 3], second(1)), Standing::New);
    }

    #[test]
    fn ten_thousand_served_networks_leave_a_newcomer_new() {
        let mut newness = Newness::new(HashKey([1; 16]));
        for number in 0..10_000_u32 {
            let [_, _, high, low] = number.to_be_bytes();
            newness.served(&nested(&format!("10.{high}.{low}.1")), [1; 3], Amount::of(Credits::whole(5)), second(1));
        }
        let standing = |low: u8| newness.standing(&nested(&format!("11.0.{low}.1")), [1; 3], second(1));
        let old = (0..=255).filter(|low| standing(*low) != Standing::New).count();
        assert!(old < 40, "{old} of 256 are taken for others, 24 expected");
    }
}
