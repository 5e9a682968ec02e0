//! What a key of the tables is called, at most so many bytes of it.

use puzzle::ClientNetwork;
use std::io::Write;

/// Longer names are cut: two that begin with the same bytes are one.
pub const LABEL_BYTES_MAX: usize = 95;

/// A name on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    bytes: [u8; LABEL_BYTES_MAX],
    length: u8,
}

impl Label {
    /// The empty name.
    pub(super) const EMPTY: Self = Self { bytes: [0; LABEL_BYTES_MAX], length: 0 };

    /// The beginning of `text`.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut label = Self::EMPTY;
        let length = text.len().min(LABEL_BYTES_MAX);
        label.bytes[..length].copy_from_slice(&text[..length]);
        label.length = u8::try_from(length).unwrap_or(u8::MAX);
        label
    }

    /// A client network, as a prefix.
    #[must_use]
    pub fn of_network(network: ClientNetwork) -> Self {
        let mut bytes = [0; LABEL_BYTES_MAX];
        let mut rest = &mut bytes[..];
        // A prefix has at most 43 characters.
        let _ = write!(rest, "{network}");
        let length = LABEL_BYTES_MAX - rest.len();
        Self { bytes, length: u8::try_from(length).unwrap_or(u8::MAX) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The name as text: what is no UTF-8, or no printable character, becomes a replacement character.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes())
            .chars()
            .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_names_are_cut_and_made_printable() {
        assert_eq!(Label::of(&[b'a'; 200]).text().len(), LABEL_BYTES_MAX);
        assert_eq!(Label::of(b"a\x1b[2J\xff").text(), "a\u{fffd}[2J\u{fffd}");
        let network = ClientNetwork::of("2001:db8:1234:5678:9abc:def0:1234:5678".parse().expect("address"));
        assert_eq!(Label::of_network(network).text(), "2001:db8:1234:5600::/56");
    }
}
