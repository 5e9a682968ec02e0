//! What a crash, a clean stop and a reload leave behind.

use std::thread;

use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{ask, buy, challenge, credits, redeem, verify};
use tests::wait::{SOON, until_true};

#[test]
fn after_a_crash_nothing_redeemed_before_is_redeemed_again() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 100));
    let client = stage.client();
    let redeemed = challenge(&client, "");
    let unredeemed = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &redeemed);
    stage.verifier.crash_and_restart();
    verify(&client, "", &redeemed, &redeemed.solve()).expect(410, "expired");
    verify(&client, "", &unredeemed, &unredeemed.solve()).expect(410, "expired");
    client.request("GET", "/").cookie(&cookie).send().expect(429, "challenge_required");
    client.request("GET", "/").cookie(&buy(&client)).send().expect_status(200);
}

#[test]
fn a_table_saved_once_is_not_read_twice() {
    let mut stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let first = challenge(&client, "");
    redeem(&client, "", &first);
    assert!(stage.verifier.restart().success());
    // Saved by the stop, read by the start, and gone: the crash must not bring the older state back.
    let second = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &second);
    for _ in 0..90 {
        client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    }
    stage.verifier.crash_and_restart();
    for old in [first, second] {
        verify(&client, "", &old, &old.solve()).expect(410, "expired");
    }
}

#[test]
fn after_a_clean_stop_a_clearance_goes_on_working() {
    let mut stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let offered = challenge(&client, "");
    let unredeemed = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &offered);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let status = stage.verifier.restart();
    assert!(status.success(), "{status}");
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0));
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let (again, left) = redeem(&client, "", &offered);
    assert_eq!((again, left), (cookie, 98.0), "the same solution is the same clearance still");
    redeem(&client, "", &unredeemed);
}

#[test]
fn a_stop_lets_a_request_in_progress_finish() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("limits.drain_seconds", 15));
    let client = stage.client();
    let cookie = buy(&client);
    let body = vec![b'x'; 2 << 20];
    let upload = client.request("POST", "/upload").cookie(&cookie).body("application/octet-stream", body);
    let bytes = upload.bytes();
    let mut connection = client.connect().unwrap();
    let (first, rest) = bytes.split_at(1 << 20);
    std::io::Write::write_all(connection.get_mut(), first).unwrap();
    until_true(SOON, "the upload to arrive", || stage.origin.uploaded() > 500_000);
    stage.verifier.terminate();
    until_true(SOON, "new connections to be refused", || client.connect().is_err());
    std::io::Write::write_all(connection.get_mut(), rest).unwrap();
    let reply = tests::reply::Reply::read(&mut connection, false).unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "2097152"));
    assert!(stage.verifier.wait_for_end().success());
}

#[test]
fn a_request_that_never_ends_does_not_hold_up_a_stop_for_ever() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("limits.drain_seconds", 1));
    let client = stage.client();
    let cookie = buy(&client);
    let hanging = client.clone();
    let request = thread::spawn(move || hanging.request("GET", "/hang").cookie(&cookie).try_send());
    until_true(SOON, "the origin to have the request", || stage.origin.count("/hang") == 1);
    stage.verifier.terminate();
    stage.verifier.wait_for_end();
    let _ = request.join();
}

#[test]
fn a_bad_reload_keeps_the_configuration_that_works() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 77));
    let client = stage.client();
    let cookie = buy(&client);
    let before = stage.verifier.log();
    stage.verifier.rewrite("mode = \"on\"\nlissten = \"127.0.0.1:1\"\n");
    stage.verifier.hang_up();
    until_true(SOON, "the error to be logged", || stage.verifier.log()[before.len()..].contains("lissten"));
    assert_eq!(challenge(&client.in_network(0, 1), "").work(), 77);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
}

#[test]
fn a_reload_in_the_first_moment_ends_nothing() {
    // Answering begins when all is ready, also for signals: whoever starts it may reload it at once.
    for _ in 0..5 {
        let stage = Stage::new(Front::Proxy, Settings::new());
        stage.verifier.hang_up();
        let client = stage.client();
        until_true(SOON, "the reload to be logged", || stage.verifier.log().contains("reload"));
        client.get("/").expect_status(429);
    }
}

#[test]
fn a_reload_changes_rules_and_keeps_clearances() {
    let mut stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let cookie = buy(&client);
    let rules = "[[rule]]\npath = \"/open/**\"\naction = \"allow\"".parse::<toml::Table>().unwrap()["rule"].clone();
    let asking = client.clone();
    stage.verifier.reload(&[("rule", rules)], || ask(&asking, "/open/x")["needed"] == serde_json::json!(false));
    client.get("/open/x").expect_status(200);
    assert_eq!(credits(&client, &cookie, "/"), Some(100.0));
}

#[test]
fn an_old_secret_on_the_second_line_is_still_believed() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 20));
    let client = stage.client();
    let old = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &challenge(&client, ""));
    let file = stage.verifier.directory().join("portcullis.secret");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.trim();
    // Another secret of the same form: its characters in another order.
    let other = line.chars().rev().collect::<String>();
    std::fs::write(&file, format!("{other}\n{line}\n")).unwrap();
    stage.verifier.reprice(HOST, 21);
    let new = challenge(&client, "");
    redeem(&client, "", &old);
    assert!(credits(&client, &cookie, "/").is_some(), "a clearance outlives the secret");
    // Without the new line again, what it signed is worth nothing.
    std::fs::write(&file, format!("{line}\n")).unwrap();
    stage.verifier.reprice(HOST, 22);
    verify(&client, "", &new, &new.solve()).expect(403, "forged");
    redeem(&client, "", &challenge(&client, ""));
}

#[test]
fn a_stop_between_two_secrets_loses_no_clearance() {
    let mut stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let cookie = buy(&client);
    let file = stage.verifier.directory().join("portcullis.secret");
    let line = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let other = line.chars().rev().collect::<String>();
    std::fs::write(&file, format!("{other}\n{line}\n")).unwrap();
    assert!(stage.verifier.restart().success());
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
}
