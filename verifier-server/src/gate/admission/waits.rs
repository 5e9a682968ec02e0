//! How long requests wait for others than their own network, in the median over networks.
//!
//! What a network waits behind its own requests is its own doing, and one network's patience must not raise the price
//! for all: every network around others (a /16, a /32) has one voice in a second, whatever it sends.

use crate::gate::networks::{HashKey, Nested, Prefix};
use std::time::Duration;

/// Networks that have a voice in a second.
const VOICES: usize = 256;

/// The waits of one second.
#[derive(Debug)]
pub(super) struct Waits {
    key: HashKey,
    /// The longest wait of each; nothing where nobody of it was served or waits.
    voices: Box<[Option<Duration>]>,
}

impl Waits {
    /// Nobody has waited.
    pub(super) fn new(key: HashKey) -> Self {
        Self { key, voices: vec![None; VOICES].into_boxed_slice() }
    }

    /// A request of a network waited so long for others.
    pub(super) fn note(&mut self, around: Prefix, wait: Duration) {
        let voice = usize::try_from(self.key.hash(around)).unwrap_or_default() % VOICES;
        let longest = &mut self.voices[voice];
        *longest = Some(longest.unwrap_or_default().max(wait));
    }

    /// The median, and a new second begins.
    pub(super) fn take(&mut self) -> Duration {
        let mut waits: Vec<Duration> = self.voices.iter_mut().filter_map(Option::take).collect();
        waits.sort_unstable();
        waits.get(waits.len() / 2).copied().unwrap_or_default()
    }
}

/// The network that speaks for a client network.
pub(super) const fn speaker(network: &Nested) -> Prefix {
    match network {
        Nested::V4([_, around]) | Nested::V6([_, _, around]) => *around,
    }
}
