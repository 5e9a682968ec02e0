//! WebSockets and event streams: how many may be open while others pay.

use std::io::BufReader;
use std::net::TcpStream;

use serde_json::{Value, json};
use tests::client::Client;
use tests::live::{self, events};
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{HOST, Stage};
use tests::visitor::{buy, credits};
use tests::wait::{SOON, until_true};

fn stage(mode: &str, capacity: u32) -> Stage {
    let origin = tests::origin::Origin::start("main");
    let settings = Settings::new()
        .set("mode", mode)
        .site("main", &[HOST], Some(&origin.url()))
        .of_site("capacity_per_second", i64::from(capacity));
    let verifier = tests::verifier::Verifier::start(settings);
    let relay = tests::relay::Relay::start(verifier.port);
    Stage { origin, verifier, nginx: None, relay }
}

fn streams(stage: &Stage) -> Value {
    stage.verifier.admin().request("GET", "/status").try_send().unwrap().json()["sites"][0]["streams"].clone()
}

fn websocket(client: &Client, cookie: &str) -> Result<BufReader<TcpStream>, Reply> {
    live::websocket(client, cookie).map(|(connection, _)| connection)
}

#[test]
fn a_clearance_keeps_four_streams_open_and_the_fifth_waits_for_one_to_end() {
    let stage = stage("on", 100);
    let client = stage.client();
    let cookie = buy(&client);
    let mut open: Vec<_> = (0..2).map(|_| events(&client, &cookie).unwrap()).collect();
    open.extend((0..2).map(|_| websocket(&client, &cookie).unwrap()));
    assert_eq!(streams(&stage), json!({"open": 4, "with_place": 4, "places": 25}));
    let refused = websocket(&client, &cookie).unwrap_err();
    assert_eq!((refused.status, stage.origin.count("/socket")), (503, 2), "the origin is not asked");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(events(&client, &cookie).unwrap_err().status, 503);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let other = buy(&client);
    open.push(events(&client, &other).unwrap());
    open.remove(0);
    until_true(SOON, "the place to be free", || streams(&stage)["with_place"] == json!(4));
    open.push(events(&client, &cookie).unwrap());
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    assert!(metrics.contains("portcullis_streams_with_place{site=\"main\"} 5"), "{metrics}");
    assert!(metrics.contains("portcullis_streams_refused_total 2"), "{metrics}");
}

#[test]
fn a_refused_websocket_is_paid_back_and_a_refused_event_stream_is_not() {
    let stage = stage("on", 4);
    let client = stage.client();
    let (holder, cookie) = (buy(&client), buy(&client));
    let _held = events(&client, &holder).unwrap();
    assert_eq!(websocket(&client, &cookie).unwrap_err().status, 503);
    assert_eq!(credits(&client, &cookie, "/"), Some(100.0));
    assert_eq!(events(&client, &cookie).unwrap_err().status, 503, "C/4 is one here");
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0), "the origin has answered it");
}

#[test]
fn an_idle_gate_counts_no_streams_and_those_it_let_in_go_on_when_it_goes_down() {
    let stage = stage("auto", 100);
    let client = stage.client();
    let mut open: Vec<_> = (0..40).map(|_| events(&client, "").unwrap()).collect();
    let mut socket = websocket(&client, "").unwrap();
    assert_eq!(streams(&stage), json!({"open": 41, "with_place": 0, "places": 25}));
    let token = stage.verifier.admin_token();
    let admin = stage.verifier.admin().with("Authorization", &format!("Bearer {token}"));
    admin.request("POST", "/mode").body("application/json", "{\"mode\":\"on\"}").try_send().unwrap().expect_status(200);
    let cookie = buy(&client);
    open.push(events(&client, &cookie).unwrap());
    assert_eq!(streams(&stage), json!({"open": 42, "with_place": 1, "places": 25}));
    // An open one goes on.
    live::echoes(&mut socket);
}
