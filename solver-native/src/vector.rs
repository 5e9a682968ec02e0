//! What the vector kernel is written over: a row of 32-bit words, one for each nonce that is tried in the same step.

/// A row of 32-bit words. Additions wrap.
pub(crate) trait Vector: Copy {
    /// Held by whoever has asked the CPU whether it has the instructions.
    type Proof: Copy;

    /// How many nonces a step tries.
    const WIDTH: u32;

    /// The same word in every place.
    fn splat(proof: Self::Proof, word: u32) -> Self;
    /// `first`, `first + 1`, and so on.
    fn count_from(proof: Self::Proof, first: u32) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn xor3(self, second: Self, third: Self) -> Self;
    fn shift_right<const BITS: i32>(self) -> Self;
    fn rotate_right<const BITS: i32>(self) -> Self;
    /// Bits of `ones` where `self` has a one, bits of `zeros` where it has a zero.
    fn select(self, ones: Self, zeros: Self) -> Self;
    fn majority(self, second: Self, third: Self) -> Self;
    /// Whether any word is at most the one of `limit` in the same place, both taken as unsigned.
    fn any_at_most(self, limit: Self) -> bool;
    /// Writes the words to the front of `places`.
    fn store(self, places: &mut [u32]);
}

/// Several rows in the same step, each instruction once for each row: what one row waits for, another has time for.
#[derive(Clone, Copy)]
pub(crate) struct Rows<V, const N: usize>([V; N]);

impl<V: Vector, const N: usize> Rows<V, N> {
    #[inline(always)]
    fn zip(self, other: Self, each: impl Fn(V, V) -> V) -> Self {
        Self(std::array::from_fn(|row| each(self.0[row], other.0[row])))
    }

    #[inline(always)]
    fn zip3(self, second: Self, third: Self, each: impl Fn(V, V, V) -> V) -> Self {
        Self(std::array::from_fn(|row| each(self.0[row], second.0[row], third.0[row])))
    }
}

impl<V: Vector, const N: usize> Vector for Rows<V, N> {
    type Proof = V::Proof;

    const WIDTH: u32 = V::WIDTH * N as u32;

    #[inline(always)]
    fn splat(proof: V::Proof, word: u32) -> Self {
        Self([V::splat(proof, word); N])
    }

    #[inline(always)]
    fn count_from(proof: V::Proof, first: u32) -> Self {
        Self(std::array::from_fn(|row| V::count_from(proof, first.wrapping_add(row as u32 * V::WIDTH))))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, V::add)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, V::sub)
    }

    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        self.zip3(second, third, V::xor3)
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        Self(self.0.map(V::shift_right::<BITS>))
    }

    #[inline(always)]
    fn rotate_right<const BITS: i32>(self) -> Self {
        Self(self.0.map(V::rotate_right::<BITS>))
    }

    #[inline(always)]
    fn select(self, ones: Self, zeros: Self) -> Self {
        self.zip3(ones, zeros, V::select)
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        self.zip3(second, third, V::majority)
    }

    #[inline(always)]
    fn any_at_most(self, limit: Self) -> bool {
        self.0.into_iter().zip(limit.0).fold(false, |any, (row, limit)| any | row.any_at_most(limit))
    }

    #[inline(always)]
    fn store(self, places: &mut [u32]) {
        for (row, places) in self.0.into_iter().zip(places.chunks_exact_mut(V::WIDTH as usize)) {
            row.store(places);
        }
    }
}
