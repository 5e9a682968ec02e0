//! Every lane that this CPU has, against vectors made by another implementation and against the sha2 crate.

use std::num::NonZeroUsize;

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::{any, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy;
use sha2::{Digest, Sha256};
use solver_native::{Lane, find, solve};

struct Vector {
    name: String,
    challenge: [u8; 64],
    nonces: Vec<u64>,
}

fn vectors() -> Vec<Vector> {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/vectors.json")).expect("the file is JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let vectors: Vec<_> = file["pass"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|vector| vector["fields"]["algorithm"] == 1)
        .map(|vector| Vector {
            name: text(&vector["name"]),
            challenge: BASE64URL_NOPAD
                .decode(text(&vector["challenge"]).as_bytes())
                .expect("base64url")
                .try_into()
                .expect("64 bytes"),
            nonces: vector["nonces"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|nonce| u64::from_str_radix(&text(nonce), 16).expect("16 hexadecimal digits"))
                .collect(),
        })
        .collect();
    assert!(vectors.len() >= 12);
    vectors
}

fn challenge(random: u8, difficulty: u32) -> [u8; 64] {
    let mut challenge = [random; 64];
    challenge[3] = 8;
    challenge[4..8].copy_from_slice(&difficulty.to_be_bytes());
    challenge
}

/// The definition, by the sha2 crate's own interface.
fn solves(challenge: &[u8; 64], sub_puzzle: u8, nonce: u64) -> bool {
    let [_, _, _, _, d0, d1, d2, d3, ..] = *challenge;
    let target = u64::MAX / u64::from(u32::from_be_bytes([d0, d1, d2, d3]));
    let digest = Sha256::new()
        .chain_update(Sha256::digest(challenge))
        .chain_update(u32::from(sub_puzzle).to_be_bytes())
        .chain_update(nonce.to_be_bytes())
        .finalize();
    u64::from_be_bytes(*digest.first_chunk().expect("32 bytes")) <= target
}

/// The first solving nonce, one by one.
fn first_solving(challenge: &[u8; 64], sub_puzzle: u8, start: u64, attempts: u64) -> Option<u64> {
    (0..attempts).map(|step| start.wrapping_add(step)).find(|nonce| solves(challenge, sub_puzzle, *nonce))
}

#[test]
fn this_run_says_which_lanes_it_did_not_test() {
    let available = Lane::available();
    assert!(available.contains(&Lane::Sha2Crate) && available.contains(&Lane::best()));
    for lane in Lane::ALL.into_iter().filter(|lane| !available.contains(lane)) {
        // Around the capture of the test run, so that it is seen without `--nocapture`.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("    lane {lane:?} was NOT tested: this CPU does not have it\n").as_bytes(),
        );
    }
}

#[test]
fn every_nonce_of_the_vectors_is_found_where_it_is() {
    for lane in Lane::available() {
        for vector in vectors() {
            for (sub_puzzle, nonce) in (0..).zip(&vector.nonces) {
                let found = find(lane, &vector.challenge, sub_puzzle, *nonce, 1);
                assert_eq!(found, Some(*nonce), "{lane:?}, {} {sub_puzzle}", vector.name);
            }
        }
    }
}

#[test]
fn the_first_solving_nonce_is_found_wherever_the_search_starts() {
    for lane in Lane::available() {
        for vector in vectors() {
            for (sub_puzzle, nonce) in (0..).zip(&vector.nonces) {
                for before in [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 300] {
                    let start = nonce.wrapping_sub(before);
                    let first = first_solving(&vector.challenge, sub_puzzle, start, before + 1);
                    let found = find(lane, &vector.challenge, sub_puzzle, start, before + 1);
                    assert_eq!(found, first, "{lane:?}, {} {sub_puzzle} from {start:x}", vector.name);
                }
            }
        }
    }
}

#[test]
fn attempts_are_never_more_than_asked_for() {
    let challenge = challenge(7, 16);
    for start in [0, u64::from(u32::MAX) - 9, u64::MAX - 9] {
        for attempts in 0..130 {
            let expected = first_solving(&challenge, 3, start, attempts);
            for lane in Lane::available() {
                assert_eq!(find(lane, &challenge, 3, start, attempts), expected, "{lane:?}, {attempts} from {start:x}");
            }
        }
    }
}

#[test]
fn every_solving_nonce_is_met_once_across_a_change_of_the_high_word() {
    const ATTEMPTS: u64 = 400;
    let challenge = challenge(0x23, 5);
    for offset in 0..33 {
        for start in [(1 << 32) - 200 + offset, (5 << 32) - 201 + offset, u64::MAX - 203 + offset] {
            let expected: Vec<u64> = (0..ATTEMPTS)
                .map(|step| start.wrapping_add(step))
                .filter(|nonce| solves(&challenge, 63, *nonce))
                .collect();
            for lane in Lane::available() {
                let mut found = Vec::new();
                let mut done = 0;
                while let Some(nonce) = find(lane, &challenge, 63, start.wrapping_add(done), ATTEMPTS - done) {
                    found.push(nonce);
                    done = nonce.wrapping_sub(start) + 1;
                }
                assert_eq!(found, expected, "{lane:?} from {start:x}");
            }
        }
    }
}

#[test]
fn long_searches_end_at_the_same_nonce_in_every_lane() {
    for difficulty in [1 << 16, (1 << 20) + 1, 3_000_001] {
        let challenge = challenge(0xc4, difficulty);
        let found: Vec<_> =
            Lane::available().into_iter().map(|lane| find(lane, &challenge, 1, u64::MAX << 31, 1 << 22)).collect();
        assert!(found.iter().all(|nonce| *nonce == found[0]), "{found:?}");
        assert!(found[0].is_none_or(|nonce| solves(&challenge, 1, nonce)));
    }
}

#[test]
fn a_whole_challenge_is_solved_on_any_number_of_threads() {
    for vector in vectors() {
        for threads in [1, 2, 5, 70] {
            let nonces = solve(&vector.challenge, NonZeroUsize::new(threads).expect("above zero"));
            assert_eq!(nonces.len(), vector.nonces.len(), "{}", vector.name);
            for (sub_puzzle, nonce) in (0..).zip(nonces) {
                assert!(solves(&vector.challenge, sub_puzzle, nonce), "{} {sub_puzzle}: {nonce}", vector.name);
            }
        }
    }
}

/// Anywhere, and more often where the high word changes or the nonces end.
fn starts() -> impl Strategy<Value = u64> {
    let before = |edge: u64| (0..600_u64).prop_map(move |back| edge.wrapping_sub(back));
    prop_oneof![any::<u64>(), before(1 << 32), before(7 << 32), before(0)]
}

proptest! {
    #[test]
    fn every_lane_finds_what_the_sha2_crate_finds(
        random in any::<[u8; 32]>(),
        random_2 in any::<[u8; 32]>(),
        difficulty in 1..2_000_u32,
        sub_puzzle in 0..64_u8,
        start in starts(),
        attempts in 0..1_500_u64,
    ) {
        let mut challenge = [0; 64];
        challenge[..32].copy_from_slice(&random);
        challenge[32..].copy_from_slice(&random_2);
        challenge[4..8].copy_from_slice(&difficulty.to_be_bytes());
        let expected = first_solving(&challenge, sub_puzzle, start, attempts);
        for lane in Lane::available() {
            prop_assert_eq!(find(lane, &challenge, sub_puzzle, start, attempts), expected, "{:?}", lane);
        }
    }
}
