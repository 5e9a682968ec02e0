//! Consecutive nonces, from a start on, until one solves or the attempts are used up.

use crate::attempt::Fixed;
use crate::lane::Lane;
use crate::sha256::{INITIAL, compress};

/// One sub-puzzle of a challenge, ready to be searched.
#[derive(Clone, Copy)]
pub(crate) struct SubPuzzle {
    pub(crate) seed: [u32; 8],
    pub(crate) number: u32,
    /// The largest leading eight bytes of a digest that solve.
    pub(crate) target: u64,
}

impl SubPuzzle {
    /// The first solving nonce among `attempts` consecutive ones; after 2^64 − 1 comes 0.
    pub(crate) fn search<L: Lane>(&self, start: u64, attempts: u32) -> Option<u64> {
        let mut next = start;
        let mut left = attempts;
        while left > 0 {
            let (high, low) = ((next >> 32) as u32, next as u32);
            // Nonces that share the high word, which the next round of this loop takes up; at low = 0 one too few.
            let run = left.min((u32::MAX - low).saturating_add(1));
            let fixed = Fixed::new(self.seed, self.number, high);
            if let Some(found) = scan::<L>(&fixed, self.target, low, run) {
                return Some(u64::from(high) << 32 | u64::from(found));
            }
            next = next.wrapping_add(u64::from(run));
            left -= run;
        }
        None
    }
}

/// The first solving low word among `run` consecutive ones, which do not wrap.
#[inline(never)]
fn scan<L: Lane>(fixed: &Fixed, target: u64, start: u32, run: u32) -> Option<u32> {
    let fixed = *fixed;
    let mut done = 0;
    while done < run {
        let low = start.wrapping_add(done);
        // The last step may reach beyond the run: its surplus places are computed and not looked at.
        if let Some(place) = fixed.attempt(L::count_from(low)).first_solved(target, run - done) {
            return Some(low.wrapping_add(place));
        }
        done = done.saturating_add(L::WIDTH);
    }
    None
}

/// SHA-256 of the 64 bytes of a challenge, given and returned as big-endian words.
pub(crate) fn seed(challenge: [u32; 16]) -> [u32; 8] {
    /// The second block holds nothing but the padding and the length: 512 bits.
    const PADDING: [u32; 16] = [0x8000_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 512];
    compress(compress(INITIAL, challenge), PADDING)
}

/// floor((2^64 − 1) / difficulty). A difficulty of 0 is no challenge; it counts as 1 so that nothing can go wrong here.
pub(crate) fn target(difficulty: u32) -> u64 {
    u64::MAX / u64::from(difficulty.max(1))
}
