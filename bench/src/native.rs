//! What an attacker's machine makes of the same attempts: every native lane that this processor has.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use solver_native::{Lane, find};

use crate::clock::thread_cpu;

/// Some 30 ms on the fastest lane, 200 ms on the slowest.
const ATTEMPTS: u32 = 1 << 22;

/// Millions of attempts a second on one core, by the thread's CPU time.
pub(crate) fn rate(lane: Lane) -> f64 {
    let begun = thread_cpu();
    search(lane, 0);
    f64::from(ATTEMPTS) / thread_cpu().saturating_sub(begun).as_secs_f64() / 1e6
}

/// The same on so many cores at once, by the clock on the wall: what a browser's workers are measured by too.
pub(crate) fn rate_of_all(lane: Lane, cores: usize) -> f64 {
    /// One search is over too soon to be sure that all run at the same time.
    const SEARCHES: u32 = 8;
    let together = Barrier::new(cores + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|core| {
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    (0..SEARCHES).for_each(|_| search(lane, core as u64));
                })
            })
            .collect();
        together.wait();
        let begun = Instant::now();
        for thread in threads {
            // A thread that panicked has printed why; its attempts are missing, and the rate is not a record.
            let _ = thread.join();
        }
        let attempts = f64::from(ATTEMPTS * SEARCHES) * f64::from(u32::try_from(cores).unwrap_or(u32::MAX));
        attempts / begun.elapsed().as_secs_f64() / 1e6
    })
}

/// At a difficulty that almost nobody meets; a lane that meets it goes on.
fn search(lane: Lane, block: u64) {
    let mut challenge = [0x5a; 64];
    challenge[4..8].fill(0xff);
    let (begin, end) = (block << 32, (block << 32) + u64::from(ATTEMPTS));
    let mut start = begin;
    while let Some(nonce) = find(lane, &challenge, 0, start, end - start) {
        start = nonce + 1;
    }
}
