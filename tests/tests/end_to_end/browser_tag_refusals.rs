//! A page that stays, where buying does not help, or is not what is asked for.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::nginx::Site;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::buy;
use tests::wait::{SOON, until, until_true};

use super::browser_tag::beside_another_host_of;

through_both!(where_no_cookie_is_kept_the_page_is_told_and_nothing_is_bought_again);

/// What the limit begins with while the gate is down.
const SLOTS: usize = 20;
/// The tag's own page, in which a test asks for things.
pub(super) const APP: &str = "path = \"/app\"\naction = \"allow\"";
const TO_STATUS: &str = "then(({status}) => status)";

fn page(stage: &Stage, traits: Traits) -> Browser {
    let browser = Browser::with(traits);
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    browser
}

fn where_no_cookie_is_kept_the_page_is_told_and_nothing_is_bought_again(front: Front) {
    let stage = Stage::new(front, Settings::new().set("challenge.difficulty", 2_000).rule(APP));
    let browser = page(&stage, Traits { without_cookies: true, ..Traits::default() });
    told_once(&stage, &browser);
}

/// On a page with the tag in a browser without cookies.
pub(super) fn told_once(stage: &Stage, browser: &Browser) {
    assert_eq!(
        browser.script(&format!("return fetch('/page/1').{TO_STATUS}")),
        json!(429),
        "the page gets the gate's answer"
    );
    let note =
        browser.wait(SOON, "a note", "return document.querySelector('.portcullis-note [role=status]')?.textContent");
    assert!(note.as_str().unwrap().contains("allow cookies"), "{note}");
    let bought = stage.relay.count("POST /.portcullis/verify");
    assert!(
        (1..=2).contains(&bought),
        "the same solution is shown once more, to see whether the cookie came: {bought}"
    );
    for number in 2..5 {
        let xhr = "request.onload = () => resolve(request.status); request.send()";
        let ask = format!(
            "return Promise.all([fetch('/page/{number}').{TO_STATUS}, new Promise((resolve) => {{ \
               const request = new XMLHttpRequest(); request.open('POST', '/upload'); {xhr} }})])"
        );
        assert_eq!(browser.script(&ask), json!([429, 429]));
    }
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), bought);
    assert_eq!(stage.relay.count("GET /.portcullis/challenge"), 0);
    assert_eq!(stage.origin.count("/page/") + stage.origin.count("/upload"), 0);
    browser.click(".portcullis-note button");
    assert_eq!(browser.script("return document.querySelectorAll('.portcullis-note').length"), json!(0));
}

#[test]
fn a_request_that_takes_no_cookies_along_buys_none() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 2_000).rule(APP));
    let browser = page(&stage, Traits::default());
    for _ in 0..3 {
        let asked = browser.script(&format!("return fetch('/page/1', {{credentials: 'omit'}}).{TO_STATUS}"));
        assert_eq!(asked, json!(429));
    }
    assert_eq!(stage.relay.count("GET /.portcullis/buying"), 0);
}

#[test]
fn what_could_not_be_loaded_is_loaded_once_it_can_be() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 2_000).rule(APP));
    let browser = page(&stage, Traits::default());
    browser.cdp("Network.enable", &json!({}));
    browser.cdp("Network.setBlockedURLs", &json!({"urls": ["*/buying*"]}));
    let ask = format!("return fetch('/page/1').{TO_STATUS}");
    assert_eq!(browser.script(&ask), json!(429));
    browser.cdp("Network.setBlockedURLs", &json!({"urls": []}));
    until_true(SOON, "the page to get its answer", || browser.script(&ask) == json!(200));
}

/// Requests of another network that hold all of the origin's slots until they are dropped.
pub(super) fn hold_all_slots(stage: &Stage) -> Vec<BufReader<TcpStream>> {
    let client = stage.client().in_network(9, 0);
    let cookie = buy(&client);
    let hang = |_| {
        let mut connection = client.connect().unwrap();
        connection.get_mut().write_all(&client.request("GET", "/hang").cookie(&cookie).bytes()).unwrap();
        connection
    };
    let held = (0..SLOTS).map(hang).collect();
    until_true(SOON, "all slots are taken", || {
        let status = stage.verifier.admin().request("GET", "/status").try_send().unwrap().json();
        status["sites"][0]["queue"]["in_use"] == json!(SLOTS)
    });
    held
}

#[test]
fn what_was_paid_for_and_found_no_room_is_sent_again_when_the_gate_says_so() {
    sends_again(&Browser::with(Traits::default()));
}

#[test]
fn firefox_and_webkit_send_it_again_too() {
    for engine in [Engine::Firefox, Engine::WebKitGtk] {
        sends_again(&Browser::of(engine, Traits::default()));
    }
}

fn sends_again(browser: &Browser) {
    let settings = Settings::new().set("challenge.difficulty", 2_000).rule(APP);
    let stage = Stage::with_site(Front::Proxy, settings, |settings| settings.of_site("capacity_per_second", 100));
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    assert_eq!(browser.script(&format!("return fetch('/page/1').{TO_STATUS}")), json!(200));
    let held = hold_all_slots(&stage);
    browser.script(
        "window.answers = []; window.told = ''; \
         fetch('/submit', {method: 'POST', body: new URLSearchParams({text: 'typed'})}) \
           .then(async (response) => window.answers.push(response.status + ' ' + (await response.text()).includes('text=typed'))); \
         const request = new XMLHttpRequest(); request.open('POST', '/upload'); \
         request.onload = () => window.answers.push(request.status + ' ' + request.responseText); request.send('12345'); \
         window.most = 0; \
         setInterval(() => { const note = document.querySelector('.portcullis-note'); \
           window.most = Math.max(window.most, document.querySelectorAll('.portcullis-note').length); \
           window.told ||= (note?.querySelector('[role=status]').textContent ?? '') + (note?.querySelector('progress') ? 'a bar' : ''); }, 20); \
         return true",
    );
    until_true(SOON, "both to be turned away", || {
        let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
        metrics.contains("portcullis_requests_dropped_total 2")
    });
    drop(held);
    let answers = browser.wait(SOON, "both answers", "return window.answers.length === 2 && window.answers.sort()");
    assert_eq!(answers, json!(["200 5", "200 true"]));
    assert_eq!(browser.script("return window.most"), json!(1), "one note for both");
    let told = browser.script("return window.told");
    assert!(told.as_str().unwrap().ends_with("sent again in a few seconds."), "and nothing of progress: {told}");
    for (method, target) in [("POST", "/submit"), ("POST", "/upload")] {
        assert_eq!(stage.relay.count(&format!("{method} {target}")), 2);
        assert_eq!(stage.origin.count(target), 1, "what the gate turns away never reaches the site");
    }
    // One of the browser's, and one of whoever held the slots.
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}

#[test]
fn another_host_of_the_site_is_asked_again_too() {
    let settings = Settings::new().set("challenge.difficulty", 2_000);
    let (stage, browser, other) = beside_another_host_of(settings, |site| site.of_site("capacity_per_second", 100));
    let ask = format!("fetch('{other}', {{credentials: 'include'}}).{TO_STATUS}");
    assert_eq!(browser.script(&format!("return {ask}")), json!(200));
    let held = hold_all_slots(&stage);
    browser.script(&format!(
        "window.answers = []; void {ask}.then((status) => answers.push(status), (error) => answers.push(`${{error}}`))"
    ));
    until_true(SOON, "it to be turned away", || {
        let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
        metrics.contains("portcullis_requests_dropped_total 1")
    });
    drop(held);
    assert_eq!(browser.wait(SOON, "its answer", "return answers.length > 0 && answers"), json!([200]));
}

#[test]
fn beside_nginx_too_what_is_turned_away_comes_later() {
    let settings = Settings::new().rule(APP);
    let stage = Stage::with_site(Front::Nginx, settings, |settings| settings.of_site("capacity_per_second", 10));
    let client = stage.browser_client();
    let cookie = buy(&client);
    let browser = page(&stage, Traits::default());
    browser.set_cookie(&cookie);
    let mut number = 0;
    until(4 * SOON, "the page to meet a busy site", || {
        for _ in 0..40 {
            client.request("GET", "/").cookie(&cookie).send();
        }
        number += 1;
        let target = format!("/late/{number}");
        assert_eq!(browser.script(&format!("return fetch('{target}').{TO_STATUS}")), json!(200));
        (stage.relay.count(&format!("GET {target}")) > 1).then_some(())
    });
    assert_eq!(stage.origin.count(&format!("/late/{number}")), 1);
}

#[test]
fn nginx_writes_the_tag_of_another_base_path_where_the_recipe_says_so() {
    let origin = Origin::start("main");
    let lines = format!(
        "location / {{ proxy_pass {}; proxy_set_header Host $http_host; proxy_set_header Accept-Encoding \"\"; }}",
        origin.url()
    );
    let site = Site { lines, tag: true, base_path: "/gate/".into(), ..Site::default() };
    let settings = Settings::new().set("challenge.difficulty", 2_000).set("base_path", "/gate/");
    let stage = Stage::beside_nginx(settings, origin, &site);
    for own in ["/page/0", "/gate/pass"] {
        let page = stage.client().navigate(own).text();
        assert!(page.contains("<head>") && !page.contains("portcullis.js"), "{own}: {page}");
    }
    let browser = Browser::start();
    browser.open(&stage.url("/page/0"));
    browser.wait_for_origin(SOON);
    browser.forget_cookies();
    assert_eq!(browser.script(&format!("return fetch('/page/1').{TO_STATUS}")), json!(200));
    assert_eq!(stage.relay.count("POST /gate/verify"), 2, "the gate's page and the tag");
}
