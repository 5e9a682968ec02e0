//! Attempts a second of every lane on one core, and its ratio to the sha2 crate's plain stream in the same run.
//!
//! The clock is the thread's CPU time: what other processes do meanwhile is not in it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use solver_native::{Lane, find};

const ROUNDS: usize = 7;

/// Some 30 ms on the fastest lane, 200 ms on the slowest.
const ATTEMPTS: u32 = 1 << 22;

fn main() {
    let lanes = Lane::available();
    let mut rates = vec![Vec::new(); lanes.len()];
    for round in 0..ROUNDS {
        // Each round begins with another lane, so that none always comes first or last.
        for place in 0..lanes.len() {
            let index = (place + round) % lanes.len();
            rates[index].push(millions_a_second(lanes[index]));
        }
    }
    let plain = median(&mut rates[0]);
    println!("{:<10} {:>6} {:>16} {:>7}", "lane", "MH/s", "least to most", "× sha2");
    for (lane, rates) in lanes.iter().zip(&mut rates) {
        let median = median(rates);
        let spread = format!("{:.1} to {:.1}", rates[0], rates[ROUNDS - 1]);
        println!("{:<10} {median:6.1} {spread:>16} {:7.2}", format!("{lane:?}"), median / plain);
    }
    for lane in Lane::ALL.iter().filter(|lane| !lane.is_available()) {
        println!("{lane:?} was not measured: this CPU does not have it");
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// At a difficulty that almost nobody meets; a lane that meets it goes on.
fn millions_a_second(lane: Lane) -> f64 {
    let mut challenge = [0x5a; 64];
    challenge[4..8].fill(0xff);
    let begin = thread_cpu();
    let mut start = 0;
    while let Some(nonce) = find(lane, &challenge, 0, start, u64::from(ATTEMPTS) - start) {
        start = nonce + 1;
    }
    let seconds = thread_cpu().saturating_sub(begin).as_secs_f64();
    f64::from(ATTEMPTS) / seconds / 1e6
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let [seconds, nanoseconds] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}
