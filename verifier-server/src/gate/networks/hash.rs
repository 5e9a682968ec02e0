//! The keyed hash by which tables of fixed size place a network, a path or a clearance: who does not know the key cannot
//! choose whom to collide with.
//!
//! A key is an argument of everything that hashes. A process makes one of randomness when it starts, and each table gets
//! its own from it; a simulation names one, and gives the same figures in every run.

use super::Prefix;
use siphasher::sip::{SipHasher13, SipHasher24};
use std::hash::{BuildHasher, RandomState};

/// The key of a hash, 128 bits, known to nobody outside. As [`BuildHasher`] it is SipHash-1-3, which the standard library
/// uses too, under a key of one's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub [u8; 16]);

impl HashKey {
    /// A key that this process made up from the randomness of the standard library.
    #[must_use]
    pub fn of_process() -> Self {
        let halves = [0_u8, 1].map(|half| RandomState::new().hash_one(half));
        Self((u128::from(halves[0]) << 64 | u128::from(halves[1])).to_le_bytes())
    }

    /// The key of a part that is called so: whoever learns what collides in one part knows nothing of the others.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self(siphasher::sip128::SipHasher24::new_with_key(&self.0).hash(name.as_bytes()).as_bytes())
    }

    /// The same of the site with this mark.
    #[must_use]
    pub fn of_site(&self, mark: u16) -> Self {
        Self(siphasher::sip128::SipHasher24::new_with_key(&self.0).hash(&mark.to_le_bytes()).as_bytes())
    }

    /// SipHash-2-4 of a network: a saved profile needs the same hash from every later build.
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

    fn hash_words(&self, [first, second]: [u64; 2]) -> u64 {
        let message = (u128::from(second) << 64 | u128::from(first)).to_le_bytes();
        SipHasher24::new_with_key(&self.0).hash(&message)
    }
}

impl BuildHasher for HashKey {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

impl std::fmt::Debug for HashKey {
    /// The key stays out of logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HashKey")
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

    #[test]
    fn parts_and_sites_have_keys_of_their_own_and_the_same_from_the_same_key() {
        let key = HashKey([1; 16]);
        let keys = [key, key.part("queue"), key.part("demand"), key.of_site(1), key.of_site(2)];
        for (index, one) in keys.iter().enumerate() {
            assert!(keys[index + 1..].iter().all(|other| one != other), "{index}");
        }
        assert_eq!(key.part("queue"), HashKey([1; 16]).part("queue"));
        assert_ne!(key.part("queue"), HashKey([2; 16]).part("queue"));
        assert_eq!(key.hash_one("/a"), key.hash_one("/a"));
        assert_ne!(key.hash_one("/a"), HashKey([2; 16]).hash_one("/a"));
    }
}
