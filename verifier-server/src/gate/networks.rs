//! Client networks inside larger ones: what is fair is reckoned for each of them (DESIGN: nested shares).

use puzzle::ClientNetwork;

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

    const fn v4(address: std::net::Ipv4Addr, length: u8) -> Self {
        Self { bits: ((address.to_bits() as u64) << 32) & (u64::MAX << (64 - length)), length, v6: false }
    }

    const fn v6(address: std::net::Ipv6Addr, length: u8) -> Self {
        // An address has 16 octets.
        let bits = match address.octets().first_chunk() {
            Some(octets) => u64::from_be_bytes(*octets),
            None => 0,
        };
        Self { bits: bits & (u64::MAX << (64 - length)), length, v6: true }
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
