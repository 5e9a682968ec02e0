//! The solution and its check (PROTOCOL §2).

mod programs;

use crate::sha256::{INITIAL_STATE, bytes_of, padding};
use crate::{CHALLENGE_BYTES, Challenge, Difficulty, Refusal, Shape};
use sha2::block_api::compress256;

pub use programs::{NONCES_PER_INSTANCE, guard, instance_of};
pub(crate) use programs::{is_guarded, solves_programs};

/// Length of the guard at the end of a solution of `hashwx`, in bytes.
pub const GUARD_BYTES: usize = 8;
/// Length of the longest solution in bytes: 64 nonces and a guard.
pub const SOLUTION_BYTES_MAX: usize = 8 * Shape::COUNT_MAX as usize + GUARD_BYTES;

/// A solution of the right length for its challenge.
#[derive(Clone, Copy, Debug)]
pub struct Solution<'a> {
    bytes: &'a [u8],
}

impl<'a> Solution<'a> {
    /// Parses a solution for a challenge of `shape`.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for any other length than [`Shape::solution_bytes`].
    pub fn parse(bytes: &'a [u8], shape: Shape) -> Result<Self, Refusal> {
        if bytes.len() == shape.solution_bytes() { Ok(Self { bytes }) } else { Err(Refusal::Malformed) }
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn nonce(&self, sub_puzzle: u8) -> Option<[u8; 8]> {
        self.bytes.get(8 * usize::from(sub_puzzle)..)?.first_chunk().copied()
    }
}

/// `floor((2^64 − 1) / d)`: the largest value that solves a sub-puzzle.
#[must_use]
pub const fn target(difficulty: Difficulty) -> u64 {
    u64::MAX / difficulty.attempts() as u64
}

/// The seed of a challenge's attempts: its SHA-256.
#[must_use]
pub fn seed_of(challenge: &[u8; CHALLENGE_BYTES]) -> [u8; 32] {
    let mut state = INITIAL_STATE;
    compress256(&mut state, &[*challenge, const { padding(CHALLENGE_BYTES) }]);
    bytes_of(&state)
}

/// One sub-puzzle of a challenge of `sha256`, for whoever solves it without a kernel of its own.
#[derive(Clone, Debug)]
pub struct SubPuzzle {
    block: [u8; 64],
    index: u8,
}

impl SubPuzzle {
    /// The sub-puzzle `index` of a challenge.
    #[must_use]
    pub fn new(challenge: &[u8; CHALLENGE_BYTES], index: u8) -> Self {
        Self { block: attempt_block(&seed_of(challenge)), index }
    }

    /// The first eight bytes of the digest of `nonce`; at most [`target`] where it solves.
    #[must_use]
    pub fn attempt(&mut self, nonce: u64) -> u64 {
        lay_out(&mut self.block, self.index, nonce.to_be_bytes());
        leading(&self.block)
    }
}

/// Attempts that are laid out before the first of them is hashed. Hashed one by one out of the same block, each would wait
/// for what was just written to it; so the processor begins the next while it still works on one.
const BATCH: usize = 8;

/// Whether every sub-puzzle of a challenge of `sha256` is solved; `first` is checked first, then the others in turn.
pub(crate) fn solves(challenge: &Challenge, solution: &Solution<'_>, first: u8) -> bool {
    let Shape { count, difficulty, .. } = challenge.shape();
    let target = target(difficulty);
    let mut blocks = [attempt_block(&seed_of(challenge.bytes())); BATCH];
    let first = first % count;
    // All below 64.
    let mut order = (first..count).chain(0..first);
    loop {
        let mut laid_out = 0;
        for (block, sub_puzzle) in blocks.iter_mut().zip(&mut order) {
            let Some(nonce) = solution.nonce(sub_puzzle) else { return false };
            lay_out(block, sub_puzzle, nonce);
            laid_out += 1;
        }
        if laid_out == 0 {
            return true;
        }
        if !blocks[..laid_out].iter().all(|block| leading(block) <= target) {
            return false;
        }
    }
}

/// Seed, sub-puzzle and nonce: one padded block.
const ATTEMPT_BYTES: usize = 32 + 4 + 8;

/// The block of attempts that begin with `seed`.
fn attempt_block(seed: &[u8; 32]) -> [u8; 64] {
    let mut block = const { padding(ATTEMPT_BYTES) };
    block[..32].copy_from_slice(seed);
    block
}

/// Makes a block that of another attempt.
fn lay_out(block: &mut [u8; 64], sub_puzzle: u8, nonce: [u8; 8]) {
    block[32..36].copy_from_slice(&u32::from(sub_puzzle).to_be_bytes());
    block[36..44].copy_from_slice(&nonce);
}

/// The first eight bytes of an attempt's digest.
fn leading(block: &[u8; 64]) -> u64 {
    let mut state = INITIAL_STATE;
    compress256(&mut state, core::slice::from_ref(block));
    u64::from(state[0]) << 32 | u64::from(state[1])
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::{Algorithm, NewChallenge, Purpose, SiteTag, UnixSeconds};
    use core::num::NonZeroU16;
    use std::vec::Vec;

    fn challenge(count: u8) -> Challenge {
        let difficulty = Difficulty::new(8).expect("not 0");
        let new = NewChallenge {
            shape: Shape { algorithm: Algorithm::Sha256, count, difficulty },
            issued_at: UnixSeconds(1_800_000_000),
            lifetime_seconds: NonZeroU16::MIN,
            purpose: Purpose::Gate,
            standing: false,
            random: [7; 16],
            binding: [0; 8],
            site: SiteTag([0; 8]),
        };
        Challenge::build(&new, |_| [0; 16])
    }

    /// The first nonce that solves a sub-puzzle, or that does not.
    fn nonce(challenge: &Challenge, sub_puzzle: u8, solving: bool) -> [u8; 8] {
        let mut puzzle = SubPuzzle::new(challenge.bytes(), sub_puzzle);
        let target = target(challenge.shape().difficulty);
        let nonce = (0..u64::MAX).find(|nonce| (puzzle.attempt(*nonce) <= target) == solving);
        nonce.expect("one in eight solves").to_be_bytes()
    }

    #[test]
    fn one_unsolved_sub_puzzle_is_found_wherever_it_is_and_whichever_comes_first() {
        for count in [1, 7, 8, 9, 20, 64] {
            let challenge = challenge(count);
            let good: Vec<[u8; 8]> = (0..count).map(|index| nonce(&challenge, index, true)).collect();
            let solves = |nonces: &[[u8; 8]], first| {
                let solution = Solution::parse(nonces.as_flattened(), challenge.shape()).expect("of its length");
                solves(&challenge, &solution, first)
            };
            assert!((0..=u8::MAX).all(|first| solves(&good, first)), "all {count} are solved");
            for index in 0..count {
                let mut spoiled = good.clone();
                spoiled[usize::from(index)] = nonce(&challenge, index, false);
                for first in [0, 1, count / 2, count - 1, u8::MAX] {
                    assert!(!solves(&spoiled, first), "{index} of {count} is not, {first} first");
                }
            }
        }
    }
}
