//! The peacetime profile, made by the verifier's own code from simulated weeks.

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::Context as _;
use puzzle::{ClientNetwork, Credits, UnixSeconds};
use verifier_server::gate::networks::{HashKey, Nested, Profile};

use crate::networks;
use crate::seeded::Seeded;
use crate::visitor::Group;
use crate::visitors::{GROUPS, LEGITIMATE};

const DAY_SECONDS: u32 = 86_400;
const MINUTE_SECONDS: u32 = 60;
/// The mean over a day against the hours that the lab shows: a site is asked for less at night.
const DAY_MEAN: f64 = 0.6;

/// Learns so many quiet days of the lab's own visitors and keeps the profile in `state_dir`.
///
/// # Errors
/// Where it cannot be written.
pub fn learn(state_dir: &Path, days: u32, seed: u64) -> anyhow::Result<()> {
    let mut numbers = Seeded::new(seed);
    let profile = Profile::new(HashKey(std::array::from_fn(|_| numbers.next() as u8)));
    // Long ago enough that the clock does not go back when the verifier goes on with it.
    let begin = UnixSeconds(1_700_000_000);
    for minute in 0..days * DAY_SECONDS / MINUTE_SECONDS {
        let now = begin.plus(minute * MINUTE_SECONDS);
        profile.tick(now, true);
        let day = f64::from(minute * MINUTE_SECONDS % DAY_SECONDS) / f64::from(DAY_SECONDS);
        let credits = LEGITIMATE * f64::from(MINUTE_SECONDS) * DAY_MEAN * (1.0 - 0.67 * (TAU * day).cos());
        for (group, part) in GROUPS {
            let brought = credits * part;
            match group {
                Group::Office => observe(&profile, networks::OFFICE, brought),
                Group::Carrier => observe(&profile, networks::CARRIER, brought),
                // Sessions of six credits, each from a home of its own.
                Group::Home => {
                    for _ in 0..(brought / 6.0).round() as u32 {
                        observe(&profile, networks::home(numbers.below(networks::HOMES_MAX)), 6.0);
                    }
                }
            }
        }
    }
    std::fs::create_dir_all(state_dir)?;
    profile.write(state_dir).with_context(|| format!("no profile in {}", state_dir.display()))
}

fn observe(profile: &Profile, address: std::net::Ipv4Addr, credits: f64) {
    let network = ClientNetwork::of(address.into());
    profile.observe(Nested::of(network).levels(), Credits::hundredths((credits * 100.0).round() as u32));
}
