//! What the table holds of a token: that its challenge is redeemed, and whether the token is used.

use super::entry::ENTRY_BYTES;
use super::live::{KIND_PLACE, KIND_TOKEN};
use puzzle::{TOKEN_SECONDS, TokenTexts, UnixSeconds};
use sha2::{Digest, Sha256};

/// Bytes by which it is known what a token says.
const TEXTS_BYTES: usize = 16;
/// Bytes by which the question is known that used a token.
const QUESTION_BYTES: usize = 12;

// Where they stand among the bytes of an entry. Expiry and the seconds after it are where those of a clearance are.
const USED_PLACE: usize = KIND_PLACE + 1;
const TEXTS_PLACE: usize = 24;
const EXPIRES_PLACE: usize = 12;
const KEEP_PLACE: usize = 16;

/// The digest of an `idempotency_key`: who asks with the same again gets the same answer again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question([u8; QUESTION_BYTES]);

impl Question {
    /// The question with this key.
    #[must_use]
    pub fn of(idempotency_key: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(idempotency_key).into();
        Self(std::array::from_fn(|i| digest[i]))
    }
}

/// Whether a token is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Unused,
    /// By a question without a key: there is no other like it.
    Once,
    By(Question),
}

/// The mark of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenMark {
    texts: [u8; TEXTS_BYTES],
    expires_at: UnixSeconds,
    keep_seconds: u16,
    used: Use,
}

impl TokenMark {
    /// The mark of a token that says what `texts` is the digest of, sold at `now`. After its expiry it stays for so many
    /// seconds.
    #[must_use]
    pub const fn new(texts: [u8; 16], now: UnixSeconds, keep_seconds: u16) -> Self {
        Self { texts, expires_at: now.plus(TOKEN_SECONDS), keep_seconds, used: Use::Unused }
    }

    /// The digest of what a token says.
    #[must_use]
    pub fn digest(texts: &TokenTexts<'_>) -> [u8; 16] {
        let mut hash = Sha256::new();
        for text in [texts.host, texts.action, texts.cdata] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        let digest: [u8; 32] = hash.finalize().into();
        std::array::from_fn(|i| digest[i])
    }

    /// When it was sold.
    #[must_use]
    pub const fn sold_at(&self) -> UnixSeconds {
        UnixSeconds(self.expires_at.0.saturating_sub(TOKEN_SECONDS))
    }

    /// First second in which the token is good no more.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    /// First second in which the mark may be forgotten.
    #[must_use]
    pub const fn forgotten_at(&self) -> UnixSeconds {
        self.expires_at.plus(self.keep_seconds as u32)
    }

    /// Whether whoever redeems its challenge again gets the same token again: it says the same and is still good.
    #[must_use]
    pub fn is_still(&self, texts: &[u8; 16], now: UnixSeconds) -> bool {
        self.texts == *texts && self.used == Use::Unused && now < self.expires_at
    }

    /// Uses the token, once; the same question gets the same answer again.
    pub fn take(&mut self, question: Option<Question>, now: UnixSeconds) -> bool {
        if now >= self.expires_at {
            return false;
        }
        match (self.used, question) {
            (Use::Unused, None) => self.used = Use::Once,
            (Use::Unused, Some(question)) => self.used = Use::By(question),
            (Use::By(earlier), Some(question)) if earlier == question => {}
            (Use::Once | Use::By(_), _) => return false,
        }
        true
    }

    /// The mark as bytes, for the table and for its file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[KIND_PLACE] = KIND_TOKEN;
        let mut put = |place: usize, part: &[u8]| bytes[place..place + part.len()].copy_from_slice(part);
        put(EXPIRES_PLACE, &self.expires_at.0.to_be_bytes());
        put(KEEP_PLACE, &self.keep_seconds.to_be_bytes());
        put(TEXTS_PLACE, &self.texts);
        match self.used {
            Use::Unused => {}
            Use::Once => put(USED_PLACE, &[1]),
            Use::By(Question(digest)) => {
                put(USED_PLACE, &[2]);
                put(0, &digest);
            }
        }
        bytes
    }

    /// The mark of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        Self {
            texts: at(bytes, TEXTS_PLACE),
            expires_at: UnixSeconds(u32::from_be_bytes(at(bytes, EXPIRES_PLACE))),
            keep_seconds: u16::from_be_bytes(at(bytes, KEEP_PLACE)),
            used: match bytes[USED_PLACE] {
                0 => Use::Unused,
                2 => Use::By(Question(at(bytes, 0))),
                _ => Use::Once,
            },
        }
    }
}

fn at<const N: usize>(bytes: &[u8; ENTRY_BYTES], place: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[place + i])
}

#[cfg(test)]
mod tests {
    use super::super::live::Live;
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn mark() -> TokenMark {
        TokenMark::new([5; 16], NOW, 60)
    }

    #[test]
    fn it_is_used_once_and_the_same_question_is_answered_again() {
        let mut once = mark();
        assert!(once.take(None, NOW));
        assert!(!once.take(None, NOW));
        assert!(!once.take(Some(Question::of("a")), NOW));
        let mut by = mark();
        assert!(by.take(Some(Question::of("a")), NOW) && by.take(Some(Question::of("a")), NOW.plus(299)));
        assert!(!by.take(Some(Question::of("b")), NOW) && !by.take(None, NOW));
        assert!(!by.take(Some(Question::of("a")), NOW.plus(300)));
        assert!(!mark().take(None, NOW.plus(300)));
    }

    #[test]
    fn it_survives_its_bytes_as_what_it_is() {
        let (mut once, mut by) = (mark(), mark());
        once.take(None, NOW);
        by.take(Some(Question::of("a")), NOW);
        for mark in [mark(), once, by] {
            let bytes = Live::Token(mark).to_bytes();
            assert_eq!(Live::from_bytes(&bytes), Live::Token(mark));
            assert_eq!((mark.sold_at(), mark.forgotten_at()), (NOW, NOW.plus(360)));
        }
    }

    #[test]
    fn it_is_sold_again_as_long_as_it_says_the_same_and_is_unused() {
        let mut mark = mark();
        assert!(mark.is_still(&[5; 16], NOW.plus(299)));
        assert!(!mark.is_still(&[6; 16], NOW) && !mark.is_still(&[5; 16], NOW.plus(300)));
        mark.take(None, NOW);
        assert!(!mark.is_still(&[5; 16], NOW));
    }
}
