//! The queue before the origin: who waits, who does not, and what becomes of those for whom there is no room.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::{buy, credits};
use tests::wait::{SOON, until_true};

/// What the limit begins with while the gate is down.
const SLOTS: usize = 20;

fn gated(mode: &str) -> (Origin, Verifier) {
    with_site(mode, |settings| settings)
}

fn with_site(mode: &str, of_site: impl FnOnce(Settings) -> Settings) -> (Origin, Verifier) {
    let origin = Origin::start("main");
    let settings = Settings::new()
        .set("mode", mode)
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .site("main", &[HOST], Some(&origin.url()))
        .of_site("capacity_per_second", 100);
    let verifier = Verifier::start(of_site(settings));
    (origin, verifier)
}

fn from(verifier: &Verifier, address: &str) -> Client {
    verifier.client(HOST).with("X-Forwarded-Proto", "http").with("X-Forwarded-For", address)
}

fn queue(verifier: &Verifier) -> Value {
    verifier.admin().request("GET", "/status").try_send().unwrap().json()["sites"][0]["queue"].clone()
}

/// Requests for a page whose answer never comes, one a connection; they end with what is returned.
fn hanging(client: &Client, cookie: &str, count: usize) -> Vec<std::io::BufReader<std::net::TcpStream>> {
    let hang = |_| {
        let bytes = client.request("GET", "/hang").cookie(cookie).bytes();
        let mut connection = client.connect().unwrap();
        std::io::Write::write_all(connection.get_mut(), &bytes).unwrap();
        connection
    };
    (0..count).map(hang).collect()
}

#[test]
fn for_whom_there_is_no_room_is_told_so_and_paid_back() {
    let (_origin, verifier) = gated("on");
    let (busy, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let (cookie, own) = (buy(&busy), buy(&visitor));
    let held = hanging(&busy, &cookie, SLOTS);
    until_true(SOON, "all slots are taken", || queue(&verifier) == json!({"in_use": SLOTS, "waiting": 0}));
    let begun = Instant::now();
    let reply = visitor.request("GET", "/").cookie(&own).send();
    assert!(begun.elapsed() > Duration::from_secs(5), "it waited for {:?}", begun.elapsed());
    reply.expect(503, "overloaded");
    assert_eq!(reply.header("portcullis-challenge"), None, "what it holds is still good");
    let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((2..=8).contains(&after), "{after}");
    assert_eq!(credits(&visitor, &own, "/"), Some(100.0), "the first drop comes back whole");
    drop(held);
    until_true(SOON, "the slots of clients that left are free", || queue(&verifier)["in_use"] == json!(0));
    visitor.request("GET", "/").cookie(&own).send().expect_status(200);
    let metrics = verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    assert!(metrics.contains("portcullis_requests_dropped_total 1"), "{metrics}");
}

#[test]
fn a_navigation_without_room_gets_a_page_that_tries_again_by_itself() {
    let (_origin, verifier) = gated("on");
    let (busy, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let (cookie, own) = (buy(&busy), buy(&visitor));
    let _held = hanging(&busy, &cookie, SLOTS);
    until_true(SOON, "all slots are taken", || queue(&verifier)["in_use"] == json!(SLOTS));
    let reply = visitor.request("GET", "/").header("Accept", "text/html").cookie(&own).send();
    reply.expect_status(503);
    let page = reply.text();
    assert!(page.contains("http-equiv=refresh") || page.contains("http-equiv=\"refresh\""), "{page}");
}

#[test]
fn a_free_slot_goes_to_who_waits() {
    let (_origin, verifier) = gated("on");
    let (busy, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let (cookie, own) = (buy(&busy), buy(&visitor));
    let held = hanging(&busy, &cookie, SLOTS);
    until_true(SOON, "all slots are taken", || queue(&verifier)["in_use"] == json!(SLOTS));
    thread::scope(|scope| {
        let waits = scope.spawn(|| visitor.request("GET", "/").cookie(&own).send());
        until_true(SOON, "somebody waits", || queue(&verifier)["waiting"] == json!(1));
        drop(held);
        waits.join().unwrap().expect_status(200);
    });
    assert_eq!(credits(&visitor, &own, "/"), Some(99.0));
}

#[test]
fn event_streams_and_websockets_hold_no_slot() {
    let (_origin, verifier) = gated("on");
    let (many, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let own = buy(&visitor);
    // A clearance keeps four streams open.
    let cookies: Vec<String> = (0..SLOTS / 4 + 2).map(|_| buy(&many)).collect();
    let streams: Vec<_> = (0..SLOTS + 5)
        .map(|number| {
            let mut connection = many.connect().unwrap();
            let bytes = many.request("GET", "/events").cookie(&cookies[number / 4]).bytes();
            std::io::Write::write_all(connection.get_mut(), &bytes).unwrap();
            let mut line = String::new();
            while !line.starts_with("data: first") {
                line.clear();
                std::io::BufRead::read_line(&mut connection, &mut line).unwrap();
            }
            connection
        })
        .collect();
    assert_eq!(queue(&verifier), json!({"in_use": 0, "waiting": 0}));
    visitor.request("GET", "/").cookie(&own).send().expect_status(200);
    drop(streams);
}

#[test]
fn an_open_gate_lets_two_hundred_requests_hang_and_nobody_waits() {
    let (_origin, verifier) = gated("auto");
    let busy = from(&verifier, "198.51.100.7");
    let held = hanging(&busy, "", 200);
    until_true(SOON, "they are at the origin", || queue(&verifier)["in_use"] == json!(200));
    let begun = Instant::now();
    from(&verifier, "203.0.113.9").get("/").expect_status(200);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(held);
}

#[test]
fn where_the_workers_are_told_no_more_requests_go_there_and_the_next_waits_here_also_while_the_gate_is_open() {
    let (origin, verifier) = with_site("auto", |settings| settings.of_site("origin_requests_max", 3));
    let (busy, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let held = hanging(&busy, "", 3);
    until_true(SOON, "all workers are taken", || queue(&verifier)["in_use"] == json!(3));
    until_true(SOON, "they are at work", || origin.count("/") == 3);
    thread::scope(|scope| {
        let waits = scope.spawn(|| visitor.get("/"));
        until_true(SOON, "the visitor waits", || queue(&verifier)["waiting"] == json!(1));
        assert_eq!(origin.count("/"), 3);
        drop(held);
        // By then the gate may be down: what waited without paying is asked to pay.
        assert!(matches!(waits.join().unwrap().status, 200 | 429));
    });
}

#[test]
fn in_mode_off_there_is_no_queue() {
    let (_origin, verifier) = gated("off");
    let busy = from(&verifier, "198.51.100.7");
    let held = hanging(&busy, "", 300);
    until_true(SOON, "all of them are at the origin", || {
        let status = verifier.admin().request("GET", "/status").try_send().unwrap().json();
        status["sites"][0]["signals"]["origin"]["waiting"] == json!(300)
    });
    assert_eq!(queue(&verifier), json!({"in_use": 0, "waiting": 0}));
    drop(held);
}
