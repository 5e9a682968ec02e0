//! The solver that browsers load: SHA-256 over consecutive nonces until a digest meets the target.
//!
//! Only integers cross the border to JavaScript, so that the glue stays tiny: the 64 bytes of a challenge are set word
//! by word and kept in the module. A worker sets the challenge once, prepares a sub-puzzle, and runs slices of
//! attempts until one succeeds.
//!
//! The same source is built twice for wasm32: without simd128, where a step tries one nonce, and with it, where a step
//! tries four. `docs/PROTOCOL.md` §2 says what a solution is. No input makes anything here panic.

// The digest is made of 32-bit words; cutting a nonce into two of them is what the casts are for. The kernel is one
// straight line only if everything is inlined into it.
#![allow(clippy::cast_possible_truncation, clippy::inline_always, clippy::many_single_char_names)]

mod attempt;
mod lane;
mod search;
mod sha256;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::search::SubPuzzle;

/// What a step works on: four nonces where the build has simd128, else one.
#[cfg(target_feature = "simd128")]
type StepLane = core::arch::wasm32::v128;
#[cfg(not(target_feature = "simd128"))]
type StepLane = u32;

thread_local! {
    static CHALLENGE: Cell<[u32; 16]> = const { Cell::new([0; 16]) };
    static SUB_PUZZLE: Cell<SubPuzzle> = const { Cell::new(SubPuzzle { seed: [0; 8], number: 0, target: 0 }) };
    static FOUND: Cell<u64> = const { Cell::new(0) };
}

/// Sets one of the 16 big-endian words of the challenge's 64 bytes. An index beyond them changes nothing.
#[wasm_bindgen]
pub fn set_challenge_word(index: u32, word: u32) {
    let mut challenge = CHALLENGE.get();
    if let Some(place) = challenge.get_mut(index as usize) {
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

/// Turns to a sub-puzzle of the challenge, counted from 0. Call it after the challenge is set.
#[wasm_bindgen]
pub fn prepare(sub_puzzle: u32) {
    let seed = search::seed(CHALLENGE.get());
    SUB_PUZZLE.set(SubPuzzle { seed, number: sub_puzzle, target: search::target(difficulty()) });
}

/// Tries `attempts` consecutive nonces from the given one on. 1: a nonce solves, see [`found_high`] and [`found_low`]; 0: none does.
#[wasm_bindgen]
#[must_use]
pub fn run(nonce_high: u32, nonce_low: u32, attempts: u32) -> i32 {
    let start = u64::from(nonce_high) << 32 | u64::from(nonce_low);
    let found = SUB_PUZZLE.get().search::<StepLane>(start, attempts);
    FOUND.set(found.unwrap_or(FOUND.get()));
    i32::from(found.is_some())
}

/// High word of the nonce found last.
#[wasm_bindgen]
#[must_use]
pub fn found_high() -> u32 {
    (FOUND.get() >> 32) as u32
}

/// Low word of the nonce found last.
#[wasm_bindgen]
#[must_use]
pub fn found_low() -> u32 {
    FOUND.get() as u32
}
