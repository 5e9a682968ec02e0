//! What browsers load of former versions: a page that was opened before an upgrade still asks for it, for an hour.
//!
//! Every start saves the files of its own version in `state_dir`. Those that it finds there and does not have itself are of the
//! versions before, and are read into memory once: however often strangers ask, nothing is read from the disk. Only what has
//! the hash in its name is ever answered, so a damaged file is none.

mod folder;

use super::assets;
use arc_swap::ArcSwap;
use data_encoding::HEXLOWER;
use hyper::body::Bytes;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// So long what a version brought is answered after another one has taken its place.
pub(super) const ANSWERED_FOR: Duration = Duration::from_hours(1);
/// Characters of a name before its hash.
const STEM_CHARS_MAX: usize = 40;

/// In `state_dir`: the files of the version that runs, and in a folder of that those of the versions before.
const FOLDER: &str = "assets";

/// The name of a file with a hash of its content in it: `gate-en.0123456789abcdef.js`.
pub(super) struct HashedName<'n> {
    hash: &'n str,
    /// Follows from the ending.
    pub(super) content_type: &'static str,
}

impl<'n> HashedName<'n> {
    /// `None` for everything else; what is one has no slash in it and no dot where a path could begin.
    pub(super) fn parse(name: &'n str) -> Option<Self> {
        let mut parts = name.split('.');
        let (stem, hash, ending) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_hash = hash.len() == 16 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if parts.next().is_some() || !(1..=STEM_CHARS_MAX).contains(&stem.len()) || !stem.bytes().all(plain) || !is_hash
        {
            return None;
        }
        let content_type = match ending {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "wasm" => "application/wasm",
            "json" => "application/json",
            _ => return None,
        };
        Some(Self { hash, content_type })
    }

    /// Whether it is the name of this content.
    fn names(&self, content: &[u8]) -> bool {
        HEXLOWER.encode(&Sha256::digest(content)[..8]) == self.hash
    }
}

/// One file of a former version.
#[derive(Clone, Debug)]
struct Former {
    bytes: Bytes,
    until: Instant,
}

/// What is answered besides the files of this version.
#[derive(Debug, Default)]
pub(crate) struct FormerAssets(ArcSwap<BTreeMap<String, Former>>);

impl FormerAssets {
    /// The file called `name`, as long as it is answered.
    pub(super) fn get(&self, name: &str) -> Option<Bytes> {
        let former = self.0.load();
        former.get(name).filter(|file| Instant::now() < file.until).map(|file| file.bytes.clone())
    }

    /// Saves the files of this version in `state_dir`, and takes over what those before it have left there.
    ///
    /// # Errors
    /// The first that saving or reading met with; what could be read is answered all the same.
    pub(crate) fn take(&self, state_dir: &Path, now: SystemTime) -> io::Result<()> {
        let own: BTreeMap<&str, &[u8]> = assets::with_hashes().collect();
        let (files, outcome) = folder::take(&state_dir.join(FOLDER), &own, now);
        let begin = Instant::now();
        let files = files
            .into_iter()
            .map(|(name, (bytes, age))| (name, Former { bytes, until: begin + ANSWERED_FOR.saturating_sub(age) }));
        self.0.store(Arc::new(files.collect()));
        outcome
    }

    /// Forgets and deletes what is no longer answered, until nothing is left.
    pub(crate) async fn expire(&self, state_dir: &Path) {
        loop {
            let Some(next) = self.0.load().values().map(|file| file.until).min() else { return };
            tokio::time::sleep_until(next).await;
            let now = Instant::now();
            let (over, left): (BTreeMap<_, _>, BTreeMap<_, _>) = self
                .0
                .load()
                .iter()
                .map(|(name, file)| (name.clone(), file.clone()))
                .partition(|(_, file)| file.until <= now);
            self.0.store(Arc::new(left));
            folder::delete(&state_dir.join(FOLDER), over.keys());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: (&str, &[u8]) = ("gate-en.cba06b5736faf67e.js", b"old");
    const NEW: (&str, &[u8]) = ("gate-en.11507a0e2f5e69d5.js", b"new");

    #[test]
    fn only_a_plain_name_with_a_hash_and_a_known_ending_is_one() {
        assert!(HashedName::parse(OLD.0).is_some_and(|name| name.names(OLD.1) && !name.names(NEW.1)));
        for name in [
            "gate.js",
            "portcullis.js",
            "../gate.cba06b5736faf67e.js",
            "gate/.cba06b5736faf67e.js",
            ".cba06b5736faf67e.js",
            "gate.CBA06B5736FAF67E.js",
            "gate.cba06b5736faf67.js",
            "gate.cba06b5736faf67e.js.gz",
            "gate.cba06b5736faf67e.html",
            "gate.cba06b5736faf67e.",
        ] {
            assert!(HashedName::parse(name).is_none(), "{name}");
        }
        assert!(HashedName::parse(&format!("{}.cba06b5736faf67e.js", "a".repeat(STEM_CHARS_MAX + 1))).is_none());
    }

    #[test]
    fn every_file_of_this_version_will_be_answered_as_it_is_now() {
        let mut bytes = 0;
        for (name, content) in assets::with_hashes() {
            let hashed = HashedName::parse(name).unwrap_or_else(|| panic!("{name} has no name that is kept"));
            assert!(hashed.names(content), "{name}");
            assert_eq!(Some(hashed.content_type), assets::content_type(name), "{name}");
            bytes += content.len();
        }
        assert!(3 * bytes < folder::BYTES_MAX, "three versions fit: one has {bytes} bytes");
        assert!(3 * assets::with_hashes().count() < folder::COUNT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_hour_it_is_neither_in_memory_nor_in_the_folder() {
        let state_dir = tempfile::tempdir().expect("a folder");
        let folder = state_dir.path().join(FOLDER);
        let before = BTreeMap::from([OLD]);
        folder::take(&folder, &before, SystemTime::now()).1.expect("written");
        let assets = FormerAssets::default();
        assets.take(state_dir.path(), SystemTime::now()).expect("written");
        assert_eq!(assets.get(OLD.0).as_deref(), Some(OLD.1));
        assert_eq!(assets.get(NEW.0), None);
        assets.expire(state_dir.path()).await;
        assert_eq!(assets.get(OLD.0), None);
        assert!(!folder.join(OLD.0).exists() && !folder.join("former").join(OLD.0).exists());
    }
}
