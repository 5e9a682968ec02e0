//! Secrets of other programs: read from a file of their owner's, or as digests; never written in the configuration itself.

use super::document::{Lined, Section};
use crate::gate::api_keys::{SECRET_BYTES_MAX, SECRET_BYTES_MIN};
use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The digest of the one secret in a file, without white space around it.
pub(super) fn of_file(section: &Section<'_, '_>, file: &Path, line: usize) -> Option<[u8; 32]> {
    let bytes = bytes_of(section, file, line, 1)?;
    one(section, file, line, bytes.trim_ascii())
}

/// The digests of the secrets in a file, one a line, at least one and at most `count_max`.
pub(super) fn of_lines(section: &Section<'_, '_>, file: &Path, line: usize, count_max: usize) -> Option<Vec<[u8; 32]>> {
    let bytes = bytes_of(section, file, line, count_max)?;
    let secrets: Vec<&[u8]> =
        bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|secret| !secret.is_empty()).collect();
    if secrets.is_empty() || secrets.len() > count_max {
        let why = format!("it has {} lines, not 1 to {count_max}", secrets.len());
        return cannot(
            section,
            file,
            line,
            &why,
            "write the new secret in its first line, and the old one in its second",
        );
    }
    secrets.into_iter().map(|secret| one(section, file, line, secret)).collect()
}

/// A digest in hexadecimal digits.
pub(super) fn of_digits(section: &Section<'_, '_>, text: &Lined<String>) -> Option<[u8; 32]> {
    let digest = HEXLOWER_PERMISSIVE.decode(text.value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    if digest.is_none() {
        let remedy = "write what this prints: printf %s \"$SECRET\" | sha256sum; the secret itself must not stand here";
        section.problem(text.line, "`sha256` is not 64 hexadecimal digits", remedy);
    }
    digest
}

fn bytes_of(section: &Section<'_, '_>, file: &Path, line: usize, count_max: usize) -> Option<Vec<u8>> {
    section.names_file(file);
    let (mode, bytes) = match mode_and_bytes(file, count_max) {
        Ok(read) => read,
        Err(error) => {
            let remedy = "make it: openssl rand -hex 24 > FILE; chmod 600 FILE";
            return cannot(section, file, line, &error.to_string(), remedy);
        }
    };
    if mode & 0o077 != 0 {
        return cannot(section, file, line, "others may read it", &format!("run: chmod 600 {}", file.display()));
    }
    Some(bytes)
}

fn one(section: &Section<'_, '_>, file: &Path, line: usize, secret: &[u8]) -> Option<[u8; 32]> {
    if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
        return Some(Sha256::digest(secret).into());
    }
    let why = format!("it has {} bytes, not {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}", secret.len());
    cannot(section, file, line, &why, "make a new one: openssl rand -hex 24")
}

fn cannot<T>(section: &Section<'_, '_>, file: &Path, line: usize, why: &str, remedy: &str) -> Option<T> {
    section.problem(line, format!("the secret in {} cannot be used: {why}", file.display()), remedy);
    None
}

/// As much of a file as could be secrets, and a little more.
fn mode_and_bytes(file: &Path, count_max: usize) -> io::Result<(u32, Vec<u8>)> {
    let open = File::open(file)?;
    let mode = open.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    let bytes_max = SECRET_BYTES_MAX.saturating_mul(2 * count_max);
    open.take(u64::try_from(bytes_max).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok((mode, bytes))
}
