//! The table of clearances at its end: it grows dear, then it refuses, and it never forgets a live entry.

use std::sync::Mutex;
use std::thread;

use serde_json::Value;
use tests::client::Client;
use tests::settings::Settings;
use tests::solver::Challenge;
use tests::stage::{Front, Stage};
use tests::visitor::{credits, endpoint, redeem, solution_json};

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
    let (first, _) = redeem(&client, "/dear", &tests::visitor::challenge(&client, "/dear"));
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
fn cheap_work_cannot_fill_the_table() {
    let stage = stage("path = \"/dear\"\nmin_price = 400");
    let client = stage.client();
    let (refusal, sold) = buy_until_refused(&client, "", ENTRIES);
    assert_eq!(refusal.unwrap()["code"], "outpriced");
    assert!(sold.len() < ENTRIES / 2, "{} sold at the floor", sold.len());
    redeem(&client, "/dear", &tests::visitor::challenge(&client, "/dear"));
}
