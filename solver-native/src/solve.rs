//! A whole challenge on several cores.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use puzzle::CHALLENGE_BYTES;

use crate::{Lane, find};

/// How many nonces a thread takes at once: short enough that two threads on one sub-puzzle waste little when one of them
/// solves it.
const BLOCK_ATTEMPTS: u64 = 1 << 13;

/// No nonce yet. As a nonce it would be the last of all, which nobody reaches.
const UNSOLVED: u64 = u64::MAX;

/// The search for one sub-puzzle's nonce.
struct Search {
    next_block: AtomicU64,
    nonce: AtomicU64,
}

/// A solving nonce for each of the challenge's sub-puzzles (byte 3 says how many), by the best lane on `threads` threads.
///
/// The threads begin with different sub-puzzles and then help each other.
#[must_use]
pub fn solve(challenge: &[u8; CHALLENGE_BYTES], threads: NonZeroUsize) -> Vec<u64> {
    let [_, _, _, count, ..] = *challenge;
    let searches: Vec<Search> =
        (0..count).map(|_| Search { next_block: AtomicU64::new(0), nonce: AtomicU64::new(UNSOLVED) }).collect();
    let work = |first: u8| {
        let lane = Lane::best();
        for sub_puzzle in (first..count).chain(0..first) {
            let search = &searches[usize::from(sub_puzzle)];
            while search.nonce.load(Ordering::Relaxed) == UNSOLVED {
                let start = search.next_block.fetch_add(BLOCK_ATTEMPTS, Ordering::Relaxed);
                if let Some(nonce) = find(lane, challenge, sub_puzzle, start, BLOCK_ATTEMPTS) {
                    search.nonce.fetch_min(nonce, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for thread in 0..threads.get() {
            let first = thread * usize::from(count) / threads;
            // Below `count`, which is a byte.
            scope.spawn(move || work(first as u8));
        }
    });
    searches.into_iter().map(|search| search.nonce.into_inner()).collect()
}
