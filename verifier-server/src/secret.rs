//! Secrets on disk: the masters, and the admin token. Made at the first start, readable by their owner only.

use crate::gate::Masters;
use crate::random;
use data_encoding::HEXLOWER_PERMISSIVE;
use puzzle::Master;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;

/// A secret that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the secret {}: {reason}", path.display())]
pub struct SecretError {
    path: PathBuf,
    reason: String,
}

/// Reads the masters, one a line in 64 hexadecimal digits, the signing one first; makes the file if there is none.
///
/// # Errors
/// If the file cannot be read or made, is open to others, or holds anything but one or two masters.
pub fn masters(path: &Path) -> Result<Masters, SecretError> {
    parse_masters(path, &read_or_make(path, random_digits::<32>)?)
}

/// Reads the masters of a verifier that runs. A file that is gone for a moment, while somebody replaces it, is not made
/// anew: with another secret everything that was bought would be worthless.
///
/// # Errors
/// As [`masters`], and if there is no file.
pub fn known_masters(path: &Path) -> Result<Masters, SecretError> {
    let gone = || Err("there is no such file; one is only made at a start".to_owned());
    parse_masters(path, &read_or_make(path, gone)?)
}

fn parse_masters(path: &Path, text: &str) -> Result<Masters, SecretError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let masters: Option<Vec<Master>> = lines.map(master).collect();
    match masters.as_deref() {
        Some([signing]) => Ok(Masters { signing: signing.clone(), old: None }),
        Some([signing, old]) => Ok(Masters { signing: signing.clone(), old: Some(old.clone()) }),
        _ => Err(error(path, "it must hold one or two lines of 64 hexadecimal digits each; the first signs")),
    }
}

/// What whoever comes to the admin listener has to show: one token, or the new one and the old one while it is being changed.
#[derive(Clone, Debug)]
pub struct AdminTokens(Vec<String>);

/// Tokens that are good at a time.
const ADMIN_TOKENS_MAX: usize = 2;

impl AdminTokens {
    /// Whether `sent` is one of them. How long it takes says nothing about them.
    #[must_use]
    pub fn have(&self, sent: &[u8]) -> bool {
        self.0.iter().fold(false, |found, token| found | bool::from(sent.ct_eq(token.as_bytes())))
    }

    /// These.
    #[cfg(test)]
    pub(crate) fn of(tokens: &[&str]) -> Self {
        Self(tokens.iter().map(|token| (*token).to_owned()).collect())
    }

    /// The one that our own commands send.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

/// Reads the admin tokens, one a line, the new one first; makes the file if there is none.
///
/// # Errors
/// If the file cannot be read or made, is open to others, or holds anything but one or two tokens of at least 16 characters.
pub fn admin_tokens(path: &Path) -> Result<AdminTokens, SecretError> {
    parse_tokens(path, &read_or_make(path, random_digits::<16>)?)
}

/// Reads the admin tokens of a verifier that runs, which makes none.
///
/// # Errors
/// As [`admin_tokens`], and if there is no file.
pub fn known_admin_tokens(path: &Path) -> Result<AdminTokens, SecretError> {
    let gone = || Err("there is no such file; restart to have a new token made".to_owned());
    parse_tokens(path, &read_or_make(path, gone)?)
}

fn parse_tokens(path: &Path, text: &str) -> Result<AdminTokens, SecretError> {
    let tokens: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if !(1..=ADMIN_TOKENS_MAX).contains(&tokens.len()) || tokens.iter().any(|token| token.len() < 16) {
        let reason = "it must hold one or two lines of at least 16 characters each, the new token first; delete the file and \
                      restart to have one made";
        return Err(error(path, reason));
    }
    Ok(AdminTokens(tokens))
}

fn master(line: &str) -> Option<Master> {
    let bytes = HEXLOWER_PERMISSIVE.decode(line.as_bytes()).ok()?;
    Some(Master(bytes.try_into().ok()?))
}

fn random_digits<const BYTES: usize>() -> Result<String, String> {
    random::bytes::<BYTES>().map(|bytes| HEXLOWER_PERMISSIVE.encode(&bytes)).map_err(|error| error.to_string())
}

fn read_or_make(path: &Path, make: impl FnOnce() -> Result<String, String>) -> Result<String, SecretError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path).map_err(|why| error(path, &why.to_string()))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(error(path, &format!("others may read it; run: chmod 600 {}", path.display())));
            }
            Ok(text)
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let text = make().map_err(|why| error(path, &why))?;
            let written =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
                    writeln!(file, "{text}")?;
                    file.sync_all()
                });
            written.map_err(|why| error(path, &format!("it cannot be made: {why}")))?;
            tracing::info!("made {}", path.display());
            Ok(text)
        }
        Err(why) => Err(error(path, &format!("it cannot be read: {why}"))),
    }
}

fn error(path: &Path, reason: &str) -> SecretError {
    SecretError { path: path.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let made = masters(&path).expect("made");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(masters(&path).expect("read").signing.0, made.signing.0);
        assert_eq!(known_masters(&path).expect("read").signing.0, made.signing.0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        assert!(masters(&path).is_err());
        fs::remove_file(&path).expect("removed");
        assert!(known_masters(&path).is_err() && !path.exists(), "a verifier that runs makes no secret");
    }

    #[test]
    fn two_lines_are_two_tokens_and_the_first_is_ours_to_send() {
        let path = Path::new("admin.token");
        let tokens = parse_tokens(path, "0123456789abcdef\n\n fedcba9876543210 \n").expect("two tokens");
        assert_eq!(tokens.newest(), "0123456789abcdef");
        assert!(tokens.have(b"0123456789abcdef") && tokens.have(b"fedcba9876543210"));
        for other in ["", "0123456789abcde", "0123456789abcdef\nfedcba9876543210"] {
            assert!(!tokens.have(other.as_bytes()), "{other}");
        }
        for broken in ["", "\n", "0123456789abcde", "0123456789abcdef\nshort", &"0123456789abcdef\n".repeat(3)] {
            assert!(parse_tokens(path, broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn two_lines_are_two_masters_and_anything_else_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let write = |text: &str| {
            let _ = fs::remove_file(&path);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).expect("open");
            file.write_all(text.as_bytes()).expect("written");
            masters(&path)
        };
        let (a, b) = ("01".repeat(32), "02".repeat(32));
        let two = write(&format!("{a}\n{b}\n")).expect("two masters");
        assert_eq!((two.signing.0, two.old.map(|old| old.0)), ([1; 32], Some([2; 32])));
        for broken in [String::new(), "xyz".to_owned(), a[1..].to_owned(), format!("{a}\n{b}\n{a}\n")] {
            assert!(write(&broken).is_err(), "{broken}");
        }
    }
}
