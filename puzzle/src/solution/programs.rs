//! The check of a solution of `hashwx` (PROTOCOL §2): its guard, then a program for every nonce.

use super::{GUARD_BYTES, Solution, target};
use crate::hashwx::Instance;
use crate::{CHALLENGE_BYTES, Challenge, Shape};
use sha2::{Digest, Sha256};

/// Consecutive nonces that share the programs of one instance: long enough for a browser to gain from compiling them, short
/// enough for all workers of a visitor to share a sub-puzzle.
pub const NONCES_PER_INSTANCE: u64 = 1 << 16;

/// Leading zero bits of the guard's digest.
const GUARD_BITS: u32 = 12;

/// The hash function of a sub-puzzle for one block of nonces: those of `block · 65536` and the 65,535 after it.
#[must_use]
pub fn instance_of(challenge: &[u8; CHALLENGE_BYTES], sub_puzzle: u8, block: u64) -> Instance {
    let mut hasher = Sha256::new();
    hasher.update(challenge);
    hasher.update(u32::from(sub_puzzle).to_be_bytes());
    hasher.update(block.to_be_bytes());
    Instance::new(&hasher.finalize().into())
}

/// The guard with which the solution of `nonces` ends: the first that lets SHA-256 of challenge, nonces and guard begin with
/// 12 zero bits. About 4,096 attempts.
#[must_use]
pub fn guard(challenge: &[u8; CHALLENGE_BYTES], nonces: &[u8]) -> u64 {
    let mut before = Sha256::new();
    before.update(challenge);
    before.update(nonces);
    (0..u64::MAX).find(|guard| holds(before.clone(), guard.to_be_bytes())).unwrap_or_default()
}

/// Whether the guard holds. Whoever sends what solves nothing has spent some 4,096 attempts on it.
pub(crate) fn is_guarded(challenge: &Challenge, solution: &Solution<'_>) -> bool {
    let mut before = Sha256::new();
    before.update(challenge.bytes());
    solution.bytes().split_last_chunk::<GUARD_BYTES>().is_some_and(|(nonces, guard)| {
        before.update(nonces);
        holds(before, *guard)
    })
}

fn holds(mut before: Sha256, guard: [u8; GUARD_BYTES]) -> bool {
    before.update(guard);
    let digest: [u8; 32] = before.finalize().into();
    let [first, second, ..] = digest;
    u16::from_be_bytes([first, second]).leading_zeros() >= GUARD_BITS
}

/// Whether every sub-puzzle is solved; `first` is checked first, then the others in turn.
pub(crate) fn solves_programs(challenge: &Challenge, solution: &Solution<'_>, first: u8) -> bool {
    let Shape { count, difficulty, .. } = challenge.shape();
    let (target, first) = (target(difficulty), first % count);
    (first..count).chain(0..first).all(|sub_puzzle| {
        let nonce = solution.nonce(sub_puzzle).map(u64::from_be_bytes);
        nonce.is_some_and(|nonce| {
            instance_of(challenge.bytes(), sub_puzzle, nonce / NONCES_PER_INSTANCE).hash(nonce) <= target
        })
    })
}
