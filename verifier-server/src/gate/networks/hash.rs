//! The keyed hash by which sketches place a network: who does not know the key cannot choose whom to collide with.

use super::Prefix;
use std::hash::{BuildHasher, RandomState};

/// The key of a sketch, 128 bits, known to nobody outside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub [u8; 16]);

impl HashKey {
    /// A key that this process made up from the randomness of the standard library.
    #[must_use]
    pub fn of_process() -> Self {
        let halves = [0_u8, 1].map(|half| RandomState::new().hash_one(half));
        Self((u128::from(halves[0]) << 64 | u128::from(halves[1])).to_le_bytes())
    }

    /// SipHash-2-4 of a network. Written out, because a saved profile needs the same hash from every later build, which
    /// the standard library does not promise.
    #[must_use]
    pub fn hash(&self, prefix: Prefix) -> u64 {
        self.hash_at(0, prefix)
    }

    /// The same of a network as one of a site's.
    #[must_use]
    pub fn hash_at(&self, site: u16, prefix: Prefix) -> u64 {
        let [site, length, v6] = [u64::from(site), u64::from(prefix.length), u64::from(prefix.v6)];
        self.hash_words([prefix.bits, site << 16 | length << 1 | v6])
    }

    fn hash_words(&self, message: [u64; 2]) -> u64 {
        let (low, high) = self.0.split_at(8);
        let [k0, k1] = [low, high].map(|half| half.try_into().map_or(0, u64::from_le_bytes));
        let mut state = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        // The last block holds the length of the message, 16 bytes.
        for word in [message[0], message[1], 16 << 56] {
            state[3] ^= word;
            rounds(&mut state, 2);
            state[0] ^= word;
        }
        state[2] ^= 0xff;
        rounds(&mut state, 4);
        state.into_iter().fold(0, |hash, word| hash ^ word)
    }
}

impl std::fmt::Debug for HashKey {
    /// The key stays out of logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HashKey")
    }
}

fn rounds(state: &mut [u64; 4], count: usize) {
    let [v0, v1, v2, v3] = state;
    for _ in 0..count {
        *v0 = v0.wrapping_add(*v1);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v3);
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.wrapping_add(*v3);
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.wrapping_add(*v1);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v2 = v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_siphash_2_4_of_the_reference_vectors() {
        let key = HashKey(std::array::from_fn(|byte| u8::try_from(byte).expect("below 16")));
        let message = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(key.hash_words(message), 0x3f2a_cc7f_57c2_9bdb);
    }

    #[test]
    fn two_processes_place_a_network_differently() {
        let prefix = Prefix { bits: 7 << 32, length: 24, v6: false };
        assert_ne!(HashKey::of_process().hash(prefix), HashKey::of_process().hash(prefix));
    }
}
