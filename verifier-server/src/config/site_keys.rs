//! `[[site_key]]`: whose pages get tokens for their forms, and who may ask whether one is good.

use super::document::Section;
use super::secrets;
use super::sites::{Site, hosts};
use crate::gate::site_keys::{SITE_KEYS_MAX, SITE_SECRETS_MAX, SiteKey, SiteKeys, TestKey};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::path::Path;

/// Characters of a key.
const KEY_CHARS_MAX: usize = 64;

/// Reads all keys.
pub(super) fn read_all(
    root: &mut Section<'_, '_>,
    folder: &Path,
    sites: &[Site],
    verifiers: NonZeroU32,
    warnings: &mut Vec<String>,
) -> SiteKeys {
    let sections = root.sections("site_key");
    if sections.len() > SITE_KEYS_MAX {
        let message = format!("{} site keys are more than {SITE_KEYS_MAX}", sections.len());
        root.problem(1, message, "let forms whose back end is the same share a key");
    }
    let mut keys: Vec<SiteKey> = Vec::new();
    for section in sections.into_iter().take(SITE_KEYS_MAX) {
        let line = section.line;
        let Some(key) = read(section, folder, sites, warnings) else { continue };
        for other in &keys {
            clash(other, &key, line, root);
        }
        keys.push(key);
    }
    if verifiers.get() > 1 && !keys.is_empty() {
        warnings.push(
            "several verifiers share the secret, and a token is good only at the one that sold it: `siteverify` of any other \
             answers timeout-or-duplicate; let the back end of a form ask each of them in turn"
                .to_owned(),
        );
    }
    SiteKeys::new(keys)
}

fn read(mut section: Section<'_, '_>, folder: &Path, sites: &[Site], warnings: &mut Vec<String>) -> Option<SiteKey> {
    let line = section.line;
    let key = section.string("key", "contact-form");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = |text: &str| (1..=KEY_CHARS_MAX).contains(&text.len()) && text.bytes().all(plain);
    let key_line = key.as_ref().map_or(line, |key| key.line);
    let key = key.map(|key| key.value).filter(|text| fits(text));
    if key.is_none() {
        let remedy = "write 1 to 64 letters, digits, dots, hyphens and underscores, as it stands in the page's \
                      data-sitekey: key = \"contact-form\"";
        section.problem(key_line, "a site key without a usable `key`", remedy);
    }
    let site = site_of(&mut section, sites);
    let own_hosts = hosts(&mut section);
    let test = section.choice("test", &TestKey::ALL.map(TestKey::name), TestKey::parse);
    let digests = digests(&mut section, folder);
    if let (Some(key), Some(digests)) = (&key, &digests)
        && digests.contains(&Sha256::digest(key).into())
    {
        let message = format!("the secret of `{key}` is the key itself, which everybody reads in the page");
        section.problem(line, message, "make a secret: openssl rand -hex 24");
    }
    section.finish();
    let (key, site, digests) = (key?, site?, digests?);
    if let Some(test) = test {
        let answers = match test {
            TestKey::Pass => "takes every token for good, also one that nobody worked for",
            TestKey::Fail => "takes no token for good",
            TestKey::Used => "takes every token for used",
        };
        warnings.push(format!("`{key}` is a key for tests: whoever asks with its secret {answers}"));
    }
    let hosts = if own_hosts.is_empty() { site.hosts.clone() } else { own_hosts };
    Some(SiteKey { key, site: site.mark, hosts, digests, test, place: 0 })
}

/// The site whose endpoints sell for a key.
fn site_of<'s>(section: &mut Section<'_, '_>, sites: &'s [Site]) -> Option<&'s Site> {
    let line = section.line;
    let names = || sites.iter().map(|site| format!("\"{}\"", site.name)).collect::<Vec<_>>().join(", ");
    match section.string("site", "main") {
        Some(wanted) => {
            let found = sites.iter().find(|site| site.name == wanted.value);
            if found.is_none() {
                let message = format!("there is no site called `{}`", wanted.value);
                section.problem(wanted.line, message, format!("write one of: {}", names()));
            }
            found
        }
        None if sites.len() > 1 => {
            let remedy = format!("write whose endpoints its pages ask, at whose price: site = one of {}", names());
            section.problem(line, "a site key of no site, where there are several", remedy);
            None
        }
        // Where there is none, that is a problem of its own.
        None => sites.first(),
    }
}

fn digests(section: &mut Section<'_, '_>, folder: &Path) -> Option<Vec<[u8; 32]>> {
    let line = section.line;
    match (section.string("secret_file", "contact-form.secret"), section.strings("sha256", "64 digits")) {
        (Some(file), None) => secrets::of_lines(section, &folder.join(&file.value), file.line, SITE_SECRETS_MAX),
        (None, Some(texts)) if (1..=SITE_SECRETS_MAX).contains(&texts.len()) => {
            texts.iter().map(|text| secrets::of_digits(section, text)).collect()
        }
        (None, Some(texts)) => {
            let line = texts.first().map_or(line, |text| text.line);
            let message = format!("`sha256` of a site key has {} digests", texts.len());
            section.problem(line, message, "write one, or two while the secret is being changed, the new one first");
            None
        }
        _ => {
            let remedy = "write secret_file = \"contact-form.secret\" with the secret in its first line (and the one before it \
                          in its second), or sha256 = \"…\" with the digest of the secret";
            section.problem(line, "a site key needs either `secret_file` or `sha256`", remedy);
            None
        }
    }
}

fn clash(key: &SiteKey, other: &SiteKey, line: usize, root: &Section<'_, '_>) {
    if key.key == other.key {
        root.problem(line, format!("two site keys are `{}`", key.key), "give each its own `key`");
    }
    if key.digests.iter().any(|digest| other.digests.contains(digest)) {
        let message = format!("`{}` and `{}` have the same secret", key.key, other.key);
        root.problem(line, message, "make one for each: openssl rand -hex 24");
    }
}
