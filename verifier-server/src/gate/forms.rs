//! Tokens of forms (PROTOCOL §4): for which key a challenge was made, what a token costs, and that it is used once.

use super::site_keys::{SiteKey, TestKey};
use super::table::LiveIds;
use super::token_mark::{Question, TokenMark};
use super::{Gate, Quote, Secrets};
use crate::config::{Config, Site};
use puzzle::{
    CHALLENGE_BYTES, ClearanceId, SiteTag, TOKEN_BYTES_MAX, TagSource, Token, TokenRefusal, TokenTexts, UnixSeconds,
};

/// What a token is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// The key that stands in the page.
    pub key: &'a SiteKey,
    /// What the token is to say.
    pub texts: TokenTexts<'a>,
}

/// Why a token is not good, in the words of `siteverify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoGood {
    /// Never sold for this key.
    Invalid,
    /// Used before, or too old.
    UsedOrOld,
    /// The table is being saved: the process ends, and the next one knows.
    Closed,
}

impl Gate {
    /// The key of a site for which a challenge says it was made. Nothing in the challenge is believed by that.
    #[must_use]
    pub fn site_key_of<'c>(
        &self,
        config: &'c Config,
        site: &Site,
        challenge: &[u8; CHALLENGE_BYTES],
    ) -> Option<&'c SiteKey> {
        const FORM: u8 = 1;
        let [.., t0, t1, t2, t3] = *challenge.first_chunk::<12>()?;
        let day = UnixSeconds(u32::from_be_bytes([t0, t1, t2, t3])).day();
        let tag = SiteTag(challenge.get(40..48)?.try_into().ok()?);
        if challenge[14] != FORM {
            return None;
        }
        let secrets = self.secrets.load();
        secrets
            .keys
            .of_day(day)
            .find_map(|keys| config.site_keys.of(site).find(|key| secrets.tags.of_key(key).tag(keys) == tag))
    }

    /// What a token costs now: in every mode at least the floor. One of a key for tests costs the least work there is.
    #[must_use]
    pub fn form_quote(&self, config: &Config, site: &Site, key: &SiteKey) -> Quote {
        let price = if key.test.is_some() { 1 } else { self.form_price(config, site) };
        Quote { price, standing: false }
    }

    pub(super) fn form_price(&self, config: &Config, site: &Site) -> u64 {
        let pricing = self.pricing(config, site);
        pricing.price.max(pricing.floor)
    }

    /// Says whether a token was sold for `key` and is good now, and uses it. A `question` that used it gets the same answer
    /// again.
    ///
    /// # Errors
    /// See [`NoGood`].
    pub fn use_token(
        &self,
        key: &SiteKey,
        token: Option<&Token<'_>>,
        question: Option<Question>,
        now: UnixSeconds,
    ) -> Result<(), NoGood> {
        match key.test {
            Some(TestKey::Pass) => return Ok(()),
            Some(TestKey::Fail) => return Err(NoGood::Invalid),
            Some(TestKey::Used) => return Err(NoGood::UsedOrOld),
            None => {}
        }
        let token = token.ok_or(NoGood::Invalid)?;
        let secrets = self.secrets.load();
        secrets.keys.believes_token(token, now, &secrets.tags.of_key(key), self.table_begins()).map_err(|refusal| {
            match refusal {
                TokenRefusal::Forged | TokenRefusal::WrongKey => NoGood::Invalid,
                TokenRefusal::Expired => NoGood::UsedOrOld,
            }
        })?;
        // A token that no entry knows of was sold by another verifier, where it may be used.
        let used = self.table.change_token(token.id, now, |mark| mark.take(question, now));
        match used {
            Some(true) => Ok(()),
            None if self.table.is_closed() => Err(NoGood::Closed),
            Some(false) | None => Err(NoGood::UsedOrOld),
        }
    }
}

/// A token as it goes over the wire; the same for the same mark. `None` where the keys of its day are gone.
pub(super) fn written(secrets: &Secrets, form: &Form<'_>, id: ClearanceId, mark: &TokenMark) -> Option<Box<str>> {
    let keys = secrets.keys.signing(mark.sold_at())?;
    let mut buffer = [0; TOKEN_BYTES_MAX];
    let tag = secrets.tags.of_key(form.key).tag(keys);
    let bytes = keys.token(mark.sold_at(), tag, id, &form.texts, &mut buffer)?;
    Some(data_encoding::BASE64URL_NOPAD.encode(bytes).into_boxed_str())
}
