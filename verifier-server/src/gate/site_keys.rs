//! Site keys: who sells tokens to the forms of which pages, and who may ask whether one is good.

use crate::config::{Host, Site};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Site keys at the most.
pub const SITE_KEYS_MAX: usize = 64;
/// Secrets of a key: the new one and the one before it.
pub const SITE_SECRETS_MAX: usize = 2;
/// Bytes of a secret at the most.
pub const SITE_SECRET_BYTES_MAX: usize = 512;

/// What a key for tests always answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestKey {
    /// Every token is good, as often as it is asked about.
    Pass,
    /// None is.
    Fail,
    /// Every token was used before.
    Used,
}

impl TestKey {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::Used];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Used => "used",
        }
    }

    /// The key of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|test| test.name() == name)
    }
}

/// A key that stands in pages, and whose secrets their back end has.
#[derive(Clone, PartialEq, Eq)]
pub struct SiteKey {
    /// As it stands in pages.
    pub key: String,
    /// The mark of the site whose endpoints sell for it, at that site's price.
    pub site: u16,
    /// The hosts whose pages may ask; empty for those that the endpoints themselves are asked under.
    pub hosts: Vec<Host>,
    /// SHA-256 of each secret, the new one first.
    pub digests: Vec<[u8; 32]>,
    /// What it always answers, where it is for tests only.
    pub test: Option<TestKey>,
    /// Its place among all keys, below [`SITE_KEYS_MAX`].
    pub place: usize,
}

impl std::fmt::Debug for SiteKey {
    /// The digests stay out of logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SiteKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl SiteKey {
    /// Whether pages of `host` are named as those that may ask.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.match_len(host).is_some())
    }
}

/// All keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteKeys(Vec<SiteKey>);

impl SiteKeys {
    /// These keys, at most [`SITE_KEYS_MAX`], each at its place.
    #[must_use]
    pub fn new(mut keys: Vec<SiteKey>) -> Self {
        keys.truncate(SITE_KEYS_MAX);
        for (place, key) in keys.iter_mut().enumerate() {
            key.place = place;
        }
        Self(keys)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[SiteKey] {
        &self.0
    }

    /// Those of a site.
    pub fn of<'a>(&'a self, site: &Site) -> impl Iterator<Item = &'a SiteKey> + use<'a> {
        let mark = site.mark;
        self.0.iter().filter(move |key| key.site == mark)
    }

    /// The key of a site that is written so in pages.
    #[must_use]
    pub fn named(&self, site: &Site, key: &str) -> Option<&SiteKey> {
        self.of(site).find(|known| known.key == key)
    }

    /// The key that `secret` belongs to. How long it takes tells nothing of the secrets: digests are compared, all of them,
    /// in constant time.
    #[must_use]
    pub fn of_secret(&self, secret: &str) -> Option<&SiteKey> {
        if secret.len() > SITE_SECRET_BYTES_MAX {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let mut found = u64::MAX;
        for (number, key) in (0_u64..).zip(&self.0) {
            for known in &key.digests {
                found.conditional_assign(&number, known.ct_eq(&digest));
            }
        }
        self.0.get(usize::try_from(found).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> SiteKeys {
        let key = |name: &str, secrets: &[&str]| SiteKey {
            key: name.to_owned(),
            site: 1,
            hosts: vec![Host::Exact("shop.example".to_owned())],
            digests: secrets.iter().map(|secret| Sha256::digest(secret).into()).collect(),
            test: None,
            place: 0,
        };
        SiteKeys::new(vec![key("contact", &["a new long secret", "an old long secret"]), key("shop", &["another one"])])
    }

    #[test]
    fn both_secrets_of_a_key_are_its_own_and_no_other_is() {
        let keys = keys();
        let of = |secret: &str| keys.of_secret(secret).map(|key| (key.key.as_str(), key.place));
        assert_eq!(of("a new long secret"), Some(("contact", 0)));
        assert_eq!(of("an old long secret"), Some(("contact", 0)));
        assert_eq!(of("another one"), Some(("shop", 1)));
        for wrong in ["", "a new long secre", "a new long secret ", "contact", &"x".repeat(SITE_SECRET_BYTES_MAX + 1)] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_digest_is_in_what_is_written_for_people() {
        let told = format!("{:?}", keys());
        assert!(told.contains("contact") && !told.contains("digests"), "{told}");
    }
}
