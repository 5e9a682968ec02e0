//! Consecutive nonces of one sub-puzzle, from a start on, until one solves or the attempts are used up.

use puzzle::{CHALLENGE_BYTES, SubPuzzle};

use crate::Lane;
#[cfg(target_arch = "x86_64")]
use crate::{
    prefix::Prefix,
    x86::{Avx2, Avx512, ShaNi},
};

/// The first solving nonce among `attempts` consecutive ones from `start` on; after 2^64 − 1 comes 0.
///
/// Only the difficulty (bytes 4 to 8) of the challenge is looked at besides hashing it; a difficulty of 0 counts as 1.
///
/// # Panics
/// If this CPU does not have the lane.
#[must_use]
pub fn find(lane: Lane, challenge: &[u8; CHALLENGE_BYTES], sub_puzzle: u8, start: u64, attempts: u64) -> Option<u64> {
    let target = target(challenge);
    let plain = || {
        let mut puzzle = SubPuzzle::new(challenge, sub_puzzle);
        (0..attempts).map(|step| start.wrapping_add(step)).find(|nonce| puzzle.attempt(*nonce) <= target)
    };
    #[cfg(target_arch = "x86_64")]
    {
        let wide = |scan: &dyn Fn(&Prefix, u32, u32) -> Option<u32>| {
            by_high_word(seed_words(challenge), sub_puzzle, start, attempts, scan)
        };
        match lane {
            Lane::Sha2Crate => plain(),
            Lane::ShaNi => {
                let proof = ShaNi::detect().expect("the lane is one of those available");
                wide(&|prefix, start, run| proof.scan(prefix, target, start, run))
            }
            Lane::Avx2 => {
                let proof = Avx2::detect().expect("the lane is one of those available");
                wide(&|prefix, start, run| proof.scan(prefix, target, start, run))
            }
            Lane::Avx512 => {
                let proof = Avx512::detect().expect("the lane is one of those available");
                wide(&|prefix, start, run| proof.scan(prefix, target, start, run))
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        assert_eq!(lane, Lane::Sha2Crate, "the lane is one of those available");
        plain()
    }
}

/// floor((2^64 − 1) / difficulty): the largest leading eight bytes of a digest that solve.
fn target([_, _, _, _, d0, d1, d2, d3, ..]: &[u8; CHALLENGE_BYTES]) -> u64 {
    u64::MAX / u64::from(u32::from_be_bytes([*d0, *d1, *d2, *d3]).max(1))
}

#[cfg(target_arch = "x86_64")]
fn seed_words(challenge: &[u8; CHALLENGE_BYTES]) -> [u32; 8] {
    let seed = puzzle::seed_of(challenge);
    let (words, _) = seed.as_chunks();
    std::array::from_fn(|place| u32::from_be_bytes(words[place]))
}

/// Cuts the search where the nonce's high word changes. `scan` gets a low word and how many from there on to try.
#[cfg(target_arch = "x86_64")]
fn by_high_word(
    seed: [u32; 8],
    sub_puzzle: u8,
    start: u64,
    attempts: u64,
    scan: &dyn Fn(&Prefix, u32, u32) -> Option<u32>,
) -> Option<u64> {
    let mut next = start;
    let mut left = attempts;
    while left > 0 {
        let (high, low) = ((next >> 32) as u32, next as u32);
        // What shares the high word; at low = 0 one too few, which the next round of this loop takes up.
        let run = left.min(u64::from((u32::MAX - low).saturating_add(1))) as u32;
        if let Some(found) = scan(&Prefix::new(seed, sub_puzzle, high), low, run) {
            return Some(u64::from(high) << 32 | u64::from(found));
        }
        next = next.wrapping_add(u64::from(run));
        left -= u64::from(run);
    }
    None
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn a_digest_equal_to_the_target_solves_and_one_above_does_not() {
        let challenge = [0x35; CHALLENGE_BYTES];
        let mut puzzle = SubPuzzle::new(&challenge, 2);
        let prefix = Prefix::new(seed_words(&challenge), 2, 0);
        for low in (0..200).chain(u32::MAX - 50..=u32::MAX) {
            let leading = puzzle.attempt(u64::from(low));
            for (target, expected) in [(leading, Some(low)), (leading - 1, None)] {
                if let Some(proof) = ShaNi::detect() {
                    assert_eq!(proof.scan(&prefix, target, low, 1), expected, "SHA-NI, {low}");
                }
                if let Some(proof) = Avx2::detect() {
                    assert_eq!(proof.scan(&prefix, target, low, 1), expected, "AVX2, {low}");
                }
                if let Some(proof) = Avx512::detect() {
                    assert_eq!(proof.scan(&prefix, target, low, 1), expected, "AVX-512, {low}");
                }
            }
        }
    }
}
