//! The solution and its check (PROTOCOL §2).

use crate::{Algorithm, CHALLENGE_BYTES, Challenge, Difficulty, Refusal, Shape};
use sha2::block_api::compress256;

/// Length of the longest solution in bytes: 64 nonces.
pub const SOLUTION_BYTES_MAX: usize = 8 * Shape::COUNT_MAX as usize;

/// SHA-256 initial state (FIPS 180-4, §5.3.3).
const INITIAL_STATE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A solution of the right length for its challenge.
#[derive(Clone, Copy, Debug)]
pub struct Solution<'a> {
    bytes: &'a [u8],
}

impl<'a> Solution<'a> {
    /// Parses a solution for a challenge of `shape`.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for any other length than `8·k` bytes.
    pub fn parse(bytes: &'a [u8], shape: Shape) -> Result<Self, Refusal> {
        if bytes.len() == shape.solution_bytes() { Ok(Self { bytes }) } else { Err(Refusal::Malformed) }
    }

    fn nonce(&self, sub_puzzle: u8) -> Option<[u8; 8]> {
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
    let mut padding = [0; 64];
    padding[0] = 0x80;
    padding[56..].copy_from_slice(&(8 * CHALLENGE_BYTES as u64).to_be_bytes());
    let mut state = INITIAL_STATE;
    compress256(&mut state, &[*challenge, padding]);
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    seed
}

/// One sub-puzzle of a challenge, for whoever solves it without a kernel of its own.
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
        attempt(&mut self.block, self.index, nonce.to_be_bytes())
    }
}

/// Whether every sub-puzzle is solved; `first` is checked first, then the others in turn.
pub(crate) fn solves(challenge: &Challenge, solution: &Solution<'_>, first: u8) -> bool {
    let shape = challenge.shape();
    let target = target(shape.difficulty);
    let mut block = attempt_block(&seed_of(challenge.bytes()));
    (0..shape.count).all(|step| {
        // Both terms are below 64.
        let sub_puzzle = (first % shape.count + step) % shape.count;
        let Some(nonce) = solution.nonce(sub_puzzle) else { return false };
        match shape.algorithm {
            Algorithm::Sha256 => attempt(&mut block, sub_puzzle, nonce) <= target,
        }
    })
}

/// One padded block: seed, sub-puzzle, nonce, 352 bits of message.
fn attempt_block(seed: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(seed);
    block[44] = 0x80;
    block[56..].copy_from_slice(&352_u64.to_be_bytes());
    block
}

/// The first eight bytes of an attempt's digest.
fn attempt(block: &mut [u8; 64], sub_puzzle: u8, nonce: [u8; 8]) -> u64 {
    block[32..36].copy_from_slice(&u32::from(sub_puzzle).to_be_bytes());
    block[36..44].copy_from_slice(&nonce);
    let mut state = INITIAL_STATE;
    compress256(&mut state, core::slice::from_ref(block));
    u64::from(state[0]) << 32 | u64::from(state[1])
}
