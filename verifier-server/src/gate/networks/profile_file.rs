//! The profile over restarts: one file of fixed size in `state_dir`.
//!
//! It holds no address, but with its key it can be asked how much came from a given network: it stays mode 0600.

use super::HashKey;
use super::profile::{CELLS, Profile};
use crate::state_file::{self, StateFileError};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"portcullis-pro-1";
/// What stands before the number in every version's.
const KIND: &[u8] = b"portcullis-pro-";
const VERSION: u32 = 1;
const FILE: &str = "profile";
const KEY_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + KEY_BYTES + size_of::<f64>();
/// Magic, key, observed seconds, cells, and the SHA-256 of all that.
const FILE_BYTES: usize = HEAD_BYTES + CELLS * size_of::<f32>() + DIGEST_BYTES;

impl Profile {
    /// Where it is kept.
    #[must_use]
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Reads the profile kept in `state_dir`; `None` where there is none. The file stays.
    ///
    /// # Errors
    /// See [`StateFileError`]; the gate then begins to learn anew.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, StateFileError> {
        let Some(bytes) = state_file::read(&Self::file(state_dir), FILE_BYTES as u64)? else { return Ok(None) };
        if let Some(found) = state_file::other_version(&bytes, KIND, &[MAGIC]) {
            return Err(StateFileError::Version { found, known: VERSION });
        }
        let profile = parse(&bytes);
        profile.map(Some).ok_or_else(|| StateFileError::damaged("it is cut short, or altered"))
    }

    /// Writes the profile to `state_dir`: whole or not at all.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports; the file before it then stays.
    pub fn write(&self, state_dir: &Path) -> io::Result<()> {
        self.write_to(&Self::file(state_dir))
    }

    /// Writes the profile to a file of any name, in the same way.
    ///
    /// # Errors
    /// As of [`Profile::write`].
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        state_file::write(path, |writer| writer.write_all(&self.to_bytes()))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let (key, observed_seconds, cells) = self.for_keeping();
        let mut bytes = Vec::with_capacity(FILE_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&key.0);
        bytes.extend_from_slice(&observed_seconds.to_be_bytes());
        bytes.extend(cells.iter().flat_map(|cell| cell.to_be_bytes()));
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }
}

fn parse(bytes: &[u8]) -> Option<Profile> {
    if bytes.len() != FILE_BYTES {
        return None;
    }
    let (content, digest) = bytes.split_last_chunk::<DIGEST_BYTES>()?;
    let (magic, rest) = content.split_first_chunk::<16>()?;
    let (key, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
    let (observed_seconds, cells) = rest.split_first_chunk()?;
    if magic != MAGIC || Sha256::digest(content)[..] != digest[..] {
        return None;
    }
    let cells: Vec<f32> = cells.as_chunks().0.iter().map(|cell| f32::from_be_bytes(*cell)).collect();
    Profile::with(HashKey(*key), f64::from_be_bytes(*observed_seconds), &cells)
}

#[cfg(test)]
mod tests {
    use super::super::Nested;
    use super::*;
    use proptest::prelude::*;
    use puzzle::{ClientNetwork, Credits, UnixSeconds};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn learned() -> (Profile, Nested) {
        let profile = Profile::new(HashKey([3; 16]));
        let office = Nested::of(ClientNetwork::of([203, 0, 113, 5].into()));
        for minute in 0..24 * 60_u32 {
            profile.tick(UnixSeconds(1_800_000_000 + minute * 60), true);
            profile.observe(office.levels(), Credits::whole(30));
        }
        (profile, office)
    }

    #[test]
    fn a_profile_survives_its_file_which_only_its_owner_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Profile::read(folder.path()).expect("nothing there").is_none());
        let (profile, office) = learned();
        profile.write(folder.path()).expect("written");
        let read = Profile::read(folder.path()).expect("read").expect("a profile");
        for level in office.levels() {
            assert!(read.learned_rate(*level) > 0.4, "{}", read.learned_rate(*level));
            assert_eq!(read.learned_rate(*level).to_bits(), profile.learned_rate(*level).to_bits());
        }
        let mode = fs::metadata(folder.path().join(FILE)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!folder.path().join("profile.unfinished").exists());
    }

    #[test]
    fn a_damaged_file_is_not_used() {
        let bytes = learned().0.to_bytes();
        assert!(parse(&bytes).is_some());
        assert!(parse(&bytes[..bytes.len() - 1]).is_none());
        assert!(parse(&[bytes.as_slice(), &[0]].concat()).is_none());
        for damage in [0, 15, 20, 35, HEAD_BYTES, FILE_BYTES - 33, FILE_BYTES - 1] {
            let mut damaged = bytes.clone();
            damaged[damage] ^= 1;
            assert!(parse(&damaged).is_none(), "byte {damage}");
        }
    }

    #[test]
    fn numbers_that_no_profile_has_are_refused_under_a_right_digest() {
        for (position, value) in [(32, f64::NAN.to_be_bytes()), (32, (-1.0_f64).to_be_bytes()), (40, [0xff; 8])] {
            let mut bytes = learned().0.to_bytes();
            bytes.truncate(FILE_BYTES - DIGEST_BYTES);
            bytes[position..position + 8].copy_from_slice(&value);
            let digest = Sha256::digest(&bytes);
            bytes.extend_from_slice(&digest);
            assert!(parse(&bytes).is_none(), "{position}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_file_reading_it_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).is_none());
        }
    }
}
