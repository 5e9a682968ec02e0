//! A disk that is full, and a folder that cannot be written: the gate goes on, what was saved stays whole, and what was not is
//! saved as soon as there is room.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::client::Client;
use tests::debian::may_mount;
use tests::origin::Origin;
use tests::ports;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::{Unit, Verifier, binary};
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

/// A state folder of its own for the verifier alone, on a file system of two mebibytes.
const TINY_DISK: &str = "mount -t tmpfs -o size=2m,mode=700 tmpfs state && exec \"$@\"";
/// What it logs goes through a pipe, and files that may not grow fail instead of ending it.
const LOG_BY_PIPE: &str = "trap '' XFSZ; exec \"$@\" 2> >(exec cat >&2)";
/// The same folder, read-only.
const READ_ONLY: &str = "mount --bind state state && mount -o remount,bind,ro state && exec \"$@\"";

fn verifier(unit: Unit, origin: &Origin) -> Verifier {
    let settings = Settings::new().set("mode", "auto").site("main", &[HOST], Some(&origin.url()));
    Verifier::start_in(unit, settings, ports::free())
}

fn operator(verifier: &Verifier) -> Client {
    verifier.admin().with("Authorization", &format!("Bearer {}", verifier.admin_token()))
}

fn tell(verifier: &Verifier, target: &str, body: &Value) -> Value {
    let sent =
        operator(verifier).request("POST", target).body("application/json", body.to_string()).try_send().unwrap();
    sent.expect_status(200);
    sent.json()
}

fn saved(state: &Path, words: &str) -> bool {
    fs::read_to_string(state.join("price")).is_ok_and(|text| text.contains(words))
}

fn names(state: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What has to be so of a verifier whose folder takes nothing after `fill` and something again after `free`.
fn goes_on_without(verifier: &Verifier, state: &Path, why: &str, fill: impl FnOnce(), free: impl FnOnce()) {
    until_true(SOON, "the price to be written", || saved(state, "\"mode\":\"auto\""));
    fill();
    let before = fs::read(state.join("price")).unwrap();
    let files = names(state);
    tell(verifier, "/mode", &json!({"mode": "on"}));
    let pass = tell(verifier, "/passes", &json!({"name": "ada", "hours": 1}));
    let notice = tell(verifier, "/notice", &json!({"text": "Call 112"}));
    let rule = tell(verifier, "/rules", &json!({"action": "deny", "path": "/closed", "minutes": 5}));
    for answer in [pass, notice, rule] {
        assert_eq!(answer["kept"], json!(false), "whoever asked is told: {answer}");
    }
    until_true(SOON, "the log to say so", || verifier.log().contains("the price cannot be saved"));

    let client = verifier.client(HOST);
    client.get("/").expect(429, "challenge_required");
    client.request("GET", "/").cookie(&buy(&client)).send().expect_status(200);
    client.get("/closed").expect_status(403);
    assert_eq!(fs::read(state.join("price")).unwrap(), before, "the file before stays whole");
    assert_eq!(names(state), files, "and nothing unfinished takes room");
    let log = verifier.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("cannot be saved")).collect();
    assert!(lines.iter().all(|line| line.contains(why) && line.contains("tried again")), "{lines:#?}");
    // One for each file, and not one a second.
    assert!((4..=8).contains(&lines.len()), "{lines:#?}");

    free();
    until_true(SOON, "the mode to be saved", || saved(state, "\"mode\":\"on\""));
    for (file, words) in [("passes", "\"ada\""), ("notices", "Call 112"), ("by-hand", "/closed")] {
        let found = || fs::read_to_string(state.join(file)).is_ok_and(|text| text.contains(words));
        until_true(SOON, &format!("{file} to be saved"), found);
    }
    until_true(SOON, "the log to say so", || verifier.log().contains("everything is saved in"));
}

#[test]
fn files_that_may_not_grow_lose_nothing_that_was_saved() {
    let origin = Origin::start("main");
    let mut verifier = verifier(Unit::through_shell(LOG_BY_PIPE), &origin);
    let state = verifier.directory().join("state");
    let (fill, free) = (|| verifier.limit("fsize", "0"), || verifier.limit("fsize", "unlimited"));
    goes_on_without(&verifier, &state, "File too large", fill, free);
    verifier.crash_and_restart();
    verifier.client(HOST).get("/closed").expect_status(403);
}

#[test]
fn what_could_not_be_saved_before_is_saved_by_a_stop() {
    let origin = Origin::start("main");
    let mut verifier = verifier(Unit::through_shell(LOG_BY_PIPE), &origin);
    let state = verifier.directory().join("state");
    until_true(SOON, "the price to be written", || saved(&state, "\"mode\":\"auto\""));
    verifier.limit("fsize", "0");
    tell(&verifier, "/passes", &json!({"name": "ada", "hours": 1}));
    tell(&verifier, "/notice", &json!({"text": "Call 112"}));
    tell(&verifier, "/rules", &json!({"action": "deny", "path": "/closed", "minutes": 5}));
    verifier.limit("fsize", "unlimited");
    assert!(verifier.restart().success());
    for (file, words) in [("passes", "\"ada\""), ("notices", "Call 112"), ("by-hand", "/closed")] {
        assert!(fs::read_to_string(state.join(file)).unwrap().contains(words), "{file}");
    }
    let told = operator(&verifier).request("GET", "/notice").try_send().unwrap().json();
    assert_eq!(told["notices"][0]["text"], json!("Call 112"));
    verifier.client(HOST).get("/closed").expect_status(403);
}

#[test]
fn a_full_disk_loses_nothing_that_was_saved() {
    if !may_mount() {
        eprintln!(
            "NOT RUN: only root that may mount can make a disk of two mebibytes; the limit of files is tried instead"
        );
        return;
    }
    let origin = Origin::start("main");
    let verifier = verifier(Unit::through(&["unshare", "--mount", "bash", "-c", TINY_DISK, "bash"]), &origin);
    let state = verifier.seen(&verifier.directory().join("state"));
    let filler = state.join("filler");
    let fill = || {
        let error = fs::write(&filler, vec![0; 4 << 20]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    };
    goes_on_without(&verifier, &state, "No space left on device", fill, || fs::remove_file(&filler).unwrap());
}

#[test]
fn a_folder_that_becomes_unwritable_loses_nothing_that_was_saved() {
    let origin = Origin::start("main");
    let mut verifier = verifier(Unit::without_rights(), &origin);
    let state = verifier.directory().join("state");
    let allow = |mode| fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
    goes_on_without(&verifier, &state, "Permission denied", || allow(0o500), || allow(0o700));
    assert!(verifier.restart().success());
}

#[test]
fn a_folder_on_a_disk_that_is_read_only_is_read_and_the_gate_serves() {
    if !may_mount() {
        eprintln!("NOT RUN: only root that may mount can make a folder read-only for a program of root's");
        return;
    }
    let origin = Origin::start("main");
    let read_only = Unit::through(&["unshare", "--mount", "bash", "-c", READ_ONLY, "bash"]);
    let mut verifier = verifier(Unit::default(), &origin);
    let state = verifier.directory().join("state");
    tell(&verifier, "/mode", &json!({"mode": "on"}));
    tell(&verifier, "/rules", &json!({"action": "deny", "path": "/closed", "minutes": 5}));
    until_true(SOON, "the mode to be saved", || saved(&state, "\"mode\":\"on\""));
    verifier.crash();
    verifier.start_again_in(read_only);
    let client = verifier.client(HOST);
    client.get("/").expect(429, "challenge_required");
    client.get("/closed").expect_status(403);
    client.request("GET", "/").cookie(&buy(&client)).send().expect_status(200);
    assert!(verifier.log().contains("takes nothing: Read-only file system"), "{}", verifier.log());
    until_true(SOON, "the log to say so", || verifier.log().contains("the price cannot be saved"));

    // A saved table that cannot be taken away would be believed a second time: nothing begins with it there.
    verifier.crash();
    fs::write(state.join("table"), "portcullis-tab-2").unwrap();
    let words = ["--mount", "bash", "-c", READ_ONLY, "bash"];
    let mut command = Command::new("unshare");
    command.args(words).arg(binary()).args(["serve", "--config", "portcullis.toml"]);
    let ended = command.current_dir(verifier.directory()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(78), "{said}");
    assert!(said.contains("cannot be taken out of") && said.contains("make the folder writable"), "{said}");
}

#[test]
fn a_log_that_takes_nothing_ends_nothing() {
    let origin = Origin::start("main");
    let verifier = verifier(Unit::through_shell("exec \"$@\" 2> /dev/full"), &origin);
    for mode in ["on", "off", "on"] {
        tell(&verifier, "/mode", &json!({ "mode": mode }));
    }
    let client = verifier.client(HOST);
    client.get("/").expect(429, "challenge_required");
    client.request("GET", "/").cookie(&buy(&client)).send().expect_status(200);
    let state: PathBuf = verifier.directory().join("state");
    until_true(SOON, "the price to be written", || saved(&state, "\"mode\":\"on\""));
}
