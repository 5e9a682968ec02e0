//! What a key of the tables is called, at most so many bytes of it.

use puzzle::ClientNetwork;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longer names are cut: two that begin with the same bytes are one.
pub const LABEL_BYTES_MAX: usize = 94;

/// A name on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    bytes: [u8; LABEL_BYTES_MAX],
    length: u8,
    kind: Kind,
}

/// What the bytes of a name are. It is written out when it is shown, not when it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    NetworkV4,
    NetworkV6,
}

impl Label {
    /// The empty name.
    pub(super) const EMPTY: Self = Self { bytes: [0; LABEL_BYTES_MAX], length: 0, kind: Kind::Text };

    /// The beginning of `text`.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self::new(text, Kind::Text)
    }

    /// A client network.
    #[must_use]
    pub fn of_network(network: ClientNetwork) -> Self {
        match network {
            ClientNetwork::V4(address) => Self::new(&address.octets(), Kind::NetworkV4),
            ClientNetwork::V6(address) => Self::new(&address.octets(), Kind::NetworkV6),
        }
    }

    fn new(text: &[u8], kind: Kind) -> Self {
        let mut label = Self { kind, ..Self::EMPTY };
        let length = text.len().min(LABEL_BYTES_MAX);
        label.bytes[..length].copy_from_slice(&text[..length]);
        label.length = u8::try_from(length).unwrap_or(u8::MAX);
        label
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The name as text: a network as a prefix; what is no UTF-8, or not [`printable`], becomes a replacement character.
    #[must_use]
    pub fn text(&self) -> String {
        let network = match self.kind {
            Kind::Text => None,
            Kind::NetworkV4 => {
                self.bytes().try_into().ok().map(|octets: [u8; 4]| ClientNetwork::of(Ipv4Addr::from(octets).into()))
            }
            Kind::NetworkV6 => {
                self.bytes().try_into().ok().map(|octets: [u8; 16]| ClientNetwork::of(Ipv6Addr::from(octets).into()))
            }
        };
        network.map_or_else(
            || String::from_utf8_lossy(self.bytes()).chars().map(printable).collect(),
            |network| network.to_string(),
        )
    }
}

/// A character of a stranger's as it may stand in a line: what is not seen becomes a replacement character.
#[must_use]
pub fn printable(letter: char) -> char {
    if is_unseen(letter) { char::REPLACEMENT_CHARACTER } else { letter }
}

/// Whether a character is not seen, or changes how others are: control characters, line ends, marks of the direction of
/// writing, and what has no width. In a stranger's name they would deceive whoever reads it.
#[must_use]
pub fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_names_are_cut_and_made_printable() {
        assert_eq!(Label::of(&[b'a'; 200]).text().len(), LABEL_BYTES_MAX);
        assert_eq!(Label::of(b"a\x1b[2J\xff").text(), "a\u{fffd}[2J\u{fffd}");
        assert_eq!(Label::of("/gnp.\u{202e}exe".as_bytes()).text(), "/gnp.\u{fffd}exe");
        let network = |address: &str| Label::of_network(ClientNetwork::of(address.parse().expect("address"))).text();
        assert_eq!(network("2001:db8:1234:5678:9abc:def0:1234:5678"), "2001:db8:1234:5600::/56");
        assert_eq!(network("203.0.113.9"), "203.0.113.0/24");
        assert_eq!(
            Label::of("/a\u{202e}fdp.exe\u{2066}\u{200b}\u{2028}".as_bytes()).text(),
            "/a\u{fffd}fdp.exe\u{fffd}\u{fffd}\u{fffd}"
        );
    }
}
