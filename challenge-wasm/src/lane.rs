//! What a kernel is written over: one nonce in a `u32`, or several side by side in a vector.

/// A row of 32-bit words, one for each nonce that is tried in the same step. Additions wrap.
pub(crate) trait Lane: Copy {
    /// The same words, to look at one by one.
    type Words: IntoIterator<Item = u32>;

    /// How many nonces a step tries.
    const WIDTH: u32;

    /// The same word in every place.
    fn splat(word: u32) -> Self;
    /// `first`, `first + 1`, and so on.
    fn count_from(first: u32) -> Self;
    fn add(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn shift_right<const BITS: u32>(self) -> Self;
    fn rotate_right<const BITS: u32>(self) -> Self;
    /// Bits of `ones` where the mask has a one, bits of `zeros` where it has a zero.
    fn select(mask: Self, ones: Self, zeros: Self) -> Self;
    /// Whether any word is at most `limit`, both taken as unsigned.
    fn any_at_most(self, limit: Self) -> bool;
    fn words(self) -> Self::Words;
}

impl Lane for u32 {
    type Words = [u32; 1];

    const WIDTH: u32 = 1;

    #[inline(always)]
    fn splat(word: u32) -> Self {
        word
    }

    #[inline(always)]
    fn count_from(first: u32) -> Self {
        first
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn shift_right<const BITS: u32>(self) -> Self {
        self >> BITS
    }

    #[inline(always)]
    fn rotate_right<const BITS: u32>(self) -> Self {
        u32::rotate_right(self, BITS)
    }

    #[inline(always)]
    fn select(mask: Self, ones: Self, zeros: Self) -> Self {
        zeros ^ (mask & (ones ^ zeros))
    }

    #[inline(always)]
    fn any_at_most(self, limit: Self) -> bool {
        self <= limit
    }

    #[inline(always)]
    fn words(self) -> [u32; 1] {
        [self]
    }
}

#[cfg(target_feature = "simd128")]
mod simd128 {
    use core::arch::wasm32::{
        i32x4_add, i32x4_shl, u32x4, u32x4_extract_lane, u32x4_le, u32x4_shr, u32x4_splat, v128, v128_and,
        v128_any_true, v128_bitselect, v128_or, v128_xor,
    };

    use super::Lane;

    impl Lane for v128 {
        type Words = [u32; 4];

        const WIDTH: u32 = 4;

        #[inline(always)]
        fn splat(word: u32) -> Self {
            u32x4_splat(word)
        }

        #[inline(always)]
        fn count_from(first: u32) -> Self {
            i32x4_add(u32x4_splat(first), u32x4(0, 1, 2, 3))
        }

        #[inline(always)]
        fn add(self, other: Self) -> Self {
            i32x4_add(self, other)
        }

        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            v128_xor(self, other)
        }

        #[inline(always)]
        fn and(self, other: Self) -> Self {
            v128_and(self, other)
        }

        #[inline(always)]
        fn shift_right<const BITS: u32>(self) -> Self {
            u32x4_shr(self, BITS)
        }

        #[inline(always)]
        fn rotate_right<const BITS: u32>(self) -> Self {
            v128_or(u32x4_shr(self, BITS), i32x4_shl(self, 32 - BITS))
        }

        #[inline(always)]
        fn select(mask: Self, ones: Self, zeros: Self) -> Self {
            v128_bitselect(ones, zeros, mask)
        }

        #[inline(always)]
        fn any_at_most(self, limit: Self) -> bool {
            v128_any_true(u32x4_le(self, limit))
        }

        #[inline(always)]
        fn words(self) -> [u32; 4] {
            [
                u32x4_extract_lane::<0>(self),
                u32x4_extract_lane::<1>(self),
                u32x4_extract_lane::<2>(self),
                u32x4_extract_lane::<3>(self),
            ]
        }
    }
}

/// Four nonces side by side without a vector unit, so that the logic of lanes is tested on any machine.
#[cfg(test)]
impl Lane for [u32; 4] {
    type Words = [u32; 4];

    const WIDTH: u32 = 4;

    fn splat(word: u32) -> Self {
        [word; 4]
    }

    fn count_from(first: u32) -> Self {
        [0, 1, 2, 3].map(|step| first.wrapping_add(step))
    }

    fn add(self, other: Self) -> Self {
        std::array::from_fn(|place| self[place].wrapping_add(other[place]))
    }

    fn xor(self, other: Self) -> Self {
        std::array::from_fn(|place| self[place] ^ other[place])
    }

    fn and(self, other: Self) -> Self {
        std::array::from_fn(|place| self[place] & other[place])
    }

    fn shift_right<const BITS: u32>(self) -> Self {
        self.map(|word| word >> BITS)
    }

    fn rotate_right<const BITS: u32>(self) -> Self {
        self.map(|word| word.rotate_right(BITS))
    }

    fn select(mask: Self, ones: Self, zeros: Self) -> Self {
        std::array::from_fn(|place| u32::select(mask[place], ones[place], zeros[place]))
    }

    fn any_at_most(self, limit: Self) -> bool {
        (0..4).any(|place| self[place] <= limit[place])
    }

    fn words(self) -> [u32; 4] {
        self
    }
}
