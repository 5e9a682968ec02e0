//! The table of clearances at its end: it grows dear, then it refuses, and it never forgets a live entry.

use std::sync::Mutex;
use std::thread;

use serde_json::Value;
use tests::client::Client;
use tests::settings::Settings;
use tests::solver::Challenge;
use tests::stage::{Front, Stage};
use tests::visitor::{challenge, credits, endpoint, redeem, solution_json, verify};

/// One mebibyte of entries of 64 bytes.
const ENTRIES: usize = 16_384;

/// Buys at a dear route until a sale is refused; gives the refusal and the clearances sold.
fn buy_until_refused(client: &Client, target: &str, sales_max: usize) -> (Option<Value>, Vec<String>) {
    let mut sold = Vec::new();
    for _ in 0..sales_max {
        let offer = client.request("GET", &endpoint("challenge", target)).try_send().unwrap().json();
        let challenge = Challenge::from_text(offer["challenge"].as_str().unwrap());
        let body = solution_json(&challenge, &challenge.solve());
        let reply =
            client.request("POST", &endpoint("verify", target)).body("application/json", body).try_send().unwrap();
        match reply.clearance() {
            Some(cookie) if reply.status == 200 => sold.push(cookie),
            _ => {
                assert_eq!(reply.status, if reply.code() == "busy" { 503 } else { 409 }, "{reply:?}");
                assert!(reply.code() != "busy" || reply.header("retry-after").is_some(), "{reply:?}");
                return (Some(reply.json()), sold);
            }
        }
    }
    (None, sold)
}

fn stage(rules: &str) -> Stage {
    let settings = Settings::new().set("table_mib", 1).set("log", "warn").rule(rules);
    Stage::new(Front::Proxy, settings)
}

#[test]
fn a_full_table_refuses_and_keeps_what_it_sold() {
    // 256 times the floor is the price at the very end.
    let stage = stage("path = \"/dear\"\nmin_price = 400");
    let client = stage.client();
    let (first, _) = redeem(&client, "/dear", &challenge(&client, "/dear"));
    let all = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (refusal, sold) = buy_until_refused(&client.clone(), "/dear", ENTRIES);
                assert_eq!(refusal.unwrap()["code"], "busy");
                all.lock().unwrap().extend(sold);
            });
        }
    });
    let all = all.into_inner().unwrap();
    assert!((ENTRIES / 2..=ENTRIES).contains(&all.len()), "{} sold", all.len());
    assert_eq!(credits(&client, &first, "/"), Some(100.0), "the oldest is still there");
    let oldest_of_many = &all[0];
    client.request("GET", "/").cookie(oldest_of_many).send().expect_status(200);
}

#[test]
fn as_the_table_fills_work_grows_dear_and_what_was_cheap_is_outpriced() {
    let stage = stage("path = \"/dear\"\nmin_price = 400");
    let client = stage.client();
    let cheap = challenge(&client, "");
    let (refusal, sold) = buy_until_refused(&client, "/dear", ENTRIES / 2);
    assert!(refusal.is_none(), "{refusal:?} after {} sales", sold.len());
    verify(&client, "", &cheap, &cheap.solve()).expect(409, "outpriced");
    // A visitor who comes now is asked for as much as it takes, and gets something for it.
    let offered = challenge(&client, "");
    assert!(offered.work() >= 10 * cheap.work(), "{} attempts", offered.work());
    let (cookie, _) = redeem(&client, "", &offered);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
}
