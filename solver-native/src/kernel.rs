//! The search on rows of nonces: SHA-256 with everything taken out that does not depend on the nonce's low word.

use crate::prefix::{LOW, Prefix};
use crate::sha256::{INITIAL, ROUND, Registers, round, small_sigma_0, small_sigma_1};
use crate::vector::Vector;

/// From this word on, every word of the schedule is a sum of words that depend on the low word, and of nothing else.
const ALL_VARY: usize = 39;

/// The widest row there is, in words.
const WIDTH_MAX: usize = 64;

/// Which words of the schedule depend on the nonce's low word.
const VARIES: [bool; 64] = {
    let mut varies = [false; 64];
    varies[LOW] = true;
    let mut t = 16;
    while t < 64 {
        varies[t] = varies[t - 2] || varies[t - 7] || varies[t - 15] || varies[t - 16];
        t += 1;
    }
    varies
};

/// What all attempts of a sub-puzzle share while the nonce's high word stays.
struct Fixed {
    /// The registers after round 10, as if the low word were zero. The low word is a plain summand of a and e there.
    registers: Registers,
    /// What a round adds beside its varying message word: its constant, its message word where that is fixed, and
    /// register h where that is fixed (rounds 11 to 13). The last one has the initial hash value's first word added too.
    inputs: [u32; 64],
    /// The sum of the fixed summands of each word of the schedule.
    words: [u32; ALL_VARY],
}

impl Fixed {
    fn new(prefix: &Prefix) -> Self {
        let mut words = [0; ALL_VARY];
        for (word, value) in words.iter_mut().zip(prefix.block) {
            *word = value;
        }
        for t in 16..ALL_VARY {
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
        let registers = round(prefix.registers, inputs[LOW]);
        let [.., f, g, h] = registers;
        inputs[11] = inputs[11].wrapping_add(h);
        inputs[12] = inputs[12].wrapping_add(g);
        inputs[13] = inputs[13].wrapping_add(f);
        inputs[63] = inputs[63].wrapping_add(INITIAL[0]);
        Self { registers, inputs, words }
    }

    /// The first word of every digest, and the second one before the initial hash value is added.
    #[inline(always)]
    fn attempt<V: Vector>(&self, proof: V::Proof, low: V) -> [V; 2] {
        let mut words = [low; 64];
        let [a, b, c, d, e, f, g, h] = self.registers.map(|register| V::splat(proof, register));
        let mut registers = [a.add(low), b, c, d, e.add(low), f, g, h];
        macro_rules! rounds {
            ($($t:literal)*) => {$({
                const T: usize = $t;
                let mut input = V::splat(proof, self.inputs[T]);
                if VARIES[T] {
                    words[T] = self.word::<V, T>(proof, &words);
                    input = input.add(words[T]);
                }
                let [a, b, c, d, e, f, g, h] = registers;
                if T > 13 {
                    input = input.add(h);
                }
                let big_sigma_1 = V::xor3(e.rotate_right::<6>(), e.rotate_right::<11>(), e.rotate_right::<25>());
                let big_sigma_0 = V::xor3(a.rotate_right::<2>(), a.rotate_right::<13>(), a.rotate_right::<22>());
                let next_e = input.add(d).add(e.select(f, g)).add(big_sigma_1);
                let next_a = next_e.sub(d).add(a.majority(b, c)).add(big_sigma_0);
                registers = [next_a, a, b, c, next_e, e, f, g];
            })*};
        }
        rounds!(11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37);
        rounds!(38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
        let [a, b, ..] = registers;
        [a, b]
    }

    /// Word `T` of the schedule, from those before it.
    #[inline(always)]
    fn word<V: Vector, const T: usize>(&self, proof: V::Proof, words: &[V; 64]) -> V {
        let mut sum = None;
        let mut add = |term: V| sum = Some(sum.map_or(term, |sum: V| sum.add(term)));
        if T < ALL_VARY {
            add(V::splat(proof, self.words[T]));
        }
        if VARIES[T - 16] {
            add(words[T - 16]);
        }
        if VARIES[T - 15] {
            let word = words[T - 15];
            add(V::xor3(word.rotate_right::<7>(), word.rotate_right::<18>(), word.shift_right::<3>()));
        }
        if VARIES[T - 7] {
            add(words[T - 7]);
        }
        if VARIES[T - 2] {
            let word = words[T - 2];
            add(V::xor3(word.rotate_right::<17>(), word.rotate_right::<19>(), word.shift_right::<10>()));
        }
        sum.unwrap_or(words[LOW])
    }
}

/// The first solving low word among `run` consecutive ones, which do not wrap.
#[inline(always)]
pub(crate) fn scan<V: Vector>(proof: V::Proof, prefix: &Prefix, target: u64, start: u32, run: u32) -> Option<u32> {
    let fixed = Fixed::new(prefix);
    let limit = V::splat(proof, (target >> 32) as u32);
    let mut done = 0;
    while done < run {
        let low = start.wrapping_add(done);
        let [first, second] = fixed.attempt(proof, V::count_from(proof, low));
        if first.any_at_most(limit) {
            let mut digests = [[0; WIDTH_MAX]; 2];
            first.store(&mut digests[0]);
            second.store(&mut digests[1]);
            // The last step may reach beyond the run: its surplus places are computed and not looked at.
            if let Some(place) = first_solved(&digests, target, V::WIDTH.min(run - done)) {
                return Some(low.wrapping_add(place));
            }
        }
        done = done.saturating_add(V::WIDTH);
    }
    None
}

/// The first of `places` digests whose leading eight bytes are at most `target`.
#[cold]
fn first_solved([first, second]: &[[u32; WIDTH_MAX]; 2], target: u64, places: u32) -> Option<u32> {
    (0..places).zip(first.iter().zip(second)).find_map(|(place, (first, second))| {
        let leading = u64::from(*first) << 32 | u64::from(second.wrapping_add(INITIAL[1]));
        (leading <= target).then_some(place)
    })
}
