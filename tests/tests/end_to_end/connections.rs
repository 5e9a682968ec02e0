//! Clients that hold a connection and give nothing for it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

/// Configured times are one second; a loaded machine may be late by this much.
const LATE: Duration = Duration::from_secs(6);

fn stage() -> Stage {
    let settings = Settings::new()
        .set("limits.head_timeout_seconds", 1)
        .set("limits.idle_timeout_seconds", 1)
        .set("limits.body_timeout_seconds", 1)
        .set("limits.write_timeout_seconds", 1);
    Stage::new(Front::Proxy, settings)
}

/// Sends these bytes and nothing more; gives how long the server let the connection live.
fn lifetime(client: &Client, bytes: &[u8]) -> Duration {
    let mut connection = client.connect().unwrap();
    connection.get_mut().write_all(bytes).unwrap();
    let start = Instant::now();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    start.elapsed()
}

#[track_caller]
fn closed_in_time(client: &Client, bytes: &[u8]) {
    let lived = lifetime(client, bytes);
    assert!((Duration::from_millis(700)..LATE).contains(&lived), "closed after {lived:?}");
}

#[test]
fn a_silent_connection_is_closed() {
    closed_in_time(&stage().client(), b"");
}

#[test]
fn a_single_byte_is_closed() {
    closed_in_time(&stage().client(), b"G");
}

#[test]
fn half_a_head_is_closed() {
    closed_in_time(&stage().client(), b"GET / HTTP/1.1\r\nHost: portcullis.test\r\nX-Half: ");
}

#[test]
fn a_head_that_trickles_is_closed() {
    let stage = stage();
    let mut stream = stage.client().connect().unwrap().into_inner();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let start = Instant::now();
    // A byte every tenth of a second keeps no connection open.
    until_true(LATE, "the trickle to be closed", || {
        let sent = stream.write_all(b"x").is_ok();
        let read = stream.read(&mut [0; 512]);
        !sent || read.is_ok_and(|bytes| bytes == 0)
    });
    assert!(start.elapsed() > Duration::from_millis(700));
}

/// A frame of HTTP/2 (RFC 9113 §4.1) on a stream.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

#[test]
fn an_http2_client_that_takes_no_byte_of_an_answer_is_closed() {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const END_STREAM_AND_HEADERS: u8 = 5;
    let stage = stage();
    let mut talk = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE = 0: nothing of a body may ever be sent.
    talk.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    talk.extend(frame(SETTINGS, 1, 0, &[]));
    // GET / over http for portcullis.test, in HPACK's static table.
    let mut head = vec![0x82, 0x86, 0x84, 0x41, 15];
    head.extend(b"portcullis.test");
    talk.extend(frame(HEADERS, END_STREAM_AND_HEADERS, 1, &head));
    closed_in_time(&stage.client(), &talk);
}

#[test]
fn an_http2_connection_that_says_nothing_is_closed() {
    let stage = stage();
    closed_in_time(&stage.client(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00");
    closed_in_time(&stage.client(), b"PRI * HTTP/2.0\r\n\r\n");
}

#[test]
fn an_idle_connection_is_closed_after_its_own_time() {
    let stage = stage();
    let request = stage.client().request("GET", "/").bytes();
    closed_in_time(&stage.client(), &request);
}

#[test]
fn a_stalled_body_is_closed() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let upload = format!(
        "POST /upload HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nContent-Length: 1000\r\n\r\nonly this",
        client.host()
    );
    closed_in_time(&client, upload.as_bytes());
}

#[test]
fn a_stalled_solution_is_closed() {
    let stage = stage();
    let client = stage.client();
    let verify = format!(
        "POST /.portcullis/verify HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        client.host()
    );
    closed_in_time(&client, verify.as_bytes());
}

#[test]
fn a_reader_that_stops_is_closed() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let request = client.request("GET", "/download?1000000000").cookie(&cookie).bytes();
    let mut stream = client.connect().unwrap().into_inner();
    stream.write_all(&request).unwrap();
    let start = Instant::now();
    let held = || connections_with(stream.local_addr().unwrap().port());
    until_true(SOON, "the download to begin", || held() == 1);
    until_true(LATE, "the verifier to close a client that reads nothing", || held() == 0);
    assert!(start.elapsed() > Duration::from_millis(700));
}

/// How many established connections have this port at their other end: one while the verifier holds its side.
fn connections_with(peer: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!(":{peer:04X}");
    table
        .lines()
        .skip(1)
        .filter(|line| {
            let mut fields = line.split_whitespace().skip(2);
            fields.next().is_some_and(|address| address.ends_with(&remote)) && fields.next() == Some("01")
        })
        .count()
}

#[test]
fn at_the_limit_the_new_connection_is_served_and_the_most_wasteful_closed() {
    let settings = Settings::new().set("limits.max_connections", 20);
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let cookie = buy(&client);
    // One request in progress, which must survive everything below.
    let hanging = client.clone();
    let request = hanging.request("GET", "/hang").cookie(&cookie).bytes();
    let mut admitted = client.connect().unwrap().into_inner();
    admitted.write_all(&request).unwrap();
    until_true(SOON, "the origin to have the request", || stage.origin.count("/hang") == 1);
    let mut wasters: Vec<TcpStream> = Vec::new();
    for _ in 0..60 {
        let mut waster = client.connect().unwrap().into_inner();
        waster.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
        wasters.push(waster);
        // An honest visitor on a connection of its own comes through each time.
        client.clone().request("GET", "/page/1").cookie(&cookie).send().expect_status(200);
    }
    let open = wasters.iter().filter(|waster| is_open(waster)).count();
    assert!(open <= 19, "{open} of 60 half heads are still open at a limit of 20");
    assert!(!is_open(&wasters[0]), "the oldest went first");
    assert!(is_open(&admitted), "an admitted request in progress is never closed");
}

fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0; 1024]);
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn a_client_that_leaves_cancels_at_the_origin() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("limits.max_connections", 30));
    let client = stage.client();
    let cookie = buy(&client);
    let leavers = (0..20).map(|_| {
        let (client, cookie) = (client.clone(), cookie.clone());
        thread::spawn(move || {
            let mut stream = client.connect().unwrap().into_inner();
            stream.write_all(&client.request("GET", "/hang").cookie(&cookie).bytes()).unwrap();
            stream
        })
    });
    let streams = leavers.collect::<Vec<_>>().into_iter().map(|leaver| leaver.join().unwrap()).collect::<Vec<_>>();
    until_true(SOON, "the origin to have the requests", || stage.origin.count("/hang") == 20);
    drop(streams);
    for _ in 0..20 {
        client.clone().request("GET", "/").cookie(&cookie).send().expect_status(200);
    }
    let log = stage.verifier.log();
    assert!(!log.contains("panicked"), "{log}");
}
