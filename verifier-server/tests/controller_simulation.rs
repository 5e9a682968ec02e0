//! The controller against visitors and attackers, in simulated time: each claim is an attack that a simpler rule loses.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod simulation;

use simulation::{CAPACITY, CEILING, Fate, Random, TERMS, World, any_network, bought, neighbour, network, ratio};
use std::time::Duration;
use verifier_server::config::Mode;
use verifier_server::gate::price::{Controller, State};
use verifier_server::load::limit::Learning;
use verifier_server::load::{Answered, Capacity, Outcome, Queued};

const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;

/// Visitors who bring `mean` credits a second on average: pages of one credit with twenty parts of a tenth, from 500
/// networks.
fn crowd(world: &mut World, random: &mut Random, mean: f64) {
    for _ in 0..random.arrivals(mean / 3.0) {
        let from = format!("{:.0}", random.part() * 500.0).parse().unwrap();
        world.visit(&network(from), 3.0);
    }
}

#[test]
fn a_constant_load_below_capacity_never_meets_the_gate() {
    for (seed, part) in [(1, 0.2), (2, 0.5), (3, 0.8)] {
        for mut world in [World::new(), World::that_learns()] {
            let mut random = Random::new(seed);
            world.run(2 * HOUR, |world| crowd(world, &mut random, part * CAPACITY));
            assert_eq!(world.closed_at, [0; 0], "{part}");
        }
    }
}

#[test]
fn a_flash_crowd_within_capacity_never_meets_the_gate() {
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let mut world = World::new();
        world.run(600, |world| crowd(world, &mut random, 0.1 * CAPACITY));
        world.run(900, |world| crowd(world, &mut random, 0.9 * CAPACITY));
        world.run(600, |world| crowd(world, &mut random, 0.1 * CAPACITY));
        assert_eq!(world.closed_at, [0; 0], "seed {seed}");
        assert!(!world.controller.crowded(world.clock()));
    }
}

#[test]
fn a_ramp_of_visitors_is_met_once_and_let_go_once() {
    let mut random = Random::new(7);
    let mut world = World::new();
    let level = |second: u32| (1.5 - (f64::from(second) - 900.0).abs() / 600.0).max(0.1);
    world.run(1_800, |world| {
        let mean = level(world.seconds) * CAPACITY;
        crowd(world, &mut random, mean);
    });
    let (Some(closed), Some(opened)) = (world.closed_at.first(), world.opened_at.first()) else { panic!("never met") };
    assert_eq!((world.closed_at.len(), world.opened_at.len()), (1, 1));
    assert!((600..=650).contains(closed), "at {closed}, the capacity is reached at 600");
    assert!((1_430..=1_520).contains(opened), "at {opened}, 0.7 of it is reached at 1380 and held for a minute");
    assert!(world.highest_price() > 2 * TERMS.floor, "paying visitors beyond the capacity raise the price");
    assert_eq!(world.prices[1_379], TERMS.floor, "and it is back before the gate lets go");
}

#[test]
fn a_flood_that_never_pays_is_one_switch_on_and_one_off_and_stays_at_the_floor() {
    for mut world in [World::new(), World::that_learns()] {
        world.run(60, World::twenty_visitors);
        world.run(600, |world| {
            world.twenty_visitors();
            world.flood(1_000, 2.0);
        });
        let flood_ended = world.seconds;
        world.run(300, World::twenty_visitors);
        assert_eq!((world.closed_at.len(), world.opened_at.len()), (1, 1), "{:?}", world.closed_at);
        assert!(world.closed_at[0] <= 62, "to protect: {} s", world.closed_at[0] - 60);
        assert!(world.opened_at[0] <= flood_ended + 70, "to let go: {} s", world.opened_at[0] - flood_ended);
        assert_eq!(world.highest_price(), TERMS.floor, "who does not pay moves no price above the floor");
    }
}

#[test]
fn where_nothing_tells_the_capacity_the_price_never_rises_above_the_floor() {
    let mut world = World { configured: None, ..World::new() };
    world.surroundings.told_load = Some(1.0);
    for _ in 0..300 {
        (0..500).for_each(|number| world.visit(&network(number), 2.0));
        world.step();
    }
    assert_eq!((world.measured.capacity, world.price()), (None, TERMS.floor));
}

#[test]
fn what_a_site_did_before_brings_the_gate_down_and_never_the_price_up() {
    let at_least = CAPACITY / 10.0;
    let mut world = World { configured: None, at_least: Some(at_least), ..World::new() };
    for _ in 0..60 {
        (0..18).for_each(|number| {
            world.ask(&network(number), 1.0);
        });
        world.step();
    }
    assert!(!world.is_closed(), "more visitors than ever are no attack");
    for _ in 0..3 {
        (0..200).for_each(|number| {
            world.ask(&network(number), 1.0);
        });
        world.step();
    }
    assert!(world.is_closed(), "ten times as much as ever is");
    for _ in 0..300 {
        (0..500).for_each(|number| world.visit(&network(number), 2.0));
        world.step();
    }
    assert_eq!((world.measured.capacity, world.price()), (Some(Capacity::AtLeast(at_least)), TERMS.floor));
}

#[test]
fn pulses_on_the_hold_lengthen_it_to_half_an_hour_and_no_further() {
    let mut world = World::new();
    let mut open_seconds = 0;
    let mut pulse_until = 0;
    world.run(DAY / 4, |world| {
        world.twenty_visitors();
        if !world.is_closed() {
            open_seconds += 1;
            pulse_until = world.seconds + 15;
        }
        if world.seconds < pulse_until {
            world.flood(500, 4.0);
        }
    });
    assert_eq!(world.controller.hold(), Controller::HOLD_MAX);
    // 1, 2, 4, 8 and 16 minutes, then half hours.
    assert!(world.closed_at.len() <= 6 + 12, "{} times in six hours", world.closed_at.len());
    assert!(open_seconds < 60, "open to the flood for {open_seconds} s in six hours");
    assert_eq!(world.highest_price(), TERMS.floor);
    world.run(HOUR, World::twenty_visitors);
    assert_eq!(world.controller.state(), State::Calm);
    world.run(2, |world| world.flood(500, 4.0));
    assert_eq!(world.controller.hold(), Controller::HOLD_MIN, "after ten quiet minutes it begins anew");
}

#[test]
fn short_pulses_do_not_lengthen_the_hold() {
    let mut world = World::new();
    let mut pulse_until = 0;
    world.run(2 * HOUR, |world| {
        world.twenty_visitors();
        if !world.is_closed() {
            pulse_until = world.seconds + 3;
        }
        if world.seconds < pulse_until {
            world.flood(500, 4.0);
        }
    });
    assert_eq!(world.controller.hold(), Controller::HOLD_MIN);
}

#[test]
fn a_hoard_bought_at_the_floor_is_spent_at_the_price_that_its_spending_makes() {
    let mut world = World::new();
    world.run(30, |world| {
        world.twenty_visitors();
        world.flood(500, 1.0);
    });
    // A thousand full clearances, bought on a thousand networks at the floor, spent at ten times the capacity.
    let (mut hoard, mut served) = (100_000.0, 0.0);
    while hoard > 0.0 && world.seconds < 3_000 {
        world.twenty_visitors();
        world.flood(500, 1.0);
        for number in 0..1_000 {
            hoard -= world.pay(&network(number), 2.0, TERMS.floor);
            served += 2.0;
        }
        world.second();
    }
    assert!(served < 15_000.0, "{served} of 100,000 credits were served");
    let spent = world.seconds;
    let top = world.price();
    assert!(top > 8 * TERMS.floor, "{top}");
    world.run(60, |world| {
        world.twenty_visitors();
        world.flood(500, 1.0);
    });
    assert_eq!(world.price(), TERMS.floor, "a minute after {spent} it is as before");
}

#[test]
fn nobody_inflates_the_price_of_a_quiet_site() {
    for (networks, each) in [(1, 5_000.0), (50, 100.0)] {
        let mut world = World { mode: Mode::On, ..World::new() };
        // The origin is idle: what they ask for is answered at once.
        world.capacity = 1e6;
        world.run(600, |world| {
            world.visit(&network(60_001), 1.0);
            (0..networks).for_each(|number| world.visit(&network(number), each));
        });
        assert_eq!(world.highest_price(), TERMS.floor, "{networks} networks with {each} credits/s each");
    }
}

#[test]
fn a_rented_slash_16_moves_no_price_either() {
    let mut world = World { mode: Mode::On, ..World::new() };
    world.capacity = 1e6;
    world.run(600, |world| (0..=255).for_each(|number| world.visit(&neighbour(number), 100.0)));
    assert_eq!(world.highest_price(), TERMS.floor);
    assert!(world.measured.demand.paid < CAPACITY / 3.9, "{:?}", world.measured.demand);
}

#[test]
fn one_spent_clearance_asked_2000_times_a_second_closes_nothing_and_moves_nothing() {
    let mut world = World::new();
    let (mut served, mut challenged) = (0, 0);
    world.run(600, |world| {
        world.twenty_visitors();
        for _ in 0..2_000 {
            match world.ask(&network(1), 1.0) {
                Fate::Served => served += 1,
                Fate::Challenged => challenged += 1,
            }
        }
    });
    assert_eq!((world.closed_at.len(), world.highest_price()), (0, 0), "for everybody else it stays open");
    assert!(served <= 4_000, "{served} served, {challenged} challenged");
}

#[test]
fn a_hoard_bought_at_the_floor_moves_no_price_when_it_is_spent_on_assets_at_the_top() {
    let mut world = World::new();
    world.controller = Controller::resumed(100 * TERMS.floor, Duration::from_mins(30), Duration::ZERO);
    let mut prices = Vec::new();
    world.run(300, |world| {
        world.twenty_visitors();
        let kept = 0.1 / ratio(world.price(), TERMS.floor);
        // A thousand networks with a hundred assets each; the origin's cache answers them.
        for number in 0..1_000 {
            let amount = verifier_server::load::Amount::of_credits(100.0 * kept);
            let now = puzzle::UnixSeconds(1_800_000_000 + world.seconds);
            world.load.demand.pay(&network(number), amount, &verifier_server::load::demand::Unknown, now);
        }
        prices.push(world.price());
    });
    let settled = &prices[100..];
    let (low, high) = (settled.iter().min().unwrap(), settled.iter().max().unwrap());
    // 10,000 credits of assets a second are worth 0.9 of the capacity at 56 times the price that they were bought at.
    assert!(*low > 30 * TERMS.floor && *high < 80 * TERMS.floor, "{low} to {high}");
}

#[test]
fn bursts_of_220_a_second_from_one_address_do_not_close_the_site_in_a_day() {
    let mut world = World::new();
    let mut burst_until = 0;
    let mut visitors_challenged = 0;
    world.run(DAY, |world| {
        if !world.controller.crowded(world.clock()) && world.seconds >= burst_until + 5 {
            burst_until = world.seconds + 2;
        }
        if world.seconds < burst_until {
            for _ in 0..22 {
                world.ask(&network(1), 10.0);
            }
        }
        for number in 0..4 {
            visitors_challenged += u32::from(world.ask(&network(60_000 + number), 5.0) == Fate::Challenged);
        }
    });
    assert_eq!((world.closed_at.len(), visitors_challenged), (0, 0));
}

#[test]
fn whoever_is_above_their_own_cap_is_challenged_alone() {
    let mut world = World::new();
    let (mut loud_challenged, mut visitors_challenged) = (0, 0);
    world.run(300, |world| {
        for number in 0..20 {
            visitors_challenged += u32::from(world.ask(&network(60_000 + number), 1.0) == Fate::Challenged);
        }
        for _ in 0..300 {
            loud_challenged += u32::from(world.ask(&network(1), 1.0) == Fate::Challenged);
        }
    });
    assert_eq!((world.closed_at.len(), visitors_challenged), (0, 0));
    assert!(loud_challenged > 290 * 300, "{loud_challenged} of 90,000");
}

#[test]
fn a_flood_of_one_url_that_answers_500_neither_closes_the_gate_nor_spoils_the_estimate() {
    let mut world = World::that_learns();
    world.load.remember_capacity(CAPACITY);
    world.run(600, |world| {
        world.twenty_visitors();
        for number in 0..50 {
            let from = network(number);
            assert_eq!(world.ask(&from, 0.0), Fate::Served);
            let cost = verifier_server::load::Amount::of_credits(2.0);
            let error = Answered {
                network: &from,
                path: "/broken",
                cost,
                delay: Duration::from_millis(3),
                outcome: Outcome::Error,
            };
            let now = puzzle::UnixSeconds(1_800_000_000 + world.seconds);
            (0..4).for_each(|_| world.load.answered(&error, now));
        }
    });
    assert_eq!(world.closed_at, [0; 0]);
    assert_eq!(world.measured.failing_share, Some(0.0));
    assert!((world.known_capacity() - CAPACITY).abs() < 1.0, "{}", world.known_capacity());
    assert!(!world.measured.site_down);
}

#[test]
fn a_site_that_is_down_closes_the_gate_and_keeps_its_capacity() {
    let mut world = World::that_learns();
    world.load.remember_capacity(CAPACITY);
    world.run(60, World::twenty_visitors);
    for _ in 0..60 {
        let now = puzzle::UnixSeconds(1_800_000_000 + world.seconds);
        for number in 0..20 {
            for path in ["/", "/news", "/contact"] {
                let cost = verifier_server::load::Amount::of_credits(1.0);
                let from = network(60_000 + number);
                let error =
                    Answered { network: &from, path, cost, delay: Duration::from_secs(5), outcome: Outcome::Error };
                world.load.answered(&error, now);
            }
        }
        world.seconds += 1;
        world.step();
    }
    assert!(world.closed_at.first().is_some_and(|closed| *closed <= 64), "{:?}", world.closed_at);
    assert!(world.measured.site_down);
    assert_eq!(world.measured.origin.unwrap().learning, Learning::Frozen);
    assert!((world.known_capacity() - CAPACITY).abs() < 1.0);
    assert_eq!(world.price(), TERMS.floor);
}

#[test]
fn while_the_site_is_down_the_price_falls_by_five_per_cent_a_second_at_the_most() {
    let mut world = World::new();
    world.controller = Controller::resumed(100 * TERMS.floor, Duration::from_mins(30), Duration::ZERO);
    let mut before = world.price();
    for _ in 0..30 {
        // Requests that never come back, more of them than the limit lets wait.
        (0..50).for_each(|_| world.load.sent());
        world.seconds += 1;
        world.step();
        assert!(world.measured.site_down);
        assert!(world.price() * 100 >= before * 95 - 100, "{before} to {}", world.price());
        before = world.price();
    }
}

/// Attackers on so many networks with as many attempts a second in all as they like, who spend what they buy at once.
fn paying(world: &mut World, networks: u32, attempts: f64) -> f64 {
    let credits = bought(attempts, world.price().min(CEILING * 20));
    (0..networks).for_each(|number| world.visit(&network(number), credits / f64::from(networks)));
    credits
}

#[test]
fn against_attackers_who_pay_the_price_settles_where_all_they_buy_fits() {
    let mut world = World::new();
    // So much work that the capacity left by the visitors costs 8 times the floor.
    let attempts = 8.0 * f64::from(u32::try_from(TERMS.floor).unwrap()) * (0.9 * CAPACITY - 20.0) / 100.0;
    world.run(600, |world| {
        world.twenty_visitors();
        if world.is_closed() {
            paying(world, 1_000, attempts);
        } else {
            world.flood(1_000, 2.0);
        }
    });
    let settled = &world.prices[300..];
    let (low, high) = (settled.iter().min().unwrap(), settled.iter().max().unwrap());
    assert!(*low > 7 * TERMS.floor && *high < 9 * TERMS.floor, "{low} to {high}");
    assert_eq!(world.closed_at.len(), 1);
}

#[test]
fn a_capacity_that_halves_in_the_middle_of_an_attack_is_learned_and_priced() {
    let mut world = World::that_learns();
    let attempts = 4.0 * f64::from(u32::try_from(TERMS.floor).unwrap()) * CAPACITY / 100.0;
    let mut attack = |world: &mut World| {
        world.twenty_visitors();
        if world.is_closed() {
            paying(world, 1_000, attempts);
        } else {
            world.flood(1_000, 2.0);
        }
    };
    world.run(60, World::twenty_visitors);
    world.run(300, &mut attack);
    let (whole, before) = (world.known_capacity(), world.price());
    assert!((0.75 * CAPACITY..1.1 * CAPACITY).contains(&whole), "{whole}");
    world.capacity = CAPACITY / 2.0;
    world.run(120, &mut attack);
    let half = world.known_capacity();
    assert!((0.35 * CAPACITY..0.6 * CAPACITY).contains(&half), "{half}");
    assert!(world.price() * 10 > before * 14, "{before} to {}", world.price());
    assert_eq!(world.closed_at.len(), 1);
}

#[test]
fn waiting_visitors_raise_the_price_too() {
    let mut world = World::new();
    let queued = Queued { delay: Duration::from_secs(2), waiting: 400, in_use_peak: 20 };
    world.load.set_queued(Some(queued));
    world.run(2, World::twenty_visitors);
    assert_eq!(world.closed_at, [1], "on after a second of it");
    world.run(60, |world| (0..150).for_each(|number| world.visit(&network(number), 1.0)));
    assert!(world.price() > 100 * TERMS.floor, "five sixths of the load, but they wait: {}", world.price());
    assert!(world.highest_price() <= 10 * CEILING, "ten ceilings and no more");
}

#[test]
fn a_program_that_says_the_load_is_full_closes_the_gate_and_its_silence_opens_it() {
    let mut world = World::new();
    world.surroundings.told_load = Some(1.0);
    world.run(30, World::twenty_visitors);
    world.surroundings.told_load = None;
    world.run(120, World::twenty_visitors);
    assert_eq!((world.closed_at, world.opened_at), (vec![1], vec![91 - 1]));
}

#[test]
fn mode_on_pins_the_floor_and_mode_off_opens_at_once() {
    let mut world = World { mode: Mode::On, ..World::new() };
    world.run(10, World::twenty_visitors);
    assert_eq!((world.price(), world.controller.state()), (TERMS.floor, State::Calm));
    world.run(30, |world| (0..500).for_each(|number| world.visit(&network(number), 2.0)));
    assert!(world.price() > 100 * TERMS.floor, "and otherwise it follows the load");
    world.mode = Mode::Off;
    world.run(1, World::twenty_visitors);
    assert_eq!((world.price(), world.controller.state()), (0, State::Calm));
    world.mode = Mode::Auto;
    world.run(60, World::twenty_visitors);
    assert_eq!(world.price(), 0);
}

#[test]
fn a_gate_that_was_down_goes_on_for_its_hold() {
    let mut world = World::new();
    world.controller = Controller::resumed(3 * TERMS.floor, Duration::from_mins(2), Duration::ZERO);
    assert_eq!(world.price(), 3 * TERMS.floor);
    world.run(300, World::twenty_visitors);
    assert_eq!(world.opened_at, [120]);
}

#[test]
fn a_hundred_thousand_attacking_networks_take_no_memory() {
    let resident_kib = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let mut world = World::new();
    let mut random = Random::new(11);
    let mut storm = |world: &mut World, networks: f64| {
        for _ in 0..2_000 {
            let from = any_network(format!("{:.0}", random.part() * networks).parse().unwrap());
            world.ask(&from, 1.0);
            world.load.demand.pay(
                &from,
                verifier_server::load::Amount::of_credits(1.0),
                &verifier_server::load::demand::Unknown,
                puzzle::UnixSeconds(1_800_000_000 + world.seconds),
            );
        }
    };
    world.run(10, |world| storm(world, 1_000.0));
    let before = resident_kib();
    world.run(200, |world| storm(world, 100_000.0));
    let after = resident_kib();
    assert!(after < before + 6 * 1024, "{before} KiB, then {after} KiB");
    assert!(world.measured.demand.offered > 1_500.0, "{:?}", world.measured.demand);
    // A newcomer among them is nobody's neighbour.
    assert!(!world.load.demand.is_above_cap(&network(65_000), puzzle::UnixSeconds(1_800_000_000 + world.seconds)));
}

#[test]
fn the_same_seed_gives_the_same_prices() {
    let play = |seed| {
        let (mut world, mut random) = (World::that_learns(), Random::new(seed));
        world.run(120, |world| crowd(world, &mut random, 60.0));
        world.run(120, |world| {
            crowd(world, &mut random, 60.0);
            paying(world, 1_000, 2e9);
        });
        (world.prices, world.measured)
    };
    let first = play(1);
    assert!(first.0.iter().any(|price| *price > TERMS.floor));
    assert_eq!(first, play(1));
    assert_ne!(first, play(2));
}
