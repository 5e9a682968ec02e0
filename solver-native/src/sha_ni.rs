//! The search on the CPU's SHA-256 instructions: several nonces in turn, since each instruction waits for the one before.
//!
//! Rounds go in pairs, so they start with round 10, and the schedule in groups of four words. What is fixed of it is
//! worked out once: half of words 16 to 19, all of words 20 to 23 but the last sum, a quarter of words 28 to 31.

use crate::prefix::Prefix;
use crate::sha256::{INITIAL, ROUND, small_sigma_0, small_sigma_1};
use crate::x86::{ShaNi, ShaWords};

/// The same value of each of `N` nonces.
#[derive(Clone, Copy)]
struct Streams<const N: usize>([ShaWords; N]);

impl<const N: usize> Streams<N> {
    #[inline(always)]
    fn add(self, words: ShaWords) -> Self {
        Self(self.0.map(|stream| stream.add(words)))
    }

    #[inline(always)]
    fn zip(self, other: Self, each: impl Fn(ShaWords, ShaWords) -> ShaWords) -> Self {
        Self(std::array::from_fn(|stream| each(self.0[stream], other.0[stream])))
    }
}

/// The registers of each of `N` nonces, in the order of the instructions.
#[derive(Clone, Copy)]
struct State<const N: usize> {
    abef: Streams<N>,
    cdgh: Streams<N>,
}

impl<const N: usize> State<N> {
    #[inline(always)]
    fn two_rounds(self, input: Streams<N>) -> Self {
        let abef = std::array::from_fn(|stream| self.cdgh.0[stream].two_rounds(self.abef.0[stream], input.0[stream]));
        Self { abef: Streams(abef), cdgh: self.abef }
    }

    #[inline(always)]
    fn four_rounds(self, input: Streams<N>) -> Self {
        self.two_rounds(input).two_rounds(Streams(input.0.map(ShaWords::high_half)))
    }
}

/// What all attempts of a sub-puzzle share while the nonce's high word stays. Groups are named by their first word.
struct Fixed {
    abef: ShaWords,
    cdgh: ShaWords,
    /// Words 8 to 11 with a low word of zero, and words 12 to 15.
    words_8: ShaWords,
    words_12: ShaWords,
    /// The fixed part of words 16, 20 and 28.
    part_16: ShaWords,
    part_20: ShaWords,
    part_28: ShaWords,
    /// Words 12 to 15 and their constants.
    input_12: ShaWords,
    /// The constants of rounds 10 and 11 twice.
    constants_10: ShaWords,
    /// Those of each four rounds from 16 on.
    constants: [ShaWords; 12],
}

impl Fixed {
    fn new(proof: ShaNi, prefix: &Prefix) -> Self {
        let words = |words: [u32; 4]| ShaWords::new(proof, words);
        let group = |from: &[u32], first: usize| words(std::array::from_fn(|place| from[first + place]));
        let [a, b, c, d, e, f, g, h] = prefix.registers;
        let [words_0, words_4, words_8, words_12] = [0, 4, 8, 12].map(|first| group(&prefix.block, first));
        let part_16 = words_0.schedule_1(words_4);
        // Word 16 depends on nothing that varies.
        let word_16 = small_sigma_1(prefix.block[14])
            .wrapping_add(prefix.block[9])
            .wrapping_add(small_sigma_0(prefix.block[1]))
            .wrapping_add(prefix.block[0]);
        let only_16 = words([word_16, 0, 0, 0]);
        Self {
            abef: words([f, e, b, a]),
            cdgh: words([h, g, d, c]),
            words_8,
            words_12,
            part_16,
            part_20: words_4.schedule_1(words_8).add(words_12.then(only_16)),
            part_28: words_12.schedule_1(only_16),
            input_12: words_12.add(group(&ROUND, 12)),
            constants_10: words([ROUND[10], ROUND[11], ROUND[10], ROUND[11]]),
            constants: std::array::from_fn(|four| group(&ROUND, 16 + 4 * four)),
        }
    }

    /// The first eight bytes of the digest of each nonce, where `words_8` are words 8 to 11 with the low words in them.
    #[inline(always)]
    fn attempt<const N: usize>(&self, words_8: Streams<N>) -> [ShaWords; N] {
        let all = |words: ShaWords| Streams([words; N]);
        let constants = &self.constants;
        let schedule_1 = |words: Streams<N>, next: Streams<N>| words.zip(next, ShaWords::schedule_1);
        let then = |words: Streams<N>, next: Streams<N>| words.zip(next, ShaWords::then);
        let schedule_2 = |sum: Streams<N>, last: Streams<N>| sum.zip(last, ShaWords::schedule_2);
        let sum = |words: Streams<N>, other: Streams<N>| words.zip(other, ShaWords::add);

        let words_12 = all(self.words_12);
        let mut state = State { abef: all(self.abef), cdgh: all(self.cdgh) };
        state = state.two_rounds(Streams(words_8.0.map(ShaWords::high_half)).add(self.constants_10));
        state = state.four_rounds(all(self.input_12));
        let words_16 = schedule_2(then(words_8, words_12).add(self.part_16), words_12);
        state = state.four_rounds(words_16.add(constants[0]));
        let words_20 = schedule_2(all(self.part_20), words_16);
        state = state.four_rounds(words_20.add(constants[1]));
        let words_24 = schedule_2(sum(schedule_1(words_8, words_12), then(words_16, words_20)), words_20);
        state = state.four_rounds(words_24.add(constants[2]));
        let last = schedule_2(then(words_20, words_24).add(self.part_28), words_24);
        state = state.four_rounds(last.add(constants[3]));

        let mut window = [words_16, words_20, words_24, last];
        macro_rules! rounds {
            ($($four:literal)*) => {$(
                let [zeroth, first, second, third] = window;
                let next = schedule_2(sum(schedule_1(zeroth, first), then(second, third)), third);
                state = state.four_rounds(next.add(constants[$four]));
                window = [first, second, third, next];
            )*};
        }
        rounds!(4 5 6 7 8 9 10 11);
        let _ = window;
        state.abef.0
    }
}

/// The first solving low word among `run` consecutive ones, which do not wrap; `N` are tried in a step.
#[inline(always)]
pub(crate) fn scan<const N: usize>(proof: ShaNi, prefix: &Prefix, target: u64, start: u32, run: u32) -> Option<u32> {
    let fixed = Fixed::new(proof, prefix);
    let initial = ShaWords::new(proof, [0, 0, INITIAL[1], INITIAL[0]]);
    let low = |low: u32| ShaWords::new(proof, [0, 0, low, 0]);
    let step = low(N as u32);
    let mut words_8: Streams<N> =
        Streams(std::array::from_fn(|stream| fixed.words_8.add(low(start.wrapping_add(stream as u32)))));
    let mut done = 0;
    while done < run {
        let leading = fixed.attempt(words_8).map(|abef| abef.add(initial).high_number());
        if leading.iter().min().is_some_and(|least| *least <= target) {
            // The last step may reach beyond the run: its surplus places are computed and not looked at.
            let place = (0..run - done).zip(leading).find_map(|(place, leading)| (leading <= target).then_some(place));
            if let Some(place) = place {
                return Some(start.wrapping_add(done).wrapping_add(place));
            }
        }
        words_8 = words_8.add(step);
        done = done.saturating_add(N as u32);
    }
    None
}
