//! The token that a solved challenge of a form buys (PROTOCOL §4, *The token*): what `siteverify` believes.

use crate::{ClearanceId, Day, DayKeys, KeyRing, SiteTag, TagSource, UnixSeconds};
use subtle::ConstantTimeEq;

/// How long a token is good, in seconds.
pub const TOKEN_SECONDS: u32 = 300;
/// Longest host in a token, in bytes.
pub const TOKEN_HOST_BYTES_MAX: usize = 255;
/// Longest action in a token, in characters.
pub const TOKEN_ACTION_CHARS_MAX: usize = 32;
/// Longest data of the page in a token, in characters.
pub const TOKEN_CDATA_CHARS_MAX: usize = 255;

const VERSION: u8 = 1;
/// Bytes before the texts.
const HEAD_BYTES: usize = 34;
const MAC_BYTES: usize = 16;
/// UTF-8 takes at most so many bytes for a character.
const CHAR_BYTES_MAX: usize = 4;

/// The longest token in bytes: in base64url 1938 characters, fewer than the 2048 that site owners make room for.
pub const TOKEN_BYTES_MAX: usize =
    HEAD_BYTES + TOKEN_HOST_BYTES_MAX + CHAR_BYTES_MAX * (TOKEN_ACTION_CHARS_MAX + TOKEN_CDATA_CHARS_MAX) + MAC_BYTES;

/// The texts of a token: they came from the page and are for its back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTexts<'a> {
    /// The host of the page, 1 to 255 bytes.
    pub host: &'a str,
    /// What the page is about to do, at most 32 characters.
    pub action: &'a str,
    /// Data of the page's own, at most 255 characters.
    pub cdata: &'a str,
}

impl TokenTexts<'_> {
    /// Whether all of them are short enough.
    #[must_use]
    pub fn fit(&self) -> bool {
        (1..=TOKEN_HOST_BYTES_MAX).contains(&self.host.len())
            && self.action.chars().count() <= TOKEN_ACTION_CHARS_MAX
            && self.cdata.chars().count() <= TOKEN_CDATA_CHARS_MAX
    }
}

/// A well-formed token. Nothing in it is believed before [`KeyRing::believes_token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    bytes: &'a [u8],
    /// When it was sold.
    pub sold_at: UnixSeconds,
    /// The keyed hash of its site key.
    pub site: SiteTag,
    /// The name of its entry in the verifier's table.
    pub id: ClearanceId,
    /// What the page said.
    pub texts: TokenTexts<'a>,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The MAC does not hold under a key of its day, or its day has no keys any more.
    Forged,
    /// It was sold for another site key.
    WrongKey,
    /// It is too old, or from before the table begins.
    Expired,
}

impl<'a> Token<'a> {
    /// Parses a token from its bytes; `None` for any that no verifier writes.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let (texts, _mac) = rest.split_last_chunk::<MAC_BYTES>()?;
        let [version, key_id, t0, t1, t2, t3, ..] = *head;
        let (site, id) = (head[6..14].try_into().ok()?, head[14..30].try_into().ok()?);
        let [host, action, c0, c1] = *head.last_chunk()?;
        let (host, texts) = texts.split_at_checked(host.into())?;
        let (action, cdata) = texts.split_at_checked(action.into())?;
        let text = |bytes| core::str::from_utf8(bytes).ok();
        let texts = TokenTexts { host: text(host)?, action: text(action)?, cdata: text(cdata)? };
        let sold_at = UnixSeconds(u32::from_be_bytes([t0, t1, t2, t3]));
        let is_whole = cdata.len() == usize::from(u16::from_be_bytes([c0, c1]));
        let fits = version == VERSION && key_id == sold_at.day().key_id() && is_whole && texts.fit();
        fits.then_some(Self { bytes, sold_at, site: SiteTag(site), id: ClearanceId(id), texts })
    }

    /// The first second in which it is good no more.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.sold_at.plus(TOKEN_SECONDS)
    }

    fn parts(&self) -> Option<(&'a [u8], &'a [u8; MAC_BYTES])> {
        self.bytes.split_last_chunk()
    }
}

impl DayKeys {
    /// Writes a token into `buffer` and returns it; `None` if its texts do not fit. `sold_at` must lie on the day of these
    /// keys.
    #[must_use]
    pub fn token<'b>(
        &self,
        sold_at: UnixSeconds,
        site: SiteTag,
        id: ClearanceId,
        texts: &TokenTexts<'_>,
        buffer: &'b mut [u8; TOKEN_BYTES_MAX],
    ) -> Option<&'b [u8]> {
        if !texts.fit() {
            return None;
        }
        let TokenTexts { host, action, cdata } = texts;
        let lengths = [u8::try_from(host.len()).ok()?, u8::try_from(action.len()).ok()?];
        let mut len = 0;
        let mut put = |part: &[u8]| {
            buffer.get_mut(len..len + part.len())?.copy_from_slice(part);
            len += part.len();
            Some(())
        };
        put(&[VERSION, sold_at.day().key_id()])?;
        put(&sold_at.0.to_be_bytes())?;
        put(&site.0)?;
        put(&id.0)?;
        put(&lengths)?;
        put(&u16::try_from(cdata.len()).ok()?.to_be_bytes())?;
        for text in [host, action, cdata] {
            put(text.as_bytes())?;
        }
        let mac = self.token_mac(buffer.get(..len)?);
        buffer.get_mut(len..len + MAC_BYTES)?.copy_from_slice(&mac);
        buffer.get(..len + MAC_BYTES)
    }
}

impl KeyRing {
    /// Believes that a token was sold here for a site key and is in time, or says why not. Whether it was used already the
    /// verifier's table knows.
    ///
    /// # Errors
    /// See [`TokenRefusal`], in its order.
    pub fn believes_token(
        &self,
        token: &Token<'_>,
        now: UnixSeconds,
        key: &dyn TagSource,
        table_begins: UnixSeconds,
    ) -> Result<(), TokenRefusal> {
        let keys = self.token_signer(token, now).ok_or(TokenRefusal::Forged)?;
        if !bool::from(key.tag(keys).0.ct_eq(&token.site.0)) {
            return Err(TokenRefusal::WrongKey);
        }
        let in_time =
            Self::is_not_ahead(token.sold_at, now) && now < token.expires_at() && token.sold_at >= table_begins;
        if in_time { Ok(()) } else { Err(TokenRefusal::Expired) }
    }

    fn token_signer(&self, token: &Token<'_>, now: UnixSeconds) -> Option<&DayKeys> {
        let (signed, mac) = token.parts()?;
        let day: Day = token.sold_at.day();
        self.believed(day, now)?.find(|keys| keys.token_mac(signed).ct_eq(mac).into())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::{Audience, Master};
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const KEY: Audience<'_> = Audience::Key("contact");
    const TEXTS: TokenTexts<'_> = TokenTexts { host: "example.org", action: "sign-up", cdata: "42" };

    fn ring() -> KeyRing {
        KeyRing::new(&Master([1; 32]), None, NOW)
    }

    fn token(ring: &KeyRing, texts: &TokenTexts<'_>) -> Option<Vec<u8>> {
        let keys = ring.signing(NOW).expect("the day of the ring");
        let mut buffer = [0; TOKEN_BYTES_MAX];
        keys.token(NOW, keys.site_tag(KEY), ClearanceId([7; 16]), texts, &mut buffer).map(<[u8]>::to_vec)
    }

    #[test]
    fn it_is_good_for_its_time_and_its_key() {
        let ring = ring();
        let bytes = token(&ring, &TEXTS).expect("a token");
        let token = Token::parse(&bytes).expect("well-formed");
        assert_eq!((token.texts, token.sold_at, token.id), (TEXTS, NOW, ClearanceId([7; 16])));
        let at = |now, key: &Audience<'_>, begins| ring.believes_token(&token, now, key, begins);
        assert_eq!(at(NOW, &KEY, NOW), Ok(()));
        assert_eq!(at(NOW.plus(TOKEN_SECONDS - 1), &KEY, NOW), Ok(()));
        assert_eq!(at(UnixSeconds(NOW.0 - 5), &KEY, NOW), Ok(()));
        assert_eq!(at(UnixSeconds(NOW.0 - 6), &KEY, NOW), Err(TokenRefusal::Expired));
        assert_eq!(at(NOW.plus(TOKEN_SECONDS), &KEY, NOW), Err(TokenRefusal::Expired));
        assert_eq!(at(NOW, &KEY, NOW.plus(1)), Err(TokenRefusal::Expired));
        assert_eq!(at(NOW, &Audience::Key("other"), NOW), Err(TokenRefusal::WrongKey));
        assert_eq!(at(NOW, &Audience::Site("contact"), NOW), Err(TokenRefusal::WrongKey));
        let other = KeyRing::new(&Master([2; 32]), None, NOW);
        assert_eq!(other.believes_token(&token, NOW, &KEY, NOW), Err(TokenRefusal::Forged));
        let rotated = KeyRing::new(&Master([2; 32]), Some(&Master([1; 32])), NOW);
        assert_eq!(rotated.believes_token(&token, NOW, &KEY, NOW), Ok(()));
    }

    #[test]
    fn no_bit_of_it_can_be_altered_and_no_byte_left_out() {
        let ring = ring();
        let good = token(&ring, &TEXTS).expect("a token");
        let believed =
            |bytes: &[u8]| Token::parse(bytes).is_some_and(|token| ring.believes_token(&token, NOW, &KEY, NOW).is_ok());
        assert!(believed(&good));
        for bit in 0..8 * good.len() {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(!believed(&bytes), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(!believed(&good[..len]), "{len} bytes");
        }
        assert!(!believed(&[&good[..], &[0]].concat()));
    }

    #[test]
    fn texts_that_are_too_long_make_no_token() {
        let ring = ring();
        let (long, longest) = ("😀".repeat(256), "😀".repeat(255));
        let host = "h".repeat(255);
        let fullest = TokenTexts { host: &host, action: &longest[..128], cdata: &longest };
        assert_eq!(token(&ring, &fullest).expect("it fits").len(), TOKEN_BYTES_MAX);
        for texts in [
            TokenTexts { host: "", ..TEXTS },
            TokenTexts { host: &long[..256], ..TEXTS },
            TokenTexts { action: &long[..132], ..TEXTS },
            TokenTexts { cdata: &long, ..TEXTS },
        ] {
            assert_eq!(token(&ring, &texts), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_parsed_is_what_would_be_written(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Token::parse(&bytes);
        }

        #[test]
        fn texts_come_back_as_they_were(host in "[a-z.]{1,60}", action in ".{0,32}", cdata in ".{0,200}") {
            let ring = ring();
            let (action, cdata): (String, String) = (action, cdata);
            let texts = TokenTexts { host: &host, action: &action, cdata: &cdata };
            let bytes = token(&ring, &texts).expect("it fits");
            prop_assert_eq!(Token::parse(&bytes).expect("well-formed").texts, texts);
        }
    }
}
