//! base64url without padding (RFC 4648 §5), decoded strictly into buffers of fixed size.

use data_encoding::BASE64URL_NOPAD;

/// Base64url text of at most [`Encoded::LEN_MAX`] characters: the longest is a solution of 64 nonces and a guard, 694.
#[derive(Clone, Copy)]
pub struct Encoded {
    text: [u8; Self::LEN_MAX],
    len: usize,
}

impl Encoded {
    /// Longest text held, in characters.
    pub const LEN_MAX: usize = 768;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }
}

impl core::fmt::Display for Encoded {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl core::fmt::Debug for Encoded {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Encodes at most 576 bytes; longer input is cut, which no caller's fixed-size type allows to happen.
#[must_use]
pub fn encode(bytes: &[u8]) -> Encoded {
    let bytes = &bytes[..bytes.len().min(Encoded::LEN_MAX / 4 * 3)];
    let len = BASE64URL_NOPAD.encode_len(bytes.len());
    let mut text = [0; Encoded::LEN_MAX];
    BASE64URL_NOPAD.encode_mut(bytes, &mut text[..len]);
    Encoded { text, len }
}

/// Decodes `text` into the front of `buffer` and returns that part.
///
/// `None` for padding, line breaks, foreign characters, trailing bits that are not zero, and for text that is longer
/// than `buffer` holds.
#[must_use]
pub fn decode<'b>(text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let len = BASE64URL_NOPAD.decode_len(text.len()).ok()?;
    let space = buffer.get_mut(..len)?;
    let written = BASE64URL_NOPAD.decode_mut(text, space).ok()?;
    space.get(..written)
}
