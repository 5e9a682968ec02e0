#![allow(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "counts of some ten thousand")]

extern crate std;

use super::*;

/// Appendix F: seed, nonce, hash.
const VECTORS: [(&[u8; 32], u64, u64); 4] = [
    (b"This is a test seed for hashwx\0\0", 0, 0x1af5_3247_be2c_fe67),
    (b"This is a test seed for hashwx\0\0", 123_456, 0xe354_5019_a837_ebba),
    (b"Lorem ipsum dolor sit amet\0\0\0\0\0\0", 123_456, 0xc04b_99e6_001b_d636),
    (b"Lorem ipsum dolor sit amet\0\0\0\0\0\0", 987_654_321_123_456_789, 0x3f07_bf67_8615_b8fa),
];

#[test]
fn the_specifications_vectors_hold() {
    for (seed, nonce, hash) in VECTORS {
        assert_eq!(Instance::new(seed).hash(nonce), hash, "{nonce}");
    }
}

/// Seeds, and nonces of each, that the statistics are taken over.
const SEEDS: u32 = 4096;
const NONCES: u64 = 8;

/// Hashes of consecutive nonces under seeds that are SHA-256 of a counter, seed by seed.
fn sample() -> std::vec::Vec<[u64; NONCES as usize]> {
    let hashes = |counter: u32| {
        let mut text = [0; crate::CHALLENGE_BYTES];
        text[..4].copy_from_slice(&counter.to_be_bytes());
        let instance = Instance::new(&crate::seed_of(&text));
        core::array::from_fn(|place| instance.hash(place as u64))
    };
    (0..SEEDS).map(hashes).collect()
}

/// Whether a binomial count, each one in so many, is within five standard deviations of its mean: one in
/// 1.7 million sets of good hashes is not. The seeds are fixed, so that it is the same answer each time.
fn as_expected(count: u64, among: u64, one_in: f64) -> bool {
    let (count, among) = (count as f64, among as f64);
    let (mean, variance) = (among / one_in, among / one_in * (1.0 - 1.0 / one_in));
    (count - mean).abs() <= 5.0 * variance.sqrt()
}

#[test]
fn hashes_of_thousands_of_seeds_look_random() {
    let sample = sample();
    let all = || sample.iter().flatten();
    let among = u64::from(SEEDS) * NONCES;

    let distinct: std::collections::HashSet<u64> = all().copied().collect();
    assert_eq!(distinct.len() as u64, among, "no hash is there twice");

    for one_in in [2, 7, 64, 512] {
        let hits = all().filter(|hash| **hash <= u64::MAX / one_in).count() as u64;
        assert!(as_expected(hits, among, one_in as f64), "{hits} of {among} meet a target of one in {one_in}");
    }
    for bit in 0..64 {
        let ones = all().filter(|hash| **hash >> bit & 1 == 1).count() as u64;
        assert!(as_expected(ones, among, 2.0), "bit {bit} is set in {ones} of {among}");
    }
    // What one nonce says of the next, and one seed of another, for the same bit.
    for bit in 0..64 {
        let differs = |(one, other): (&u64, &u64)| (one ^ other) >> bit & 1 == 1;
        let nonces =
            sample.iter().map(|of_seed| of_seed.iter().zip(&of_seed[1..]).filter(|pair| differs(*pair)).count());
        let (nonces, pairs) = (nonces.sum::<usize>() as u64, u64::from(SEEDS) * (NONCES - 1));
        assert!(as_expected(nonces, pairs, 2.0), "bit {bit} differs in {nonces} of {pairs} pairs of nonces");
        let seeds = sample.windows(2).map(|seeds| seeds[0].iter().zip(&seeds[1]).filter(|pair| differs(*pair)).count());
        let (seeds, pairs) = (seeds.sum::<usize>() as u64, u64::from(SEEDS - 1) * NONCES);
        assert!(as_expected(seeds, pairs, 2.0), "bit {bit} differs in {seeds} of {pairs} pairs of seeds");
    }
    // The best of a seed's nonces is no better than luck: no seed is an easy one.
    let least = |of_seed: &[u64; NONCES as usize]| of_seed.iter().min().copied().unwrap_or_default();
    let easy = sample.iter().filter(|of_seed| least(of_seed) <= u64::MAX / 512).count() as u64;
    let one_in = 1.0 / (1.0 - (1.0 - 1.0 / 512.0_f64).powi(NONCES as i32));
    assert!(as_expected(easy, SEEDS.into(), one_in), "{easy} of {SEEDS} seeds have a hash of one in 512");
}

#[test]
fn programs_use_everything_that_the_specification_lists_and_nothing_else() {
    use std::collections::HashMap;
    let (mut operations, mut rotations) = (HashMap::new(), HashMap::new());
    for counter in 0..256_u32 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&counter.to_be_bytes());
        for program in Instance::new(&seed).programs() {
            *rotations.entry(program.scramble.rotation).or_insert(0) += 1;
            let mut destinations = 1_u8 << program.scramble.destination.index();
            let mut multiplying = 0;
            for Instruction { operation, destination, source, immediate } in program.arithmetic {
                destinations |= 1 << destination.index();
                assert_ne!(source, destination);
                *operations.entry(std::format!("{operation:?}")).or_insert(0) += 1;
                match operation {
                    Operation::MulOr | Operation::MulXor | Operation::MulAdd => {
                        multiplying += 1;
                        assert!([1, 9, 33].contains(&immediate));
                    }
                    Operation::XorRor | Operation::AddRor | Operation::SubRor => {
                        assert!((1..=63).contains(&immediate));
                    }
                    _ => assert!((1..=3).contains(&immediate)),
                }
            }
            assert_eq!((destinations, multiplying), (0xff, 3), "every register once, three multiplications");
        }
    }
    assert_eq!((operations.len(), rotations.len()), (12, 63));
}
