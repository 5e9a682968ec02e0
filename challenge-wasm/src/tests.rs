//! The kernel on any machine, against vectors made by another implementation and against the sha2 crate.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

use crate::lane::Lane;
use crate::search::{SubPuzzle, seed, target};
use crate::sha256::{INITIAL, compress};

struct Vector {
    note: String,
    challenge: [u32; 16],
    seed: [u32; 8],
    target: u64,
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
            note: text(&vector["name"]),
            challenge: words(&BASE64URL_NOPAD.decode(text(&vector["challenge"]).as_bytes()).expect("base64url")),
            seed: words(&hexadecimal(&text(&vector["seed"]))),
            target: number(&text(&vector["target"])),
            nonces: vector["nonces"].as_array().expect("a list").iter().map(|nonce| number(&text(nonce))).collect(),
        })
        .collect();
    assert!(vectors.len() >= 12);
    vectors
}

fn number(hex: &str) -> u64 {
    u64::from_str_radix(hex, 16).expect("16 hexadecimal digits")
}

fn hexadecimal(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).expect("hexadecimal")
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let words: Vec<u32> =
        bytes.chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().expect("four bytes"))).collect();
    words.try_into().expect("the length of the field")
}

/// The definition, by another SHA-256.
fn solves(puzzle: &SubPuzzle, nonce: u64) -> bool {
    let mut hash = Sha256::new();
    for word in puzzle.seed {
        hash.update(word.to_be_bytes());
    }
    hash.update(puzzle.number.to_be_bytes());
    hash.update(nonce.to_be_bytes());
    let digest = hash.finalize();
    let (leading, _) = digest.split_first_chunk().expect("32 bytes");
    u64::from_be_bytes(*leading) <= puzzle.target
}

fn sub_puzzles(vector: &Vector) -> impl Iterator<Item = (SubPuzzle, u64)> {
    (0u32..).zip(&vector.nonces).map(|(number, nonce)| {
        let puzzle = SubPuzzle { seed: vector.seed, number, target: vector.target };
        (puzzle, *nonce)
    })
}

#[test]
fn a_block_hashes_as_the_standard_says() {
    let mut block = [0; 16];
    block[0] = 0x6162_6380;
    block[15] = 24;
    let expected = words(&hexadecimal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_eq!(compress(INITIAL, block), expected);
}

#[test]
fn seed_and_target_are_those_of_the_vectors() {
    for vector in vectors() {
        assert_eq!(seed(vector.challenge), vector.seed, "{}", vector.note);
        assert_eq!(target(vector.challenge[1]), vector.target, "{}", vector.note);
    }
    assert_eq!(target(0), u64::MAX);
    assert_eq!(target(1), u64::MAX);
    assert_eq!(target(u32::MAX), 0x0000_0001_0000_0001);
}

#[test]
fn every_nonce_of_the_vectors_is_found_where_it_is() {
    fn check<L: Lane>() {
        for vector in vectors() {
            for (puzzle, nonce) in sub_puzzles(&vector) {
                assert!(solves(&puzzle, nonce), "{}", vector.note);
                assert_eq!(puzzle.search::<L>(nonce, 1), Some(nonce), "{}", vector.note);
            }
        }
    }
    check::<u32>();
    check::<[u32; 4]>();
}

#[test]
fn the_first_solving_nonce_is_found_wherever_the_search_starts() {
    fn check<L: Lane>() {
        for vector in vectors() {
            for (puzzle, nonce) in sub_puzzles(&vector) {
                for before in [1, 2, 3, 4, 5, 7, 300] {
                    let start = nonce.wrapping_sub(before);
                    let first = (0..=before).map(|step| start.wrapping_add(step)).find(|nonce| solves(&puzzle, *nonce));
                    assert_eq!(puzzle.search::<L>(start, 301), first, "{} from {start:x}", vector.note);
                }
            }
        }
    }
    check::<u32>();
    check::<[u32; 4]>();
}

#[test]
fn attempts_are_never_more_than_asked_for() {
    fn check<L: Lane>() {
        let puzzle = SubPuzzle { seed: [7; 8], number: 3, target: target(16) };
        for start in [0, u64::from(u32::MAX) - 9, u64::MAX - 9] {
            let solving: Vec<u64> = (0..64).filter(|step| solves(&puzzle, start.wrapping_add(*step))).collect();
            for attempts in 0..64 {
                let first = solving.first().filter(|step| **step < u64::from(attempts));
                let expected = first.map(|step| start.wrapping_add(*step));
                assert_eq!(puzzle.search::<L>(start, attempts), expected, "{attempts} from {start:x}");
            }
        }
    }
    check::<u32>();
    check::<[u32; 4]>();
}

#[test]
fn every_solving_nonce_is_met_once_across_a_change_of_the_high_word() {
    fn check<L: Lane>(start: u64) {
        let puzzle = SubPuzzle { seed: [0x0123_4567; 8], number: 63, target: target(5) };
        let expected: Vec<u64> =
            (0..200).map(|step| start.wrapping_add(step)).filter(|nonce| solves(&puzzle, *nonce)).collect();
        let mut found = Vec::new();
        let mut done = 0;
        while let Some(nonce) = puzzle.search::<L>(start.wrapping_add(done), 200 - u32::try_from(done).expect("small"))
        {
            found.push(nonce);
            done = nonce.wrapping_sub(start) + 1;
        }
        assert_eq!(found, expected);
    }
    for offset in 0..8 {
        for start in [(1 << 32) - 100 + offset, (5 << 32) - 101 + offset, u64::MAX - 103 + offset] {
            check::<u32>(start);
            check::<[u32; 4]>(start);
        }
    }
}

#[test]
fn a_digest_equal_to_the_target_solves_and_one_below_does_not() {
    let mut puzzle = SubPuzzle { seed: [99; 8], number: 0, target: target(1000) };
    let nonce = puzzle.search::<u32>(0, 1 << 20).expect("a thousandth of all nonces solve");
    let leading = (0..64).rev().fold(0, |low: u64, bit| {
        let lowered = SubPuzzle { target: low | ((1 << bit) - 1), ..puzzle };
        if solves(&lowered, nonce) { low } else { low | 1 << bit }
    });
    for (target, expected) in [(leading, Some(nonce)), (leading - 1, None)] {
        puzzle.target = target;
        assert_eq!(puzzle.search::<u32>(nonce, 1), expected);
        assert_eq!(puzzle.search::<[u32; 4]>(nonce, 1), expected);
    }
}

#[test]
fn the_exports_solve_a_challenge() {
    let vectors = vectors();
    let vector = &vectors[1];
    for (index, word) in (0..).zip(vector.challenge) {
        crate::set_challenge_word(index, word);
    }
    crate::set_challenge_word(16, 1);
    crate::set_challenge_word(u32::MAX, 1);
    assert_eq!((crate::count(), crate::difficulty()), (1, 1));
    crate::prepare(0);
    assert_eq!(crate::run(0, 0, 0), 0);
    assert_eq!(crate::run(7, u32::MAX, 9), 1);
    assert_eq!((crate::found_high(), crate::found_low()), (7, u32::MAX));
}
