//! The decision core as a whole, with time and randomness as arguments: no socket, no sleep.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stage;

use puzzle::{Credits, Day, Refusal, UnixSeconds};
use stage::{HOME, NOW, Stage, network};
use verifier_server::config::Mode;
use verifier_server::gate::entry::{Entry, Kind, NetworkMark, Networks, Payment};
use verifier_server::gate::{Decision, PaidAgain, Redeemed, Worth};

const SITE: &str = "[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\norigin = \"http://127.0.0.1:1\"\n";
const CHEAP: &str = "[challenge]\ncount = 2\ndifficulty = 64\n";

#[test]
fn a_solution_buys_one_clearance_however_often_it_is_sent() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    let paid = stage.solve("/", HOME, NOW);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(|| stage.redeem(&paid, HOME, NOW).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let Redeemed::Clearance { id, credits: 100, expires_in: 1800, .. } = ids[0] else { panic!("{:?}", ids[0]) };
    assert!(ids.iter().all(|redeemed| matches!(redeemed, Redeemed::Clearance { id: other, .. } if *other == id)));
    assert_eq!(stage.gate.table_fill().0, 1);

    let admitted = (0..200).take_while(|_| stage.get("/", HOME, &[id], NOW) == Decision::Paid).count();
    assert_eq!(admitted, 90, "one budget of 100 credits, a tenth in reserve");
    assert_eq!(stage.redeem(&paid, HOME, NOW), Err(Refusal::Used));
}

#[test]
fn each_check_refuses_in_its_place() {
    let stage = Stage::new(&format!(
        "mode = \"on\"\n{SITE}[[site]]\nname = \"other\"\nhosts = [\"other.test\"]\norigin = \"http://127.0.0.1:1\"\n{CHEAP}"
    ));
    let paid = stage.solve("/", HOME, NOW);
    assert_eq!(stage.redeem_at("other.test", &paid, HOME, NOW), Err(Refusal::WrongSite));
    assert_eq!(stage.redeem(&paid, HOME, NOW.plus(300)), Err(Refusal::Expired));
    assert_eq!(stage.redeem(&paid.unsolved(), HOME, NOW), Err(Refusal::Unsolved));
    assert_eq!(stage.redeem(&paid.with_bit_flipped(500), HOME, NOW), Err(Refusal::Forged));
    assert_eq!(stage.redeem(&paid.with_bit_flipped(0), HOME, NOW), Err(Refusal::Malformed));
    assert!(stage.redeem(&paid, HOME, NOW.plus(299)).is_ok(), "no refusal spoils a solution");
}

#[test]
fn what_was_issued_before_the_table_begins_is_expired() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    let paid = stage.solve("/", HOME, UnixSeconds(NOW.0 - 1));
    assert_eq!(stage.redeem(&paid, HOME, NOW), Err(Refusal::Expired));
}

#[test]
fn a_clearance_of_another_site_is_as_if_absent() {
    let stage = Stage::new(&format!(
        "mode = \"on\"\n{SITE}[[site]]\nname = \"other\"\nhosts = [\"other.test\"]\norigin = \"http://127.0.0.1:1\"\n{CHEAP}"
    ));
    let id = stage.buy("/", HOME, NOW);
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Paid);
    assert_eq!(stage.get_at("other.test", "/", HOME, &[id], NOW), Decision::Challenged);
}

#[test]
fn an_idle_gate_sells_nothing_and_asks_nothing() {
    for mode in ["off", "auto"] {
        let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
        let paid = stage.solve("/", HOME, NOW);
        stage.gate.set_mode(Mode::parse(mode).unwrap());
        assert_eq!(stage.redeem(&paid, HOME, NOW), Ok(Redeemed::NotNeeded), "{mode}");
        assert_eq!(
            stage.redeem(&paid.with_bit_flipped(500), HOME, NOW),
            Ok(Redeemed::NotNeeded),
            "{mode}: the MAC is not looked at"
        );
        assert_eq!(stage.get("/", HOME, &[], NOW), Decision::Free, "{mode}");
        assert_eq!(stage.worth("/", HOME, &[], NOW), Worth::NotNeeded, "{mode}");
        assert_eq!(stage.gate.table_fill().0, 0, "{mode}");
    }
}

#[test]
fn a_standing_challenge_is_sold_while_the_price_is_zero() {
    let rule = "[[rule]]\npath = \"/login\"\naction = \"challenge\"\n";
    let stage = Stage::new(&format!("mode = \"auto\"\n{SITE}{CHEAP}{rule}"));
    assert_eq!(stage.get("/", HOME, &[], NOW), Decision::Free);
    assert_eq!(stage.get("/login", HOME, &[], NOW), Decision::Challenged);
    let id = stage.buy("/login", HOME, NOW);
    assert_eq!(stage.get("/login", HOME, &[id], NOW), Decision::Paid);
    let late = stage.solve("/login", HOME, NOW);
    stage.gate.set_mode(Mode::Off);
    assert_eq!(stage.redeem(&late, HOME, NOW), Ok(Redeemed::NotNeeded), "nor is anything sold");
    assert_eq!(stage.get("/login", HOME, &[], NOW), Decision::Free, "in mode off only deny acts");
}

#[test]
fn standing_sales_take_a_quarter_of_the_table_and_leave_the_rest() {
    let rule = "[[rule]]\npath = \"/login\"\naction = \"challenge\"\n";
    let cheap = "[challenge]\ncount = 1\ndifficulty = 1\n";
    let stage = Stage::new(&format!("mode = \"auto\"\ntable_mib = 1\n{SITE}{cheap}{rule}"));
    let slots = stage.gate.table_fill().1;
    let mut sold = 0;
    for number in 0..slots / 2 {
        let from = network(u8::try_from(number % 200).unwrap());
        match stage.redeem(&stage.solve("/login", from, NOW), from, NOW) {
            Ok(_) => sold += 1,
            Err(refusal) => assert_eq!(refusal, Refusal::Busy),
        }
    }
    assert_eq!(sold, slots / 4);
    stage.gate.set_mode(Mode::On);
    let id = stage.buy("/", HOME, NOW);
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Paid, "an attack is still paid for");
}

#[test]
fn mode_auto_asks_what_the_controller_says_and_nothing_once_it_lets_go() {
    let stage = Stage::new(&format!("mode = \"auto\"\n{SITE}{CHEAP}"));
    let early = stage.solve("/", HOME, NOW);
    stage.step(Some(1.0), NOW.plus(1));
    assert_eq!(stage.price(), 128, "the floor");
    assert_eq!(stage.get("/", HOME, &[], NOW.plus(1)), Decision::Challenged);
    let id = stage.buy("/", HOME, NOW.plus(1));
    assert_eq!(stage.get("/", HOME, &[id], NOW.plus(1)), Decision::Paid);
    assert_eq!(
        stage.redeem(&early, HOME, NOW.plus(1)),
        Err(Refusal::Outpriced),
        "a challenge of one attempt buys nothing"
    );
    (2..=61).for_each(|second| stage.step(None, NOW.plus(second)));
    assert_eq!(stage.price(), 0, "after a hold of a minute");
    assert_eq!(stage.get("/", HOME, &[], NOW.plus(61)), Decision::Free);
}

#[test]
fn pages_that_began_before_the_gate_went_down_come_whole() {
    let rule = "[[rule]]\npath = \"/static/**\"\nasset = true\n";
    let stage = Stage::new(&format!("mode = \"auto\"\n{SITE}{CHEAP}{rule}"));
    let stranger = network(9);
    assert_eq!(stage.get("/", HOME, &[], NOW), Decision::Free);
    stage.step(Some(1.0), NOW.plus(1));
    let parts = |from, second| {
        let part = |_: &i32| stage.get("/static/a.css", from, &[], NOW.plus(second)) == Decision::Free;
        (0..100).filter(part).count()
    };
    assert_eq!(stage.get("/", HOME, &[], NOW.plus(1)), Decision::Challenged, "the next page is not one of them");
    assert_eq!(parts(stranger, 1), 0, "nor has a part without a page any claim");
    assert_eq!(parts(HOME, 2), 60);
    assert_eq!(parts(HOME, 3), 0);
    let late = Stage::new(&format!("mode = \"auto\"\n{SITE}{CHEAP}{rule}"));
    assert_eq!(late.get("/", HOME, &[], NOW), Decision::Free);
    late.step(Some(1.0), NOW.plus(1));
    assert_eq!(late.get("/static/a.css", HOME, &[], NOW.plus(6)), Decision::Challenged);
}

#[test]
fn a_network_above_its_own_cap_is_challenged_alone_and_what_it_buys_is_good() {
    let site = format!("{SITE}capacity_per_second = 100\n");
    let stage = Stage::new(&format!("mode = \"auto\"\n{site}{CHEAP}"));
    let loud = network(1);
    for second in 0..10 {
        for _ in 0..300 {
            let _ = stage.get("/", loud, &[], NOW.plus(second));
        }
        assert_eq!(stage.get("/", HOME, &[], NOW.plus(second)), Decision::Free, "everybody else passes");
        stage.step(None, NOW.plus(second + 1));
    }
    let now = NOW.plus(10);
    assert_eq!(stage.price(), 0, "the site itself asks nothing");
    assert_eq!(stage.get("/", loud, &[], now), Decision::Challenged);
    assert_eq!(stage.worth("/", loud, &[], now), Worth::Lacking);
    assert_eq!(stage.worth("/", HOME, &[], now), Worth::NotNeeded);
    let id = stage.buy("/", loud, now);
    assert_eq!(stage.get("/", loud, &[id], now), Decision::Paid);
    assert_eq!(stage.get("/", loud, &[], now.plus(60)), Decision::Free, "a minute later it is a visitor like others");
}

#[test]
fn a_spent_clearance_asked_2000_times_a_second_moves_no_price() {
    let site = format!("{SITE}capacity_per_second = 100\n");
    let stage = Stage::new(&format!("mode = \"on\"\n{site}{CHEAP}"));
    let id = stage.buy("/", HOME, NOW);
    for second in 0..20 {
        for _ in 0..2_000 {
            let _ = stage.get("/", HOME, &[id], NOW.plus(second));
        }
        stage.step(None, NOW.plus(second + 1));
        assert_eq!(stage.price(), 128);
    }
}

#[test]
fn a_gate_that_was_down_when_its_process_ended_begins_down_at_that_price() {
    let site = format!("{SITE}capacity_per_second = 10\n");
    let config = format!("mode = \"auto\"\n{site}{CHEAP}[clearance]\ncredits = 1000\n");
    let before = Stage::new(&config);
    before.step(Some(1.0), NOW.plus(1));
    let ids: Vec<_> = (0..200).map(|number| (number, before.buy("/", network(number), NOW.plus(1)))).collect();
    for second in 2..8 {
        for (number, id) in &ids {
            let _ = before.get("/", *number, &[*id], NOW.plus(second));
        }
        let delay = std::time::Duration::from_secs(2);
        before.load().set_queued(Some(verifier_server::load::Queued { delay, waiting: 400, in_use_peak: 20 }));
        before.step(Some(1.0), NOW.plus(second));
    }
    assert!(before.price() > 128, "{}", before.price());
    let after = Stage::new(&config);
    after.resume(&before, NOW.plus(20));
    assert_eq!(after.price(), before.price());
    assert_eq!(after.get("/", HOME, &[], NOW.plus(20)), Decision::Challenged);
    let late = Stage::new(&config);
    late.resume(&before, NOW.plus(20));
    (21..=80).for_each(|second| late.step(None, NOW.plus(second)));
    assert_eq!(late.price(), 0, "and lets go after its hold");
}

#[test]
fn when_the_floor_rises_nothing_lapses_and_everything_buys_less() {
    let cheap = format!("mode = \"on\"\n{SITE}{CHEAP}");
    let dear = cheap.replace("difficulty = 64", "difficulty = 640");
    let mut stage = Stage::new(&cheap);
    let early = stage.buy("/", HOME, NOW);
    let waiting = stage.solve("/", HOME, NOW);
    stage.configure(&dear);
    let Ok(Redeemed::Clearance { id, credits: 10, .. }) = stage.redeem(&waiting, HOME, NOW) else {
        panic!("a tenth of the price buys ten credits")
    };
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Paid);
    let pages = (0..100).take_while(|_| stage.get("/", HOME, &[early], NOW) == Decision::Paid).count();
    assert_eq!(pages, 9, "each page costs ten of the credits bought at a tenth of the price");

    stage.configure(&cheap.replace("difficulty = 64", "difficulty = 1281"));
    let late = {
        stage.configure(&cheap);
        stage.solve("/", network(9), NOW)
    };
    stage.configure(&cheap.replace("difficulty = 64", "difficulty = 1281"));
    assert_eq!(stage.redeem(&late, network(9), NOW), Err(Refusal::Outpriced), "below a twentieth nothing is sold");
    stage.configure(&cheap);
    assert!(stage.redeem(&late, network(9), NOW).is_ok(), "and the work is not lost");
}

#[test]
fn further_networks_pay_a_toll_and_strict_ones_are_refused() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    let id = stage.buy("/", HOME, NOW);
    for round in 0..10 {
        assert_eq!(stage.get("/", network(round % 2), &[id], NOW), Decision::Paid);
    }
    let Worth::Admits { credits, .. } = stage.worth("/", HOME, &[id], NOW) else { panic!("not admitted") };
    assert_eq!(credits, 100 - 10 - 10, "ten pages and one toll");

    let strict = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}[clearance]\nbind = \"strict\"\n"));
    let paid = strict.solve("/", HOME, NOW);
    assert_eq!(strict.redeem(&paid, network(1), NOW), Err(Refusal::WrongClient));
    let Ok(Redeemed::Clearance { id, .. }) = strict.redeem(&paid, HOME, NOW) else { panic!("not sold") };
    assert_eq!(strict.get("/", HOME, &[id], NOW), Decision::Paid);
    assert_eq!(strict.get("/", network(1), &[id], NOW), Decision::Challenged);
}

#[test]
fn a_clearance_survives_a_change_of_the_masters() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    let id = stage.buy("/", HOME, NOW);
    let paid = stage.solve("/", HOME, NOW);
    stage.rotate();
    assert_eq!(stage.get("/", HOME, &[id], NOW), Decision::Paid);
    let Worth::Admits { credits: 99, .. } = stage.worth("/", HOME, &[id], NOW) else {
        panic!("a toll was taken for the change")
    };
    let first = stage.redeem(&paid, HOME, NOW).unwrap();
    let Redeemed::Clearance { id, .. } = first else { panic!("{first:?}") };
    assert!(matches!(stage.redeem(&paid, HOME, NOW), Ok(Redeemed::Clearance { id: again, .. }) if again == id));
}

#[test]
fn keys_are_those_of_the_day_of_issue_across_midnight() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    let before_midnight = UnixSeconds((NOW.0 / 86_400 + 1) * 86_400 - 10);
    stage.gate.tick(before_midnight);
    let paid = stage.solve("/", HOME, before_midnight);
    let id = stage.buy("/", HOME, before_midnight);
    let after = before_midnight.plus(20);
    stage.gate.tick(after);
    assert!(stage.redeem(&paid, HOME, after).is_ok());
    assert_eq!(stage.get("/", HOME, &[id], after), Decision::Paid);
    let Worth::Admits { credits: 99, .. } = stage.worth("/", HOME, &[id], after) else {
        panic!("midnight cost a toll")
    };
}

#[test]
fn the_saved_table_is_read_once_and_only_with_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    let paid = stage.solve("/", HOME, NOW);
    let first = stage.redeem(&paid, HOME, NOW).unwrap();
    assert_eq!(stage.gate.save_table(folder.path(), NOW).unwrap(), 1);
    assert!(Stage::saved(folder.path(), [9; 32]).is_err(), "another secret");
    assert!(Stage::saved(folder.path(), stage::MASTER).unwrap().is_none(), "and it is gone");

    stage.gate.save_table(folder.path(), NOW).unwrap();
    let saved = Stage::saved(folder.path(), stage::MASTER).unwrap().unwrap();
    assert!(Stage::saved(folder.path(), stage::MASTER).unwrap().is_none());
    let revived = stage.revived(saved);
    let again = revived.redeem(&paid, HOME, NOW).unwrap();
    let (Redeemed::Clearance { id, .. }, Redeemed::Clearance { id: same, solved_in: None, .. }) = (first, again) else {
        panic!("sold twice")
    };
    assert!(id == same);
}

#[test]
fn a_damaged_table_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    stage.buy("/", HOME, NOW);
    stage.gate.save_table(folder.path(), NOW).unwrap();
    let file = folder.path().join("table");
    let whole = std::fs::read(&file).unwrap();
    for damage in [0, 20, 40, 90, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[damage] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        assert!(Stage::saved(folder.path(), stage::MASTER).is_err(), "byte {damage}");
    }
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert!(Stage::saved(folder.path(), stage::MASTER).is_err());
}

#[test]
fn a_table_that_fills_sells_dearer_and_refuses_in_the_end() {
    let stage = Stage::new(&format!("mode = \"on\"\ntable_mib = 1\n{SITE}[challenge]\ncount = 1\ndifficulty = 1\n"));
    let slots = stage.gate.table_fill().1;
    let mut refusals = std::collections::BTreeSet::new();
    let mut sold = 0;
    for number in 0..slots + slots / 4 {
        match stage.redeem(&stage.solve("/", network(u8::try_from(number % 200).unwrap()), NOW), HOME, NOW) {
            Ok(_) => sold += 1,
            Err(refusal) => {
                refusals.insert(refusal.code());
            }
        }
    }
    assert!(sold > slots / 4 && sold <= slots, "{sold} of {slots}");
    assert_eq!(stage.gate.table_fill().0, sold, "nobody was forgotten");
    assert!(refusals.iter().all(|code| ["busy", "outpriced"].contains(code)), "{refusals:?}");
    assert!(!refusals.is_empty());
}

#[test]
fn what_a_clearance_admits_is_that_of_the_vectors() {
    let vectors: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vectors.json")).unwrap(),
    )
    .unwrap();
    let admits: Vec<_> =
        vectors["arithmetic"].as_array().unwrap().iter().filter(|vector| vector["kind"] == "admits").collect();
    assert!(admits.len() >= 10);
    for vector in admits {
        let number = |field: &str| vector[field].as_i64().unwrap();
        let ratio: f64 = vector["navigation_ratio"].as_str().unwrap().parse().unwrap();
        let after_navigation = vector["after_navigation"].as_bool().unwrap();
        let home = NetworkMark { v6: false, hash: 1, old_hash: None };
        let mut networks = Networks::default();
        networks.visit(home);
        let mut entry = Entry {
            begun: Credits::hundredths(u32::try_from(number("begun_hundredths")).unwrap()),
            left: i32::try_from(number("left_hundredths")).unwrap(),
            price_paid: 1000,
            expires_at: NOW.plus(100),
            keep_seconds: 600,
            issued_day: Day(1),
            site: 0,
            standing: false,
            networks,
            navigated_at: if after_navigation { NOW } else { UnixSeconds(0) },
            navigation_ratio: format!("{:.0}", ratio.min(600.0) * 100.0).parse().unwrap(),
            dropped_at: UnixSeconds(0),
            pass: 0,
        };
        let charge = Credits::hundredths(u32::try_from(number("charge_hundredths")).unwrap());
        let kind = match vector["request"].as_str().unwrap() {
            "navigation" => Kind::Navigation,
            "asset" => Kind::Asset,
            "unsafe" => Kind::Unsafe,
            other => panic!("{other}"),
        };
        // An asset's charge follows from the ratio of prices, any other's is its cost.
        let route_price = if kind == Kind::Asset { u64::from(charge.in_hundredths()) * 100 } else { 1000 };
        let payment = Payment { kind, cost: charge, route_price, network: home, strict: false };
        assert_eq!(entry.pay(&payment, NOW), vector["admitted"].as_bool().unwrap(), "{}", vector["name"]);
        assert_eq!(i64::from(entry.left), number("left_after_hundredths"), "{}", vector["name"]);
    }
}

#[test]
fn who_solves_what_is_asked_gets_a_full_clearance_however_much_the_network_bought() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}[challenge]\ncount = 1\ndifficulty = 100\n"));
    let mut asked = Vec::new();
    for number in 0..10 {
        let paid = stage.solve("/", HOME, NOW.plus(number));
        asked.push(paid.work());
        let redeemed = stage.redeem(&paid, HOME, NOW.plus(number + 1)).unwrap();
        assert!(matches!(redeemed, Redeemed::Clearance { credits: 100, .. }), "number {number}: {redeemed:?}");
    }
    assert_eq!((asked[0], asked[3], asked[8]), (100, 200, 299), "the root of what was bought, and of its decay");
    assert_eq!(stage.solve("/", network(1), NOW).work(), 100, "a neighbour in the next /24");
    assert_eq!(stage.solve("/", HOME, NOW.plus(3_600)).work(), 100, "an hour later");
}

#[test]
fn several_tabs_behind_one_address_all_get_a_clearance() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}"));
    let tabs: Vec<_> = (0..4).map(|_| stage.solve("/", HOME, NOW)).collect();
    let credits = tabs.iter().map(|paid| match stage.redeem(paid, HOME, NOW) {
        Ok(Redeemed::Clearance { credits, .. }) => credits,
        other => panic!("{other:?}"),
    });
    assert_eq!(credits.collect::<Vec<_>>(), [100, 70, 60, 54], "each did the work of the single price");
    // All at once they are treated like one after the other, and never worse.
    let tabs: Vec<_> = (0..16).map(|_| stage.solve("/", network(1), NOW)).collect();
    let sold: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = tabs.iter().map(|paid| scope.spawn(|| stage.redeem(paid, network(1), NOW))).collect();
        let redeemed = threads.into_iter().map(|thread| thread.join().unwrap().unwrap());
        redeemed.map(|redeemed| if let Redeemed::Clearance { credits, .. } = redeemed { credits } else { 0 }).sum()
    });
    assert!((700..=1_600).contains(&sold), "{sold}");
}

#[test]
fn what_fails_or_is_sent_again_moves_no_networks_price() {
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}[challenge]\ncount = 1\ndifficulty = 100\n"));
    let price = || stage.solve("/", HOME, NOW).work();
    let paid = stage.solve("/", HOME, NOW);
    for _ in 0..100 {
        assert_eq!(stage.redeem(&paid.unsolved(), HOME, NOW), Err(Refusal::Unsolved));
        assert_eq!(stage.redeem(&paid.with_bit_flipped(500), HOME, NOW), Err(Refusal::Forged));
        assert_eq!(stage.redeem(&paid, HOME, NOW.plus(300)), Err(Refusal::Expired));
    }
    assert_eq!(price(), 100);
    stage.redeem(&paid, HOME, NOW).unwrap();
    assert_eq!(price(), 141, "one full clearance");
    for _ in 0..100 {
        stage.redeem(&paid, HOME, NOW).unwrap();
    }
    assert_eq!(price(), 141, "and the same one sent again");
}

#[test]
fn an_idle_gate_learns_from_what_it_lets_pass_and_from_nothing_else() {
    let rules = "[[rule]]\npath = \"/open\"\naction = \"allow\"\n[[rule]]\npath = \"/no\"\naction = \"deny\"\n\
                 [[rule]]\npath = \"/login\"\naction = \"challenge\"\n";
    let stage = Stage::new(&format!("mode = \"auto\"\n{SITE}{CHEAP}{rules}"));
    for minute in 0..120 {
        let now = NOW.plus(minute * 60);
        stage.gate.tick(now);
        for _ in 0..100 {
            let _ = stage.get("/", HOME, &[], now);
            for path in ["/open", "/no", "/login"] {
                let _ = stage.get(path, network(1), &[], now);
            }
        }
    }
    assert!(stage.learned_rate(HOME) > 0.02, "{}", stage.learned_rate(HOME));
    assert!(stage.learned_rate(network(1)) <= 0.0);
}

#[test]
fn what_lasts_costs_its_route_again_each_time_and_moves_no_demand() {
    let rule = "[[rule]]\npath = \"/live\"\ncost = 3\n";
    let stage = Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}{rule}"));
    let id = stage.buy("/live", HOME, NOW);
    let credits = || match stage.worth("/", HOME, &[id], NOW) {
        Worth::Admits { credits, .. } => credits,
        other => panic!("{other:?}"),
    };
    let receipt = stage.charged("/live", HOME, id, NOW);
    assert_eq!(credits(), 97);
    stage.step(None, NOW.plus(1));
    for minute in 1..=10 {
        assert_eq!(stage.pay_again(&receipt, 1, NOW.plus(60 * minute)), PaidAgain::Paid);
    }
    assert_eq!(credits(), 67);
    stage.step(None, NOW.plus(2));
    assert!(stage.load().last().demand.paid.abs() < 1e-9, "a stream takes no work: it raises nobody's price");
    assert_eq!(stage.pay_again(&receipt, 20, NOW), PaidAgain::Lacking, "the reserve of ten is for forms");
    assert_eq!(credits(), 67);
    stage.gate.set_mode(Mode::Off);
    assert_eq!(stage.pay_again(&receipt, 20, NOW), PaidAgain::Free);
}
