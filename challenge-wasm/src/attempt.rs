//! One attempt: SHA-256 of seed ‖ sub-puzzle ‖ nonce, with everything taken out that does not depend on the nonce's low word.
//!
//! The 44 bytes are one block. Its message words are the seed (0 to 7), the sub-puzzle's number (8), the nonce's high
//! word (9) and low word (10), and padding (11 to 15). Only word 10 changes from one attempt to the next.

use core::array;

use crate::lane::Lane;
use crate::sha256::{INITIAL, ROUND, Registers, round, round_with_h_added, small_sigma_0, small_sigma_1};

/// The message word that holds the nonce's low word.
const LOW: usize = 10;

/// Length of the message in bits: 32 bytes seed, 4 sub-puzzle, 8 nonce.
const MESSAGE_BITS: u32 = 352;

/// Before this round, rounds are written out one by one, each with what is fixed in it folded. From here on every word of
/// the schedule varies, and sixteen rounds are the body of a loop: written out too, they are bytes to load and not faster.
const LOOPED: usize = 32;

/// Which words of the schedule depend on the nonce's low word.
const VARIES: [bool; LOOPED] = {
    let mut varies = [false; LOOPED];
    varies[LOW] = true;
    let mut t = 16;
    while t < LOOPED {
        varies[t] = varies[t - 2] || varies[t - 7] || varies[t - 15] || varies[t - 16];
        t += 1;
    }
    varies
};

/// What all attempts of a sub-puzzle share while the nonce's high word stays.
#[derive(Clone, Copy)]
pub(crate) struct Fixed {
    /// The registers after round 10, as if the low word were zero. The low word is a plain summand of a and e there.
    registers: Registers<u32>,
    /// What a round adds beside its varying message word: its constant, its message word where that is fixed, and
    /// register h where that is fixed (rounds 11 to 13). The last one has the initial hash value's first word added too.
    inputs: [u32; 64],
    /// The sum of the fixed summands of each word of the schedule.
    words: [u32; LOOPED],
}

impl Fixed {
    pub(crate) fn new(seed: [u32; 8], sub_puzzle: u32, nonce_high: u32) -> Self {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = seed;
        let (end, bits) = (0x8000_0000, MESSAGE_BITS);
        let block = [s0, s1, s2, s3, s4, s5, s6, s7, sub_puzzle, nonce_high, 0, end, 0, 0, 0, bits];
        let mut words = [0; LOOPED];
        for (word, value) in words.iter_mut().zip(block) {
            *word = value;
        }
        for t in 16..LOOPED {
            let fixed = |back: usize, term: fn(u32) -> u32| if VARIES[t - back] { 0 } else { term(words[t - back]) };
            words[t] = fixed(2, small_sigma_1)
                .wrapping_add(fixed(7, |word| word))
                .wrapping_add(fixed(15, small_sigma_0))
                .wrapping_add(fixed(16, |word| word));
        }

        let mut inputs = ROUND;
        for (t, (input, word)) in inputs.iter_mut().zip(words).enumerate() {
            if !VARIES[t] {
                *input = input.wrapping_add(word);
            }
        }
        let mut registers = INITIAL;
        for input in inputs.iter().take(LOW + 1) {
            registers = round(registers, *input);
        }
        let [.., f, g, h] = registers;
        inputs[11] = inputs[11].wrapping_add(h);
        inputs[12] = inputs[12].wrapping_add(g);
        inputs[13] = inputs[13].wrapping_add(f);
        inputs[63] = inputs[63].wrapping_add(INITIAL[0]);
        Self { registers, inputs, words }
    }

    /// The first two words of the digest for every low word in `low`.
    #[inline(always)]
    pub(crate) fn attempt<L: Lane>(&self, low: L) -> Digest<L> {
        let mut words = self.words.map(L::splat);
        words[LOW] = low;
        let [a, b, c, d, e, f, g, h] = self.registers.map(L::splat);
        let mut registers = [a.add(low), b, c, d, e.add(low), f, g, h];
        macro_rules! rounds {
            ($($t:literal)*) => {$({
                const T: usize = $t;
                let mut input = L::splat(self.inputs[T]);
                if VARIES[T] {
                    words[T] = add_varying::<L, T>(&words);
                    input = input.add(words[T]);
                }
                registers = if T <= 13 {
                    let [a, b, c, d, e, f, g, _] = registers;
                    round_with_h_added([a, b, c, d, e, f, g], input)
                } else {
                    round(registers, input)
                };
            })*};
        }
        rounds!(11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);

        let mut window: [L; 16] = array::from_fn(|place| words[LOOPED - 16 + place]);
        for inputs in self.inputs[LOOPED..].as_chunks::<16>().0 {
            macro_rules! rounds {
                ($($place:literal)*) => {$(
                    window[$place] = next_word::<L, $place>(&window);
                    registers = round(registers, L::splat(inputs[$place]).add(window[$place]));
                )*};
            }
            rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        }
        let [a, b, ..] = registers;
        Digest { first: a, second_less_initial: b }
    }
}

/// Word `T` of the schedule: to its fixed summands, which stand in its place, come those that vary.
#[inline(always)]
fn add_varying<L: Lane, const T: usize>(words: &[L; LOOPED]) -> L {
    let mut sum = words[T];
    if VARIES[T - 16] {
        sum = sum.add(words[T - 16]);
    }
    if VARIES[T - 15] {
        sum = sum.add(small_sigma_0(words[T - 15]));
    }
    if VARIES[T - 7] {
        sum = sum.add(words[T - 7]);
    }
    if VARIES[T - 2] {
        sum = sum.add(small_sigma_1(words[T - 2]));
    }
    sum
}

/// The word of the schedule that takes `PLACE` in a window of the last sixteen, where the one sixteen before it stands.
#[inline(always)]
fn next_word<L: Lane, const PLACE: usize>(window: &[L; 16]) -> L {
    window[PLACE]
        .add(small_sigma_0(window[(PLACE + 1) % 16]))
        .add(window[(PLACE + 9) % 16])
        .add(small_sigma_1(window[(PLACE + 14) % 16]))
}

/// As much of a digest as the comparison looks at.
#[derive(Clone, Copy)]
pub(crate) struct Digest<L> {
    first: L,
    /// The second word before the initial hash value is added: almost no attempt needs it.
    second_less_initial: L,
}

impl<L: Lane> Digest<L> {
    /// The place of the first digest, among the first `places`, whose leading eight bytes are at most `target`.
    #[inline(always)]
    pub(crate) fn first_solved(self, target: u64, places: u32) -> Option<u32> {
        let limit = L::splat((target >> 32) as u32);
        if !self.first.any_at_most(limit) {
            return None;
        }
        let digests = self.first.words().into_iter().zip(self.second_less_initial.words());
        (0..places).zip(digests).find_map(|(place, (first, second))| {
            let leading = u64::from(first) << 32 | u64::from(second.wrapping_add(INITIAL[1]));
            (leading <= target).then_some(place)
        })
    }
}
