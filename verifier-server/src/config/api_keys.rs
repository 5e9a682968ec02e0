//! `[[api_key]]`: programs that show a secret.

use super::document::{Lined, Section};
use crate::gate::api_keys::{ApiKey, ApiKeys, SECRET_BYTES_MAX, SECRET_BYTES_MIN};
use crate::gate::policy::Reserve;
use data_encoding::HEXLOWER_PERMISSIVE;
use hyper::header::HeaderName;
use puzzle::Credits;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt;
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
        (Some(file), None) => of_file(&section, &folder.join(&file.value), file.line),
        (None, Some(text)) => of_digits(&section, &text),
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

/// The digest of the secret in a file, without white space around it.
fn of_file(section: &Section<'_, '_>, file: &Path, line: usize) -> Option<[u8; 32]> {
    let cannot = |why: String, remedy: &str| {
        section.problem(line, format!("the secret in {} cannot be used: {why}", file.display()), remedy);
        None
    };
    section.names_file(file);
    let (mode, bytes) = match mode_and_bytes(file) {
        Ok(read) => read,
        Err(error) => return cannot(error.to_string(), "make it: openssl rand -hex 24 > FILE; chmod 600 FILE"),
    };
    if mode & 0o077 != 0 {
        return cannot("others may read it".to_owned(), &format!("run: chmod 600 {}", file.display()));
    }
    let secret = bytes.trim_ascii();
    if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
        let why = format!("it has {} bytes, not {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}", secret.len());
        return cannot(why, "make a new one: openssl rand -hex 24");
    }
    Some(Sha256::digest(secret).into())
}

/// As much of a file as could be a secret, and a little more.
fn mode_and_bytes(file: &Path) -> io::Result<(u32, Vec<u8>)> {
    let open = File::open(file)?;
    let mode = open.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    open.take(2 * u64::try_from(SECRET_BYTES_MAX).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok((mode, bytes))
}

fn of_digits(section: &Section<'_, '_>, text: &Lined<String>) -> Option<[u8; 32]> {
    let digest = HEXLOWER_PERMISSIVE.decode(text.value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    if digest.is_none() {
        let remedy = "write what this prints: printf %s \"$SECRET\" | sha256sum; the secret itself must not stand here";
        section.problem(text.line, "`sha256` is not 64 hexadecimal digits", remedy);
    }
    digest
}
