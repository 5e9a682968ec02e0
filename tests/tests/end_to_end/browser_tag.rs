//! A page that stays: with the script tag, its own requests pass the gate without the page noticing.

use std::time::Duration;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::nginx::Site;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::wait::{SOON, until_true};

through_both!(
    a_fetch_is_paid_for_and_sent_again_with_body_and_headers,
    a_request_object_is_sent_again_with_its_body,
    the_settings_of_a_request_may_be_another_request_or_be_read_once,
    an_xml_http_request_is_paid_for_and_its_page_never_sees_the_gate,
    twenty_requests_at_once_are_paid_for_by_one_purchase,
    an_aborted_request_ends_at_once_and_is_not_sent_again,
    a_note_says_what_takes_longer_than_a_second_unless_the_site_says_no,
);

const TAG: &str = "<script src=\"/.portcullis/portcullis.js\" defer=\"\"></script>";
/// Solved in a moment.
const EASY: u32 = 2_000;
/// A solution takes so long on its way where somebody is to wait for it.
const SLOW: Duration = Duration::from_secs(3);

fn stage(front: Front) -> Stage {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", EASY)
        .set("challenge.max_solve_seconds", 60)
        .rule("path = \"/app\"\naction = \"allow\"");
    Stage::new(front, settings)
}

/// A page with the tag in a browser that has no clearance.
fn page(stage: &Stage, target: &str) -> Browser {
    let browser = Browser::with(Traits::default());
    browser.open(&stage.url(target));
    browser.wait_for_origin(SOON);
    browser
}

/// What is claimed of requests that the gate meets, on a page with the tag, of any engine.
type Claim = fn(&Stage, &Browser);

/// Claims in one browser, each on a site of its own.
fn all_in(engine: Engine, claims: &[Claim]) {
    let browser = Browser::of(engine, Traits::default());
    for claim in claims {
        let stage = stage(Front::Proxy);
        browser.open(&stage.url("/app"));
        browser.wait_for_origin(SOON);
        browser.forget_cookies();
        browser.script(
            "window.broken = []; document.addEventListener('securitypolicyviolation', \
             ({violatedDirective, blockedURI}) => window.broken.push(violatedDirective + ' ' + blockedURI))",
        );
        claim(&stage, &browser);
        // Firefox tells of the module that a worker offers to share, which this page may not take and goes on without.
        let told = if engine == Engine::Firefox { json!(["script-src wasm-eval"]) } else { json!([]) };
        let broken = browser.script("return window.broken");
        assert!(broken == json!([]) || broken == told, "a strict policy and Trusted Types are kept: {broken}");
    }
}

const CLAIMS: [Claim; 7] =
    [fetched, request_object_sent_again, request_as_settings, xml_http_request_unaware, twenty_at_once, aborted, noted];

#[test]
fn firefox_keeps_every_claim_about_requests() {
    all_in(Engine::Firefox, &CLAIMS);
}

#[test]
fn webkit_keeps_every_claim_about_requests() {
    all_in(Engine::WebKitGtk, &CLAIMS);
}

fn a_fetch_is_paid_for_and_sent_again_with_body_and_headers(front: Front) {
    let stage = stage(front);
    fetched(&stage, &page(&stage, "/app"));
}

fn fetched(stage: &Stage, browser: &Browser) {
    let text = browser.script(
        "const body = new URLSearchParams({text: 'three words typed'}); const headers = new Headers({'x-app': 'yes'}); \
         const answer = fetch('/submit', {method: 'POST', body, headers}); body.set('text', 'changed later'); headers.set('x-app', 'no'); \
         return answer.then(async (response) => response.status + ' ' + await response.text())",
    );
    let text = text.as_str().unwrap();
    assert!(text.starts_with("200 ") && text.contains("text=three+words+typed"), "{text}");
    assert_eq!(stage.relay.count("POST /submit"), 2, "the gate's answer, and then the site's");
    assert_eq!(stage.origin.count("/submit"), 1);
    let seen = stage.origin.seen().into_iter().find(|seen| seen.target == "/submit").unwrap();
    assert_eq!(seen.header("x-app"), "yes");
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded;charset=UTF-8");
    let next = browser.script("return fetch('/page/1').then((response) => response.status)");
    assert_eq!(next, json!(200));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
    assert_eq!(browser.notes("violation"), Vec::<String>::new(), "a strict policy and Trusted Types are kept");
}

fn a_request_object_is_sent_again_with_its_body(front: Front) {
    let stage = stage(front);
    request_object_sent_again(&stage, &page(&stage, "/app"));
}

fn request_object_sent_again(stage: &Stage, browser: &Browser) {
    let text = browser.script(
        "return fetch(new Request('/upload', {method: 'PUT', body: new Uint8Array(100000)})).then((response) => response.text())",
    );
    assert_eq!(text, json!("100000"));
    assert_eq!((stage.relay.count("PUT /upload"), stage.origin.count("/upload")), (2, 1));
}

fn the_settings_of_a_request_may_be_another_request_or_be_read_once(front: Front) {
    let stage = stage(front);
    request_as_settings(&stage, &page(&stage, "/app"));
}

fn request_as_settings(stage: &Stage, browser: &Browser) {
    let told = browser.script(
        "const settings = new Request('/elsewhere', {method: 'DELETE', headers: {'x-app': 'yes'}}); \
         const once = new Headers({'x-app': 'once'}).entries(); \
         return fetch('/page/1', settings).then(async ({status}) => [status, (await fetch('/page/2', {headers: once})).status])",
    );
    assert_eq!(told, json!([200, 200]));
    let seen = |target: &str| stage.origin.seen().into_iter().find(|seen| seen.target == target).unwrap();
    assert_eq!((seen("/page/1").method.as_str(), seen("/page/1").header("x-app").as_str()), ("DELETE", "yes"));
    assert_eq!(seen("/page/2").header("x-app"), "once");
}

/// In a comment with a picture, for example.
#[test]
fn what_a_visitor_named_like_the_tag_is_not_taken_for_it() {
    let settings =
        Settings::new().set("challenge.difficulty", EASY).rule("path = \"/files/page.html\"\naction = \"allow\"");
    let stage = Stage::new(Front::Proxy, settings);
    let picture = "<img name=currentScript src=\"/elsewhere/picture\">";
    let (browser, _folder) = stage.open_with_tag(picture, Engine::Chromium, Traits::default());
    assert_eq!(
        browser.script("return document.currentScript?.name"),
        json!("currentScript"),
        "it does go by that name"
    );
    assert_eq!(browser.script("return fetch('/page/1').then(({status}) => status)"), json!(200));
    let requests = stage.relay.requests();
    assert!(!requests.iter().any(|line| line.starts_with("GET /elsewhere/buying")), "{requests:?}");
}

fn an_xml_http_request_is_paid_for_and_its_page_never_sees_the_gate(front: Front) {
    let stage = stage(front);
    xml_http_request_unaware(&stage, &page(&stage, "/app"));
}

fn xml_http_request_unaware(stage: &Stage, browser: &Browser) {
    let told = browser.script(
        "return new Promise((resolve) => { \
           const request = new XMLHttpRequest(); const told = []; let sent = 0; \
           request.onreadystatechange = () => told.push(request.readyState + ' ' + request.status); \
           for (const type of ['loadstart', 'load', 'error', 'abort']) request.addEventListener(type, () => told.push(type)); \
           request.upload.onprogress = ({loaded}) => { sent = loaded; }; \
           request.onloadend = () => resolve({told, sent, text: request.responseText}); \
           request.open('POST', '/upload'); request.setRequestHeader('x-app', 'yes'); \
           request.send(new Blob([new Uint8Array(50000)])); \
         })",
    );
    assert_eq!(told["told"], json!(["1 0", "loadstart", "2 200", "3 200", "4 200", "load"]), "{told}");
    assert_eq!((&told["text"], &told["sent"]), (&json!("50000"), &json!(50_000)));
    assert_eq!((stage.relay.count("POST /upload"), stage.origin.count("/upload")), (2, 1));
    assert_eq!(stage.origin.last().header("x-app"), "yes");
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}

fn twenty_requests_at_once_are_paid_for_by_one_purchase(front: Front) {
    let stage = stage(front);
    twenty_at_once(&stage, &page(&stage, "/app"));
}

fn twenty_at_once(stage: &Stage, browser: &Browser) {
    let answers = browser.script(
        "const ask = (number) => number % 2 ? fetch('/page/' + number).then(({status}) => status) : new Promise((resolve) => { \
           const request = new XMLHttpRequest(); request.open('GET', '/page/' + number); \
           request.onload = () => resolve(request.status); request.send(); }); \
         return Promise.all(Array.from({length: 20}, (_, number) => ask(number)))",
    );
    assert_eq!(answers, json!(vec![200; 20]));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
    assert_eq!(stage.origin.count("/page/"), 20);
}

fn an_aborted_request_ends_at_once_and_is_not_sent_again(front: Front) {
    let stage = stage(front);
    aborted(&stage, &page(&stage, "/app"));
}

fn aborted(stage: &Stage, browser: &Browser) {
    stage.relay.hold_up("POST /.portcullis/verify", SLOW);
    let told = browser.script(
        "const control = new AbortController(); const told = []; const request = new XMLHttpRequest(); \
         for (const type of ['abort', 'loadend', 'load', 'error']) request.addEventListener(type, () => told.push(type)); \
         request.open('GET', '/page/2'); request.send(); \
         const answer = fetch('/page/1', {signal: control.signal}).catch((error) => error.name); \
         const started = () => performance.getEntriesByType('resource').some(({name}) => name.includes('buying')); \
         return new Promise((resolve) => { const wait = setInterval(() => { if (started()) { clearInterval(wait); setTimeout(resolve, 300); } }, 20); }) \
           .then(() => { control.abort(); request.abort(); return answer; }) \
           .then((name) => ({name, told, state: request.readyState}))",
    );
    assert_eq!(told, json!({"name": "AbortError", "told": ["abort", "loadend"], "state": 0}));
    until_true(4 * SOON, "the purchase to end", || stage.relay.count("POST /.portcullis/verify") == 1);
    let after = browser.script("return fetch('/page/3').then(({status}) => status)");
    assert_eq!(after, json!(200), "what was calculated is not lost");
    assert_eq!((stage.origin.count("/page/1"), stage.origin.count("/page/2")), (0, 0));
}

fn a_note_says_what_takes_longer_than_a_second_unless_the_site_says_no(front: Front) {
    for (target, shown) in [("/app", true), ("/app?quiet", false)] {
        let stage = stage(front);
        note_is(shown, &stage, &page(&stage, target));
    }
}

fn noted(stage: &Stage, browser: &Browser) {
    note_is(true, stage, browser);
}

fn note_is(shown: bool, stage: &Stage, browser: &Browser) {
    stage.relay.hold_up("POST /.portcullis/verify", SLOW);
    let seen = browser.script(
        "let seen = ''; \
         const wait = setInterval(() => { seen ||= document.querySelector('.portcullis-note [role=status]')?.textContent ?? ''; }, 20); \
         return fetch('/page/1').then(({status}) => { clearInterval(wait); \
           return {status, seen, left: document.querySelectorAll('.portcullis-note').length}; })",
    );
    assert_eq!((&seen["status"], &seen["left"]), (&json!(200), &json!(0)));
    assert_eq!(seen["seen"].as_str().unwrap().contains("short calculation"), shown, "{seen}");
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}

/// A page with the tag, of a site that has another host as well, and what it asks for there.
pub(super) fn beside_another_host(settings: Settings) -> (Stage, Browser, String) {
    beside_another_host_of(settings, |site| site)
}

/// The same, where the site has other settings besides its hosts.
pub(super) fn beside_another_host_of(
    settings: Settings,
    site: impl FnOnce(Settings) -> Settings,
) -> (Stage, Browser, String) {
    const OTHER: &str = "www.portcullis.test";
    let hosts = [HOST, OTHER].map(toml::Value::from).to_vec();
    let stage = Stage::with_site(Front::Proxy, settings, |settings| site(settings.of_site("hosts", hosts)));
    let browser = Browser::start();
    // Not `/app`: its policy names its own host only.
    browser.open(&stage.url("/robots.txt"));
    browser.wait_for_origin(SOON);
    browser.forget_cookies();
    browser.script(
        "return new Promise((resolve) => { const tag = document.createElement('script'); \
           tag.src = '/.portcullis/portcullis.js'; tag.onload = resolve; document.head.append(tag); })",
    );
    let other = stage.url("/shared").replace(HOST, OTHER);
    (stage, browser, other)
}

#[test]
fn another_host_of_the_site_is_paid_for_where_its_cookies_go_along() {
    let (stage, browser, other) = beside_another_host(Settings::new().set("challenge.difficulty", EASY));
    let ask = |credentials: &str| {
        browser
            .script(&format!("return fetch('{other}', {{credentials: '{credentials}'}}).then(({{status}}) => status)"))
    };
    assert_eq!(ask("same-origin"), json!(429), "no clearance would go along");
    assert_eq!(ask("include"), json!(200));
    assert_eq!(ask("include"), json!(200));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}

#[test]
fn nginx_writes_the_tag_into_every_page_and_not_into_the_gates() {
    let origin = Origin::start("main");
    let lines = format!(
        "location / {{ proxy_pass {}; proxy_set_header Host $http_host; proxy_set_header Accept-Encoding \"\"; }}",
        origin.url()
    );
    let site = Site { lines, tag: true, ..Site::default() };
    let stage = Stage::beside_nginx(Settings::new().set("challenge.difficulty", EASY), origin, &site);
    let gate = stage.client().navigate("/page/0");
    gate.expect_status(429);
    assert!(gate.text().contains("<head>") && !gate.text().contains("portcullis.js"), "{}", gate.text());
    let browser = Browser::start();
    browser.open(&stage.url("/page/0"));
    browser.wait_for_origin(SOON);
    assert_eq!(browser.script("return document.head.firstElementChild.outerHTML"), json!(TAG));
    browser.forget_cookies();
    let answer = browser.script("return fetch('/page/1').then(({status}) => status)");
    assert_eq!(answer, json!(200));
    assert_eq!(stage.relay.count("GET /page/1"), 2);
}

#[test]
fn every_engine_pays_for_what_its_pages_ask() {
    let stage = stage(Front::Proxy);
    for engine in Engine::ALL {
        let browser = Browser::of(engine, Traits::default());
        browser.open(&stage.url("/app"));
        browser.wait_for_origin(SOON);
        let answers = browser.script(
            "const xhr = new Promise((resolve) => { const request = new XMLHttpRequest(); request.open('POST', '/upload'); \
               request.onload = () => resolve(request.status + ' ' + request.responseText); request.send('12345'); }); \
             return Promise.all([fetch('/page/1').then(({status}) => status), xhr])",
        );
        assert_eq!(answers, json!([200, "200 5"]), "{}", engine.name());
    }
}

#[test]
fn the_tag_is_compressed_and_asked_for_again_by_its_etag() {
    let stage = stage(Front::Proxy);
    let client = stage.client();
    let first = client.get("/.portcullis/portcullis.js");
    first.expect_status(200);
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    assert_eq!(first.header("content-type"), Some("text/javascript; charset=utf-8"));
    let again = client
        .request("GET", "/.portcullis/portcullis.js")
        .header("if-none-match", first.header("etag").unwrap())
        .send();
    again.expect_status(304);
    assert_eq!(again.body.len(), 0);
}
