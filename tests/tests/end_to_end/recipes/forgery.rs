//! What a stranger writes into a request, sent through the real web server: it decides nothing.

use tests::client::Client;
use tests::recipes::{Failure, Recipe, Server};
use tests::verifier::Unit;
use tests::visitor::buy;

use crate::forwarding::{decisions_are_the_same, rules};

/// Twelve ways to claim that one asks for something else: header lines that are sent with every request.
const FORGED_REQUESTS: [(&str, &[(&str, &str)]); 12] = [
    ("nginx's path", &[("X-Original-URI", "/free/x")]),
    ("nginx's path, twice", &[("X-Original-URI", "/free/x"), ("X-Original-URI", "/free/y")]),
    ("nginx's method", &[("X-Original-Method", "OPTIONS"), ("X-Original-Method", "OPTIONS")]),
    ("the others' path", &[("X-Forwarded-Uri", "/free/x")]),
    ("the others' path, twice", &[("X-Forwarded-Uri", "/free/x"), ("X-Forwarded-Uri", "/free/y")]),
    ("the others' method", &[("X-Forwarded-Method", "OPTIONS"), ("X-HTTP-Method-Override", "OPTIONS")]),
    (
        "another site",
        &[("X-Forwarded-Host", "other.test"), ("X-Original-Host", "other.test"), ("X-Host", "other.test")],
    ),
    ("TLS", &[("X-Forwarded-Proto", "https"), ("X-Original-Proto", "https"), ("X-Forwarded-Ssl", "on")]),
    ("TLS, twice", &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "https")]),
    ("one id for everything", &[("X-Request-ID", "0123456789abcdef0123456789abcdef")]),
    (
        "a path before it was rewritten",
        &[("X-Rewrite-URL", "/free/x"), ("X-Original-URL", "/free/x"), ("X-Envoy-Original-Path", "/free/x")],
    ),
    (
        "the verifier's own word",
        &[("Portcullis-Gate", "open"), ("X-Portcullis-Gate", "busy"), ("X-Portcullis-Admitted", "yes")],
    ),
];

/// Twenty ways to claim another address.
const FORGED_ADDRESSES: [(&str, &[(&str, &str)]); 20] = [
    ("plain", &[("X-Forwarded-For", "198.51.100.77")]),
    ("twice", &[("X-Forwarded-For", "198.51.100.77"), ("X-Forwarded-For", "198.51.100.78")]),
    ("a list", &[("X-Forwarded-For", "198.51.100.77, 198.51.100.78, 127.0.0.1")]),
    ("IPv6", &[("X-Forwarded-For", "2001:db8::77")]),
    ("with a port", &[("X-Forwarded-For", "[2001:db8::77]:443")]),
    ("mapped", &[("X-Forwarded-For", "::ffff:198.51.100.77")]),
    ("nonsense", &[("X-Forwarded-For", "unknown, _hidden")]),
    ("empty", &[("X-Forwarded-For", "")]),
    ("commas", &[("X-Forwarded-For", ",,,")]),
    ("with an underscore", &[("X_Forwarded_For", "198.51.100.77"), ("X_Real_IP", "198.51.100.77")]),
    ("nginx's", &[("X-Real-IP", "198.51.100.77")]),
    ("nginx's, twice", &[("X-Real-IP", "198.51.100.77"), ("X-Real-IP", "198.51.100.78")]),
    ("the standard's", &[("Forwarded", "for=198.51.100.77;host=other.test;proto=https")]),
    ("the standard's, twice", &[("Forwarded", "for=198.51.100.77"), ("Forwarded", "for=\"[2001:db8::77]\"")]),
    ("a CDN's", &[("CF-Connecting-IP", "198.51.100.77"), ("CF-Connecting-IPv6", "2001:db8::77")]),
    ("another CDN's", &[("True-Client-IP", "198.51.100.77"), ("Fastly-Client-IP", "198.51.100.77")]),
    ("a load balancer's", &[("X-Client-IP", "198.51.100.77"), ("X-Cluster-Client-IP", "198.51.100.77")]),
    ("Envoy's", &[("X-Envoy-External-Address", "198.51.100.77"), ("X-Envoy-Internal", "true")]),
    (
        "an application's",
        &[("Client-IP", "198.51.100.77"), ("X-Originating-IP", "198.51.100.77"), ("X-Remote-IP", "198.51.100.77")],
    ),
    (
        "old spellings",
        &[("X-Forwarded", "198.51.100.77"), ("Forwarded-For", "198.51.100.77"), ("Via", "1.1 198.51.100.77")],
    ),
];

pub(super) fn no_forged_request_gets_another_decision(server: Server) {
    decide_the_same(server, &FORGED_REQUESTS);
    raw_requests_are_not_admitted(server);
}

pub(super) fn no_forged_address_gets_another_decision(server: Server) {
    decide_the_same(server, &FORGED_ADDRESSES);
}

fn decide_the_same(server: Server, forged: &[(&str, &[(&str, &str)])]) {
    let recipe = Recipe::start_with(server, Failure::Closed, Unit::default(), rules);
    let honest = recipe.client();
    for (about, lines) in forged {
        let liar = lines.iter().fold(recipe.client(), |client, (name, value)| client.with(name, value));
        decisions_are_the_same(&liar, &honest, about);
    }
}

/// What no library sends: two hosts, another host in the request line, headers that are to be dropped on the way.
fn raw_requests_are_not_admitted(server: Server) {
    let recipe = Recipe::start_with(server, Failure::Closed, Unit::default(), rules);
    let client = recipe.client();
    let host = client.host().to_owned();
    let cookie = buy(&client);
    let seen = recipe.origin.seen().len();
    let dropped = |names: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close, {names}\r\n\r\n");
    for request in [
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nHost: other.test\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"),
        format!("GET http://other.test/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        format!("GET http://{host}/ HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {host}/free/\r\nConnection: close\r\n\r\n"),
        format!("GET /free/../ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        format!("GET /free/%2e%2e/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        format!("GET /?/free/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        dropped("X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host"),
        dropped("X-Real-IP, X-Original-Proto, X-Original-URI, X-Original-Method, X-Request-ID"),
        dropped("X-Forwarded-Uri, X-Forwarded-Method, Cookie, Host"),
    ] {
        let reply = client.send_raw(request.as_bytes());
        // Where the connection is closed without an answer, nothing was decided either.
        assert!(reply.as_ref().is_ok_and(|reply| !reply.is_from_origin()) || reply.is_err(), "{request}: {reply:?}");
    }
    assert_eq!(recipe.origin.seen().len(), seen);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
}

pub(super) fn what_the_web_server_asks_is_out_of_reach(server: Server) {
    let recipe = Recipe::start_with(server, Failure::Closed, Unit::default(), rules);
    let client = recipe.client();
    let cookie = buy(&client);
    for client in [client.clone(), client.with("Cookie", &cookie)] {
        for target in [
            "/.portcullis-beside/check",
            "/.portcullis-beside/gate",
            "/.portcullis-beside/page",
            "/.portcullis-beside/",
            "/.portcullis-beside/envoy/free/x",
            "//.portcullis-beside/check",
            "/./.portcullis-beside/page",
            "/.portcullis/../.portcullis-beside/check",
            "/.portcullis/..%2f.portcullis-beside/page",
            "/.portcullis/%2e%2e/.portcullis-beside/envoy/free/x",
            "/%2eportcullis-beside/page",
            "/.Portcullis-Beside/page",
        ] {
            asks(&client, target);
        }
    }
}

/// A question that only a web server may ask, with all families of headers: answered as nothing, or as a page of the site.
#[track_caller]
fn asks(client: &Client, target: &str) {
    let families = [
        ("X-Original-URI", "/free/x"),
        ("X-Original-Method", "GET"),
        ("X-Original-Proto", "http"),
        ("X-Real-IP", "198.51.100.77"),
        ("X-Forwarded-Uri", "/free/x"),
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-For", "198.51.100.77"),
    ];
    let request =
        families.iter().fold(client.request("GET", target), |request, (name, value)| request.header(name, value));
    let reply = request.try_send().unwrap();
    let nothing = matches!(reply.status, 307 | 308 | 400 | 404 | 429) || reply.is_from_origin();
    assert!(nothing && reply.header("portcullis-gate").is_none(), "{target}: {reply:?}");
}
