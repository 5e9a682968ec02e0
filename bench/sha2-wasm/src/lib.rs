//! The yardstick for the solver: what a solver costs that hashes each attempt with the `sha2` crate as it comes.
//!
//! The border to JavaScript is the solver's own, name by name, so that the very same worker runs either. Only the
//! hashing differs: nothing is kept from one attempt to the next but the 36 bytes before the nonce.

use std::cell::Cell;

use sha2::{Digest as _, Sha256};
use wasm_bindgen::prelude::wasm_bindgen;

/// Seed, number of the sub-puzzle, nonce.
const MESSAGE_BYTES: usize = 44;
/// Where the nonce begins.
const NONCE: usize = 36;

#[derive(Clone, Copy)]
struct SubPuzzle {
    message: [u8; MESSAGE_BYTES],
    /// The largest leading eight bytes of a digest that solve.
    target: u64,
}

thread_local! {
    static CHALLENGE: Cell<[u32; 16]> = const { Cell::new([0; 16]) };
    static SUB_PUZZLE: Cell<SubPuzzle> = const { Cell::new(SubPuzzle { message: [0; MESSAGE_BYTES], target: 0 }) };
    static FOUND: Cell<[u32; 2]> = const { Cell::new([0; 2]) };
}

/// Sets one of the 16 big-endian words of the challenge's 64 bytes.
#[wasm_bindgen]
pub fn set_challenge_word(index: u32, word: u32) {
    let mut challenge = CHALLENGE.get();
    if let Some(place) = usize::try_from(index).ok().and_then(|index| challenge.get_mut(index)) {
        *place = word;
    }
    CHALLENGE.set(challenge);
}

/// How many sub-puzzles the challenge has.
#[wasm_bindgen]
#[must_use]
pub fn count() -> u32 {
    let [head, ..] = CHALLENGE.get();
    head & 0xff
}

/// Expected attempts for each sub-puzzle.
#[wasm_bindgen]
#[must_use]
pub fn difficulty() -> u32 {
    let [_, difficulty, ..] = CHALLENGE.get();
    difficulty
}

/// Turns to a sub-puzzle of the challenge.
#[wasm_bindgen]
pub fn prepare(sub_puzzle: u32) {
    let mut challenge = [0; 64];
    for (bytes, word) in challenge.chunks_exact_mut(4).zip(CHALLENGE.get()) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    let mut message = [0; MESSAGE_BYTES];
    message[..32].copy_from_slice(&Sha256::digest(challenge));
    message[32..NONCE].copy_from_slice(&sub_puzzle.to_be_bytes());
    SUB_PUZZLE.set(SubPuzzle { message, target: u64::MAX / u64::from(difficulty().max(1)) });
}

/// Tries consecutive nonces from the given one on. 1: one of them solves; 0: none does.
#[wasm_bindgen]
#[must_use]
pub fn run(nonce_high: u32, nonce_low: u32, attempts: u32) -> i32 {
    let SubPuzzle { mut message, target } = SUB_PUZZLE.get();
    message[NONCE..NONCE + 4].copy_from_slice(&nonce_high.to_be_bytes());
    for step in 0..attempts {
        let low = nonce_low.wrapping_add(step);
        message[NONCE + 4..].copy_from_slice(&low.to_be_bytes());
        let digest = Sha256::digest(message);
        let leading = digest.first_chunk().copied().map_or(u64::MAX, u64::from_be_bytes);
        if leading <= target {
            FOUND.set([nonce_high, low]);
            return 1;
        }
    }
    0
}

/// High word of the nonce found last.
#[wasm_bindgen]
#[must_use]
pub fn found_high() -> u32 {
    let [high, _] = FOUND.get();
    high
}

/// Low word of the nonce found last.
#[wasm_bindgen]
#[must_use]
pub fn found_low() -> u32 {
    let [_, low] = FOUND.get();
    low
}
