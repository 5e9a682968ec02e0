//! What an id in the table may be: a clearance, or the mark of a token. Neither is ever taken for the other.

use super::entry::{ENTRY_BYTES, Entry};
use super::token_mark::TokenMark;
use puzzle::UnixSeconds;

/// The byte of an entry that says what it is; a clearance has 0 there, or 1 where it is standing.
pub(super) const KIND_PLACE: usize = 22;
/// What stands there in the mark of a token.
pub(super) const KIND_TOKEN: u8 = 2;

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// A clearance.
    Clearance(Entry),
    /// A token of a form.
    Token(TokenMark),
}

impl Live {
    /// First second in which it may be forgotten.
    #[must_use]
    pub const fn forgotten_at(&self) -> UnixSeconds {
        match self {
            Self::Clearance(entry) => entry.forgotten_at(),
            Self::Token(mark) => mark.forgotten_at(),
        }
    }

    /// Its bytes, for the table and for its file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        match self {
            Self::Clearance(entry) => entry.to_bytes(),
            Self::Token(mark) => mark.to_bytes(),
        }
    }

    /// What these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        if bytes[KIND_PLACE] == KIND_TOKEN {
            Self::Token(TokenMark::from_bytes(bytes))
        } else {
            Self::Clearance(Entry::from_bytes(bytes))
        }
    }
}
