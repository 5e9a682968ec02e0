use super::super::Gate;
use super::*;
use crate::config::Mode;
use crate::gate::Masters;
use crate::gate::table::Table;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

const BORN: UnixSeconds = UnixSeconds(1_800_000_000);
const DAY: u32 = 86_400;

fn network(third: u8) -> ClientNetwork {
    ClientNetwork::of([203, 0, third, 9].into())
}

fn call(network: ClientNetwork, path: &str) -> Call<'_> {
    Call { site: 1, host: "example.org", network, method: "POST", path }
}

fn at_peace() -> Callers {
    let callers = Callers::new(HashKey([1; 16]));
    callers.tick(BORN, true);
    callers
}

/// Comes once a day for so many days, at the same hour; the last time on the last of them.
fn come_daily(callers: &Callers, call: &Call<'_>, days: u32, from: UnixSeconds) {
    for day in 0..days {
        callers.came(call, from.plus(day * DAY));
    }
}

#[test]
fn days_count_once_each_however_often_it_came() {
    let callers = at_peace();
    let hook = call(network(1), "/hook");
    for minute in 0..600 {
        callers.came(&hook, BORN.plus(minute * 60));
    }
    come_daily(&callers, &hook, 9, BORN.plus(DAY));
    callers.tick(BORN.plus(9 * DAY + 7_200), true);
    let found = callers.of_site(1);
    assert_eq!((found.len(), found[0].requests), (1, 609));
    assert_eq!(found[0].days(callers.peace_until()), 10);
    assert_eq!(callers.of_site(2), []);
}

#[test]
fn what_came_in_the_last_hour_of_peace_or_after_it_is_none_of_them() {
    let callers = at_peace();
    let hook = call(network(1), "/hook");
    come_daily(&callers, &hook, 6, BORN);
    // The first time on a seventh day, half an hour before the attack.
    callers.came(&hook, BORN.plus(6 * DAY));
    callers.came(&call(network(2), "/new"), BORN.plus(6 * DAY));
    callers.tick(BORN.plus(6 * DAY + 1_800), true);
    callers.tick(BORN.plus(6 * DAY + 1_801), false);
    callers.came(&call(network(3), "/attack"), BORN.plus(7 * DAY));
    let found = callers.of_site(1);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].days(callers.peace_until()), 6);
}

#[test]
fn nobody_pushes_out_who_came_on_two_days() {
    let callers = at_peace();
    let hook = call(network(1), "/hook");
    come_daily(&callers, &hook, 2, BORN);
    let paths: Vec<String> = (0..1_000).map(|number| format!("/{number}")).collect();
    // Its own network, and a thousand others: one of those shares its bucket.
    for path in &paths {
        callers.came(&call(network(1), path), BORN.plus(DAY));
        for third in 2..=255 {
            callers.came(&call(network(third), path), BORN.plus(DAY));
        }
    }
    let held: usize = callers.buckets.iter().map(|bucket| bucket.lock().expect("whole").len()).sum();
    assert!(held <= CALLERS_MAX, "{held}");
    callers.tick(BORN.plus(2 * DAY), true);
    assert!(callers.of_site(1).iter().any(|caller| caller.path == "/hook"));
}

#[test]
fn one_allocation_has_eight_places_and_no_more() {
    let callers = at_peace();
    for fourth in 0..=255_u16 {
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, fourth << 8, 0, 0, 0, 1);
        callers.came(&call(ClientNetwork::of(address.into()), "/hook"), BORN);
    }
    callers.tick(BORN.plus(2 * DAY), true);
    assert_eq!(callers.of_site(1).len(), BUCKET_CALLERS);
}

#[test]
fn a_whole_allocation_has_a_sixteenth_of_the_places_and_others_are_noticed() {
    let slash48 = |number: u16| std::net::Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 1).into();
    let slash24 = |number: u16| [203, 0, number.to_be_bytes()[1], 9].into();
    for address in [&slash48 as &dyn Fn(u16) -> IpAddr, &slash24] {
        let callers = at_peace();
        for number in 0..20_000 {
            come_daily(&callers, &call(ClientNetwork::of(address(number)), "/x"), 2, BORN);
        }
        callers.tick(BORN.plus(3 * DAY), true);
        let held = callers.of_site(1).len();
        assert!(held <= ALLOCATION_BUCKETS * BUCKET_CALLERS, "{held}");
        // A newcomer finds a place unless its bucket is by chance one of those eight: one in sixteen.
        for first in 1..=200 {
            callers.came(&call(ClientNetwork::of([first, 9, 9, 9].into()), "/hook"), BORN.plus(3 * DAY));
        }
        callers.tick(BORN.plus(4 * DAY), true);
        let newcomers = callers.of_site(1).iter().filter(|caller| caller.path == "/hook").count();
        assert!(newcomers > 120, "{newcomers} of 200");
    }
}

#[test]
fn a_path_that_no_rule_could_name_is_not_remembered() {
    let callers = at_peace();
    let long = format!("/{}", "x".repeat(CALLER_PATH_BYTES_MAX));
    for path in ["/a*", "/a\"b", "/a b", "/[a]", "/a\\b", "/{a}", "/ü", "/a\nb", "no-slash", &long] {
        callers.came(&call(network(1), path), BORN);
    }
    callers.came(&Call { method: "post", ..call(network(1), "/hook") }, BORN);
    callers.came(&Call { method: "", ..call(network(1), "/hook") }, BORN);
    callers.came(&Call { host: "a\"b", ..call(network(1), "/hook") }, BORN);
    callers.tick(BORN.plus(DAY), true);
    assert_eq!(callers.of_site(1), []);
}

#[test]
fn who_stays_away_for_a_month_is_told_of_no_more() {
    let callers = at_peace();
    come_daily(&callers, &call(network(1), "/hook"), 10, BORN);
    callers.tick(BORN.plus(60 * DAY), true);
    assert_eq!(callers.of_site(1), []);
}

#[test]
fn they_survive_their_file_and_a_damaged_one_is_not_used() {
    let gate = || {
        Gate::new(
            Masters { signing: puzzle::Master([1; 32]), old: None },
            Table::new(1),
            BORN,
            Mode::Auto,
            HashKey([1; 16]),
            BORN,
        )
    };
    let folder = tempfile::tempdir().expect("a folder");
    let before = gate();
    before.callers.tick(BORN, true);
    come_daily(&before.callers, &call(network(1), "/hook"), 8, BORN);
    let v6 = ClientNetwork::of("2001:db8:0:100::1".parse().expect("an address"));
    come_daily(&before.callers, &call(v6, "/hook"), 9, BORN);
    before.callers.tick(BORN.plus(9 * DAY), true);
    before.keep_callers(folder.path()).expect("written");
    let path = folder.path().join("callers");
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    let after = gate();
    after.take_callers(&KeptCallers::read(folder.path()).expect("read").expect("there"));
    assert_eq!(after.callers.of_site(1), before.callers.of_site(1));
    assert_eq!(after.callers.of_site(1).len(), 2);

    let text = std::fs::read_to_string(&path).expect("text");
    for (what, instead) in [
        ("\"version\":1", "\"version\":2"),
        ("/hook", "/h\\\"k"),
        ("\"method\":\"POST\"", "\"method\":\"*\""),
        ("\"days\"", "\"tage\""),
        ("203.0.1.0/24", "203.0.1.0/99"),
        ("{", ""),
    ] {
        assert!(text.contains(what), "{what}");
        std::fs::write(&path, text.replacen(what, instead, 1)).expect("written");
        assert!(KeptCallers::read(folder.path()).is_err(), "{instead}");
    }
}
