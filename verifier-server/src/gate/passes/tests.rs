use super::super::Gate;
use super::super::entry::tests::{BORN, entry, v4};
use super::super::entry::{Kind, Payment};
use super::super::networks::HashKey;
use super::*;
use std::os::unix::fs::PermissionsExt;

const SECRET: [u8; PASS_SECRET_BYTES] = [7; PASS_SECRET_BYTES];

fn id(number: u8) -> ClearanceId {
    ClearanceId([number; 16])
}

fn with_pass() -> Passes {
    let passes = Passes::default();
    passes.add("ada", "main", &SECRET, 12, BORN).expect("made");
    passes
}

fn show(passes: &Passes, held: &[ClearanceId], fresh: u8) -> Result<Shown, PassRefusal> {
    passes.show(&SECRET, "main", held, id(fresh), BORN)
}

#[test]
fn a_link_works_on_three_devices_and_on_each_as_often_as_it_likes() {
    let passes = with_pass();
    for (fresh, devices) in [(1, 1), (2, 2), (3, 3)] {
        let shown = show(&passes, &[], fresh).expect("a device");
        assert_eq!((shown.id, shown.devices, shown.is_new), (id(fresh), devices, true));
    }
    assert_eq!(show(&passes, &[], 4).expect_err("full"), PassRefusal::TooManyDevices);
    assert_eq!(show(&passes, &[id(9)], 4).expect_err("a stranger's clearance"), PassRefusal::TooManyDevices);
    let again = show(&passes, &[id(9), id(2)], 4).expect("a device that is known");
    assert_eq!((again.id, again.devices, again.is_new), (id(2), 3, false));
    assert!(passes.has(1, id(2)) && !passes.has(1, id(4)) && !passes.has(2, id(2)) && !passes.has(0, id(2)));
}

#[test]
fn a_device_that_got_no_clearance_takes_no_place() {
    let passes = with_pass();
    let shown = show(&passes, &[], 1).expect("a device");
    passes.give_up(&shown);
    assert_eq!(passes.report()[0].devices, 0);
    let known = show(&passes, &[], 1).and_then(|_| show(&passes, &[id(1)], 2)).expect("a device");
    passes.give_up(&known);
    assert_eq!(passes.report()[0].devices, 1, "it had one before");
}

#[test]
fn of_another_site_revoked_ended_or_guessed_it_is_unknown() {
    let passes = with_pass();
    let refused = |passes: &Passes, secret, site, now| passes.show(secret, site, &[], id(1), now).expect_err("refused");
    assert_eq!(refused(&passes, &[0; PASS_SECRET_BYTES], "main", BORN), PassRefusal::Unknown);
    assert_eq!(refused(&passes, &SECRET, "other", BORN), PassRefusal::Unknown);
    assert_eq!(refused(&passes, &SECRET, "main", BORN.plus(12 * 3_600)), PassRefusal::Unknown);
    show(&passes, &[], 1).expect("a device");
    assert!(passes.revoke("ada") && !passes.revoke("ada"));
    assert!(!passes.has(1, id(1)));
    assert_eq!(refused(&passes, &SECRET, "main", BORN), PassRefusal::Unknown);
    passes.add("bob", "main", &[8; PASS_SECRET_BYTES], 12, BORN).expect("made in the same place");
    assert!(!passes.has(1, id(1)), "what the place held before buys nothing now");
}

#[test]
fn there_are_64_with_names_of_their_own_and_those_that_have_ended_make_room() {
    let passes = Passes::default();
    let add = |name: &str, hours, now| passes.add(name, "main", &SECRET, hours, now);
    for number in 0..PASSES_MAX {
        add(&number.to_string(), 1, BORN).expect("made");
    }
    assert_eq!(add("one more", 1, BORN), Err(PassError::TooMany));
    assert_eq!(add("7", 1, BORN), Err(PassError::NameTaken));
    let ended = BORN.plus(3_600 + GRACE_SECONDS);
    passes.forget_ended(ended);
    assert!(passes.is_empty());
    for (name, hours, error) in [
        ("", 1, PassError::Name),
        ("a\nb", 1, PassError::Name),
        (&"x".repeat(65), 1, PassError::Name),
        ("ada", 0, PassError::Hours),
        ("ada", 25, PassError::Hours),
    ] {
        assert_eq!(add(name, hours, ended), Err(error), "{name:?}");
    }
}

#[test]
fn a_slice_is_full_at_first_and_fills_at_its_rate_and_no_higher() {
    let passes = with_pass();
    let taken = |now| (0..1_000).filter(|_| passes.take(1, Credits::ONE, 2.0, now)).count();
    assert_eq!(taken(BORN), 60, "half a minute of it at once");
    assert_eq!(taken(BORN.plus(5)), 10);
    assert_eq!(taken(BORN.plus(5_000)), 60);
    assert!(!passes.has_room(1, Credits::ONE, 2.0, BORN.plus(5_000)));
    assert!(passes.has_room(1, Credits::ONE, 2.0, BORN.plus(5_001)));
    assert!(!passes.take(2, Credits::ONE, 2.0, BORN) && !passes.has_room(0, Credits::ONE, 2.0, BORN));
}

#[test]
fn a_further_network_costs_its_toll_and_the_eleventh_does_not_get_in() {
    let mut entry = entry(100);
    entry.pass = 1;
    let from = |hash| Payment {
        kind: Kind::Navigation,
        cost: Credits::ONE,
        route_price: 1_000,
        network: v4(hash),
        strict: false,
    };
    assert!((0..500).all(|_| entry.enter(&from(1), BORN)));
    assert_eq!(entry.left, 10_000, "its own network costs nothing");
    let entered = (2..40).filter(|hash| entry.enter(&from(*hash), BORN)).count();
    assert_eq!((entered, entry.left), (10, 0));
    assert!(entry.enter(&from(11), BORN), "the last ones are remembered");
    assert!(!entry.enter(&Payment { strict: true, ..from(1) }, BORN));
    assert!(!entry.enter(&from(11), entry.expires_at));
}

#[test]
fn a_file_has_everything_but_a_secret_and_is_only_ours_to_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let gate = |passes| {
        let masters = crate::gate::Masters { signing: puzzle::Master([1; 32]), old: None };
        let table = crate::gate::table::Table::new(1);
        Gate { passes, ..Gate::new(masters, table, BORN, crate::config::Mode::Auto, HashKey([1; 16]), BORN) }
    };
    assert!(KeptPasses::read(folder.path()).expect("nothing there").is_none());
    let before = gate(with_pass());
    show(&before.passes, &[], 1).expect("a device");
    assert!(before.passes_changed());
    before.keep_passes(folder.path()).expect("written");
    assert!(!before.passes_changed());
    let path = folder.path().join("passes");
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).expect("text");
    for secret in [data_encoding::HEXLOWER.encode(&SECRET), data_encoding::HEXLOWER.encode(&id(1).0)] {
        assert!(!text.contains(&secret), "{text}");
    }
    let after = gate(Passes::default());
    after.take_passes(&KeptPasses::read(folder.path()).expect("read").expect("there")).expect("taken over");
    assert_eq!(after.passes(), before.passes());
    assert!(after.passes.has(1, id(1)));
    assert_eq!(show(&after.passes, &[id(1)], 2).expect("the same device").id, id(1));

    for (what, instead) in [
        ("\"version\":1", "\"version\":2"),
        ("\"mark\":1", "\"mark\":65"),
        ("\"mark\":1", "\"mark\":0"),
        ("\"devices\":[\"", "\"devices\":[\"00"),
        ("\"name\"", "\"nome\""),
        ("{", ""),
    ] {
        assert!(text.contains(what), "{what}");
        std::fs::write(&path, text.replacen(what, instead, 1)).expect("written");
        let other = gate(Passes::default());
        let taken = KeptPasses::read(folder.path()).and_then(|kept| other.take_passes(&kept.expect("there")));
        assert!(taken.is_err() && other.passes().is_empty(), "{instead}");
    }
}
