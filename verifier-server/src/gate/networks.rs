//! Client networks inside larger ones: what is fair is reckoned for each of them (DESIGN: nested shares).

mod decaying;
mod hash;
mod memory;
mod profile;
mod profile_file;
mod purchases;
mod sketch;

pub use decaying::{DecayingSketch, Place, Shape};
pub use hash::HashKey;
pub use memory::{Memory, NetworksHealth};
pub use profile::{
    CREDITS_PER_SECOND_AND_SHARE, LEARNING_DELAY_SECONDS, PROFILE_HALF_LIFE_SECONDS, Profile, SHARES_AROUND_MAX,
    SHARES_MAX,
};
pub use purchases::{Buyer, HALF_LIFE_SECONDS, Purchases};
pub use sketch::CountMin;

use ipnet::IpNet;
use puzzle::ClientNetwork;

/// A network that the operator knows to be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// Its prefix: IPv4 from /16, IPv6 from /32.
    pub network: IpNet,
    /// Visitors behind it at the same time, at least 1.
    pub visitors: u16,
}

/// A network by its leading bits, at most a /56: never an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The leading bits, the rest zero.
    bits: u64,
    /// How many of them count.
    length: u8,
    /// Whether it is an IPv6 network.
    v6: bool,
}

impl Prefix {
    /// How many leading bits count.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether it is an IPv6 network.
    #[must_use]
    pub const fn is_v6(self) -> bool {
        self.v6
    }

    /// The narrowest in which clients are told apart: a /24 or a /56.
    #[must_use]
    pub const fn is_client_network(self) -> bool {
        self.length == if self.v6 { 56 } else { 24 }
    }

    /// How many shares a network of this size has where nothing is known of it: 16 for a /16, 4 for a /48, 64 for a /32.
    #[must_use]
    pub const fn shares_assumed(self) -> f32 {
        match (self.v6, self.length) {
            (false, 16) => 16.0,
            (true, 48) => 4.0,
            (true, 32) => 64.0,
            _ => 1.0,
        }
    }

    /// The network of this prefix, of which at most 64 bits count: no known one is narrower than what we tell apart by.
    fn of_net(net: &IpNet) -> Self {
        match net {
            IpNet::V4(net) => Self::v4(net.addr(), net.prefix_len()),
            IpNet::V6(net) => Self::v6(net.addr(), net.prefix_len().min(64)),
        }
    }

    /// Whether one of the two networks lies in the other, or they are the same.
    const fn overlaps(self, other: Self) -> bool {
        let length = if self.length < other.length { self.length } else { other.length };
        // Lengths are at least 16: shorter ones are no client network and not allowed as a known one.
        self.v6 == other.v6 && (self.bits ^ other.bits) >> (64 - length) == 0
    }

    const fn v4(address: std::net::Ipv4Addr, length: u8) -> Self {
        Self { bits: ((address.to_bits() as u64) << 32) & (u64::MAX << (64 - length)), length, v6: false }
    }

    const fn v6(address: std::net::Ipv6Addr, length: u8) -> Self {
        let upper_half = (address.to_bits() >> 64) as u64;
        Self { bits: upper_half & (u64::MAX << (64 - length)), length, v6: true }
    }
}

/// A client network and those around it, the narrowest first: IPv4 /24 in /16, IPv6 /56 in /48 in /32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nested {
    /// A /24 and its /16.
    V4([Prefix; 2]),
    /// A /56, its /48 and its /32.
    V6([Prefix; 3]),
}

impl Nested {
    /// Levels of an IPv6 network; one of IPv4 has two.
    pub const LEVELS_MAX: usize = 3;

    /// The networks that `network` lies in, itself first.
    #[must_use]
    pub fn of(network: ClientNetwork) -> Self {
        match network {
            ClientNetwork::V4(address) => Self::V4([24, 16].map(|length| Prefix::v4(address, length))),
            ClientNetwork::V6(address) => Self::V6([56, 48, 32].map(|length| Prefix::v6(address, length))),
        }
    }

    /// The narrowest first.
    #[must_use]
    pub const fn levels(&self) -> &[Prefix] {
        match self {
            Self::V4(levels) => levels,
            Self::V6(levels) => levels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(address: &str) -> Nested {
        Nested::of(ClientNetwork::of(address.parse().expect("an address")))
    }

    #[test]
    fn neighbours_share_what_is_around_them() {
        let [here, there] = ["203.0.113.9", "203.0.114.9"].map(nested);
        assert_ne!(here.levels()[0], there.levels()[0]);
        assert_eq!(here.levels()[1], there.levels()[1]);
        let [here, there] = ["2001:db8:0:100::1", "2001:db8:1:100::1"].map(nested);
        assert_ne!(here.levels()[..2], there.levels()[..2]);
        assert_eq!(here.levels()[2], there.levels()[2]);
        assert_eq!(here.levels().iter().map(|level| level.length()).collect::<Vec<_>>(), [56, 48, 32]);
    }

    #[test]
    fn the_same_bits_in_both_families_are_two_networks() {
        assert_ne!(nested("32.1.13.1").levels()[1], nested("2001:d01::1").levels()[2]);
    }
}
