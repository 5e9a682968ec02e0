//! What attackers, neighbours and shared networks pay and earn, in simulated minutes and weeks: no socket, no sleep.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use puzzle::{ClientNetwork, Credits, UnixSeconds};
use std::net::{Ipv4Addr, Ipv6Addr};
use verifier_server::gate::networks::{
    CREDITS_PER_SECOND_AND_SHARE, CountMin, HALF_LIFE_SECONDS, HashKey, KnownNetwork, LEARNING_DELAY_SECONDS, Memory,
    Nested, Profile, SHARES_MAX,
};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const KEY: HashKey = HashKey([7; 16]);
const DAY: u32 = 86_400;

fn memory() -> Memory {
    Memory::new(KEY, Profile::new(HashKey([9; 16])), false, NOW)
}

fn v4(bits: u32) -> ClientNetwork {
    ClientNetwork::of(Ipv4Addr::from_bits(bits).into())
}

fn slash24(third: u8) -> ClientNetwork {
    ClientNetwork::of([198, 51, third, 7].into())
}

/// The /56 of these numbers inside the documentation prefix, a /32, or the one after it.
fn slash56(other: u16, slash48: u16, slash56: u16) -> ClientNetwork {
    ClientNetwork::of(Ipv6Addr::from([0x2001, 0xdb8 + other, slash48, slash56 << 8, 0, 0, 0, 1]).into())
}

/// A generator of numbers that are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from(mixed >> 32).unwrap()
    }
}

/// What a network pays more for its next clearance.
fn m(memory: &Memory, network: ClientNetwork, now: UnixSeconds) -> f64 {
    f64::from(memory.multiplier(&memory.buyer(network), now).in_hundredths()) / 100.0
}

/// Buys a full clearance as an honest client does, and says what it cost in prices.
fn buy(memory: &Memory, network: ClientNetwork, now: UnixSeconds) -> f64 {
    let paid = m(memory, network, now);
    memory.bought(&memory.buyer(network), 1.0, now);
    paid
}

/// Redeems a challenge that was fetched before any of them was redeemed, for one price of work, and says what it bought.
fn redeem_hoarded(memory: &Memory, network: ClientNetwork, now: UnixSeconds) -> f64 {
    let bought = (1.0 / m(memory, network, now)).min(1.0);
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
    memory.bought(&memory.buyer(network), bought as f32, now);
    bought
}

#[test]
fn the_price_grows_with_the_root_of_what_was_bought_and_no_further_than_eightfold() {
    let memory = memory();
    let paid: Vec<f64> = (0..200).map(|_| buy(&memory, slash24(1), NOW)).collect();
    for (before, expected) in [(0, 1.0), (1, 1.41), (3, 2.0), (8, 3.0), (63, 8.0), (199, 8.0)] {
        assert!((paid[before] - expected).abs() < 0.011, "after {before}: {} for {expected}", paid[before]);
    }
    let later = NOW.plus(u32::from(HALF_LIFE_SECONDS));
    assert!((m(&memory, slash24(1), later) - 33.0_f64.sqrt()).abs() < 0.02, "half of 64 after one half-life");
    assert!(m(&memory, slash24(1), NOW.plus(8 * u32::from(HALF_LIFE_SECONDS))) < 1.2);
}

#[test]
fn a_hundred_thousand_attacking_networks_do_not_raise_a_newcomers_price() {
    let memory = memory();
    // As many cells as are often taken for such a sketch, without a key's secrecy being the point here.
    let mut small = CountMin::new(4, 16_384);
    let mut numbers = Seeded(1);
    let attackers: Vec<ClientNetwork> = (0..100_000).map(|_| v4(numbers.next())).collect();
    for round in 0..3 {
        for attacker in &attackers {
            memory.bought(&memory.buyer(*attacker), 1.0, NOW.plus(round * 60));
            for level in Nested::of(*attacker).levels() {
                small.add(KEY.hash(*level), 1.0);
            }
        }
        memory.tick(NOW.plus(round * 60), false);
    }
    let attackers: std::collections::HashSet<ClientNetwork> = attackers.into_iter().collect();
    let now = NOW.plus(121);
    let newcomers: Vec<ClientNetwork> =
        (0..20_000).map(|_| v4(numbers.next())).filter(|network| !attackers.contains(network)).collect();
    // A /16 in which seven attackers bought three clearances each asks a sixth more of everybody; that is no collision.
    let paid: Vec<f64> = newcomers.iter().map(|network| m(&memory, *network, now)).collect();
    let raised = paid.iter().filter(|paid| **paid > 1.3).count();
    assert!(raised * 1_000 < newcomers.len(), "{raised} of {}", newcomers.len());
    let mean = paid.iter().sum::<f64>() / f64::from(u32::try_from(newcomers.len()).unwrap());
    assert!(mean < 1.002, "{mean}");
    let in_small = |network: &ClientNetwork| {
        f64::from(small.estimate(KEY.hash(Nested::of(*network).levels()[0])) + 1.0).sqrt().min(8.0)
    };
    let mean = newcomers.iter().map(in_small).sum::<f64>() / f64::from(u32::try_from(newcomers.len()).unwrap());
    assert!(mean > 3.5, "in 4 × 16384 cells without decay a newcomer pays {mean} times the price");
}

#[test]
fn hoarded_redemptions_raise_the_price_of_their_own_slash24_for_minutes_and_of_no_other() {
    for (hoard, buys_at_most) in [(64, 20.5), (1_024, 149.5)] {
        let memory = memory();
        let bought: f64 = (0..hoard).map(|_| redeem_hoarded(&memory, slash24(1), NOW)).sum();
        assert!(bought < buys_at_most, "{hoard} solutions at the single price bought {bought} clearances");
        assert!(m(&memory, slash24(1), NOW) > 4.0, "its own /24 pays more");
        assert!(m(&memory, slash24(1), NOW.plus(1_800)) < 1.5, "and half an hour later hardly any more");
        for neighbour in 2..=255 {
            assert!(m(&memory, slash24(neighbour), NOW) <= 1.0, "/24 number {neighbour} of the same /16");
        }
    }
}

#[test]
fn sixty_four_redemptions_that_bought_little_count_little() {
    let memory = memory();
    for _ in 0..64 {
        memory.bought(&memory.buyer(slash24(1)), 0.05, NOW);
    }
    assert!(m(&memory, slash24(1), NOW) < 2.1, "64 twentieths are three clearances");
}

#[test]
fn who_alternates_between_two_networks_saves_less_than_a_third() {
    let cost = |networks: u8| -> f64 {
        let memory = memory();
        (0..40_u8).map(|turn| buy(&memory, slash24(turn % networks), NOW.plus(u32::from(turn) * 10))).sum()
    };
    let (one, two) = (cost(1), cost(2));
    assert!(two < one && two > one * 0.69, "{two} after {one}");
}

#[test]
fn an_ipv6_slash32_is_not_sixteen_million_newcomers() {
    let memory = memory();
    let mut numbers = Seeded(2);
    // Always another /48 and another /56 of it.
    let paid: Vec<f64> = (0..6_000_u32)
        .map(|number| {
            let network = slash56(0, u16::try_from(number).unwrap(), u16::try_from(numbers.next() % 256).unwrap());
            buy(&memory, network, NOW)
        })
        .collect();
    assert!(paid[100] < 1.5 && paid[5_999] > 7.9, "{} … {}", paid[100], paid[5_999]);
    assert!(m(&memory, slash56(1, 0, 0), NOW) <= 1.0, "the /32 beside it");
    // A customer with a whole /48 pays for it, and hardly anybody else of the provider.
    let memory = self::memory();
    let paid: Vec<f64> = (0..512_u16).map(|number| buy(&memory, slash56(0, 5, number % 256), NOW)).collect();
    assert!(paid[511] > 7.9, "{}", paid[511]);
    assert!(m(&memory, slash56(0, 6, 0), NOW) < 1.02, "another /48 of the /32");
}

#[test]
fn a_whole_slash16_of_buyers_pays_together() {
    let memory = memory();
    for third in 0..=255 {
        for _ in 0..4 {
            memory.bought(&memory.buyer(slash24(third)), 1.0, NOW);
        }
    }
    assert!(m(&memory, slash24(0), NOW) > 7.9, "256 /24s with four each");
    assert!(m(&memory, v4(0xC634_0000), NOW) <= 1.0, "198.52.0.0/24");
}

#[test]
fn a_carrier_that_the_operator_knows_pays_as_its_visitors_would_each() {
    let memory = memory();
    let network = "198.51.1.0/24".parse().unwrap();
    memory.set_known(&[KnownNetwork { network, visitors: 200 }]);
    // 2,000 visitors, each with a clearance for half an hour.
    let paid: Vec<f64> = (0..2_000_u32)
        .map(|visitor| {
            let now = NOW.plus(visitor * 9 / 10);
            memory.tick(now, false);
            buy(&memory, slash24(1), now)
        })
        .collect();
    let mean = paid.iter().sum::<f64>() / 2_000.0;
    assert!(mean < 1.6, "{mean}; unknown it would be 7.7");
    assert!(m(&memory, slash24(2), NOW.plus(1_800)) <= 1.0, "its neighbours in the /16 pay nothing for it");
}

/// Lets `days` pass, a request of so many credits a second from each network, and a tick a minute.
fn peace(memory: &Memory, from: UnixSeconds, seconds: u32, visitors: &[(ClientNetwork, f32)]) -> UnixSeconds {
    for minute in 0..seconds / 60 {
        memory.tick(from.plus(minute * 60), true);
        for (network, credits_per_second) in visitors {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
            let hundredths = (credits_per_second * 60.0 * 100.0) as u32;
            memory.observe(*network, Credits::hundredths(hundredths));
        }
    }
    from.plus(seconds)
}

fn rate(memory: &Memory, network: ClientNetwork) -> f32 {
    memory.learned_rate(Nested::of(network).levels()[0])
}

fn weight(memory: &Memory, network: ClientNetwork) -> u32 {
    memory.weight(Nested::of(network).levels()[0])
}

#[test]
fn weeks_of_peace_teach_what_an_office_and_a_carrier_bring() {
    let memory = memory();
    let (office, carrier, home) = (slash24(1), v4(0x0A00_0100), v4(0x0B00_0100));
    peace(&memory, NOW, 21 * DAY, &[(office, 0.5), (carrier, 10.0), (home, 0.001)]);
    assert!((rate(&memory, office) - 0.5).abs() < 0.02, "{}", rate(&memory, office));
    assert!((rate(&memory, carrier) - 10.0).abs() < 0.1);
    assert_eq!(weight(&memory, office), 25);
    assert_eq!(weight(&memory, carrier), u32::from(SHARES_MAX));
    assert_eq!((weight(&memory, home), weight(&memory, v4(0x0C00_0100))), (1, 1));
}

#[test]
fn nothing_done_in_the_hour_before_an_attack_buys_weight() {
    let memory = memory();
    let (office, attacker) = (slash24(1), slash24(2));
    let now = peace(&memory, NOW, 14 * DAY, &[(office, 1.0)]);
    let (learned, before) = (rate(&memory, office), rate(&memory, attacker));
    let now = peace(&memory, now, LEARNING_DELAY_SECONDS, &[(office, 1.0), (attacker, 1_000.0)]);
    // The first second of overload, hours of it, and an hour of peace: what was gathered before is gone.
    for second in 0..3_600 {
        memory.tick(now.plus(second), false);
        memory.observe(attacker, Credits::whole(1_000));
    }
    peace(&memory, now.plus(3_600), 3 * LEARNING_DELAY_SECONDS, &[(office, 1.0)]);
    assert!(rate(&memory, attacker) <= before, "{}", rate(&memory, attacker));
    assert_eq!(weight(&memory, attacker), 1);
    assert!((rate(&memory, office) - learned).abs() < 0.01 * learned, "what was learned in peace stays");
}

#[test]
fn what_a_bucket_learns_is_never_younger_than_an_hour() {
    let mut numbers = Seeded(3);
    for _ in 0..20 {
        let memory = memory();
        let start = numbers.next() % 7_200;
        let now = peace(&memory, NOW, start / 60 * 60, &[]);
        peace(&memory, now, LEARNING_DELAY_SECONDS, &[(slash24(1), 1_000.0)]);
        assert!(rate(&memory, slash24(1)) <= 0.0, "after {start} s of peace");
    }
    // And it is learned at last.
    let memory = memory();
    peace(&memory, NOW, 3 * LEARNING_DELAY_SECONDS, &[(slash24(1), 10.0)]);
    assert!(rate(&memory, slash24(1)) > 0.0);
}

#[test]
fn a_stranger_who_sends_steadily_for_weeks_earns_what_he_brought_and_loses_it_again() {
    let memory = memory();
    let stranger = slash24(1);
    let now = peace(&memory, NOW, 21 * DAY, &[(stranger, 0.4)]);
    let earned = weight(&memory, stranger);
    assert!(earned <= 20, "{earned} shares for what twenty visitors bring");
    let now = peace(&memory, now, 28 * DAY, &[]);
    assert!(weight(&memory, stranger) * 4 < earned, "a month without him");
    // A day at ten times the rate is not what he usually brings.
    peace(&memory, now, DAY, &[(v4(0x0A00_0100), 4.0)]);
    assert!(weight(&memory, v4(0x0A00_0100)) < 12, "{}", weight(&memory, v4(0x0A00_0100)));
}

#[test]
fn who_comes_first_to_a_new_installation_is_no_more_than_others_for_it() {
    let memory = memory();
    peace(&memory, NOW, 3 * LEARNING_DELAY_SECONDS, &[(slash24(1), 0.4)]);
    assert!(weight(&memory, slash24(1)) <= 2, "{}", weight(&memory, slash24(1)));
}

#[test]
fn a_clock_that_jumps_teaches_nothing_early() {
    let memory = memory();
    let now = peace(&memory, NOW, 900, &[(slash24(1), 1_000.0)]);
    for jump in 1..10 {
        memory.tick(now.plus(jump * DAY), true);
    }
    assert!(rate(&memory, slash24(1)) <= 0.0);
}

#[test]
fn many_strangers_do_not_blur_what_was_learned() {
    let memory = memory();
    let mut numbers = Seeded(4);
    let strangers: Vec<(ClientNetwork, f32)> = (0..20_000).map(|_| (v4(numbers.next()), 0.02)).collect();
    // 400 credits a second from 20,000 networks, for two hours that are learned.
    let mut now = NOW;
    for minute in 0..240 {
        memory.tick(now, true);
        for (network, _) in strangers.iter().skip(minute % 20).step_by(20) {
            memory.observe(*network, Credits::hundredths(2_400));
        }
        now = now.plus(60);
    }
    let heavy = (0..5_000).filter(|_| weight(&memory, v4(numbers.next())) > 1).count();
    assert!(heavy < 25, "{heavy} of 5,000 newcomers were taken for shared networks");
}

#[test]
fn known_networks_count_by_hand_and_in_those_around_them() {
    let memory = memory();
    let known = |network: &str, visitors| KnownNetwork { network: network.parse().unwrap(), visitors };
    memory.set_known(&[known("203.0.113.64/26", 50), known("198.51.0.0/20", 80), known("2001:db8:7::/48", 30)]);
    let weights = |address: &str| -> Vec<u32> {
        let nested = Nested::of(ClientNetwork::of(address.parse().unwrap()));
        nested.levels().iter().map(|level| memory.weight(*level)).collect()
    };
    assert_eq!(weights("203.0.113.1"), [50, 50]);
    assert_eq!(weights("203.0.114.1"), [1, 50]);
    assert_eq!(weights("198.51.3.1"), [80, 80], "any of the /24s may be the exit; together they have no more");
    assert_eq!(weights("198.51.16.1"), [1, 80]);
    assert_eq!(weights("2001:db8:7:100::1"), [30, 30, 30]);
    assert_eq!(weights("2001:db8:8:100::1"), [1, 1, 30]);
    let office = Nested::of(ClientNetwork::of("203.0.113.70".parse().unwrap())).levels()[0];
    assert!((memory.learned_rate(office) - 50.0 * CREDITS_PER_SECOND_AND_SHARE).abs() < 1e-6);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_multiplier_lies_between_one_and_eight_and_only_falls_by_waiting(
        purchases in prop::collection::vec((0..6_u8, 0.0..1.5_f32, 0..400_u32), 0..200), wait in 0..10_000_u32
    ) {
        let memory = memory();
        let mut now = NOW;
        for (third, amount, seconds) in purchases {
            now = now.plus(seconds);
            memory.tick(now, false);
            memory.bought(&memory.buyer(slash24(third)), amount, now);
        }
        for third in 0..8 {
            let before = m(&memory, slash24(third), now);
            prop_assert!((1.0..=8.0).contains(&before));
            prop_assert!(m(&memory, slash24(third), now.plus(wait)) <= before);
        }
    }
}
