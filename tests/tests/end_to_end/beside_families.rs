//! PROTOCOL §5 to the letter, for each kind of web server: what it asks, in which headers, and what it is told.

use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::{buy, credits};
use tests::wait::{SOON, until};

/// A question of a web server about `GET /page/1?x=1` of a visitor at 203.0.113.9.
fn question(beside: &str) -> (&'static str, Vec<(&'static str, String)>) {
    let line = |name, value: &str| (name, value.to_owned());
    match beside {
        "nginx" => (
            "/.portcullis-beside/check",
            vec![
                line("X-Real-IP", "203.0.113.9"),
                line("X-Original-Proto", "http"),
                line("X-Original-Method", "GET"),
                line("X-Original-URI", "/page/1?x=1"),
                line("X-Request-ID", "r1"),
            ],
        ),
        "envoy" => (
            "/.portcullis-beside/envoy/page/1?x=1",
            vec![line("X-Forwarded-For", "203.0.113.9"), line("X-Forwarded-Proto", "http")],
        ),
        _ => (
            "/.portcullis-beside/page",
            vec![
                line("X-Forwarded-For", "203.0.113.9"),
                line("X-Forwarded-Proto", "http"),
                line("X-Forwarded-Host", HOST),
                line("X-Forwarded-Method", "GET"),
                line("X-Forwarded-Uri", "/page/1?x=1"),
            ],
        ),
    }
}

fn verifier(beside: &str, further: impl FnOnce(Settings) -> Settings) -> Verifier {
    let settings = Settings::new().set("beside", beside).set("trusted_proxies", vec!["127.0.0.1/32"]);
    let settings = settings.site("main", &[HOST], None).rule("path = \"/free/**\"\naction = \"allow\"");
    Verifier::start(further(settings.rule("path = \"/closed\"\naction = \"deny\"")))
}

fn ask(client: &Client, target: &str, lines: &[(&str, String)]) -> Reply {
    lines
        .iter()
        .fold(client.request("GET", target), |request, (name, value)| request.header(name, value))
        .try_send()
        .unwrap()
}

/// The same lines where one says something else.
fn with(lines: &[(&'static str, String)], name: &str, value: &str) -> Vec<(&'static str, String)> {
    lines.iter().map(|(line, old)| (*line, if *line == name { value.to_owned() } else { old.clone() })).collect()
}

#[test]
fn each_kind_has_its_own_endpoints_and_no_other() {
    let all = ["check", "gate", "page", "envoy/page/1", "envoy", "envoyx", "", "x"];
    for (beside, own) in [
        ("nginx", &["check", "gate"][..]),
        ("caddy", &["page"]),
        ("traefik", &["page"]),
        ("envoy", &["envoy/page/1"]),
        ("proxy", &[]),
    ] {
        let verifier = if beside == "proxy" {
            let settings = Settings::new().set("beside", beside).set("trusted_proxies", vec!["127.0.0.1/32"]);
            Verifier::start(settings.site("main", &[HOST], Some("http://127.0.0.1:9")))
        } else {
            verifier(beside, |settings| settings)
        };
        let (_, lines) = question(beside);
        for endpoint in all {
            let target = format!("/.portcullis-beside/{endpoint}");
            let reply = ask(&verifier.client(HOST), &target, &lines);
            assert_eq!(reply.status != 404, own.contains(&endpoint), "{beside} {endpoint}: {reply:?}");
            // Not from an address that is not named.
            let stranger = ask(&verifier.client(HOST).in_network(9, 9), &target, &lines);
            assert_eq!(stranger.status, 404, "{beside} {endpoint}: {stranger:?}");
        }
        let told = verifier.log().contains("127.9.9.1 asked what only a web server asks");
        assert!(told || beside == "proxy", "{beside}: {}", verifier.log());
    }
}

#[test]
fn admitted_refused_denied_and_misdirected_are_told_as_each_kind_understands_them() {
    for (beside, admitted) in [("caddy", 204), ("traefik", 204), ("envoy", 200)] {
        let verifier = verifier(beside, |settings| settings);
        let (target, lines) = question(beside);
        let client = verifier.client(HOST);
        ask(&client, target, &lines).expect(429, "challenge_required");
        let page = ask(&client.with("Accept", "text/html"), target, &lines);
        assert!(page.status == 429 && page.text().contains("<html"), "{page:?}");
        // The visitor himself buys through the web server.
        let visitor = lines.iter().fold(client.clone(), |client, (name, value)| client.with(name, value));
        let cookie = buy(&visitor);
        let paid = client.with("Cookie", &cookie);
        assert_eq!(ask(&paid, target, &lines).status, admitted, "{beside}");
        assert_eq!(credits(&visitor, &cookie, "/"), Some(99.0), "{beside}");
        let of = |path: &str| match beside {
            "envoy" => (format!("/.portcullis-beside/envoy{path}"), lines.clone()),
            _ => (target.to_owned(), with(&lines, "X-Forwarded-Uri", path)),
        };
        let asked = |client: &Client, path: &str| {
            let (target, lines) = of(path);
            ask(client, &target, &lines)
        };
        assert_eq!(asked(&client, "/free/x").status, admitted);
        asked(&paid, "/closed").expect(403, "denied");
        // No spelling of a path gets another decision than the site's own reading of it would.
        for path in ["/free/../page/1", "/free/%2e%2e/x", "//free/x", "/page/1?/free/x", "/free;x"] {
            assert_eq!(asked(&client, path).status, 429, "{beside} {path}");
        }
        let elsewhere = match beside {
            "envoy" => ask(&client.for_host("other.test"), target, &lines),
            _ => ask(&client, target, &with(&lines, "X-Forwarded-Host", "other.test")),
        };
        elsewhere.expect(421, "unknown_host");
    }
}

#[test]
fn a_missing_or_repeated_header_is_401_and_a_line_in_the_log() {
    for beside in ["nginx", "caddy", "traefik", "envoy"] {
        let verifier = verifier(beside, |settings| settings);
        let (target, lines) = question(beside);
        let client = verifier.client(HOST);
        for (index, (name, value)) in lines.iter().enumerate() {
            let mut less = lines.clone();
            less.remove(index);
            let reply = ask(&client, target, &less);
            assert_eq!((reply.status, reply.body.len()), (401, 0), "{beside} without {name}: {reply:?}");
            if !matches!(*name, "X-Forwarded-For" | "X-Real-IP") {
                let twice = ask(&client, target, &[&lines[..], &[(*name, value.clone())]].concat());
                assert_eq!((twice.status, twice.body.len()), (401, 0), "{beside} with {name} twice: {twice:?}");
            }
        }
        let log = verifier.log();
        assert!(log.contains("a request cannot be told: the header") && log.contains("is missing"), "{log}");
    }
}

#[test]
fn envoy_is_never_told_that_the_verifier_failed_and_any_method_is_asked_about() {
    // A site that does ten pages a second: whoever pays for more is turned away.
    let verifier = verifier("envoy", |settings| settings.of_site("capacity_per_second", 10));
    let (target, lines) = question("envoy");
    let client = verifier.client(HOST);
    let visitor = lines.iter().fold(client.clone(), |client, (name, value)| client.with(name, value));
    let paid = visitor.with("Cookie", &buy(&visitor));
    let mut methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND"].into_iter().cycle();
    let reply = until(SOON, "the site to be full", || {
        let reply = paid.request(methods.next()?, target).try_send().unwrap();
        assert!(matches!(reply.status, 200 | 429), "{reply:?}");
        Some(reply).filter(|reply| reply.code() == "overloaded")
    });
    assert_eq!(reply.status, 429);
    assert!(reply.header("retry-after").is_some() && reply.header("portcullis-challenge").is_none());
}

#[test]
fn a_visitor_who_returns_by_a_form_of_another_site_passes_through_every_kind() {
    for beside in ["nginx", "caddy", "envoy"] {
        let verifier = verifier(beside, |settings| settings);
        let (target, lines) = question(beside);
        let lines = with(&with(&lines, "X-Forwarded-Proto", "https"), "X-Original-Proto", "https");
        let client = verifier.client(HOST);
        let visitor = lines.iter().fold(client.clone(), |client, (name, value)| client.with(name, value));
        let [_, returning] = crate::https::cookies(&visitor);
        let back = |method: &str, cookie: &str| {
            let lines = with(&with(&lines, "X-Original-Method", method), "X-Forwarded-Method", method);
            let client = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Cookie", cookie)]
                .iter()
                .fold(client.clone(), |client, (name, value)| client.with(name, value));
            let request = client.request(if beside == "envoy" { method } else { "GET" }, target);
            let request = lines.iter().fold(request, |request, (name, value)| request.header(name, value));
            request.try_send().unwrap().status
        };
        assert!(matches!(back("POST", &returning), 200 | 204), "{beside}");
        assert!(matches!(back("GET", &returning), 401 | 429), "{beside}: for this one kind of request only");
        assert!(matches!(back("POST", "__Host-portcullis-return=x"), 401 | 429), "{beside}");
    }
}

#[test]
fn a_request_that_gets_a_proxys_own_address_is_told_in_the_log() {
    let of_proxy = verifier("caddy", |settings| settings);
    let (target, lines) = question("caddy");
    ask(&of_proxy.client(HOST), target, &with(&lines, "X-Forwarded-For", "127.0.0.1"));
    assert!(of_proxy.log().contains("was given the address of a trusted proxy, 127.0.0.1"), "{}", of_proxy.log());

    let settings = Settings::new().set("beside", "proxy").set("trusted_proxies", vec!["192.0.2.1/32"]);
    let unnamed = Verifier::start(settings.site("main", &[HOST], Some("http://127.0.0.1:9")));
    for _ in 0..20 {
        unnamed.client(HOST).with("X-Forwarded-For", "203.0.113.9").get("/");
    }
    let log = unnamed.log();
    assert_eq!(log.matches("a request from 127.0.0.1 says in x-forwarded-for whose it is").count(), 1, "{log}");
    assert!(log.contains("name it in trusted_proxies"), "{log}");
}

#[test]
fn whose_clearance_comes_between_the_two_questions_sends_again_what_was_not_sent() {
    let verifier = verifier("nginx", |settings| settings);
    let (_, lines) = question("nginx");
    let client = verifier.client(HOST);
    let visitor = lines.iter().fold(client.clone(), |client, (name, value)| client.with(name, value));
    let navigation =
        client.with("Cookie", &buy(&visitor)).with("Accept", "text/html").with("Sec-Fetch-Mode", "navigate");
    let asked = |client: &Client, method: &str| {
        let reply = ask(client, "/.portcullis-beside/gate", &with(&lines, "X-Original-Method", method));
        assert_eq!((reply.status, reply.header("portcullis-gate")), (429, Some("again")), "{method}: {reply:?}");
        assert_eq!(reply.header("retry-after"), Some("0"));
        assert_eq!(reply.header("set-cookie"), None);
        reply
    };
    let page = asked(&navigation, "GET").text();
    assert!(page.contains("http-equiv") && page.contains("opens again by itself"), "{page}");
    let form = asked(&navigation, "POST").text();
    assert!(form.contains("<html") && form.contains("go back to your form"), "{form}");
    assert!(!form.contains("http-equiv"), "nobody but its writer sends it again: {form}");
    let program = client.with("Cookie", &buy(&visitor));
    asked(&program, "POST").expect(429, "again");
}
