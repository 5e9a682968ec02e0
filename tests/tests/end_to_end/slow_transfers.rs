//! Bodies that trickle and readers that crawl: what they hold, what they pay, and who is closed when others wait.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::client::Client;
use tests::origin::Origin;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::transfer::{Transfer, Version};
use tests::verifier::Verifier;
use tests::visitor::{buy, credits};
use tests::wait::{SOON, stays, until_true};

/// What the limit begins with while the gate is down.
const SLOTS: usize = 20;
/// A transfer is slow after ten seconds; a loaded machine may be late.
const SLOW_WITHIN: Duration = Duration::from_secs(50);
/// More than what a connection holds between the verifier and a reader that reads nothing.
const MORE_THAN_WAS_UNDER_WAY: usize = 16 << 20;
/// More than what is read before the origin is opened.
const BEGUN: usize = 70 * 1024;

fn gated() -> (Origin, Verifier) {
    in_mode("on")
}

fn in_mode(mode: &str) -> (Origin, Verifier) {
    let origin = Origin::start("main");
    let settings = Settings::new()
        .set("mode", mode)
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .set("limits.body_timeout_seconds", 120)
        .set("limits.write_timeout_seconds", 120)
        .site("main", &[HOST], Some(&origin.url()))
        .of_site("capacity_per_second", 100);
    (origin, Verifier::start(settings))
}

fn from(verifier: &Verifier, address: &str) -> Client {
    verifier.client(HOST).with("X-Forwarded-Proto", "http").with("X-Forwarded-For", address)
}

fn status(verifier: &Verifier) -> Value {
    verifier.admin().request("GET", "/status").try_send().unwrap().json()
}

fn slow(verifier: &Verifier) -> Value {
    status(verifier)["sites"][0]["slow_transfers"].clone()
}

/// Sends the head of an upload of so many bytes and these of its body.
fn upload(client: &Client, cookie: &str, length: usize, begun: usize) -> BufReader<TcpStream> {
    let mut connection = client.connect().unwrap();
    let head = client.request("POST", "/upload").cookie(cookie).header("Content-Length", &length.to_string()).bytes();
    connection.get_mut().write_all(&head).unwrap();
    connection.get_mut().write_all(&vec![b'x'; begun]).unwrap();
    connection
}

fn trickle(connections: &mut [BufReader<TcpStream>]) {
    for connection in connections {
        // Who is closed cannot send any more.
        let _ = connection.get_mut().write_all(b"x");
    }
}

fn a_trickle_reaches_the_origin_whole(mode: &str) {
    let (origin, verifier) = in_mode(mode);
    let client = from(&verifier, "203.0.113.9");
    let cookie = if mode == "on" { buy(&client) } else { String::new() };
    let mut connection = upload(&client, &cookie, 10_240, 5_000);
    until_true(SOON, "the beginning is held", || status(&verifier)["read_ahead_bytes"].as_u64() >= Some(5_000));
    let mut trickled = 0;
    stays(Duration::from_secs(2), || {
        connection.get_mut().write_all(b"x").unwrap();
        trickled += 1;
        (origin.count("/upload") > 0).then(|| "the origin has the request before its body is whole".to_owned())
    });
    let before = status(&verifier)["sites"][0]["queue"].clone();
    assert_eq!(before, json!({"in_use": 0, "waiting": 0}));
    connection.get_mut().write_all(&vec![b'x'; 10_240 - 5_000 - trickled]).unwrap();
    let reply = Reply::read(&mut connection, false).unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "10240"));
    until_true(SOON, "nothing is held any more", || status(&verifier)["read_ahead_bytes"] == json!(0));
}

#[test]
fn a_small_body_reaches_the_origin_when_it_is_whole_and_holds_no_slot_before() {
    a_trickle_reaches_the_origin_whole("on");
}

#[test]
fn neither_does_a_trickle_hold_a_worker_while_the_gate_is_open() {
    a_trickle_reaches_the_origin_whole("auto");
}

#[test]
fn a_small_chunked_body_passes_whole_over_both_versions() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let cookie = buy(&client);
    let head = "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n";
    let chunked = format!(
        "POST /submit HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n{head}6\r\nhello \r\n5\r\nworld\r\n0\r\nX-Sum: 11\r\n\r\n",
        client.host()
    );
    let reply = client.send_raw(chunked.as_bytes()).unwrap();
    assert!(reply.status == 200 && reply.text().contains("hello world"), "{reply:?}");
    assert_eq!(stage.origin.last().header("transfer-encoding"), "chunked", "chunked stays chunked");
    client.request("POST", "/submit").cookie(&cookie).body("text/plain", "known").send().expect_status(200);
    assert_eq!(stage.origin.last().header("content-length"), "5", "a length stays a length");
    for version in [Version::One, Version::Two] {
        let transfer = Transfer { port: stage.verifier.port, host: HOST.into(), cookie: cookie.clone(), version };
        for bytes in [1, 1_000, 64 * 1024, 64 * 1024 + 1, 200_000] {
            assert_eq!(transfer.upload(bytes), (200, bytes.to_string()), "{version:?}");
        }
    }
}

#[test]
fn a_mebibyte_at_full_speed_costs_one_credit_each_way() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let cookie = buy(&stage.client());
    for (version, left) in [(Version::One, 98.0), (Version::Two, 96.0)] {
        let transfer = Transfer { port: stage.verifier.port, host: HOST.into(), cookie: cookie.clone(), version };
        assert_eq!(transfer.upload(1 << 20), (200, (1 << 20).to_string()));
        assert_eq!(transfer.download(1 << 20, Duration::ZERO), (200, 1 << 20));
        assert_eq!(credits(&stage.client(), &cookie, "/"), Some(left));
    }
    assert_eq!(status(&stage.verifier)["slow_transfers_closed"], json!(0));
}

#[test]
fn a_slow_transfer_is_charged_by_the_second_and_not_closed_while_nobody_waits() {
    let (origin, verifier) = gated();
    let client = from(&verifier, "203.0.113.9");
    let cookie = buy(&client);
    let mut connections = [upload(&client, &cookie, 100 * 1024, BEGUN)];
    until_true(SOON, "it is at the origin", || origin.count("/upload") == 1);
    until_true(SLOW_WITHIN, "it pays for five more seconds", || {
        trickle(&mut connections);
        credits(&client, &cookie, "/") <= Some(94.0)
    });
    assert_eq!(slow(&verifier), json!(1));
    assert_eq!(status(&verifier)["slow_transfers_closed"], json!(0));
    connections[0].get_mut().write_all(&vec![b'x'; 100 * 1024 - BEGUN]).ok();
    assert_eq!(Reply::read(&mut connections[0], false).unwrap().status, 200, "it may end in peace");
}

#[test]
fn trickled_uploads_make_room_for_a_visitor() {
    let (origin, verifier) = gated();
    let (busy, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let (cookie, own) = (buy(&busy), buy(&visitor));
    let mut trickles: Vec<_> = (0..SLOTS).map(|_| upload(&busy, &cookie, 100 * 1024, BEGUN)).collect();
    until_true(SOON, "they are at the origin", || origin.count("/upload") == SLOTS);
    until_true(SLOW_WITHIN, "all are slow", || {
        trickle(&mut trickles);
        slow(&verifier) == json!(SLOTS)
    });
    let begun = Instant::now();
    visitor.request("GET", "/").cookie(&own).send().expect_status(200);
    assert!(begun.elapsed() < Duration::from_secs(5), "served after {:?}", begun.elapsed());
    let closed = status(&verifier)["slow_transfers_closed"].as_u64().unwrap();
    assert!((1..SLOTS as u64).contains(&closed), "{closed}: only as many as there were visitors");
    let ended = trickles.iter_mut().map(|connection| {
        connection.get_mut().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        u64::from(Reply::read(connection, false).is_ok_and(|reply| reply.status == 408))
    });
    assert_eq!(ended.sum::<u64>(), closed);
}

#[test]
fn readers_that_crawl_make_room_for_a_visitor() {
    let (_origin, verifier) = gated();
    let (busy, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let (cookie, own) = (buy(&busy), buy(&visitor));
    let mut readers: Vec<_> = (0..SLOTS)
        .map(|_| {
            let mut connection = busy.connect().unwrap();
            let request = busy.request("GET", "/download?100000000").cookie(&cookie).bytes();
            connection.get_mut().write_all(&request).unwrap();
            connection
        })
        .collect();
    until_true(SLOW_WITHIN, "all are slow", || {
        for reader in &mut readers {
            reader.get_mut().read_exact(&mut [0; 16]).unwrap();
        }
        slow(&verifier) == json!(SLOTS)
    });
    // Whatever room is left is taken until somebody has to wait.
    let hanging = from(&verifier, "192.0.2.7");
    let (pays, mut hangs) = (buy(&hanging), Vec::new());
    until_true(SOON, "a reader to make room", || {
        let now = status(&verifier);
        if now["sites"][0]["queue"]["waiting"] == json!(0) {
            let mut connection = hanging.connect().unwrap();
            connection.get_mut().write_all(&hanging.request("GET", "/hang").cookie(&pays).bytes()).unwrap();
            hangs.push(connection);
        }
        now["slow_transfers_closed"].as_u64() >= Some(1)
    });
    let begun = Instant::now();
    visitor.request("GET", "/").cookie(&own).send().expect_status(200);
    assert!(begun.elapsed() < Duration::from_secs(5), "served after {:?}", begun.elapsed());
    drop(hangs);
    let closed = status(&verifier)["slow_transfers_closed"].as_u64().unwrap();
    let whole = readers.into_iter().map(|mut reader| {
        reader.get_mut().set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut bytes = Vec::new();
        let read = reader.by_ref().take(MORE_THAN_WAS_UNDER_WAY as u64).read_to_end(&mut bytes);
        // One that is cut ends before what it asked for; the others go on when they are read.
        u64::from(read.is_ok() && bytes.len() == MORE_THAN_WAS_UNDER_WAY)
    });
    assert_eq!(whole.sum::<u64>(), SLOTS as u64 - closed);
}

#[test]
fn a_reader_at_twice_the_least_speed_is_not_slow() {
    let (_origin, verifier) = gated();
    let client = from(&verifier, "203.0.113.9");
    let cookie = buy(&client);
    let mut connection = client.connect().unwrap();
    connection.get_mut().write_all(&client.request("GET", "/download?100000000").cookie(&cookie).bytes()).unwrap();
    // A kibibyte at each look, and twenty looks a second.
    stays(Duration::from_secs(35), || {
        connection.get_mut().read_exact(&mut [0; 1024]).unwrap();
        (slow(&verifier) != json!(0)).then(|| "a reader that takes its time is taken for slow".to_owned())
    });
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0));
}

#[test]
fn a_stream_of_http_2_that_crawls_makes_room_and_its_origin_is_free() {
    let (_origin, verifier) = gated();
    let (busy, visitor) = (from(&verifier, "198.51.100.7"), from(&verifier, "203.0.113.9"));
    let (cookie, own) = (buy(&busy), buy(&visitor));
    let transfer = Transfer { port: verifier.port, host: HOST.into(), cookie, version: Version::Two };
    let from_busy = [("x-forwarded-proto", "http"), ("x-forwarded-for", "198.51.100.7")];
    let crawling = transfer.crawl("/download?100000000", &from_busy, 1);
    until_true(SLOW_WITHIN, "it is slow", || slow(&verifier) == json!(1));
    let mut hangs = Vec::new();
    until_true(SOON, "it makes room", || {
        let mut connection = visitor.connect().unwrap();
        connection.get_mut().write_all(&visitor.request("GET", "/hang").cookie(&own).bytes()).unwrap();
        hangs.push(connection);
        status(&verifier)["slow_transfers_closed"] == json!(1)
    });
    until_true(SOON, "it is gone", || slow(&verifier) == json!(0));
    drop(crawling);
}
