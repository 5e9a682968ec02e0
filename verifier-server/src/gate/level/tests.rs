//! What the level promises: to whoever asks for little, and to the site.

use super::*;
use proptest::prelude::*;
use puzzle::{ClientNetwork, Credits};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn nested(address: impl Into<IpAddr>) -> Nested {
    Nested::of(ClientNetwork::of(address.into()))
}

/// A network in a /16 of its own.
fn apart(number: u16) -> Nested {
    let [high, low] = number.to_be_bytes();
    nested(Ipv4Addr::new(high, low, 7, 1))
}

/// So many credits a second for so many seconds, asked in turn; gives what each got in the second half.
fn served(level: &WaterLevel, supply: f64, seconds: u32, asking: &[(Nested, u32, u32)]) -> Vec<u32> {
    let mut got = vec![0; asking.len()];
    for second in 0..seconds {
        let most = asking.iter().map(|(_, each, _)| *each).max().unwrap_or(0);
        for turn in 0..most {
            for (place, (network, each, weight)) in asking.iter().enumerate() {
                let asks = turn < *each;
                let cost = Amount::of(Credits::ONE);
                let weight = |prefix: Prefix| if prefix.is_client_network() { *weight } else { 1 };
                if asks && level.admits(network, cost, weight, NOW.plus(second)) && second >= seconds / 2 {
                    got[place] += 1;
                }
            }
        }
        level.step(Some(supply), 1.0);
    }
    got
}

#[test]
fn who_asks_for_little_gets_it_whatever_the_others_ask_for() {
    let level = WaterLevel::new(1_024, HashKey([1; 16]));
    level.step(Some(20.0), 1.0);
    let mut asking: Vec<_> = (0..10).map(|number| (apart(number), 100, 1)).collect();
    asking.extend((100..105).map(|number| (apart(number), 1, 1)));
    let got = served(&level, 20.0, 60, &asking);
    assert_eq!(got[10..], [30; 5], "one a second each, all of them");
    for heavy in &got[..10] {
        assert!((35..=55).contains(heavy), "{got:?}: one and a half a second each");
    }
    assert!(got.iter().sum::<u32>() <= 20 * 30 + 40, "{got:?}");
}

#[test]
fn a_network_of_many_visitors_has_their_shares() {
    let level = WaterLevel::new(1_024, HashKey([1; 16]));
    level.step(Some(10.0), 1.0);
    let got = served(&level, 10.0, 60, &[(apart(1), 50, 1), (apart(2), 50, 4)]);
    assert!((50..=70).contains(&got[0]) && (230..=250).contains(&got[1]), "{got:?}: 2 and 8 a second");
}

#[test]
fn a_rented_slash_16_takes_no_more_than_its_shares() {
    let level = WaterLevel::new(1_024, HashKey([1; 16]));
    level.step(Some(40.0), 1.0);
    let mut asking: Vec<_> = (0..=255).map(|third| (nested(Ipv4Addr::new(198, 51, third, 1)), 2, 1)).collect();
    asking.extend((0..4).map(|number| (apart(number), 10, 1)));
    let got = served(&level, 40.0, 60, &asking);
    let rented: u32 = got[..256].iter().sum();
    assert!(rented <= 32 * 30 + 64, "{rented} of the /16: 16 of 20 shares");
    assert!(got[256..].iter().all(|visitor| *visitor >= 50), "{:?}: two a second each", &got[256..]);
}

#[test]
fn a_rented_slash_32_takes_no_more_than_its_shares() {
    let level = WaterLevel::new(1_024, HashKey([1; 16]));
    level.step(Some(66.0), 1.0);
    let home = |number: u16| nested(Ipv6Addr::new(0x2001, 0xdb8, number, number << 8, 0, 0, 0, 1));
    let mut asking: Vec<_> = (0..256).map(|number| (home(number), 2, 1)).collect();
    asking.extend((0..2).map(|number| (apart(number), 10, 1)));
    let got = served(&level, 66.0, 60, &asking);
    let rented: u32 = got[..256].iter().sum();
    assert!(rented <= 64 * 30 + 128, "{rented} of the /32: 64 of 66 shares");
    assert!(got[256..].iter().all(|visitor| *visitor >= 25), "{:?}: one a second each", &got[256..]);
}

#[test]
fn a_hundred_thousand_networks_take_no_memory_and_no_more_than_there_is() {
    let level = WaterLevel::new(256, HashKey([1; 16]));
    level.step(Some(20.0), 1.0);
    let mut admitted = 0;
    for number in 0..100_000_u32 {
        let [_, high, middle, low] = number.to_be_bytes();
        let network = nested(Ipv4Addr::new(high, middle, low, 1));
        let second = number / 10_000;
        admitted += u32::from(level.admits(&network, Amount::of(Credits::ONE), |_| 1, NOW.plus(second)));
        if number % 10_000 == 9_999 {
            level.step(Some(20.0), 1.0);
        }
    }
    assert!(admitted <= 10 * 20 + 40, "{admitted} in ten seconds");
    let mut cells = 0;
    level.cells.get().expect("asked").step(1.0, |_| cells += 1);
    assert!(cells <= 4 * 256, "{cells}");
}

#[test]
fn while_nobody_knows_the_supply_everything_is_admitted() {
    let level = WaterLevel::new(16, HashKey([1; 16]));
    level.step(None, 1.0);
    assert!((0..10_000).all(|_| level.admits(&apart(1), Amount::of(Credits::ONE), |_| 1, NOW)));
    assert_eq!(level.report(), LevelReport { admitted: 10_000, ..LevelReport::default() });
    assert!(level.cells.get().is_none(), "and nothing is remembered");
}

#[test]
fn looking_for_room_takes_none() {
    let level = WaterLevel::new(16, HashKey([1; 16]));
    level.step(Some(1.0), 1.0);
    let one = Amount::of(Credits::ONE);
    assert!((0..100).all(|_| level.has_room(&apart(1), one, NOW)));
    assert!(level.admits(&apart(1), one, |_| 1, NOW));
    assert!(!level.has_room(&apart(1), one, NOW) || level.admits(&apart(1), one, |_| 1, NOW));
    while level.admits(&apart(1), one, |_| 1, NOW) {}
    assert!(!level.has_room(&apart(1), one, NOW));
    assert!(level.has_room(&apart(1), one, NOW.plus(10)));
}

#[test]
fn whoever_is_told_that_there_is_room_finds_it() {
    let level = WaterLevel::new(1_024, HashKey([1; 16]));
    level.step(Some(20.0), 1.0);
    let one = Amount::of(Credits::ONE);
    let mut told = 0;
    for second in 0..30_u32 {
        let now = NOW.plus(second);
        for number in 0..200_u16 {
            // Old ones and newcomers, some of whom look first.
            let network = apart(number + 100 * u16::try_from(second % 7).expect("below 7"));
            let room = level.has_room(&network, one, now);
            let found = level.admits(&network, one, |_| 1, now);
            assert!(!room || found, "second {second}, network {number}");
            told += u32::from(room);
        }
        level.step(Some(20.0), 1.0);
    }
    assert!(told > 400, "{told}");
}

#[test]
fn a_request_dearer_than_the_supply_of_a_second_passes_and_is_made_up_for() {
    let level = WaterLevel::new(16, HashKey([1; 16]));
    level.step(Some(2.0), 1.0);
    let dear = Amount::of(Credits::whole(20));
    let admitted: Vec<u32> = (0..40).filter(|second| level.admits(&apart(1), dear, |_| 1, NOW.plus(*second))).collect();
    assert_eq!(admitted, [0, 9, 19, 29, 39], "twenty credits in ten seconds, with a second in advance");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_asked_no_more_than_the_supply_is_admitted(
        supply in 0.2..40.0_f64,
        asking in proptest::collection::vec((0_u16..40, 1_u32..20, 1_u32..5, 0_u32..12), 1..40),
    ) {
        let level = WaterLevel::new(64, HashKey([1; 16]));
        level.step(Some(supply), 1.0);
        let mut admitted = 0_u32;
        for second in 0..12_u32 {
            for (number, each, weight, from) in &asking {
                // Some begin later, some pulse.
                let asks = second >= *from && (weight % 2 == 0 || second % 3 != 0);
                for _ in 0..if asks { *each } else { 0 } {
                    let one = Amount::of(Credits::ONE);
                    admitted += u32::from(level.admits(&apart(*number), one, |_| *weight, NOW.plus(second)));
                }
            }
            level.step(Some(supply), 1.0);
            prop_assert!(
                f64::from(admitted) <= supply * (f64::from(second) + GUARANTEED_SECONDS) + 1.0,
                "{admitted} after {second} seconds of {supply}"
            );
        }
    }

    #[test]
    fn a_network_below_the_level_is_never_refused(
        heavy in proptest::collection::vec(20_u32..200, 1..12),
        light in 1_usize..8,
    ) {
        // What is left to the heavy ones is at least twice what each light one asks for.
        let supply = f64::from(u32::try_from(2 * heavy.len() + light).unwrap_or(u32::MAX));
        let level = WaterLevel::new(1_024, HashKey([1; 16]));
        level.step(Some(supply), 1.0);
        let mut asking: Vec<_> = (0..).zip(&heavy).map(|(number, each)| (apart(number), *each, 1)).collect();
        // They come last: what is left then is theirs.
        asking.extend((0..light).map(|number| (apart(1_000 + u16::try_from(number).unwrap_or(0)), 1, 1)));
        let got = served(&level, supply, 40, &asking);
        prop_assert!(got[heavy.len()..].iter().all(|visitor| *visitor == 20), "{got:?}");
    }
}
