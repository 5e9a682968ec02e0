//! The dashboard in a real browser: it follows the gate, changes what is confirmed, and obeys nobody else.

use std::io::BufRead as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::axe::finds_nothing;
use tests::browser::Browser;
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{ask, buy};
use tests::wait::{SOON, until};

/// How long what happens may take to be shown: a page that has heard nothing for ten seconds asks again.
const LIVE: Duration = Duration::from_mins(1);
/// The page's own policy.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

fn stage(mode: &str) -> Stage {
    Stage::new(Front::Proxy, Settings::new().set("mode", mode))
}

/// Where the operator's browser goes; with the token in the fragment where one is given.
fn address(stage: &Stage, with_token: bool) -> String {
    let token = if with_token { format!("#token={}", stage.verifier.admin_token()) } else { String::new() };
    format!("http://127.0.0.1:{}/{token}", stage.verifier.admin_port)
}

fn opened(stage: &Stage, with_token: bool) -> Browser {
    let browser = Browser::start();
    browser.open(&address(stage, with_token));
    shows(&browser, "link", "Live");
    browser
}

/// Waits until the element of this id shows this text.
#[track_caller]
fn shows(browser: &Browser, id: &str, text: &str) {
    let what = format!("{text} in #{id}");
    browser.wait(LIVE, &what, &format!("return document.getElementById('{id}').textContent.includes('{text}')"));
}

#[track_caller]
fn has_broken_no_policy(browser: &Browser) {
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
    let log = browser.log();
    let complaint =
        |line: &&String| ["Content Security Policy", "Trusted", "Uncaught"].iter().any(|part| line.contains(part));
    assert_eq!(log.iter().find(complaint), None, "{log:?}");
}

/// The mode as the verifier says it.
fn mode(stage: &Stage) -> Value {
    stage.verifier.admin().request("GET", "/status").try_send().unwrap().json()["mode"].clone()
}

#[test]
fn it_shows_what_the_gate_does_as_it_happens() {
    let stage = stage("on");
    let browser = opened(&stage, false);
    shows(&browser, "state", "down by hand");
    shows(&browser, "price", "1");
    for _ in 0..30 {
        stage.client().get("/").expect_status(429);
    }
    buy(&stage.client());
    shows(&browser, "top", "127.0.0.0/24");
    shows(&browser, "solve-chart", "1 visitors solved");
    browser.wait(
        LIVE,
        "a curve",
        "return document.querySelector('#requests-chart path.curve.b').getAttribute('d').length > 20",
    );
    let said = browser.script("return document.querySelector('#requests-chart > svg').getAttribute('aria-label')");
    assert!(said.as_str().unwrap().contains("asked for work"), "{said}");
    has_broken_no_policy(&browser);
    let reply = stage.verifier.admin().request("GET", "/").try_send().unwrap();
    assert_eq!(reply.header("content-security-policy"), Some(POLICY));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[test]
fn a_mode_is_set_after_it_was_confirmed_with_the_token_and_logged() {
    let stage = stage("on");
    let browser = opened(&stage, false);
    browser.click("[data-mode=off]");
    shows(&browser, "confirm-title", "Set the mode to “off”?");
    assert_eq!(mode(&stage), "on", "nothing happens before it is confirmed");
    browser.click("#confirm-yes");
    shows(&browser, "confirm-error", "token is needed");
    browser.type_text("#confirm-token", "not-the-token-at-all");
    browser.click("#confirm-yes");
    shows(&browser, "confirm-error", "not the token");
    assert_eq!(mode(&stage), "on");
    browser.type_text("#confirm-token", &stage.verifier.admin_token());
    browser.click("#confirm-yes");
    shows(&browser, "state", "The gate is off");
    assert_eq!(mode(&stage), "off");
    assert!(stage.verifier.log().contains("mode off set over the admin listener"), "{}", stage.verifier.log());
    // Confirmed by the keyboard alone, with the token that is known by now.
    browser.script("document.querySelector('[data-mode=on]').focus()");
    browser.type_text("[data-mode=on]", "\u{e007}");
    browser.wait(SOON, "the question", "return document.querySelector('#confirm').open");
    browser.script("document.querySelector('#confirm-yes').focus()");
    browser.type_text("#confirm-yes", "\u{e007}");
    shows(&browser, "state", "down by hand");
    has_broken_no_policy(&browser);
}

#[test]
fn a_link_with_the_token_opens_it_and_leaves_no_token_in_the_address() {
    let stage = stage("auto");
    let browser = opened(&stage, true);
    assert!(!browser.url().contains("token"), "{}", browser.url());
    browser.type_text("#pass-name", "ada");
    browser.click("#pass-form button");
    browser.click("#confirm-yes");
    let link = browser.wait(SOON, "the link", "return document.querySelector('#confirm-more input')?.value");
    assert!(link.as_str().unwrap().starts_with(&format!("https://{HOST}/.portcullis/pass#")), "{link}");
    browser.click("#confirm-no");
    shows(&browser, "passes", "ada");
    browser.click("#passes button");
    browser.click("#confirm-yes");
    shows(&browser, "passes", "There are none");
    has_broken_no_policy(&browser);
}

#[test]
fn a_page_of_another_site_changes_nothing_and_reads_nothing() {
    let stage = stage("on");
    let browser = Browser::start();
    browser.open(&stage.url("/"));
    browser.wait_for_origin(SOON);
    let admin = format!("http://127.0.0.1:{}", stage.verifier.admin_port);
    let token = stage.verifier.admin_token();
    // Even with the token, which no other site has: as a simple request, as one that needs a preflight, and to read.
    let script = format!(
        "window.outcomes = [];
         const note = (what) => window.outcomes.push(what);
         const post = (headers) => fetch('{admin}/mode', {{method: 'POST', headers, body: '{{\"mode\":\"off\"}}'}})
           .then((r) => note('read ' + r.status), () => note('refused'));
         post({{'Content-Type': 'text/plain'}});
         post({{'Content-Type': 'application/json', Authorization: 'Bearer {token}'}});
         fetch('{admin}/status').then((r) => note('read ' + r.status), () => note('refused'));
         for (const target of ['/events', '/attacks', '/attacks/1/report?format=html'])
           fetch('{admin}' + target).then((r) => note('read ' + r.status), () => note('refused'));
         fetch('{admin}/mode', {{method: 'POST', mode: 'no-cors', body: '{{\"mode\":\"off\"}}'}}).then((r) => note(r.type), () => note('refused'));"
    );
    browser.script(&script);
    browser.wait(SOON, "seven outcomes", "return window.outcomes.length === 7");
    let outcomes = browser.script("return window.outcomes.sort()");
    assert_eq!(outcomes, json!(["opaque", "refused", "refused", "refused", "refused", "refused", "refused"]));
    assert_eq!(mode(&stage), "on");
    // In a frame it does not show.
    browser.open(&stage.url(&format!("/frame?{admin}/")));
    browser.wait_for_origin(SOON);
    browser.enter_frame();
    assert_eq!(browser.try_script("return document.querySelector('#state') === null"), Some(json!(true)));
}

#[test]
fn a_rebound_host_name_reaches_neither_page_nor_stream() {
    let stage = stage("on");
    let browser = Browser::start();
    // A name of somebody else that leads to the operator's own machine.
    browser.open(&format!("http://rebound.test:{}/", stage.verifier.admin_port));
    let shown = browser.script("return document.documentElement.outerHTML");
    assert!(shown.as_str().unwrap().contains("admin_hosts"), "{shown}");
    let script = format!(
        "window.outcome = ''; fetch('/mode', {{method: 'POST', headers: {{'Content-Type': 'application/json', Authorization: \
         'Bearer {}'}}, body: '{{\"mode\":\"off\"}}'}}).then((r) => {{ window.outcome = String(r.status); }}, () => {{ window.outcome = 'refused'; }})",
        stage.verifier.admin_token()
    );
    browser.script(&script);
    let outcome = browser.wait(SOON, "an outcome", "return window.outcome");
    assert!(["403", "refused"].contains(&outcome.as_str().unwrap()), "{outcome}");
    assert_eq!(mode(&stage), "on");
    let rebound = stage.verifier.admin().for_host("rebound.test");
    for target in ["/", "/events", "/attacks", "/attacks/1/report?format=html", "/dashboard/x.js"] {
        assert_eq!(rebound.request("GET", target).try_send().unwrap().status, 403, "{target}");
    }
}

#[test]
fn beyond_loopback_it_asks_for_the_token_and_tells_nothing_before() {
    let Some(address) = own_address() else {
        eprintln!("this machine has no address beyond loopback: only the guard's own tests tried it");
        return;
    };
    let port = tests::ports::free();
    let settings = Settings::new().set("admin", format!("0.0.0.0:{port}")).set("admin_hosts", vec![address.clone()]);
    let stage = Stage::new(Front::Proxy, settings);
    let (url, token) = (format!("http://{address}:{port}/"), stage.verifier.admin_token());
    let browser = Browser::reaching(&address);
    browser.open(&url);
    browser.wait(SOON, "the question", "return !document.querySelector('#closed').hidden");
    let told = browser.script("return document.body.innerText");
    assert!(
        told.as_str().unwrap().contains("The token is needed here") && !told.as_str().unwrap().contains("Price"),
        "{told}"
    );
    finds_nothing(&browser, "closed");
    browser.type_text("#closed-token", "wrong-wrong-wrong-wrong");
    browser.click("#closed-form button");
    shows(&browser, "closed-error", "not the token");
    browser.script("document.querySelector('#closed-token').value = ''");
    browser.type_text("#closed-token", &token);
    browser.click("#closed-form button");
    shows(&browser, "link", "Live");
    shows(&browser, "state", "down by hand");
    has_broken_no_policy(&browser);
}

/// An address of this machine that is not loopback: the one from which a packet to a documentation network would leave.
/// Nothing is sent.
fn own_address() -> Option<String> {
    let socket = std::net::UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}

#[test]
fn nine_dashboards_are_eight_and_the_oldest_says_so() {
    let stage = stage("on");
    let admin = stage.verifier.admin();
    let mut open: Vec<_> = (0..9).map(|_| follow(&admin)).collect();
    for (place, stream) in open.iter_mut().enumerate() {
        let mut told = String::new();
        until(SOON, "an event", || {
            told.clear();
            stream.read_line(&mut told).ok()?;
            let is_last = if place == 0 { "event: replaced" } else { "event: status" };
            told.starts_with(is_last).then_some(())
        });
    }
}

/// A stream of events whose head has come.
fn follow(admin: &Client) -> std::io::BufReader<std::net::TcpStream> {
    use std::io::Write as _;
    let mut connection = admin.connect().unwrap();
    connection.get_mut().write_all(&admin.request("GET", "/events").bytes()).unwrap();
    let head = Reply::read(&mut connection, true).unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")), "{head:?}");
    connection
}

#[test]
fn on_a_phone_nothing_scrolls_sideways_and_all_is_there() {
    let stage = stage("on");
    let browser = Browser::start();
    let metrics = json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true});
    browser.cdp("Emulation.setDeviceMetricsOverride", &metrics);
    browser.open(&address(&stage, false));
    shows(&browser, "state", "down by hand");
    for _ in 0..3 {
        stage.client().with("User-Agent", &"long".repeat(30)).get(&format!("/{}", "long".repeat(40)));
    }
    shows(&browser, "top", "longlong");
    assert_eq!(browser.script("return document.documentElement.scrollWidth"), json!(360));
    let small = "return Math.min(...[...document.querySelectorAll('button, select, input')].filter((e) => e.offsetParent).map((e) => e.offsetHeight))";
    assert!(browser.script(small).as_f64().unwrap() >= 32.0, "fingers find every button");
    assert_eq!(ask(&stage.client(), "")["needed"], json!(true));
    let names = "const names = [...document.querySelectorAll('#solve-chart svg text')].map((name) => [name.textContent, name.getBoundingClientRect()]); \
         const apart = names.every(([, {left}], place) => place === 0 || left > names[place - 1][1].right); \
         return [names.length >= 6, names[names.length - 1][0], apart, names.every(([, {left, right}]) => left >= 0 && right <= innerWidth)]";
    let drawn = "return document.querySelectorAll('#solve-chart svg rect').length > 0";
    browser.wait(SOON, "the bars", drawn);
    assert_eq!(browser.script(names), json!([true, ">300", true, true]), "names of bars do not lie over each other");
    browser.screenshot(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots/dashboard-phone.png"));
}

#[test]
fn a_rule_against_the_heaviest_network_is_two_clicks_logged_and_shown_until_it_is_taken_away() {
    let stage = stage("auto");
    let loud = stage.client().in_network(77, 1);
    for _ in 0..20 {
        loud.get("/loud").expect_status(200);
    }
    let browser = opened(&stage, true);
    let selector = "button[aria-label='Make a rule against 127.77.1.0/24']";
    browser.wait(SOON, "the network", &format!("return !!document.querySelector(\"{selector}\")"));
    browser.click(selector);
    browser.click("#confirm-yes");
    shows(&browser, "rules", "Deny every path from 127.77.1.0/24");
    loud.get("/loud").expect(403, "denied");
    stage.client().get("/loud").expect_status(200);
    let log = stage.verifier.log();
    assert!(log.contains("a rule was made by hand: deny every path from 127.77.1.0/24, 60 min left"), "{log}");
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    let told = |arguments: &[&str]| String::from_utf8(stage.verifier.command(arguments).stdout).unwrap();
    let explained = told(&["explain", &format!("http://{HOST}/loud"), "--from", "127.77.1.1", "--config", &file]);
    assert!(explained.contains("made by hand: deny every path") && explained.contains("denied (403)"), "{explained}");
    let status = told(&["status", "--config", &file]);
    assert!(status.contains("by hand    rule 0: deny every path from 127.77.1.0/24"), "{status}");
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    assert!(metrics.contains("portcullis_rule_requests_total{decision=\"denied\",rule=\"by hand\"} 1"), "{metrics}");
    browser.click("#rules button");
    browser.click("#confirm-yes");
    browser.wait(SOON, "no rule", "return document.querySelector('#rules-none')?.hidden === false");
    loud.get("/loud").expect_status(200);
    has_broken_no_policy(&browser);
}

#[test]
fn a_price_is_held_by_hand_and_let_go() {
    let stage = stage("on");
    let browser = opened(&stage, true);
    browser.type_text("#pin-price", "8");
    browser.click("#pin-form button[type=submit]");
    browser.click("#confirm-yes");
    shows(&browser, "pin-told", "Held by hand at 8 attempts");
    assert_eq!(ask(&stage.client(), "")["difficulty"], json!(8));
    browser.click("#pin-free");
    browser.click("#confirm-yes");
    shows(&browser, "pin-told", "The load sets it");
    assert_eq!(ask(&stage.client(), "")["difficulty"], json!(1));
    has_broken_no_policy(&browser);
}

#[test]
fn what_was_set_by_hand_outlasts_a_restart_and_needs_the_token() {
    let mut stage = stage("on");
    let admin = stage.verifier.admin();
    let post = |client: &Client, target: &str, body: &Value| {
        client.request("POST", target).body("application/json", body.to_string()).try_send().unwrap()
    };
    let rule = json!({"action": "deny", "path": "/search/**", "minutes": 5});
    assert_eq!(post(&admin, "/rules", &rule).status, 401);
    assert_eq!(post(&admin, "/price", &json!({"site": "main", "price": 5, "minutes": 5})).status, 401);
    let admin = admin.with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    assert_eq!(post(&admin.with("Origin", "http://evil.test"), "/rules", &rule).status, 403);
    for wrong in [
        json!({}),
        json!({"action": "allow", "path": "/a", "minutes": 5}),
        json!({"action": "deny", "path": "/**", "minutes": 5}),
    ] {
        assert_eq!(post(&admin, "/rules", &wrong).status, 400, "{wrong}");
    }
    assert_eq!(post(&admin, "/price", &json!({"site": "other", "price": 5, "minutes": 5})).status, 400);
    let made = post(&admin, "/rules", &rule);
    assert_eq!((made.status, &made.json()["kept"]), (200, &json!(true)), "{made:?}");
    assert_eq!(post(&admin, "/price", &json!({"site": "main", "price": 5, "minutes": 5})).status, 200);
    stage.client().get("/search/x").expect(403, "denied");
    stage.verifier.crash_and_restart();
    stage.client().get("/%73earch/x").expect(403, "denied");
    assert_eq!(ask(&stage.client(), "")["difficulty"], json!(5));
    assert_eq!(post(&admin, "/rules/revoke", &json!({"number": 7})).status, 404);
    assert_eq!(post(&admin, "/rules/revoke", &json!({"number": 0})).status, 200);
    stage.client().get("/search/x").expect_status(429);
}
