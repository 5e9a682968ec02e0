//! The second algorithm under attack in simulated time, with visitors of both kinds: who can do it, and who cannot.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod attacked;

use attacked::people::visitor_known;
use attacked::{Attack, Offer, PHONE, Tally, World, scattered};
use puzzle::{Algorithm, Rate, price};

/// The exchange rate, and what all figures here are multiplied with: attempts of `hashwx` in those of `sha256`.
const RATE: f64 = 200.0;
/// Sixteen cores of native code, 415 kH/s each.
const MACHINE: f64 = 16.0 * 415e3 * RATE;

/// What devices do of `hashwx` that do so much of `sha256`: the slowest phone, an ordinary one, a desktop of four cores.
fn rate(sha256: f64) -> f64 {
    let attempts = match sha256 / PHONE {
        times if times < 2.0 => 300e3,
        times if times < 10.0 => 500e3,
        _ => 880e3,
    };
    attempts * RATE
}

/// A minute of an attack that has gone on for one.
fn under(attempts: f64, networks: u32, unable: f64) -> Tally {
    let ceiling = price::ceiling(Algorithm::HashWx, Rate::new(200).unwrap(), 15, 4);
    let mut world = World::new(7, 20.0, visitor_known).that_offers(Offer { ceiling, unable, rate });
    world.run(20);
    let places = (0..networks).map(scattered).collect();
    world.attack(Attack { rate: attempts, places, step_ms: 0, requests: 2_000, hoard: 50, unpaid: 500.0 });
    world.run(60);
    world.counting = true;
    world.run(60);
    world.counting = false;
    world.run(30);
    world.tally
}

#[track_caller]
fn serves(what: &str, tally: &Tally, least: f64) {
    let part = |of: u32, all: u32| 100.0 * f64::from(of) / f64::from(all.max(1));
    let able = part(tally.whole_pages_served - tally.unable[1], tally.pages - tally.unable[0]);
    let unable = part(tally.unable[1], tally.unable[0]);
    let highest = tally.prices.iter().max().copied().unwrap_or_default();
    println!(
        "{what}: whole pages of who can {able:.1} %, of who cannot {unable:.1} % of {}; p95 {} ms; price at most {highest}",
        tally.unable[0],
        tally.quantile_ms(0.95)
    );
    assert!(tally.pages > 300, "{} pages", tally.pages);
    assert!(able >= 100.0 * least, "{what}: {able:.1} % of the pages came whole");
}

#[test]
fn beside_one_strong_machine_everybody_who_can_is_served_whatever_its_networks() {
    for networks in [50, 1_000, 10_000] {
        serves(&format!("one machine, {networks} networks"), &under(MACHINE, networks, 0.1), 0.99);
    }
}

#[test]
fn beside_ten_strong_machines_too_on_a_thousand_networks() {
    serves("ten machines, 1,000 networks", &under(10.0 * MACHINE, 1_000, 0.1), 0.99);
}

#[test]
fn ten_strong_machines_on_ten_thousand_networks() {
    serves("ten machines, 10,000 networks", &under(10.0 * MACHINE, 10_000, 0.1), 0.99);
}

#[test]
fn below_twenty_ceilings_who_cannot_is_served_as_well() {
    let tally = under(10.0 * PHONE, 1_000, 0.3);
    serves("ten phones' worth of attackers", &tally, 0.99);
    assert!(f64::from(tally.unable[1]) >= 0.99 * f64::from(tally.unable[0]), "{:?}", tally.unable);
}
