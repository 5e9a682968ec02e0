//! HMAC-SHA-256 (RFC 2104) under a key that is used many times.
//!
//! Written out over the compression function of the crate `sha2`, because a check of a solution takes three of them beside
//! its attempts, and the buffers of a hash that can be fed piece by piece take as long as the hashing of so short a
//! message. A test holds it against the crate `hmac`.

use crate::sha256::{INITIAL_STATE, bytes_of, padding};
use sha2::block_api::compress256;

const BLOCK: usize = 64;

/// A pseudorandom function: HMAC-SHA-256, its key already hashed into both states.
#[derive(Clone)]
pub(crate) struct Prf {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Prf {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let keyed = |pad: u8| {
            let mut block = [pad; BLOCK];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            let mut state = INITIAL_STATE;
            compress256(&mut state, &[block]);
            state
        };
        Self { inner: keyed(0x36), outer: keyed(0x5c) }
    }

    /// The first `N` bytes, at most 32, for a message of any length in parts.
    pub(crate) fn of<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let mut state = self.inner;
        let mut block = [0; BLOCK];
        let mut len = 0;
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let filled = len % BLOCK;
                let (now, later) = rest.split_at(rest.len().min(BLOCK - filled));
                block[filled..filled + now.len()].copy_from_slice(now);
                len += now.len();
                rest = later;
                if len % BLOCK == 0 {
                    compress256(&mut state, &[block]);
                }
            }
        }
        let filled = len % BLOCK;
        let mut last = padding(BLOCK + len);
        if filled < BLOCK - 8 {
            last[..filled].copy_from_slice(&block[..filled]);
        } else {
            block[filled] = 0x80;
            block[filled + 1..].fill(0);
            compress256(&mut state, &[block]);
        }
        compress256(&mut state, &[last]);
        self.finish(&state)
    }

    /// The same for 48 bytes, whose padding is known beforehand.
    pub(crate) fn of_48<const N: usize>(&self, message: &[u8; 48]) -> [u8; N] {
        let mut block = const { padding(BLOCK + 48) };
        block[..48].copy_from_slice(message);
        let mut state = self.inner;
        compress256(&mut state, &[block]);
        self.finish(&state)
    }

    /// The same for 64 bytes.
    pub(crate) fn of_64<const N: usize>(&self, message: &[u8; BLOCK]) -> [u8; N] {
        let mut state = self.inner;
        compress256(&mut state, &[*message, const { padding(BLOCK + BLOCK) }]);
        self.finish(&state)
    }

    fn finish<const N: usize>(&self, inner: &[u32; 8]) -> [u8; N] {
        const { assert!(N <= 32, "a digest has 32 bytes") };
        let mut block = const { padding(BLOCK + 32) };
        block[..32].copy_from_slice(&bytes_of(inner));
        let mut state = self.outer;
        compress256(&mut state, &[block]);
        let digest = bytes_of(&state);
        core::array::from_fn(|i| digest[i])
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha2::Sha256;
    use std::vec::Vec;

    fn expected(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    proptest! {
        #[test]
        fn it_is_hmac_sha256_however_the_message_is_divided(
            key: [u8; 32], message in prop::collection::vec(any::<u8>(), 0..300), divided in 0..300_usize
        ) {
            let (before, after) = message.split_at(divided.min(message.len()));
            prop_assert_eq!(Prf::new(&key).of::<32>(&[before, after]), expected(&key, &message));
        }

        #[test]
        fn it_is_hmac_sha256_of_messages_of_fixed_length(key: [u8; 32], message in prop::array::uniform32(any::<[u8; 2]>())) {
            let prf = Prf::new(&key);
            let message: Vec<u8> = message.concat();
            let [of_48, of_64] = [&message[..48], &message[..]].map(|message| expected(&key, message));
            prop_assert_eq!(prf.of_48::<32>(message.first_chunk().expect("64 bytes")), of_48);
            prop_assert_eq!(prf.of_64::<32>(message.first_chunk().expect("64 bytes")), of_64);
            prop_assert_eq!(&prf.of_64::<16>(message.first_chunk().expect("64 bytes"))[..], &of_64[..16]);
        }
    }
}
