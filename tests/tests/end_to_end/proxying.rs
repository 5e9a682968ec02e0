//! The reverse proxy: what passes, what stays with one connection, and what a visitor sees when the origin fails.

use std::io::Write as _;
use std::net::TcpListener;

use tests::live;
use tests::raw_origin::RawOrigin;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::verifier::Verifier;
use tests::visitor::buy;

fn stage() -> Stage {
    Stage::new(Front::Proxy, Settings::new())
}

/// The request's id: in the answer, and in the log of the verifier.
#[track_caller]
fn id_of(verifier: &Verifier, reply: &tests::reply::Reply) {
    let header = reply.header("x-request-id").map(str::to_owned);
    let id = header.or_else(|| {
        let problem = reply.json();
        ["request_id", "instance"].iter().find_map(|key| problem[*key].as_str().map(str::to_owned))
    });
    let id = id.unwrap_or_else(|| panic!("no request id: {reply:?} {}", reply.text()));
    let id = id.rsplit(':').next().unwrap();
    assert!(id.len() >= 8, "{id}");
    assert!(verifier.log().contains(id), "{id} is not in the log: {}", verifier.log());
}

#[test]
fn a_dead_origin_is_a_502_with_the_requests_id() {
    // A port nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = Settings::new().set("mode", "off").site("main", &[HOST], Some(&format!("http://127.0.0.1:{port}")));
    let verifier = Verifier::start(settings);
    let client = verifier.client(HOST);
    let reply = client.get("/");
    reply.expect_status(502);
    id_of(&verifier, &reply);
    let page = client.navigate("/");
    page.expect_status(502);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
}

#[test]
fn an_origin_that_hangs_is_a_504_with_the_requests_id() {
    let origin = RawOrigin::start("");
    let settings = Settings::new().set("mode", "off").set("limits.origin_timeout_seconds", 1).site(
        "main",
        &[HOST],
        Some(&origin.url()),
    );
    let verifier = Verifier::start(settings);
    let reply = verifier.client(HOST).get("/");
    reply.expect_status(504);
    id_of(&verifier, &reply);
}

#[test]
fn an_origin_that_talks_nonsense_is_a_502() {
    for nonsense in [
        "SSH-2.0-OpenSSH_9\r\n",
        "HTTP/1.1 999999 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    ] {
        let origin = RawOrigin::start(nonsense);
        let settings = Settings::new().set("mode", "off").site("main", &[HOST], Some(&origin.url()));
        let verifier = Verifier::start(settings);
        verifier.client(HOST).get("/").expect_status(502);
    }
}

#[test]
fn a_body_that_breaks_off_is_not_made_to_look_whole() {
    let origin = RawOrigin::start("HTTP/1.1 200 OK\r\nX-Origin: raw\r\nContent-Length: 100\r\n\r\nonly this");
    let settings = Settings::new().set("mode", "off").site("main", &[HOST], Some(&origin.url()));
    let verifier = Verifier::start(settings);
    assert!(verifier.client(HOST).request("GET", "/").try_send().is_err());
    let origin =
        RawOrigin::start("HTTP/1.1 200 OK\r\nX-Origin: raw\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let settings = Settings::new().set("mode", "off").site("main", &[HOST], Some(&origin.url()));
    let verifier = Verifier::start(settings);
    assert!(verifier.client(HOST).request("GET", "/").try_send().is_err());
}

#[test]
fn headers_of_one_connection_stay_with_it() {
    let answer = "HTTP/1.1 200 OK\r\nX-Origin: raw\r\nConnection: X-Private, close\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
                  Proxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok";
    let origin = RawOrigin::start(answer);
    let verifier = Verifier::start(Settings::new().set("mode", "off").site("main", &[HOST], Some(&origin.url())));
    let client = verifier.client(HOST);
    let reply = client
        .request("GET", "/")
        .header("Connection", "keep-alive, X-Mine, HTTP2-Settings")
        .header("X-Mine", "1")
        .header("Keep-Alive", "300")
        .header("Proxy-Connection", "keep-alive")
        .header("Proxy-Authorization", "Basic eA==")
        .header("TE", "gzip")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAAQAAP__")
        .send();
    for name in ["x-private", "keep-alive", "proxy-connection"] {
        assert!(reply.header(name).is_none(), "{name}: {reply:?}");
    }
    let head = origin.heads()[0].to_ascii_lowercase();
    for name in [
        "x-mine:",
        "keep-alive:",
        "proxy-connection:",
        "proxy-authorization:",
        "te: gzip",
        "upgrade:",
        "http2-settings:",
    ] {
        assert!(!head.contains(name), "{name} in {head}");
    }
}

#[test]
fn a_websocket_passes_once_admitted() {
    let stage = stage();
    let client = stage.client();
    live::websocket_request(&client, "").send().expect(429, "challenge_required");
    let (mut connection, head) = live::websocket(&client, &buy(&client)).unwrap();
    assert_eq!(head.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(head.header("upgrade").unwrap().eq_ignore_ascii_case("websocket"));
    live::echoes(&mut connection);
}

#[test]
fn an_event_stream_passes_event_by_event() {
    let stage = stage();
    let client = stage.client();
    live::events(&client, &buy(&client)).unwrap();
}

#[test]
fn methods_bodies_and_statuses_pass() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    for method in ["PUT", "PATCH", "DELETE", "PROPFIND"] {
        client.request(method, "/thing?x=1").cookie(&cookie).body("text/plain", "body").send().expect_status(200);
        assert_eq!((stage.origin.last().method.as_str(), stage.origin.last().target.as_str()), (method, "/thing?x=1"));
    }
    for status in [201, 301, 404, 410, 500, 503] {
        client.request("GET", &format!("/status/{status}")).cookie(&cookie).send().expect_status(status);
    }
    let chunked = format!(
        "POST /submit HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n",
        client.host()
    );
    let reply = client.send_raw(chunked.as_bytes()).unwrap();
    assert!(reply.text().contains("hello world"), "{reply:?}");
}

#[test]
fn a_body_is_awaited_only_when_the_origin_will_have_it() {
    let stage = stage();
    let client = stage.client();
    let cookie = buy(&client);
    let body = "expected";
    let head = format!(
        "POST /submit HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        client.host(),
        body.len()
    );
    let mut connection = client.connect().unwrap();
    connection.get_mut().write_all(head.as_bytes()).unwrap();
    let go_on = tests::reply::Reply::read(&mut connection, true).unwrap();
    assert_eq!(go_on.status, 100);
    connection.get_mut().write_all(body.as_bytes()).unwrap();
    let reply = tests::reply::Reply::read(&mut connection, false).unwrap();
    assert!(reply.status == 200 && reply.text().contains(body), "{reply:?}");
}

#[test]
fn a_large_upload_that_is_refused_gets_its_answer() {
    let stage = stage();
    for _ in 0..5 {
        // It is written whole before anybody reads: what many proxies in front do as well.
        let upload =
            stage.client().request("POST", "/upload").body("application/octet-stream", vec![b'x'; 10 << 20]).send();
        upload.expect(429, "challenge_required");
    }
    assert_eq!(stage.origin.uploaded(), 0);
}
