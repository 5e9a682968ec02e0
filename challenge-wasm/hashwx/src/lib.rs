//! The solver of `hashwx` that browsers load when they need it: it makes the programs of a block of nonces and writes them
//! down as a small wasm module, which a worker compiles and calls.
//!
//! Only integers cross the border to JavaScript: the words of the challenge come in one by one, the bytes of the module go
//! out four at a time. `docs/PROTOCOL.md` §2 says what a solution is. No input makes anything here panic.

// Words of 32 bits are what crosses the border, and small numbers of the algorithm what becomes constants of a module.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod code;
mod emit;

pub use emit::module;

use std::cell::{Cell, RefCell};

use puzzle::{CHALLENGE_BYTES, Difficulty, Shape, guard, instance_of, target};
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static CHALLENGE: Cell<[u8; CHALLENGE_BYTES]> = const { Cell::new([0; CHALLENGE_BYTES]) };
    static NONCES: Cell<[u64; Shape::COUNT_MAX as usize]> = const { Cell::new([0; Shape::COUNT_MAX as usize]) };
    static MODULE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static GUARD: Cell<u64> = const { Cell::new(0) };
}

/// Sets one of the 16 big-endian words of the challenge's 64 bytes. An index beyond them changes nothing.
#[wasm_bindgen]
pub fn set_challenge_word(index: u32, word: u32) {
    let mut challenge = CHALLENGE.get();
    if let Some(place) = challenge.as_chunks_mut().0.get_mut(index as usize) {
        *place = word.to_be_bytes();
    }
    CHALLENGE.set(challenge);
}

/// Writes the module that tries nonces of a sub-puzzle, of the block that both words say. Call it after the challenge is set.
/// Returns the length of the module in bytes.
#[wasm_bindgen]
#[must_use]
pub fn write_module(sub_puzzle: u32, block_high: u32, block_low: u32) -> u32 {
    let challenge = CHALLENGE.get();
    let [_, _, _, _, d0, d1, d2, d3, ..] = challenge;
    // A difficulty of 0 is no challenge; it counts as 1 so that nothing can go wrong here.
    let difficulty = Difficulty::new(u32::from_be_bytes([d0, d1, d2, d3])).unwrap_or(Difficulty::MIN);
    let block = u64::from(block_high) << 32 | u64::from(block_low);
    let module = module(&instance_of(&challenge, sub_puzzle as u8, block), target(difficulty));
    let length = module.len() as u32;
    MODULE.set(module);
    length
}

/// Four bytes of the module that was written last, the first in the lowest bits; zeros beyond its end.
#[wasm_bindgen]
#[must_use]
pub fn module_word(index: u32) -> u32 {
    MODULE.with_borrow(|module| {
        let bytes = module.get(4 * index as usize..).unwrap_or_default();
        u32::from_le_bytes(std::array::from_fn(|place| bytes.get(place).copied().unwrap_or_default()))
    })
}

/// Sets the nonce of a sub-puzzle, for the guard. An index beyond the 64 there can be changes nothing.
#[wasm_bindgen]
pub fn set_nonce(sub_puzzle: u32, high: u32, low: u32) {
    let mut nonces = NONCES.get();
    if let Some(place) = nonces.get_mut(sub_puzzle as usize) {
        *place = u64::from(high) << 32 | u64::from(low);
    }
    NONCES.set(nonces);
}

/// Finds the guard of the nonces that were set, some 4,096 attempts: see [`guard_high`] and [`guard_low`].
#[wasm_bindgen]
pub fn find_guard() {
    let challenge = CHALLENGE.get();
    let count = usize::from(challenge[3]).min(NONCES.get().len());
    let nonces: Vec<u8> = NONCES.get().iter().take(count).flat_map(|nonce| nonce.to_be_bytes()).collect();
    GUARD.set(guard(&challenge, &nonces));
}

/// High word of the guard found last.
#[wasm_bindgen]
#[must_use]
pub fn guard_high() -> u32 {
    (GUARD.get() >> 32) as u32
}

/// Low word of the guard found last.
#[wasm_bindgen]
#[must_use]
pub fn guard_low() -> u32 {
    GUARD.get() as u32
}
