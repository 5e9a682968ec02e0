//! The instructions of x86-64, and the only unsafe code of the crate.
//!
//! A value of a proof type exists only where the CPU was asked and has the instructions; a vector can be made only with
//! its proof in hand, and all other operations start from a vector. So everything here is safe to call.

#![allow(unsafe_code, reason = "vector instructions; each function's proof says that the CPU has them")]

use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_add_epi32, _mm_alignr_epi8, _mm_cvtsi128_si64, _mm_set_epi32, _mm_sha256msg1_epu32,
    _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_unpackhi_epi64, _mm256_add_epi32,
    _mm256_and_si256, _mm256_cmpeq_epi32, _mm256_min_epu32, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi32,
    _mm256_setr_epi32, _mm256_sllv_epi32, _mm256_srli_epi32, _mm256_sub_epi32, _mm256_xor_si256, _mm512_add_epi32,
    _mm512_cmple_epu32_mask, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_srlv_epi32,
    _mm512_sub_epi32, _mm512_ternarylogic_epi32,
};

use crate::prefix::Prefix;
use crate::vector::{Rows, Vector};
use crate::{kernel, sha_ni};

macro_rules! lane {
    ($(#[$about:meta])* $proof:ident, $scan:ident, [$($feature:tt),+], $enable:literal, $kernel:expr) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        pub(crate) struct $proof(());

        impl $proof {
            pub(crate) fn detect() -> Option<Self> {
                ($(is_x86_feature_detected!($feature))&&+).then_some(Self(()))
            }

            /// The first solving low word among `run` consecutive ones, which do not wrap.
            pub(crate) fn scan(self, prefix: &Prefix, target: u64, start: u32, run: u32) -> Option<u32> {
                // SAFETY: `self` exists, so `detect` has found every feature that `enable` names.
                unsafe { $scan(self, prefix, target, start, run) }
            }
        }

        #[target_feature(enable = $enable)]
        fn $scan(proof: $proof, prefix: &Prefix, target: u64, start: u32, run: u32) -> Option<u32> {
            $kernel(proof, prefix, target, start, run)
        }
    };
}

lane!(
    /// The CPU has the SHA-256 instructions.
    ShaNi, scan_sha_ni, ["sha", "sse4.1", "ssse3", "avx"], "sha,sse4.1,ssse3,avx", sha_ni::scan::<3>
);
lane!(
    /// The CPU has AVX2.
    Avx2, scan_avx2, ["avx2"], "avx2", kernel::scan::<Words8>
);
lane!(
    /// The CPU has AVX-512.
    Avx512, scan_avx512, ["avx512f"], "avx512f", kernel::scan::<Rows<Words16, 2>>
);

/// Four words for the SHA-256 instructions; the first has the lowest place.
#[derive(Clone, Copy)]
pub(crate) struct ShaWords(__m128i);

// SAFETY, for every block: a value exists, so its proof did.
impl ShaWords {
    #[inline(always)]
    pub(crate) fn new(_: ShaNi, [first, second, third, fourth]: [u32; 4]) -> Self {
        Self(unsafe {
            _mm_set_epi32(fourth.cast_signed(), third.cast_signed(), second.cast_signed(), first.cast_signed())
        })
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(unsafe { _mm_add_epi32(self.0, other.0) })
    }

    /// Words t − 16 and sigma 0 of words t − 15, where `self` holds the former and `next` the four after.
    #[inline(always)]
    pub(crate) fn schedule_1(self, next: Self) -> Self {
        Self(unsafe { _mm_sha256msg1_epu32(self.0, next.0) })
    }

    /// The finished words t, where `self` holds the other summands and `last` the four words before.
    #[inline(always)]
    pub(crate) fn schedule_2(self, last: Self) -> Self {
        Self(unsafe { _mm_sha256msg2_epu32(self.0, last.0) })
    }

    /// The last three words of `self` and the first one of `next`.
    #[inline(always)]
    pub(crate) fn then(self, next: Self) -> Self {
        Self(unsafe { _mm_alignr_epi8::<4>(next.0, self.0) })
    }

    /// The last two words, in the first two places.
    #[inline(always)]
    pub(crate) fn high_half(self) -> Self {
        Self(unsafe { _mm_shuffle_epi32::<0b1110>(self.0) })
    }

    /// Registers a, b, e, f after two more rounds, where `self` holds c, d, g, h.
    #[inline(always)]
    pub(crate) fn two_rounds(self, abef: Self, input: Self) -> Self {
        Self(unsafe { _mm_sha256rnds2_epu32(self.0, abef.0, input.0) })
    }

    /// The last two words as one number, the last one leading.
    #[inline(always)]
    pub(crate) fn high_number(self) -> u64 {
        unsafe { _mm_cvtsi128_si64(_mm_unpackhi_epi64(self.0, self.0)) }.cast_unsigned()
    }
}

/// Eight nonces.
#[derive(Clone, Copy)]
pub(crate) struct Words8(__m256i);

// SAFETY, for every block: a proof is given, or a value exists and so its proof did.
impl Vector for Words8 {
    type Proof = Avx2;

    const WIDTH: u32 = 8;

    #[inline(always)]
    fn splat(_: Avx2, word: u32) -> Self {
        Self(unsafe { _mm256_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    fn count_from(proof: Avx2, first: u32) -> Self {
        Self::splat(proof, first).add(Self(unsafe { _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7) }))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(unsafe { _mm256_sub_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        Self(unsafe { _mm256_xor_si256(_mm256_xor_si256(self.0, second.0), third.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        Self(unsafe { _mm256_srli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn rotate_right<const BITS: i32>(self) -> Self {
        let left = unsafe { _mm256_sllv_epi32(self.0, _mm256_set1_epi32(32 - BITS)) };
        Self(unsafe { _mm256_or_si256(self.shift_right::<BITS>().0, left) })
    }

    #[inline(always)]
    fn select(self, ones: Self, zeros: Self) -> Self {
        let differing = unsafe { _mm256_and_si256(self.0, _mm256_xor_si256(ones.0, zeros.0)) };
        Self(unsafe { _mm256_xor_si256(zeros.0, differing) })
    }

    /// The exclusive or of the second and third is that of the first and second a round earlier.
    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        Self(unsafe { _mm256_xor_si256(self.0, second.0) }).select(third, second)
    }

    #[inline(always)]
    fn any_at_most(self, limit: Self) -> bool {
        let at_most = unsafe { _mm256_cmpeq_epi32(_mm256_min_epu32(self.0, limit.0), self.0) };
        (unsafe { _mm256_movemask_epi8(at_most) }) != 0
    }

    #[inline(always)]
    fn store(self, places: &mut [u32]) {
        // SAFETY: both types are 32 bytes, and every pattern of them is valid.
        let words: [u32; 8] = unsafe { core::mem::transmute(self.0) };
        places[..8].copy_from_slice(&words);
    }
}

/// Sixteen nonces.
#[derive(Clone, Copy)]
pub(crate) struct Words16(__m512i);

// SAFETY, for every block: a proof is given, or a value exists and so its proof did.
impl Vector for Words16 {
    type Proof = Avx512;

    const WIDTH: u32 = 16;

    #[inline(always)]
    fn splat(_: Avx512, word: u32) -> Self {
        Self(unsafe { _mm512_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    fn count_from(proof: Avx512, first: u32) -> Self {
        let steps = unsafe { _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) };
        Self::splat(proof, first).add(Self(steps))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(unsafe { _mm512_sub_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor3(self, second: Self, third: Self) -> Self {
        Self(unsafe { _mm512_ternarylogic_epi32::<0b1001_0110>(self.0, second.0, third.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        Self(unsafe { _mm512_srlv_epi32(self.0, _mm512_set1_epi32(BITS)) })
    }

    #[inline(always)]
    fn rotate_right<const BITS: i32>(self) -> Self {
        Self(unsafe { _mm512_ror_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn select(self, ones: Self, zeros: Self) -> Self {
        Self(unsafe { _mm512_ternarylogic_epi32::<0b1100_1010>(self.0, ones.0, zeros.0) })
    }

    #[inline(always)]
    fn majority(self, second: Self, third: Self) -> Self {
        Self(unsafe { _mm512_ternarylogic_epi32::<0b1110_1000>(self.0, second.0, third.0) })
    }

    #[inline(always)]
    fn any_at_most(self, limit: Self) -> bool {
        (unsafe { _mm512_cmple_epu32_mask(self.0, limit.0) }) != 0
    }

    #[inline(always)]
    fn store(self, places: &mut [u32]) {
        // SAFETY: both types are 64 bytes, and every pattern of them is valid.
        let words: [u32; 16] = unsafe { core::mem::transmute(self.0) };
        places[..16].copy_from_slice(&words);
    }
}
