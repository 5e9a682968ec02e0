//! File descriptors that are used up: connections are bounded below the limit, what goes on goes on, and it recovers.

use std::io::Write as _;
use std::thread;

use serde_json::Value;
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::verifier::{Unit, Verifier};
use tests::visitor::{buy, challenge};
use tests::wait::{SOON, until_true};

/// Far fewer than 10,000 connections take.
const ALLOWED: usize = 160;
/// Connections of one network that say nothing.
const SILENT: usize = 120;

fn open_connections(verifier: &Verifier) -> u64 {
    let status: Value = verifier.admin().request("GET", "/status").try_send().unwrap().json();
    status["connections"].as_u64().unwrap()
}

#[test]
fn connections_are_bounded_below_the_limit_and_visitors_are_served() {
    let origin = tests::origin::Origin::start("main");
    let unit = Unit::through(&["prlimit", &format!("--nofile={ALLOWED}:{ALLOWED}")]);
    let settings = Settings::new().site("main", &[HOST], Some(&origin.url()));
    let verifier = Verifier::start_in(unit, settings, tests::ports::free());
    let told = format!("and {ALLOWED} are allowed, which are enough for 30 connections");
    assert!(verifier.log().contains(&told), "{}", verifier.log());

    // Somebody is in the middle of something that was paid for.
    let client = verifier.client(HOST);
    let cookie = buy(&client);
    let upload =
        client.request("POST", "/upload").cookie(&cookie).body("application/octet-stream", vec![b'x'; 2 << 20]);
    let bytes = upload.bytes();
    let (first, rest) = bytes.split_at(1 << 20);
    let mut connection = client.connect().unwrap();
    connection.get_mut().write_all(first).unwrap();
    until_true(SOON, "the upload to arrive", || origin.uploaded() > 500_000);

    let crowd = client.in_network(9, 9);
    let _silent: Vec<_> = (0..SILENT).map(|_| crowd.connect().unwrap()).collect();
    // Those who come meanwhile are served, each with a connection to the origin beside their own.
    thread::scope(|scope| {
        for third in 0..8 {
            let visitor = client.in_network(10, third);
            scope.spawn(move || {
                let cookie = buy(&visitor);
                for _ in 0..5 {
                    visitor.request("GET", "/").cookie(&cookie).send().expect_status(200);
                }
            });
        }
    });
    assert!(open_connections(&verifier) <= 30, "{}", open_connections(&verifier));
    connection.get_mut().write_all(rest).unwrap();
    let reply = Reply::read(&mut connection, false).unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "2097152"));
    assert!(!verifier.log().contains("cannot accept"), "{}", verifier.log());
}

#[test]
fn where_something_else_has_used_them_up_what_goes_on_goes_on_and_others_wait() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let (verifier, client) = (&stage.verifier, stage.client());
    let cookie = buy(&client);
    let get = |client: &Client| {
        client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    };
    get(&client);
    let admin = verifier.admin();
    admin.request("GET", "/healthz").try_send().unwrap().expect_status(200);

    // From now on it can open nothing more, but for what it closes.
    verifier.limit("nofile", &verifier.next_file().to_string());
    let newcomer = client.in_network(9, 9);
    let _silent: Vec<_> = (0..8).map(|_| newcomer.connect().unwrap()).collect();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| challenge(&newcomer, ""));
        until_true(SOON, "the log to say so", || verifier.log().contains("cannot accept a connection"));
        for _ in 0..20 {
            get(&client);
        }
        admin.request("GET", "/healthz").try_send().unwrap().expect_status(200);
        verifier.limit("nofile", "4096");
        waiting.join().unwrap();
    });
    get(&newcomer);
    let log = verifier.log();
    let lines = log.lines().filter(|line| line.contains("cannot accept a connection")).count();
    let seconds = log.lines().filter_map(|line| line.get(..19)).collect::<std::collections::BTreeSet<_>>().len();
    assert!(lines <= seconds, "at most one a second: {log}");
}
