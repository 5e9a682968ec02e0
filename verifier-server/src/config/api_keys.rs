//! `[[api_key]]`: programs that show a secret.

use super::document::{Lined, Section};
use super::secrets;
use crate::gate::api_keys::{ApiKey, ApiKeys};
use crate::gate::policy::Reserve;
use hyper::header::HeaderName;
use puzzle::Credits;
use std::path::Path;

/// Reads all keys. What they keep of the capacity is added to `kept`.
pub(super) fn read_all(root: &mut Section<'_, '_>, folder: &Path, kept: &mut Vec<Lined<Credits>>) -> ApiKeys {
    let sections = root.sections("api_key");
    if sections.len() > Reserve::KEYS_MAX {
        let message = format!("{} API keys are more than {}", sections.len(), Reserve::KEYS_MAX);
        root.problem(1, message, "let programs that you trust alike share a key");
    }
    let mut keys: Vec<ApiKey> = Vec::new();
    for (number, section) in sections.into_iter().take(Reserve::KEYS_MAX).enumerate() {
        let line = section.line;
        let Some(key) = read(section, Reserve::RULES_MAX + number, folder, kept) else { continue };
        if keys.iter().any(|other| other.name == key.name) {
            root.problem(line, format!("two API keys are called `{}`", key.name), "give each its own `name`");
        }
        keys.push(key);
    }
    ApiKeys::new(keys)
}

fn read(mut section: Section<'_, '_>, slice: usize, folder: &Path, kept: &mut Vec<Lined<Credits>>) -> Option<ApiKey> {
    let line = section.line;
    let name = section.string("name", "payments").map(|name| name.value);
    let name = name.filter(|name| (1..=64).contains(&name.len()) && !name.chars().any(char::is_control));
    if name.is_none() {
        section.problem(line, "an API key without a usable `name`", "write 1 to 64 characters: name = \"payments\"");
    }
    let header = section.string("header", "Authorization");
    let parsed =
        header.as_ref().map_or(Some(HeaderName::from_static("authorization")), |header| header.value.parse().ok());
    if let (Some(header), None) = (&header, &parsed) {
        section.problem(header.line, format!("`{}` is not a header name", header.value), "write it like X-API-Key");
    }
    let rate = section.hundredths("reserve_per_second", 1..=100_000_000);
    if rate.is_none() {
        let remedy = "write what the program may do in a second, in credits: reserve_per_second = 5";
        section.problem(line, "an API key without a usable `reserve_per_second`", remedy);
    }
    let digest = match (section.string("secret_file", "payments.key"), section.string("sha256", "64 digits")) {
        (Some(file), None) => secrets::of_file(&section, &folder.join(&file.value), file.line),
        (None, Some(text)) => secrets::of_digits(&section, &text),
        _ => {
            let remedy = "write secret_file = \"payments.key\", or sha256 = \"…\" with the digest of the secret";
            section.problem(line, "an API key needs either `secret_file` or `sha256`", remedy);
            None
        }
    };
    section.finish();
    let rate = rate?;
    let per_second = Credits::hundredths(rate.value);
    kept.push(Lined { line: rate.line, value: per_second });
    Some(ApiKey { name: name?, header: parsed?, digest: digest?, reserve: Reserve { slice, per_second } })
}
