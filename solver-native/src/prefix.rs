//! What all attempts share while the nonce's high word stays: the message words before the low word, and their rounds.

use crate::sha256::{INITIAL, ROUND, Registers, round};

/// The message word that holds the nonce's low word.
pub(crate) const LOW: usize = 10;

/// Length of the message in bits: 32 bytes seed, 4 sub-puzzle, 8 nonce.
const MESSAGE_BITS: u32 = 352;

/// One sub-puzzle with a nonce's high word.
#[derive(Clone, Copy)]
pub(crate) struct Prefix {
    /// The message block with a low word of zero.
    pub(crate) block: [u32; 16],
    /// The registers after rounds 0 to 9.
    pub(crate) registers: Registers,
}

impl Prefix {
    pub(crate) fn new(seed: [u32; 8], sub_puzzle: u8, nonce_high: u32) -> Self {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = seed;
        let number = u32::from(sub_puzzle);
        let end = 0x8000_0000;
        let block = [s0, s1, s2, s3, s4, s5, s6, s7, number, nonce_high, 0, end, 0, 0, 0, MESSAGE_BITS];
        let registers = ROUND
            .into_iter()
            .zip(block)
            .take(LOW)
            .fold(INITIAL, |registers, (constant, word)| round(registers, constant.wrapping_add(word)));
        Self { block, registers }
    }
}
