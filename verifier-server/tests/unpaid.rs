//! What passes unpaid while others pay, and what is paid where nothing can queue: never more than its part of the capacity.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stage;

use puzzle::{ClearanceId, ClientNetwork, Refusal, UnixSeconds};
use stage::{Asked, HOME, NOW, Stage, client_network, network};
use verifier_server::config::Mode;
use verifier_server::gate::{Decision, Right, TICKET_SECONDS, TicketOffer, Unpaid, Worth};

const SITE: &str =
    "[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\norigin = \"http://127.0.0.1:1\"\ncapacity_per_second = 200\n";
const CHEAP: &str = "[challenge]\ncount = 1\ndifficulty = 4\n";
const OPEN: &str = "[[rule]]\npath = \"/open\"\naction = \"allow\"\n";
const CALLBACK: &str = "[[rule]]\npath = \"/callback\"\naction = \"allow\"\nreserve_per_second = 10\n";

fn stage(rest: &str) -> Stage {
    Stage::new(&format!("mode = \"on\"\n{SITE}{CHEAP}{rest}"))
}

/// One of many networks, each in a /16 of its own.
fn apart(number: u32) -> ClientNetwork {
    let [_, _, high, low] = number.to_be_bytes();
    ClientNetwork::of([high, low, 9, 1].into())
}

/// A ticket of the page for `asked`, and when it is good.
fn ticket(stage: &Stage, asked: &Asked<'_>, now: UnixSeconds) -> ([u8; 64], u32) {
    match stage.offer(asked, now) {
        Some(TicketOffer::New { ticket, wait_seconds }) => (*ticket.bytes(), wait_seconds),
        other => panic!("{other:?}"),
    }
}

/// How many of `asking` are admitted in `seconds`, each `times` a second.
fn admitted(stage: &Stage, asking: &[Asked<'_>], times: u32, from: UnixSeconds, seconds: u32) -> u32 {
    let mut admitted = 0;
    for second in 0..seconds {
        let now = from.plus(second);
        for _ in 0..times {
            for asked in asking {
                let met = stage.meet(asked, now);
                admitted += u32::from(matches!(met.decision, Decision::Unpaid | Decision::Reserved | Decision::Paid));
            }
        }
        stage.step(None, now.plus(1));
    }
    admitted
}

#[test]
fn an_idle_gate_counts_and_bounds_nothing() {
    let stage = Stage::new(&format!("mode = \"auto\"\n{SITE}{CHEAP}{OPEN}{CALLBACK}"));
    for path in ["/open", "/callback", "/"] {
        for preflight in [false, true] {
            let asked = Asked { path, preflight, ..Asked::default() };
            for _ in 0..100 {
                let met = stage.meet(&asked, NOW);
                assert_eq!((met.decision, met.unpaid), (Decision::Free, None), "{path}");
            }
        }
    }
    assert_eq!(stage.supplies().unpaid.admitted, 0);
    assert_eq!(stage.offer(&Asked::default(), NOW), None, "and nobody gets a cookie");
}

#[test]
fn an_allowed_path_beyond_the_share_meets_what_a_path_without_rule_would() {
    let stage = stage(OPEN);
    let loud = Asked { path: "/open", ..Asked::default() };
    let first = stage.meet(&loud, NOW);
    assert_eq!(first.decision, Decision::Unpaid);
    assert_eq!(first.unpaid, Some(Unpaid { right: Right::Allowed, admitted: true }));
    let passed = (0..1_000).filter(|_| stage.meet(&loud, NOW).decision == Decision::Unpaid).count();
    assert!((19..=40).contains(&passed), "{passed}: a tenth of 200, and a second of it at once");
    let refused = stage.meet(&loud, NOW);
    assert_eq!(refused.decision, Decision::Challenged);
    assert_eq!(refused.unpaid, Some(Unpaid { right: Right::Allowed, admitted: false }));
    assert_eq!(stage.worth("/open", HOME, &[], NOW), Worth::Lacking, "the page does not leave before there is room");
    let id = stage.buy("/", HOME, NOW);
    assert_eq!(stage.meet(&Asked { ids: &[id], ..loud }, NOW).decision, Decision::Paid);
    assert!(matches!(stage.worth("/open", HOME, &[id], NOW), Worth::Admits { credits: 99, .. }));
    assert_eq!(stage.worth("/open", HOME, &[], NOW.plus(10)), Worth::NotNeeded);
}

#[test]
fn a_preflight_beyond_the_share_is_busy_and_never_challenged() {
    let stage = stage("");
    let asked = Asked { preflight: true, ..Asked::default() };
    let decisions: Vec<Decision> = (0..1_000).map(|_| stage.meet(&asked, NOW).decision).collect();
    let passed = decisions.iter().filter(|decision| **decision == Decision::Unpaid).count();
    assert!((19..=40).contains(&passed), "{passed}");
    assert!(decisions[passed..].iter().all(|decision| *decision == Decision::Busy));
}

#[test]
fn a_flood_of_an_allowed_path_leaves_others_their_share() {
    let stage = stage(OPEN);
    let flood: Vec<Asked<'_>> =
        (0..50).map(|number| Asked { path: "/open", network: apart(number), ..Asked::default() }).collect();
    let feed = Asked { path: "/open", network: apart(1_000), ..Asked::default() };
    let mut served = 0;
    for second in 0..60 {
        let now = NOW.plus(second);
        admitted(&stage, &flood, 20, now, 1);
        // Once in ten seconds, well below what every network gets.
        served += u32::from(second % 10 == 9 && stage.meet(&feed, now.plus(1)).decision == Decision::Unpaid);
    }
    assert_eq!(served, 6);
    let report = stage.supplies().unpaid;
    assert!(report.admitted <= 20 * 62, "{report:?}");
    assert!((0.3..=0.5).contains(&report.level.unwrap()), "{report:?}: 20 for 50 networks");
}

#[test]
fn a_reserve_is_there_whatever_others_ask_for_and_works_without_a_capacity() {
    for (capacity, least) in [("capacity_per_second = 200\n", 590), ("", 590)] {
        let site = SITE.replace("capacity_per_second = 200\n", capacity);
        let stage = Stage::new(&format!("mode = \"on\"\n{site}{CHEAP}{OPEN}{CALLBACK}"));
        let flood: Vec<Asked<'_>> =
            (0..50).map(|number| Asked { path: "/open", network: apart(number), ..Asked::default() }).collect();
        let callback = Asked { path: "/callback", network: apart(1_000), ..Asked::default() };
        let mut reserved = 0;
        for second in 0..60 {
            let now = NOW.plus(second);
            admitted(&stage, &flood, 10, now, 1);
            reserved += (0..10).filter(|_| stage.meet(&callback, now.plus(1)).decision == Decision::Reserved).count();
        }
        assert!(reserved >= least, "{capacity:?}: {reserved} of 600");
    }
}

#[test]
fn a_flood_of_a_reserved_path_leaves_the_callers_their_share_of_it() {
    let stage = stage(CALLBACK);
    let flood: Vec<Asked<'_>> =
        (0..19).map(|number| Asked { path: "/callback", network: apart(number), ..Asked::default() }).collect();
    let caller = Asked { path: "/callback", network: apart(1_000), ..Asked::default() };
    let mut served = 0;
    for second in 0..60 {
        let now = NOW.plus(second);
        admitted(&stage, &flood, 20, now, 1);
        served += u32::from(second % 4 == 3 && stage.meet(&caller, now.plus(1)).decision == Decision::Reserved);
    }
    assert!(served >= 14, "{served} of 15: half a request a second is below what each of 20 gets");
    let slice = stage.supplies().slices[0];
    assert!(slice.admitted <= 10 * 62, "{slice:?}");
}

#[test]
fn without_a_capacity_allowed_paths_are_not_bounded_and_nobody_gets_a_ticket() {
    let site = SITE.replace("capacity_per_second = 200\n", "");
    let stage = Stage::new(&format!("mode = \"on\"\n{site}{CHEAP}{OPEN}"));
    let open = Asked { path: "/open", ..Asked::default() };
    assert!((0..10_000).all(|_| stage.meet(&open, NOW).decision == Decision::Unpaid));
    assert_eq!(stage.offer(&Asked::default(), NOW), None);
    // Nor does one help that was issued while it was known.
    let known = self::stage("");
    let (ticket, wait) = ticket(&known, &Asked::default(), NOW);
    let with = Asked { tickets: &[ticket], ..Asked::default() };
    assert_eq!(known.meet(&with, NOW.plus(wait)).decision, Decision::Unpaid);
    assert_eq!(stage.meet(&with, NOW.plus(wait)).decision, Decision::Challenged);
}

#[test]
fn a_ticket_opens_pages_from_its_wait_to_its_end_and_nowhere_else() {
    let other = SITE.replace("main", "other");
    let stage = stage(&format!("{other}[[rule]]\npath = \"/login\"\naction = \"challenge\"\n"));
    let (ticket, wait) = ticket(&stage, &Asked::default(), NOW);
    assert_eq!(wait, 15);
    let with = Asked { tickets: &[ticket], ..Asked::default() };
    let at = |asked: &Asked<'_>, seconds| stage.meet(asked, NOW.plus(seconds)).decision;
    assert_eq!((at(&with, 0), at(&with, wait - 1)), (Decision::Challenged, Decision::Challenged));
    assert_eq!(stage.offer(&with, NOW.plus(wait - 1)), Some(TicketOffer::Wait { seconds: 1 }), "no second one");
    let met = stage.meet(&with, NOW.plus(wait));
    assert_eq!((met.decision, met.receipt), (Decision::Unpaid, None));
    assert_eq!(met.unpaid, Some(Unpaid { right: Right::Ticket, admitted: true }));
    let last = wait + u32::from(TICKET_SECONDS);
    assert_eq!((at(&with, last - 1), at(&with, last)), (Decision::Unpaid, Decision::Challenged));
    assert!(matches!(stage.offer(&with, NOW.plus(last)), Some(TicketOffer::New { .. })));
    assert_eq!(at(&Asked { host: "other.test", ..with }, wait), Decision::Challenged, "another site");
    assert_eq!(at(&Asked { path: "/login", ..with }, wait), Decision::Challenged, "work at any time");
    assert_eq!(stage.offer(&Asked { path: "/login", ..with }, NOW.plus(wait)), None);
    assert_eq!(at(&Asked { network: apart(7), ..with }, wait), Decision::Unpaid, "phones roam");
    for bit in 0..512 {
        let mut forged = ticket;
        forged[bit / 8] ^= 0x80 >> (bit % 8);
        assert_eq!(at(&Asked { tickets: &[forged], ..Asked::default() }, wait + 1), Decision::Challenged, "bit {bit}");
    }
    stage.gate.set_mode(Mode::Off);
    assert_eq!(at(&with, wait), Decision::Free);
}

#[test]
fn a_strict_ticket_is_good_in_its_own_network_only() {
    let stage = stage("[clearance]\nbind = \"strict\"\n");
    let (ticket, wait) = ticket(&stage, &Asked::default(), NOW);
    let with = Asked { tickets: &[ticket], ..Asked::default() };
    assert_eq!(stage.meet(&with, NOW.plus(wait)).decision, Decision::Unpaid);
    let elsewhere = Asked { network: client_network(network(1)), ..with };
    assert_eq!(stage.meet(&elsewhere, NOW.plus(wait)).decision, Decision::Challenged);
}

#[test]
fn a_ticket_is_no_clearance() {
    let stage = stage("");
    let (ticket, wait) = ticket(&stage, &Asked::default(), NOW);
    let later = NOW.plus(wait);
    assert_eq!(stage.redeem(&stage.solve("/", HOME, NOW).with_challenge(ticket), HOME, later), Err(Refusal::Malformed));
    let id = ClearanceId(ticket[..16].try_into().unwrap());
    assert_eq!(stage.worth("/", HOME, &[id], later), Worth::Lacking);
    let with = Asked { tickets: &[ticket], ..Asked::default() };
    for second in 0..10 {
        assert_eq!(stage.meet(&with, later.plus(second)).decision, Decision::Unpaid);
        stage.step(None, later.plus(second + 1));
    }
    assert!(stage.load().last().demand.paid <= 0.0, "and it moves no price");
    assert_eq!(stage.price(), 4);
    assert_eq!(stage.gate.table_fill().0, 0, "and nothing is remembered of it");
}

#[test]
fn a_thousand_tickets_take_no_more_than_a_tenth_from_one_network_or_from_a_thousand() {
    for networks in [1_u32, 1_000] {
        let stage = stage("");
        let asking: Vec<([u8; 64], ClientNetwork)> = (0..1_000)
            .map(|number| {
                let network = apart(number % networks);
                (ticket(&stage, &Asked { network, ..Asked::default() }, NOW).0, network)
            })
            .collect();
        let asking: Vec<Asked<'_>> = asking
            .iter()
            .map(|(ticket, network)| Asked {
                network: *network,
                tickets: std::slice::from_ref(ticket),
                ..Asked::default()
            })
            .collect();
        let seconds = 20;
        let admitted = admitted(&stage, &asking, 1, NOW.plus(20), seconds);
        let tenth = 20 * seconds;
        assert!(admitted <= tenth + 40, "{admitted} from {networks} networks");
        assert!(admitted >= tenth - 40, "{admitted} from {networks} networks: what there is, is given");
    }
}

#[test]
fn the_wait_grows_with_the_demand_for_tickets_and_with_the_price() {
    let stage = stage("");
    let (ticket, wait) = ticket(&stage, &Asked::default(), NOW);
    let held = [ticket];
    let asking: Vec<Asked<'_>> =
        (0..80).map(|number| Asked { network: apart(number), tickets: &held, ..Asked::default() }).collect();
    admitted(&stage, &asking, 1, NOW.plus(wait), 20);
    let longer = self::ticket(&stage, &Asked::default(), NOW.plus(wait + 20)).1;
    assert!((50..=60).contains(&longer), "{longer}: four times as many want in as fit");
}

#[test]
fn a_web_server_may_ask_four_times_about_what_passes_unpaid() {
    let stage = stage(OPEN);
    for number in 0..10 {
        for check in 0..4 {
            let asked = Asked { path: "/open", repeat: Some(number), ..Asked::default() };
            assert_eq!(stage.meet(&asked, NOW).decision, Decision::Unpaid, "request {number}, check {check}");
        }
    }
    assert_eq!(stage.supplies().unpaid.admitted, 10);
}

#[test]
fn beside_a_web_server_what_is_paid_beyond_the_capacity_is_dropped_and_paid_back() {
    let site = "beside = \"nginx\"\n[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\ncapacity_per_second = 10\n";
    let stage = Stage::new(&format!("mode = \"on\"\n{site}{CHEAP}"));
    let id = stage.buy("/", HOME, NOW);
    let ids = [id];
    let mut number = 0;
    let mut ask = |now| {
        number += 1;
        stage.meet(&Asked { ids: &ids, repeat: Some(number), ..Asked::default() }, now)
    };
    let decisions: Vec<Decision> = (0..40).map(|_| ask(NOW).decision).collect();
    let paid = decisions.iter().filter(|decision| **decision == Decision::Paid).count();
    assert!((9..=18).contains(&paid), "{paid}: nine a second, and a second of them at once");
    assert!(decisions[paid..].iter().all(|decision| *decision == Decision::Busy));
    assert!(ask(NOW).receipt.is_none());
    let Worth::Admits { credits, .. } = stage.worth("/", HOME, &ids, NOW) else { panic!() };
    // Of the dropped ones the first came back whole, the others by half.
    let dropped = 41 - paid;
    let expected =
        100.0 - f64::from(u32::try_from(paid).unwrap()) - 0.5 * f64::from(u32::try_from(dropped - 1).unwrap());
    assert!((f64::from(credits) - expected).abs() <= 1.0, "{credits} of {expected}");
    assert_eq!(ask(NOW.plus(2)).decision, Decision::Paid, "two seconds later there is room");
}

#[test]
fn beside_a_web_server_one_loud_network_leaves_the_others_their_pages() {
    let site = "beside = \"nginx\"\n[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\ncapacity_per_second = 10\n";
    let stage = Stage::new(&format!("mode = \"on\"\n{site}{CHEAP}[clearance]\ncredits = 100000\n"));
    let loud = [stage.buy("/", HOME, NOW)];
    let quiet = [stage.buy("/", network(1), NOW)];
    let mut number = 0;
    let mut ask = |ids: &[ClearanceId], from, now| {
        number += 1;
        let asked = Asked { ids, network: client_network(from), repeat: Some(number), ..Asked::default() };
        stage.meet(&asked, now).decision
    };
    let (mut served, mut total) = (0, 0);
    for second in 0..30 {
        let now = NOW.plus(second);
        total += (0..50).filter(|_| ask(&loud, HOME, now) == Decision::Paid).count();
        let here = ask(&quiet, network(1), now) == Decision::Paid;
        served += usize::from(here);
        stage.step(None, now.plus(1));
    }
    assert!(
        served >= 29,
        "{served}: once the level is found, one page a second is below what each of two networks gets"
    );
    assert!(total + served <= 9 * 31 + 9, "{total} and {served}");
    let cleared = stage.supplies().cleared;
    assert!(cleared.level.is_some() && cleared.refused > 1_000, "{cleared:?}");
}
