//! Files in `state_dir` of a release that this one does not know: none is misread, each is told in one line, and all are kept.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::{buy, challenge};
use tests::wait::{SOON, until_true};

/// JSON of a version that is to come: what is in it may mean anything.
const JSON: &[u8] =
    br#"{"version":2,"callers":7,"passes":[[]],"notices":{"main":"x"},"closed":"never","number":99,"rules":null}"#;

/// Every file that is kept, with what a later release might write, and what the log says of it.
const FILES: [(&str, &[u8], &str); 9] = [
    ("price", JSON, "begins down, at the least price"),
    ("table", b"portcullis-tab-3, and whatever follows then", "has to be bought anew"),
    ("profile", b"portcullis-pro-2, and whatever follows then", "learned anew"),
    ("passes", JSON, "No pass is valid"),
    ("by-hand", JSON, "made by hand is in force"),
    ("callers", JSON, "found out anew"),
    ("notices", JSON, "no notice"),
    ("attacks/last", JSON, "Numbers go on"),
    ("attacks/000007.json", JSON, "It stays as it is"),
];

/// What is never written over because nothing else gets its name.
const STAYS: &str = "attacks/000007.json";

fn automatic(origin: &Origin) -> Settings {
    Settings::new().set("mode", "auto").set("challenge.difficulty", 100).site("main", &[HOST], Some(&origin.url()))
}

fn operator(verifier: &Verifier) -> Client {
    verifier.admin().with("Authorization", &format!("Bearer {}", verifier.admin_token()))
}

fn told(verifier: &Verifier, target: &str) -> Value {
    operator(verifier).request("GET", target).try_send().unwrap().json()
}

fn tell(verifier: &Verifier, target: &str, body: &Value) {
    let sent = operator(verifier).request("POST", target).body("application/json", body.to_string()).try_send();
    sent.unwrap().expect_status(200);
}

/// Where a file is after it was not used.
fn kept(verifier: &Verifier, name: &str) -> PathBuf {
    let state = verifier.directory().join("state");
    if name == STAYS { state.join(name) } else { state.join(format!("{name}.unread")) }
}

#[track_caller]
fn all_are_kept(verifier: &Verifier) {
    for (name, bytes, _) in FILES {
        let there = fs::read(kept(verifier, name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(there, bytes, "{name}");
    }
}

#[test]
fn files_from_the_future_are_told_kept_and_never_misread() {
    let origin = Origin::start("main");
    let mut verifier = Verifier::start(automatic(&origin));
    verifier.crash();
    let (state, before) = (verifier.directory().join("state"), verifier.log().len());
    fs::create_dir_all(state.join("attacks")).unwrap();
    for (name, bytes, _) in FILES {
        fs::write(state.join(name), bytes).unwrap();
    }
    verifier.start_again();

    let log = verifier.log().split_off(before);
    for (name, _, instead) in FILES {
        let told: Vec<&str> = log.lines().filter(|line| line.contains("used:") && line.contains(instead)).collect();
        let [line] = told[..] else { panic!("{name}: {told:#?} in {log}") };
        let version = if name == "table" { "is of version 3" } else { "is of version 2" };
        assert!(line.contains(version) && line.contains(name), "{line}");
        assert!(line.contains(&kept(&verifier, name).display().to_string()), "it says where it is: {line}");
    }
    all_are_kept(&verifier);

    // Whether the gate was down is not known: it is, and who solves gets in.
    let client = verifier.client(HOST);
    client.get("/").expect(429, "challenge_required");
    assert_eq!(challenge(&client, "").work(), 100, "at the least price");
    client.request("GET", "/").cookie(&buy(&client)).send().expect_status(200);
    assert_eq!(told(&verifier, "/passes")["passes"], json!([]));
    assert_eq!(told(&verifier, "/notice")["notices"], json!([]));
    assert_eq!(told(&verifier, "/status")["rules_by_hand"], json!([]));

    // What is saved from now on takes nothing from what was put aside, and is used by the next start.
    tell(&verifier, "/passes", &json!({"name": "ada", "hours": 1}));
    tell(&verifier, "/notice", &json!({"text": "Call 112"}));
    tell(&verifier, "/rules", &json!({"action": "deny", "path": "/closed", "minutes": 5}));
    until_true(SOON, "the attack to be written", || state.join("attacks/000008.json").exists());
    assert!(verifier.restart().success());
    all_are_kept(&verifier);
    assert_eq!(told(&verifier, "/passes")["passes"][0]["name"], json!("ada"));
    assert_eq!(told(&verifier, "/notice")["notices"][0]["text"], json!("Call 112"));
    assert_eq!(told(&verifier, "/attacks")["attacks"][0]["number"], json!(8), "no number is given twice");
    client.get("/closed").expect_status(403);
}

#[test]
fn a_price_that_cannot_be_read_and_is_old_closes_nothing() {
    let origin = Origin::start("main");
    let mut verifier = Verifier::start(automatic(&origin));
    verifier.crash();
    let file = verifier.directory().join("state/price");
    fs::write(&file, JSON).unwrap();
    let touched = std::process::Command::new("touch").args(["--date", "2 days ago"]).arg(&file).status().unwrap();
    assert!(touched.success());
    verifier.start_again();
    assert!(verifier.log().contains("price is not used"), "{}", verifier.log());
    verifier.client(HOST).get("/").expect_status(200);
}

#[test]
fn what_takes_the_place_of_a_price_that_cannot_be_read_is_saved_before_it_is_due() {
    let origin = Origin::start("main");
    let mut verifier = Verifier::start(automatic(&origin));
    verifier.crash();
    let file = verifier.directory().join("state/price");
    fs::write(&file, JSON).unwrap();
    verifier.start_again();
    // It is due after ten seconds: whatever crashes once does so again sooner.
    until_true(Duration::from_secs(8), "it to be saved", || file.exists());
    verifier.crash_and_restart();
    verifier.client(HOST).get("/").expect(429, "challenge_required");
}
