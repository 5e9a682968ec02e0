//! A solver written from PROTOCOL §1 and §2 alone, with nothing but a SHA-256 library.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

/// The 64 bytes of a challenge, and the fields a client reads from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge(pub [u8; 64]);

impl Challenge {
    /// From its text form.
    pub fn from_text(text: &str) -> Self {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url without padding");
        Self(bytes.try_into().expect("exactly 64 bytes"))
    }

    /// Its text form.
    pub fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// How many sub-puzzles.
    pub fn count(&self) -> u8 {
        self.0[3]
    }

    /// Attempts expected for each sub-puzzle.
    pub fn difficulty(&self) -> u32 {
        u32::from_be_bytes(self.0[4..8].try_into().unwrap())
    }

    /// Work in attempts.
    pub fn work(&self) -> u64 {
        u64::from(self.count()) * u64::from(self.difficulty())
    }

    /// Unix seconds.
    pub fn issued(&self) -> u32 {
        u32::from_be_bytes(self.0[8..12].try_into().unwrap())
    }

    /// Seconds.
    pub fn lifetime(&self) -> u16 {
        u16::from_be_bytes(self.0[12..14].try_into().unwrap())
    }

    /// Whether it is sold even while the site's price is zero.
    pub fn standing(&self) -> bool {
        self.0[15] & 1 == 1
    }

    /// One nonce for each sub-puzzle, eight bytes each.
    pub fn solve(&self) -> Vec<u8> {
        let seed = Sha256::digest(self.0);
        let target = u64::MAX / u64::from(self.difficulty());
        (0..self.count()).flat_map(|index| solve_one(&seed, u32::from(index), target).to_be_bytes()).collect()
    }

    /// Nonces that all miss the target (the difficulty must be above 1).
    pub fn miss(&self) -> Vec<u8> {
        let seed = Sha256::digest(self.0);
        let target = u64::MAX / u64::from(self.difficulty());
        let missing = |index: u32| (0..u64::MAX).find(|nonce| digest(&seed, index, *nonce) > target).unwrap();
        (0..self.count()).flat_map(|index| missing(u32::from(index)).to_be_bytes()).collect()
    }
}

fn solve_one(seed: &[u8], index: u32, target: u64) -> u64 {
    (0..u64::MAX).find(|nonce| digest(seed, index, *nonce) <= target).expect("some nonce solves")
}

fn digest(seed: &[u8], index: u32, nonce: u64) -> u64 {
    let mut block = [0; 44];
    block[..32].copy_from_slice(seed);
    block[32..36].copy_from_slice(&index.to_be_bytes());
    block[36..].copy_from_slice(&nonce.to_be_bytes());
    u64::from_be_bytes(Sha256::digest(block)[..8].try_into().unwrap())
}
