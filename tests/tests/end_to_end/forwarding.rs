//! What a stranger writes into forwarding headers decides nothing.

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{buy, challenge, credits, redeem, verify};

/// Every family of forwarding headers, each claiming another client, another host, another request.
const FORGED: [(&str, &str); 27] = [
    ("X-Forwarded-For", "198.51.100.77"),
    ("X-Forwarded-Host", "other.test"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Scheme", "https"),
    ("X-Forwarded-Ssl", "on"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Server", "other.test"),
    ("X-Forwarded-Prefix", "/free"),
    ("X-Forwarded-Method", "OPTIONS"),
    ("X-Forwarded-Uri", "/free/x"),
    ("X-Real-IP", "198.51.100.78"),
    ("X-Original-Method", "OPTIONS"),
    ("X-Original-URI", "/free/x"),
    ("X-Original-URL", "/free/x"),
    ("X-Original-Proto", "https"),
    ("X-Original-Host", "other.test"),
    ("X-Rewrite-URL", "/free/x"),
    ("X-Request-ID", "0123456789abcdef0123456789abcdef"),
    ("X-Portcullis-Gate", "busy"),
    ("Portcullis-Gate", "open"),
    ("Forwarded", "for=198.51.100.79;host=other.test;proto=https"),
    ("X-Client-IP", "198.51.100.80"),
    ("X-Cluster-Client-IP", "198.51.100.81"),
    ("True-Client-IP", "198.51.100.82"),
    ("CF-Connecting-IP", "198.51.100.83"),
    ("Fastly-Client-IP", "198.51.100.84"),
    ("X-HTTP-Method-Override", "OPTIONS"),
];

fn settings() -> Settings {
    rules(Settings::new())
}

/// Rules under which a forged path, method or host would be worth something.
pub(crate) fn rules(settings: Settings) -> Settings {
    settings
        .rule("path = \"/free/**\"\naction = \"allow\"")
        .rule("path = \"/closed\"\naction = \"deny\"")
        .rule("path = \"/dear\"\ncost = 5")
}

fn with_all(client: &Client) -> Client {
    FORGED.iter().fold(client.clone(), |client, (name, value)| client.with(name, value))
}

/// With and without the forged headers the same is decided, charged and sold.
#[track_caller]
pub(crate) fn decisions_are_the_same(forger: &Client, honest: &Client, about: &str) {
    forger.get("/").expect(429, "challenge_required");
    let offered = challenge(forger, "");
    let (cookie, bought) = redeem(honest, "", &offered);
    assert!((bought - 100.0).abs() < 0.001, "{about}");
    let pay =
        |client: &Client, target: &str| client.request("GET", target).cookie(&cookie).send().expect_status(200).clone();
    pay(forger, "/");
    pay(forger, "/");
    assert_eq!(credits(honest, &cookie, "/"), Some(98.0), "{about}: no toll, and both charged");
    pay(forger, "/dear");
    assert_eq!(credits(forger, &cookie, "/"), Some(93.0), "{about}");
    forger.request("GET", "/closed").cookie(&cookie).send().expect(403, "denied");
    forger.get("/free/page").expect_status(200);
    let reply = verify(forger, "", &offered, &offered.solve());
    let set = reply.expect_status(200).header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("portcullis=") && !set.contains("Secure"), "{about}: {set}");
}

#[test]
fn directly() {
    let stage = Stage::new(Front::Proxy, settings());
    for (name, value) in FORGED {
        decisions_are_the_same(&stage.client().with(name, value), &stage.client(), name);
    }
    decisions_are_the_same(&with_all(&stage.client()), &stage.client(), "all at once");
}

#[test]
fn through_nginx() {
    let stage = Stage::new(Front::Nginx, settings());
    for (name, value) in FORGED {
        decisions_are_the_same(&stage.client().with(name, value), &stage.client(), name);
    }
    decisions_are_the_same(&with_all(&stage.client()), &stage.client(), "all at once");
}

#[test]
fn from_a_trusted_proxy_of_the_other_family() {
    let settings = settings().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.0/8"]);
    let stage = Stage::new(Front::Proxy, settings);
    // This family is believed: it is the proxy's. Every other one is not, although the peer is trusted.
    let believed = ["X-Forwarded-For", "X-Forwarded-Proto"];
    let proxied = || stage.client().with("X-Forwarded-For", "203.0.113.7").with("X-Forwarded-Proto", "http");
    for (name, value) in FORGED.iter().filter(|(name, _)| !believed.contains(name)) {
        decisions_are_the_same(&proxied().with(name, value), &proxied(), name);
    }
}

#[test]
fn from_a_peer_that_is_not_trusted() {
    let settings = settings().set("beside", "proxy").set("trusted_proxies", vec!["192.0.2.1/32"]);
    let stage = Stage::new(Front::Proxy, settings);
    decisions_are_the_same(&with_all(&stage.client()), &stage.client(), "all at once");
}

#[test]
fn the_origin_gets_the_verifiers_word_only() {
    let stage = Stage::new(Front::Proxy, settings());
    let client = with_all(&stage.client());
    let cookie = buy(&stage.client());
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let seen = stage.origin.last();
    assert_eq!(seen.header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.header("x-forwarded-proto"), "http");
    let host = seen.header("x-forwarded-host");
    assert!(host.is_empty() || host.starts_with(HOST), "{host}");
    for (name, value) in FORGED {
        let got = seen.header(name);
        // These claim nothing about where a request came from: they are the application's own affair.
        let of_the_application = matches!(name, "X-HTTP-Method-Override" | "X-Portcullis-Gate" | "Portcullis-Gate");
        assert!(of_the_application || got != value, "{name}: {got} reached the origin");
    }
}

#[test]
fn an_id_sent_twice_is_charged_twice() {
    for front in [Front::Proxy, Front::Nginx] {
        let stage = Stage::new(front, settings());
        let client = stage.client().with("X-Request-ID", "00000000000000000000000000000001");
        let cookie = buy(&client);
        for _ in 0..6 {
            client.request("GET", "/page/1").cookie(&cookie).send().expect_status(200);
        }
        assert_eq!(credits(&client, &cookie, "/"), Some(94.0), "{front:?}");
    }
}
