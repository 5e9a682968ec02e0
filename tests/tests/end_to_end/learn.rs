//! `portcullis learn` as an operator runs it in the middle of an attack: logs in, a profile and lines for the file out.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;
use tempfile::TempDir;
use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::{Verifier, binary};
use tests::visitor::{buy, challenge};

const UNTIL: &str = "2026-11-20T00:00:00Z";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0";
const OFFICE: &str = "203.0.113.5";

/// Up to ten days: an office that asks for a page every two seconds, two homes a minute, a payment provider, a cron job, noise.
fn log(days: u32) -> String {
    let mut log = String::from("not a line of a log\n");
    for minute in 0..days * 24 * 60 {
        let time = format!("{:02}/Nov/2026:{:02}:{:02}:00 +0000", 10 + minute / 1_440, minute / 60 % 24, minute % 60);
        let mut line = |address: &str, request: &str, agent: &str| {
            writeln!(log, "{address} - - [{time}] \"{request} HTTP/1.1\" 200 512 \"-\" \"{agent}\"").unwrap();
        };
        (0..30).for_each(|_| line(OFFICE, "GET /news/today", BROWSER));
        for home in 0..2 {
            let address = format!("198.{}.{}.7", 18 + minute / 256 % 50, (minute + home * 97) % 256);
            line(&address, "GET /", BROWSER);
            line(&address, "GET /static/a.css", BROWSER);
        }
        if minute == 5_000 {
            (0..100).for_each(|third| line(&format!("198.100.{third}.7"), "GET /", BROWSER));
        }
        if minute % 60 == 0 {
            line("192.0.2.44", "POST /pay/callback", "Provider/2.1");
            line("127.0.0.1", "POST /wp-cron.php", "WordPress/6.9");
        }
    }
    log
}

fn learn(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(binary()).arg("learn").args(arguments).current_dir(folder.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn gzip(file: &Path) {
    assert!(Command::new("gzip").arg(file).status().unwrap().success());
}

#[test]
fn what_it_prints_is_accepted_and_the_profile_that_it_writes_is_used() {
    let folder = tempfile::tempdir().unwrap();
    // Two rotated files, one of them packed.
    let log = log(10);
    let (old, new) = log.split_at(log.char_indices().nth(log.len() / 2).map(|(at, _)| at).unwrap());
    let (rest, new) = new.split_once('\n').unwrap();
    fs::write(folder.path().join("access.log.1"), format!("{old}{rest}\n")).unwrap();
    fs::write(folder.path().join("access.log"), new).unwrap();
    gzip(&folder.path().join("access.log.1"));
    let learned = learn(&folder, &["access.log", "access.log.1.gz", "--until", UNTIL]);
    let (report, said) = (text(&learned.stdout), text(&learned.stderr));
    assert!(learned.status.success(), "{said}");
    assert!(said.contains("1 malformed ones left out"), "{said}");
    assert!(report.contains("path = \"/static/**\"\nasset = true"), "{report}");
    assert!(report.contains("#path = \"/pay/callback\""), "a caller that may be anybody is a question: {report}");
    assert!(report.contains("\nnetwork = \"127.0.0.1/32\"\nmethod = \"POST\"\npath = \"/wp-cron.php\""), "{report}");

    // As an operator does: the lines into the file, the profile into the state directory.
    let origin = Origin::start("main");
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::copy(folder.path().join("profile"), state.join("profile")).unwrap();
    let settings = Settings::new()
        .set("state_dir", state.display().to_string())
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .set("challenge.difficulty", 100)
        .site("main", &[HOST], Some(&origin.url()))
        .of_site("capacity_at_least_per_second", capacity(&report));
    let file = folder.path().join("portcullis.toml");
    fs::write(&file, format!("{}\n{}", settings.text(), report)).unwrap();
    let checked = Command::new(binary()).arg("check-config").arg(&file).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains("/static/** is an asset"), "{}", text(&checked.stdout));

    let verifier = Verifier::start(settings);
    let status = verifier.admin().request("GET", "/status").try_send().unwrap().json();
    assert_eq!(status["networks"]["profile"]["loaded"], json!(true), "{status}");
    let from = |address: &str| -> Client {
        verifier.client(HOST).with("X-Forwarded-Proto", "http").with("X-Forwarded-For", address)
    };
    let after_twenty = |client: &Client| {
        (0..20).for_each(|_| drop(buy(client)));
        challenge(client, "").work()
    };
    let (office, stranger) = (after_twenty(&from(OFFICE)), after_twenty(&from("198.51.100.7")));
    assert!(
        office < 200 && stranger > 300,
        "an office of twenty-five pays {office}, one network that is not known {stranger}"
    );
}

/// What the report says that the site can do at least.
fn capacity(report: &str) -> f64 {
    let line = report.lines().find_map(|line| line.strip_prefix("#     capacity_at_least_per_second = "));
    line.unwrap_or_else(|| panic!("no capacity: {report}")).parse().unwrap()
}

#[test]
fn what_cannot_be_read_is_an_error_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |arguments: &[&str], says: &str| {
        let output = learn(&folder, arguments);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{says} in {}", text(&output.stderr));
        assert!(!folder.path().join("profile").exists());
    };
    fails(&[], "FILE");
    fails(&["none.log"], "none.log cannot be read");
    fs::write(folder.path().join("odd.log"), "{\"status\": 200}\n").unwrap();
    fails(&["odd.log"], "not one of 1 lines is in the common or combined format");
    fails(&["odd.log", "--until", "yesterday"], "2026-11-25T02:11:00Z");
    fs::write(folder.path().join("access.log"), log(1)).unwrap();
    fails(&["access.log", "--until", "2020-01-01"], "write another --until");
    fs::write(folder.path().join("kept"), "weeks of learning").unwrap();
    fails(&["access.log", "--until", UNTIL, "--profile", "kept"], "kept is there already");
    assert_eq!(fs::read_to_string(folder.path().join("kept")).unwrap(), "weeks of learning");
}
