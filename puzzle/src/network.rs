//! Client networks: the prefix that stands for a client, never its exact address.

use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of a client: an IPv4 /24 or an IPv6 /56. IPv4-mapped IPv6 addresses are IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientNetwork {
    /// A /24, its last byte zero.
    V4(Ipv4Addr),
    /// A /56, its last 72 bits zero.
    V6(Ipv6Addr),
}

impl ClientNetwork {
    /// The network that `address` belongs to.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8))),
            IpAddr::V6(address) => Self::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 72))),
        }
    }

    /// The canonical text that keyed hashes are taken of: `203.0.113.0/24`, `2001:db8:0:100::/56`.
    pub(crate) fn canonical_text(self) -> NetworkText {
        let mut text = NetworkText { bytes: [0; NetworkText::LEN_MAX], len: 0 };
        match self {
            // Every request with a clearance needs it, and the formatter takes longer than the hash it is made for.
            Self::V4(network) => {
                for (place, byte) in network.octets().into_iter().enumerate() {
                    if place > 0 {
                        text.push(b'.');
                    }
                    text.push_decimal(byte);
                }
                b"/24".iter().for_each(|byte| text.push(*byte));
            }
            // The buffer holds the longest text there is, so writing cannot fail.
            Self::V6(_) => drop(write!(text, "{self}")),
        }
        text
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(network) => write!(formatter, "{network}/24"),
            Self::V6(network) => write!(formatter, "{network}/56"),
        }
    }
}

/// A network's canonical text on the stack.
pub(crate) struct NetworkText {
    bytes: [u8; Self::LEN_MAX],
    len: usize,
}

impl NetworkText {
    /// `ffff:ffff:ffff:ff00::/56` has 24 characters; an address that is not a prefix at most 39 and `/56`.
    const LEN_MAX: usize = 48;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn push_decimal(&mut self, number: u8) {
        if number >= 100 {
            self.push(b'0' + number / 100);
        }
        if number >= 10 {
            self.push(b'0' + number / 10 % 10);
        }
        self.push(b'0' + number % 10);
    }
}

impl Write for NetworkText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(address: &str) -> NetworkText {
        ClientNetwork::of(address.parse().expect("an address")).canonical_text()
    }

    #[test]
    fn networks_have_the_canonical_text_of_the_protocol() {
        assert_eq!(text("203.0.113.77").as_bytes(), b"203.0.113.0/24");
        assert_eq!(text("2001:db8:0:1ff:1:2:3:4").as_bytes(), b"2001:db8:0:100::/56");
        assert_eq!(text("::ffff:203.0.113.9").as_bytes(), b"203.0.113.0/24");
        assert_eq!(text("1.20.100.255").as_bytes(), b"1.20.100.0/24");
        assert_eq!(text("109.0.9.1").as_bytes(), b"109.0.9.0/24");
        assert_eq!(text("::1").as_bytes(), b"::/56");
        assert_eq!(text("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").as_bytes(), b"ffff:ffff:ffff:ff00::/56");
    }
}
