//! Where clients connect from: sockets bound to 127.x.y.1 arrive as different /24.

use std::net::Ipv4Addr;

/// The office of fifty.
pub const OFFICE: Ipv4Addr = Ipv4Addr::new(127, 250, 0, 1);
/// The carrier's exit of two thousand.
pub const CARRIER: Ipv4Addr = Ipv4Addr::new(127, 251, 0, 1);
/// Where the lab itself asks from.
pub const LAB: Ipv4Addr = Ipv4Addr::new(127, 252, 0, 1);

/// The /16 that visitors' own networks lie in, and attackers'.
const HOMES: (u32, u32) = (130, 100);
const ATTACKERS: (u32, u32) = (2, 120);
/// Visitors' own networks in all.
pub const HOMES_MAX: u32 = 100 * 250;

/// A visitor's own network.
#[must_use]
pub fn home(number: u32) -> Ipv4Addr {
    spread(number % HOMES_MAX, HOMES)
}

/// A network of an attacker's: neighbours in number are in different /16.
#[must_use]
pub fn attacker(number: u32) -> Ipv4Addr {
    spread(number % (120 * 250), ATTACKERS)
}

fn spread(number: u32, (first, count): (u32, u32)) -> Ipv4Addr {
    let [second, third] = [first + number % count, number / count].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    Ipv4Addr::new(127, second, third, 1)
}
