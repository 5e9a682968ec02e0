//! Programs that show a secret: they pass at a rate of their own.

use super::policy::Reserve;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Bytes of a header that are taken for a secret.
pub const SECRET_BYTES_MAX: usize = 512;
/// Bytes of a secret at the least: a shorter one can be guessed.
pub const SECRET_BYTES_MIN: usize = 16;

/// A secret and what it is good for.
#[derive(Clone)]
pub struct ApiKey {
    /// Its name, for people.
    pub name: String,
    /// The header it comes in.
    pub header: HeaderName,
    /// SHA-256 of the secret.
    pub digest: [u8; 32],
    /// The slice that it passes in.
    pub reserve: Reserve,
}

impl std::fmt::Debug for ApiKey {
    /// The digest stays out of logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ApiKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All keys.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    keys: Vec<ApiKey>,
    /// The headers that keys come in, each once.
    headers: Vec<HeaderName>,
}

impl ApiKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: Vec<ApiKey>) -> Self {
        let mut headers: Vec<HeaderName> = Vec::new();
        for key in &keys {
            if !headers.contains(&key.header) {
                headers.push(key.header.clone());
            }
        }
        Self { keys, headers }
    }

    /// All of them, for explaining.
    #[must_use]
    pub fn keys(&self) -> &[ApiKey] {
        &self.keys
    }

    /// The slice of the key that a request shows. A header that is there more than once shows none. How long it takes
    /// tells nothing of the secrets: digests are compared, all of them, in constant time.
    #[must_use]
    pub fn shown_by(&self, headers: &HeaderMap) -> Option<Reserve> {
        self.headers.iter().find_map(|name| {
            let mut lines = headers.get_all(name).iter();
            let (line, None) = (lines.next()?.as_bytes(), lines.next()) else { return None };
            let secret = bare(line);
            (secret.len() <= SECRET_BYTES_MAX).then(|| self.matching(name, &Sha256::digest(secret).into()))?
        })
    }

    fn matching(&self, name: &HeaderName, digest: &[u8; 32]) -> Option<Reserve> {
        let mut found = u64::MAX;
        for (number, key) in (0_u64..).zip(&self.keys) {
            let right_header = Choice::from(u8::from(key.header == name));
            found.conditional_assign(&number, right_header & digest.ct_eq(&key.digest));
        }
        self.keys.get(usize::try_from(found).ok()?).map(|key| key.reserve)
    }
}

/// A secret without the word that `Authorization` puts before it.
fn bare(line: &[u8]) -> &[u8] {
    match line.split_at_checked(7) {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"Bearer ") => secret.trim_ascii(),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{AUTHORIZATION, HeaderValue};
    use puzzle::Credits;

    fn keys() -> ApiKeys {
        let key = |slice, header: &'static str, secret: &str| ApiKey {
            name: format!("key {slice}"),
            header: HeaderName::from_static(header),
            digest: Sha256::digest(secret).into(),
            reserve: Reserve { slice, per_second: Credits::ONE },
        };
        ApiKeys::new(vec![
            key(1, "x-api-key", "correct horse battery"),
            key(2, "authorization", "another long secret"),
            key(3, "x-api-key", "a third long secret"),
        ])
    }

    fn shown(lines: &[(&'static str, &str)]) -> Option<usize> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        keys().shown_by(&headers).map(|reserve| reserve.slice)
    }

    #[test]
    fn a_secret_is_known_in_its_header_only() {
        assert_eq!(shown(&[("x-api-key", "correct horse battery")]), Some(1));
        assert_eq!(shown(&[("x-api-key", "a third long secret")]), Some(3));
        assert_eq!(shown(&[("authorization", "bearer another long secret")]), Some(2));
        assert_eq!(shown(&[("authorization", "another long secret")]), Some(2));
        for wrong in [
            vec![],
            vec![("x-api-key", "")],
            vec![("x-api-key", "correct horse batter")],
            vec![("x-api-key", "correct horse battery2")],
            vec![("x-api-key", "another long secret")],
            vec![("authorization", "Basic another long secret")],
            vec![("x-api-key", "correct horse battery"), ("x-api-key", "x")],
        ] {
            assert_eq!(shown(&wrong), None, "{wrong:?}");
        }
        assert_eq!(shown(&[("x-api-key", "no"), (AUTHORIZATION.as_str(), "x")]), None);
    }

    #[test]
    fn no_digest_is_in_what_is_written_for_people() {
        let told = format!("{:?}", keys());
        assert!(!told.contains("digest") && !told.contains("[1") && told.contains("key 1"), "{told}");
    }
}
