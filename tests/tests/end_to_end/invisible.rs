//! A gate that is off, or idle, is not there.

use std::io::{Read as _, Write as _};

use tests::client::Client;
use tests::origin::Origin;
use tests::raw_origin::RawOrigin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;

/// Odd but legal: a reason of its own, odd capitals, repeated lines, no date.
const ANSWER: &str = "HTTP/1.1 200 Fine By Me\r\n\
    X-Origin: raw\r\n\
    content-TYPE: text/x-odd; charset=\"utf-8\"\r\n\
    Set-Cookie: a=1; Path=/\r\n\
    Set-Cookie: b=2; HttpOnly\r\n\
    X-Empty:\r\n\
    Via: 1.0 somebody\r\n\
    WWW-Authenticate: Basic realm=\"x, y\"\r\n\
    ETag: W/\"0815\"\r\n\
    Content-Length: 19\r\n\
    \r\n\
    exactly these\x00bytes";

fn behind(mode: &str, answer: &str) -> (Verifier, RawOrigin) {
    let origin = RawOrigin::start(answer);
    let settings = Settings::new().set("mode", mode).site("main", &[HOST], Some(&origin.url()));
    (Verifier::start(settings), origin)
}

/// All bytes of the answer to a request on a connection of its own.
fn bytes_of(client: &Client, request: &str) -> String {
    let mut connection = client.connect().unwrap();
    connection.get_mut().write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Without the lines that belong to one connection only.
fn end_to_end(head: &str) -> Vec<String> {
    let hop = ["connection:", "keep-alive:", "transfer-encoding:", "te:", "trailer:", "upgrade:", "proxy-connection:"];
    let kept = |line: &&str| !hop.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
    head.split("\r\n").filter(kept).map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn the_origins_answer_passes_byte_for_byte() {
    for mode in ["off", "auto"] {
        let (verifier, _origin) = behind(mode, ANSWER);
        let client = verifier.client(HOST);
        let request = format!("GET /x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", client.host());
        let answer = bytes_of(&client, &request);
        assert_eq!(end_to_end(&answer), end_to_end(ANSWER), "mode {mode}");
    }
}

#[test]
fn every_status_and_an_empty_body_pass() {
    for (status, length) in [
        ("204 No Content", ""),
        ("304 Not Modified", ""),
        ("404 Nowhere", "Content-Length: 0\r\n"),
        ("503 Down", "Content-Length: 0\r\n"),
        ("429 Slow", "Content-Length: 0\r\n"),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nX-Origin: raw\r\n{length}\r\n");
        let (verifier, _origin) = behind("off", &answer);
        let client = verifier.client(HOST);
        let request = format!("GET /x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", client.host());
        assert_eq!(end_to_end(&bytes_of(&client, &request)), end_to_end(&answer));
    }
}

#[test]
fn a_chunked_body_and_its_trailers_pass() {
    let answer = "HTTP/1.1 200 OK\r\nX-Origin: raw\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n";
    let (verifier, _origin) = behind("off", answer);
    let client = verifier.client(HOST);
    let request =
        format!("GET /x HTTP/1.1\r\nHost: {}\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n", client.host());
    let got = bytes_of(&client, &request);
    assert!(got.contains("hello"), "{got}");
    assert!(got.to_ascii_lowercase().contains("x-sum: 5"), "{got}");
}

#[test]
fn the_request_reaches_the_origin_as_it_was_sent() {
    let (verifier, origin) = behind("off", ANSWER);
    let client = verifier.client(HOST);
    let own = "X-ODD-Case: Value  with  spaces\r\nAccept-Encoding: gzip;q=0.5, br\r\nUser-Agent: a test\r\nIf-None-Match: \"x\"\r\nRange: bytes=1-2\r\nCookie: a=1; b=\"2\"";
    let request =
        format!("GET /a%2Fb//c?d=e&f=%20 HTTP/1.1\r\nHost: {}\r\n{own}\r\nConnection: close\r\n\r\n", client.host());
    bytes_of(&client, &request);
    let heads = origin.heads();
    let head = heads.first().unwrap();
    assert!(head.starts_with("GET /a%2Fb//c?d=e&f=%20 HTTP/1.1\r\n"), "{head}");
    for line in own.split("\r\n") {
        assert!(head.to_lowercase().contains(&line.to_lowercase()), "{line} in {head}");
    }
    assert!(head.contains(&format!("{}\r\n", client.host())), "the origin gets the host that was asked for: {head}");
}

#[test]
fn a_deny_rule_is_all_that_acts() {
    let origin = Origin::start("main");
    let settings = Settings::new()
        .set("mode", "off")
        .site("main", &[HOST], Some(&origin.url()))
        .rule("path = \"/closed\"\naction = \"deny\"")
        .rule("path = \"/login\"\naction = \"challenge\"\nmin_price = 100");
    let verifier = Verifier::start(settings);
    let client = verifier.client(HOST);
    client.request("GET", "/closed").send().expect(403, "denied");
    client.request("GET", "/login").send().expect_status(200);
    client.request("GET", "/").send().expect_status(200);
}
