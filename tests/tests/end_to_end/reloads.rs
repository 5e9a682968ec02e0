//! A new configuration while the gate serves: by SIGHUP, by a change of the file, by `POST /reload`; whole or not at all.

use std::fs;
use std::io::Write as _;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::{ask, buy, credits};
use tests::wait::{SOON, stays, until_due, until_true};

/// Clients with a connection each, and how often each asks: 1,000 requests a second in all.
const CLIENTS: u32 = 20;
const ASK_EVERY: Duration = Duration::from_millis(20);
const LOAD_FOR: Duration = Duration::from_secs(6);

/// Ends the clients when it is dropped.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn reload(stage: &Stage) -> Reply {
    let admin = stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    admin.request("POST", "/reload").body("application/json", "{}").try_send().unwrap()
}

fn text(stage: &Stage) -> String {
    fs::read_to_string(stage.verifier.directory().join("portcullis.toml")).unwrap()
}

/// As most editors write: a file beside it that then takes its place.
fn replace(stage: &Stage, text: &str) {
    let folder = stage.verifier.directory();
    fs::write(folder.join(".portcullis.toml.new"), text).unwrap();
    fs::rename(folder.join(".portcullis.toml.new"), folder.join("portcullis.toml")).unwrap();
}

fn difficulty(stage: &Stage) -> serde_json::Value {
    // From a network where nobody buys: a multiplier would be asked too.
    ask(&stage.client().in_network(255, 0), "/paid/")["difficulty"].clone()
}

#[test]
fn a_reload_under_a_thousand_requests_a_second_drops_none() {
    let settings = Settings::new()
        .set("mode", "auto")
        .set("clearance.credits", 1_000_000)
        .set("challenge.difficulty", 1_000)
        .rule("path = \"/paid/**\"\naction = \"challenge\"");
    let stage = Stage::with_site(Front::Proxy, settings, |site| site.of_site("capacity_per_second", 100_000));
    let cookie = {
        let offered = tests::visitor::challenge(&stage.client(), "/paid/");
        tests::visitor::redeem(&stage.client(), "/paid/", &offered).0
    };
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (stage, cookie, over, answered) = (&stage, &cookie, &over, &answered);
            scope.spawn(move || {
                let client = stage.client();
                let bytes = client.request("GET", "/paid/page").cookie(cookie).bytes();
                // One connection for all of its requests: a closed one fails the test.
                let mut connection = client.connect().unwrap();
                let mut due = begun + ASK_EVERY * number / CLIENTS;
                while !over.load(Ordering::Relaxed) {
                    until_due(due);
                    due += ASK_EVERY;
                    connection.get_mut().write_all(&bytes).unwrap();
                    let reply = Reply::read(&mut connection, false).unwrap();
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    assert_ne!(reply.header("connection"), Some("close"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                connection.get_mut().shutdown(Shutdown::Both).unwrap();
            });
        }
        // Also where this thread panics: the scope waits for the others.
        let _end = AtEnd(&over);
        let (good, mut reloads) = (text(&stage), 0);
        while begun.elapsed() < LOAD_FOR {
            let value = 1_001 + reloads % 7;
            replace(&stage, &good.replace("difficulty = 1000", &format!("difficulty = {value}")));
            if reloads % 3 == 0 {
                stage.verifier.hang_up();
                until_true(SOON, "the reload by signal", || difficulty(&stage) == json!(value));
            } else {
                reload(&stage).expect_status(200);
            }
            assert_eq!(difficulty(&stage), json!(value));
            reloads += 1;
            if reloads % 5 == 0 {
                replace(&stage, "mode = \"on");
                assert_eq!(reload(&stage).status, 422);
            }
            until_due(Instant::now() + Duration::from_millis(50));
        }
        assert!(reloads >= 10, "{reloads} reloads in {LOAD_FOR:?}");
        println!("{reloads} reloads while {} requests were answered", answered.load(Ordering::Relaxed));
    });
    let answered = answered.into_inner();
    // On a busy machine the clients fall behind their second; what they sent was answered.
    assert!(answered > 500, "{answered}");
    assert_eq!(stage.origin.count("/paid/page"), usize::try_from(answered).unwrap());
    assert!(credits(&stage.client(), &cookie, "/paid/").is_some_and(|left| left > 0.0), "the clearance outlives all");
}

#[test]
fn a_changed_file_comes_into_force_by_itself_however_it_was_written() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let good = text(&stage);
    replace(&stage, &good.replace("difficulty = 1", "difficulty = 5"));
    until_true(SOON, "the replaced file", || difficulty(&stage) == json!(5));
    stage.verifier.rewrite(&good.replace("difficulty = 1", "difficulty = 6"));
    until_true(SOON, "the file written in place", || difficulty(&stage) == json!(6));
    let log = stage.verifier.log();
    assert!(log.contains("now: a challenge asks 1 sub-puzzles of 6 attempts"), "what has changed is told: {log}");
}

#[test]
fn a_changed_file_waits_for_a_reload_where_the_configuration_says_so() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("reload_on_change", false));
    replace(&stage, &text(&stage).replace("difficulty = 1", "difficulty = 5"));
    stays(Duration::from_secs(4), || (difficulty(&stage) != json!(1)).then(|| "it came into force".to_owned()));
    reload(&stage).expect_status(200);
    assert_eq!(difficulty(&stage), json!(5));
}

#[test]
fn a_changed_secret_comes_into_force_and_a_missing_one_is_not_made_anew() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let (secret, cookie) = (stage.verifier.directory().join("portcullis.secret"), buy(&client));
    let old = fs::read_to_string(&secret).unwrap();
    fs::remove_file(&secret).unwrap();
    until_true(SOON, "the missing secret to be told", || stage.verifier.log().contains("there is no such file"));
    assert!(!secret.exists());
    assert_eq!(reload(&stage).status, 422);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let offered = tests::visitor::challenge(&client, "");
    fs::write(&secret, format!("{}\n{old}", "ab".repeat(32))).unwrap();
    std::os::unix::fs::chown(&secret, None, None).unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    until_true(SOON, "the new secret", || stage.verifier.log().contains("reloaded"));
    tests::visitor::redeem(&client, "", &offered);
    buy(&client);
}

#[test]
fn a_bad_file_keeps_the_old_one_and_says_why_with_line_and_remedy() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let good = text(&stage);
    let bad = format!("mdoe = \"on\"\n{}", good.replace("difficulty = 1", "difficulty = 0"));
    replace(&stage, &bad);
    until_true(SOON, "the log to say why", || stage.verifier.log().contains("the old configuration stays in force"));
    let reply = reload(&stage);
    reply.expect_status(422);
    let said = reply.json();
    let problems = said["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{said}");
    assert_eq!((&problems[0]["line"], &problems[0]["remedy"]), (&json!(1), &json!("did you mean `mode`?")));
    let line = bad.lines().position(|line| line == "difficulty = 0").unwrap() + 1;
    assert_eq!(problems[1]["line"], json!(line));
    for text in [said["error"].as_str().unwrap(), &stage.verifier.log()] {
        assert!(text.contains("portcullis.toml:1: `mdoe` is not a key"), "{text}");
        assert!(text.contains(&format!("portcullis.toml:{line}: `difficulty` = 0 is out of range")), "{text}");
    }
    assert_eq!(difficulty(&stage), json!(1));
}

#[test]
fn what_is_read_at_the_start_only_is_named_with_its_line_and_what_is_in_force() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let good = text(&stage);
    let changed = good.replace("table_mib = 8", "table_mib = 9").replace("difficulty = 1", "difficulty = 7");
    stage.verifier.rewrite(&format!("admin_hosts = \"gate.test\"\n{changed}"));
    let reply = reload(&stage);
    reply.expect_status(422);
    let said = reply.json();
    let problems = said["problems"].as_array().unwrap();
    let line = changed.lines().position(|line| line == "table_mib = 9").unwrap() + 2;
    assert_eq!((&problems[0]["line"], &problems[1]["line"]), (&json!(1), &json!(line)), "{said}");
    assert_eq!(problems[1]["message"], json!("`table_mib` is only read at the start, and has changed"));
    assert_eq!(problems[1]["remedy"], json!("restart to change it, or set it back: 8 is in force"));
    assert_eq!(difficulty(&stage), json!(1), "and nothing else of the file came into force");
}
