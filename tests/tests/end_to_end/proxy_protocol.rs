//! Listeners on which a load balancer announces each client by the PROXY protocol.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use tests::origin::Origin;
use tests::ports;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

struct Stage {
    origin: Origin,
    verifier: Verifier,
    announced: u16,
}

fn stage(settings: Settings) -> Stage {
    let origin = Origin::start("main");
    let announced = ports::free();
    let settings = settings.set("listen_proxy_protocol", format!("127.0.0.1:{announced}"));
    let verifier = Verifier::start(settings.site("main", &[HOST], Some(&origin.url())));
    Stage { origin, verifier, announced }
}

impl Stage {
    /// Sends a header and a request for `/` with `lines`.
    fn ask(&self, header: &[u8], lines: &str) -> Option<Reply> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.announced)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let request = format!("GET /page/1 HTTP/1.1\r\nHost: {HOST}\r\n{lines}Connection: close\r\n\r\n");
        stream.write_all(&[header, request.as_bytes()].concat()).ok()?;
        Reply::read(&mut std::io::BufReader::new(stream), false).ok()
    }
}

fn v1(address: &str) -> Vec<u8> {
    format!("PROXY TCP4 {address} 127.0.0.1 51234 80\r\n").into_bytes()
}

/// Version 2, with the field that says whether the client came over TLS.
fn v2(address: [u8; 4], tls: bool) -> Vec<u8> {
    let fields = [0x20, 0, 5, u8::from(tls), 0, 0, 0, 0];
    let addresses = [&address[..], &[127, 0, 0, 1], &[200, 0], &[0, 80]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x21, 0x11, 0, 20][..], &addresses, &fields].concat()
}

#[test]
fn the_announced_client_is_the_client_whatever_headers_say() {
    let stage = stage(Settings::new());
    let cookie = buy(&stage.verifier.client(HOST));
    let forged = format!(
        "Cookie: {cookie}\r\nX-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=198.51.100.1\r\n"
    );
    for (header, proto) in
        [(v1("203.0.113.7"), "http"), (v2([203, 0, 113, 7], false), "http"), (v2([203, 0, 113, 7], true), "https")]
    {
        let reply = stage.ask(&header, &forged).unwrap();
        let seen = stage.origin.seen().last().cloned();
        if proto == "https" {
            // Over TLS the cookie has another name.
            reply.expect(429, "challenge_required");
            let secure = forged.replace("portcullis=", "__Host-portcullis=");
            stage.ask(&header, &secure).unwrap().expect_status(200);
        } else {
            reply.expect_status(200);
            assert!(seen.is_some());
        }
        let seen = stage.origin.last();
        assert_eq!(
            (seen.header("x-forwarded-for").as_str(), seen.header("x-forwarded-proto").as_str()),
            ("203.0.113.7", proto)
        );
    }
}

#[test]
fn a_cdn_behind_the_load_balancer_is_believed_where_it_is_trusted() {
    let settings =
        Settings::new().set("mode", "off").set("beside", "proxy").set("client_address_header", "CF-Connecting-IP");
    let stage = stage(settings.set("trusted_proxies", vec!["127.0.0.1/32", "192.0.2.0/24"]));
    let lines = "CF-Connecting-IP: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    stage.ask(&v1("192.0.2.10"), lines).unwrap().expect_status(200);
    assert_eq!(stage.origin.last().header("x-forwarded-for"), "203.0.113.9");
    stage.ask(&v1("198.51.100.10"), lines).unwrap().expect_status(200);
    assert_eq!(stage.origin.last().header("x-forwarded-for"), "198.51.100.10", "a stranger speaks for himself");
}

#[test]
fn without_a_header_or_from_a_stranger_nothing_is_answered() {
    let stage = stage(Settings::new().set("mode", "off").set("trusted_proxies", vec!["127.0.0.1/32"]));
    assert!(stage.ask(b"", "").is_none());
    assert!(stage.ask(b"PROXY TCP4 nonsense\r\n", "").is_none());
    assert!(
        stage.verifier.log().contains("a connection on listen_proxy_protocol was closed"),
        "{}",
        stage.verifier.log()
    );
    stage.ask(&v1("203.0.113.7"), "").unwrap().expect_status(200);
    let seen = stage.origin.seen().len();
    let stranger = tests::client::Client::new(stage.announced, HOST).in_network(9, 9);
    let request = [v1("203.0.113.7"), stranger.request("GET", "/").bytes()].concat();
    assert!(stranger.send_raw(&request).is_err());
    assert_eq!(stage.origin.seen().len(), seen);
    assert!(stage.verifier.log().contains("only trusted_proxies may announce clients"), "{}", stage.verifier.log());
}

#[test]
fn a_load_balancer_that_says_nothing_is_closed_in_time() {
    let stage = stage(Settings::new().set("limits.head_timeout_seconds", 1));
    for beginning in [&b""[..], b"PROXY TCP4 203.0", b"\r\n\r\n\0\r\nQUIT\n\x21\x11"] {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, stage.announced)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(beginning).unwrap();
        let mut answer = Vec::new();
        // Closed, with or without a reset, and not a byte of an answer.
        let read = stream.read_to_end(&mut answer);
        assert!(read.is_ok() || read.unwrap_err().kind() == std::io::ErrorKind::ConnectionReset);
        assert!(answer.is_empty());
    }
}

#[test]
fn its_own_health_check_is_answered() {
    let stage = stage(Settings::new());
    stage.ask(b"PROXY UNKNOWN\r\n", "").unwrap().expect(429, "challenge_required");
    let local = [b"\r\n\r\n\0\r\nQUIT\n", &[0x20, 0, 0, 0][..]].concat();
    until_true(SOON, "an answer", || stage.ask(&local, "").is_some_and(|reply| reply.status == 429));
}
