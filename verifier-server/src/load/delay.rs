//! How long the origin takes to the head of its answer, against how long it usually takes for the same path.
//!
//! The delay is the ratio to the long-term delay of the path's own bucket, and the median over client networks: one
//! slow URL that is asked often is not overload, nor is one client that asks for nothing else.

use super::amount::{float, whole};
use crate::gate::networks::{HashKey, Prefix};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of paths.
const PATHS: usize = 256;
/// Networks that have a voice in a second.
const VOICES: usize = 256;
/// Added to both delays before they are compared: what lies below is the machine's own noise.
const NOISE_US: f64 = 5_000.0;
/// Part of the difference that the long-term delay takes over in a second, when a path has become faster, slower, and
/// slower while the site is overloaded: an attack must not become what is usual, a slower release of the site must.
const FASTER: f64 = 0.1;
const SLOWER: f64 = 0.02;
const SLOWER_OVERLOADED: f64 = 0.002;
/// Bits of a voice's ratio, in thousandths; the rest are the number of its second.
const RATIO_BITS: u32 = 32;

/// What a path took in this second, and what it usually takes.
#[derive(Debug, Default)]
struct Path {
    sum_us: AtomicU64,
    count: AtomicU64,
    /// Microseconds; 0 while nothing is known.
    usual_us: AtomicU64,
}

/// The delays of one site.
#[derive(Debug)]
pub(super) struct Delays {
    hasher: HashKey,
    paths: Box<[Path]>,
    voices: Box<[AtomicU64]>,
    /// The number of the second that is being measured; never 0.
    second: AtomicU64,
}

impl Delays {
    /// Nothing is known yet.
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            hasher: key,
            paths: (0..PATHS).map(|_| Path::default()).collect(),
            voices: (0..VOICES).map(|_| AtomicU64::new(0)).collect(),
            second: AtomicU64::new(1),
        }
    }

    /// The bucket of a path.
    pub(super) fn path_of(&self, path: &str) -> u8 {
        u8::try_from(self.index(path, PATHS)).unwrap_or(u8::MAX)
    }

    /// The head of an answer came after `delay`, for a path in this bucket.
    pub(super) fn answered(&self, network: Prefix, path: u8, delay: Duration) {
        let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX).clamp(1, 1 << 40);
        let path = &self.paths[usize::from(path) % PATHS];
        path.sum_us.fetch_add(delay_us, Ordering::Relaxed);
        path.count.fetch_add(1, Ordering::Relaxed);
        let usual_us = path.usual_us.load(Ordering::Relaxed);
        if usual_us == 0 {
            return;
        }
        let ratio = (float(delay_us) + NOISE_US) / (float(usual_us) + NOISE_US);
        let ratio = whole(ratio * 1_000.0).min(u64::from(u32::MAX));
        let second = self.second.load(Ordering::Relaxed);
        self.voices[self.index(&network, VOICES)].store(second << RATIO_BITS | ratio, Ordering::Relaxed);
    }

    /// Ends a second: the median ratio of its delays to the usual ones, `None` where nothing was answered whose usual
    /// delay is known.
    pub(super) fn step(&self, overloaded: bool) -> Option<f64> {
        let second = self.second.fetch_add(1, Ordering::Relaxed);
        for path in &self.paths {
            let count = path.count.swap(0, Ordering::Relaxed);
            let sum_us = path.sum_us.swap(0, Ordering::Relaxed);
            if count > 0 {
                let usual_us = float(path.usual_us.load(Ordering::Relaxed));
                let usual_us = usual(usual_us, float(sum_us) / float(count), overloaded);
                path.usual_us.store(whole(usual_us).max(1), Ordering::Relaxed);
            }
        }
        let voices = self.voices.iter().map(|voice| voice.load(Ordering::Relaxed));
        let of_now = voices.filter(|voice| voice >> RATIO_BITS == second & (u64::MAX >> RATIO_BITS));
        let mut ratios: Vec<u64> = of_now.map(|voice| voice & u64::from(u32::MAX)).collect();
        ratios.sort_unstable();
        ratios.get(ratios.len() / 2).map(|ratio| float(*ratio) / 1_000.0)
    }

    fn index<T: std::hash::Hash + ?Sized>(&self, key: &T, of: usize) -> usize {
        usize::try_from(self.hasher.hash_one(key)).unwrap_or_default() % of
    }
}

fn usual(usual_us: f64, now_us: f64, overloaded: bool) -> f64 {
    let part = match (now_us < usual_us, overloaded) {
        _ if usual_us <= 0.0 => 1.0,
        (true, _) => FASTER,
        (false, false) => SLOWER,
        (false, true) => SLOWER_OVERLOADED,
    };
    usual_us + part * (now_us - usual_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::networks::Nested;
    use puzzle::ClientNetwork;

    fn network(third: u8) -> Prefix {
        Nested::of(ClientNetwork::of([203, 0, third, 9].into())).levels()[0]
    }

    /// Delays after a minute in which every path took 20 ms and `/slow` a second.
    fn settled() -> Delays {
        let delays = Delays::new(HashKey([1; 16]));
        for _ in 0..60 {
            for third in 0..20 {
                delays.answered(network(third), delays.path_of("/"), Duration::from_millis(20));
                delays.answered(network(third), delays.path_of("/slow"), Duration::from_secs(1));
            }
            delays.step(false);
        }
        delays
    }

    #[test]
    fn one_slow_url_asked_often_is_not_overload() {
        let delays = settled();
        for _ in 0..1_000 {
            (0..20).for_each(|third| delays.answered(network(third), delays.path_of("/slow"), Duration::from_secs(1)));
        }
        let ratio = delays.step(false).expect("answers");
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
    }

    #[test]
    fn one_slow_client_is_not_overload_and_a_slow_site_is() {
        let delays = settled();
        (0..1_000).for_each(|_| delays.answered(network(0), delays.path_of("/"), Duration::from_secs(1)));
        (1..10).for_each(|third| delays.answered(network(third), delays.path_of("/"), Duration::from_millis(20)));
        let ratio = delays.step(false).expect("answers");
        assert!(ratio < 1.1, "{ratio}");
        (0..10).for_each(|third| delays.answered(network(third), delays.path_of("/"), Duration::from_millis(220)));
        let ratio = delays.step(false).expect("answers");
        assert!(ratio > 5.0, "{ratio}");
    }

    #[test]
    fn an_attack_does_not_become_what_is_usual_and_a_slower_release_does() {
        let delays = settled();
        let slow_seconds = |seconds: u32, overloaded| {
            for _ in 0..seconds {
                (0..10)
                    .for_each(|third| delays.answered(network(third), delays.path_of("/"), Duration::from_millis(200)));
                delays.step(overloaded);
            }
            (0..10).for_each(|third| delays.answered(network(third), delays.path_of("/"), Duration::from_millis(200)));
            delays.step(overloaded).expect("answers")
        };
        assert!(slow_seconds(60, true) > 4.0);
        assert!(slow_seconds(300, false) < 1.3);
    }

    #[test]
    fn a_quiet_second_says_nothing() {
        assert_eq!(settled().step(false), None);
    }
}
