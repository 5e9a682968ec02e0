//! Real browsers whose owners have switched JavaScript off, and one that cannot calculate.

use std::path::Path;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, until, until_true};

through_both!(chromium_gets_in_by_waiting);

const UNSCRIPTED: Traits = Traits {
    without_wasm: false,
    without_simd: false,
    without_cookies: false,
    without_script: true,
    private: false,
    dark: false,
    calm: false,
    forced_colours: false,
};

fn stage(front: Front, wait_seconds: i64) -> Stage {
    // A price that no browser pays while the test lasts.
    let settings = Settings::new()
        .set("ticket.wait_seconds", wait_seconds)
        .set("challenge.count", 8)
        .set("challenge.difficulty", 10_000_000)
        .set("challenge.max_solve_seconds", 240);
    Stage::with_site(front, settings, |settings| settings.of_site("capacity_per_second", 200))
}

/// The markup of the page, which needs no script to be read.
fn markup(browser: &Browser) -> String {
    // Between the two questions the page may have opened.
    until(SOON, "the page's markup", || {
        let document = browser.try_cdp("DOM.getDocument", &json!({})).ok()?;
        let root = json!({"nodeId": document["root"]["nodeId"]});
        browser.try_cdp("DOM.getOuterHTML", &root).ok()?["outerHTML"].as_str().map(str::to_owned)
    })
}

fn chromium_gets_in_by_waiting(front: Front) {
    let stage = stage(front, 3);
    let browser = Browser::of(Engine::Chromium, UNSCRIPTED);
    browser.open(&stage.url("/news?page=2"));
    let page = markup(&browser);
    assert!(page.contains("this page opens by itself in about 3 seconds"), "{page}");
    assert!(!page.contains("data-state"), "no script ran: {page}");
    until_true(SOON, "the site to open by itself", || stage.origin.count("/news?page=2") > 0);
    until_true(SOON, "the site's own content", || markup(&browser).contains("id=\"origin\""));
    assert_eq!(browser.url(), stage.url("/news?page=2"), "in place, at the address that was asked for");
    assert_eq!(stage.relay.count("GET /.portcullis/challenge"), 0);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
    // The next page opens at once.
    browser.open(&stage.url("/more"));
    assert!(markup(&browser).contains("id=\"origin\""));
}

#[test]
fn firefox_gets_in_by_waiting() {
    let stage = stage(Front::Proxy, 3);
    let browser = Browser::of(Engine::Firefox, UNSCRIPTED);
    browser.open(&stage.url("/news"));
    until_true(SOON, "the site to open by itself", || stage.origin.count("/news") > 0);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
}

#[test]
fn the_page_that_waits_looks_right() {
    let stage = stage(Front::Proxy, 90);
    let browser = Browser::of(Engine::Chromium, UNSCRIPTED);
    browser.open(&stage.url("/"));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    browser.screenshot(&workspace.join("target/screenshots/gate-unscripted.png"));
    let displayed = |selector: &str| {
        let document = browser.cdp("DOM.getDocument", &json!({}));
        let query = json!({"nodeId": document["root"]["nodeId"], "selector": selector});
        let node = browser.cdp("DOM.querySelector", &query)["nodeId"].clone();
        // What is not displayed has no box.
        let body = browser.try_cdp("DOM.getBoxModel", &json!({"nodeId": node}));
        body.is_ok_and(|answer| answer["model"]["width"].as_u64() > Some(0))
    };
    for shown in ["#title", "#lead", "noscript p", "noscript a", "#request"] {
        assert!(displayed(shown), "{shown}");
    }
    for hidden in ["#progress", "#status", "#action", "#late"] {
        assert!(!displayed(hidden), "{hidden}");
    }
}

#[test]
fn a_browser_with_script_sees_nothing_of_it_and_gives_its_ticket_back() {
    let settings = Settings::new().set("ticket.wait_seconds", 1).set("challenge.difficulty", 1_000);
    let stage = Stage::with_site(Front::Proxy, settings, |settings| settings.of_site("capacity_per_second", 200));
    let browser = Browser::start();
    browser.open(&stage.url("/"));
    browser.wait_for_origin(SOON);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
    assert!(browser.cookie("portcullis").is_some());
    assert_eq!(browser.cookie("portcullis-ticket"), None);
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}

#[test]
fn a_page_that_is_busy_tries_again_by_itself_without_a_script() {
    let settings = Settings::new();
    let stage = Stage::with_site(Front::Nginx, settings, |settings| settings.of_site("capacity_per_second", 10));
    let client = stage.browser_client();
    let cookie = tests::visitor::buy(&client);
    let browser = Browser::of(Engine::Chromium, UNSCRIPTED);
    browser.open(&stage.url("/.portcullis/nothing"));
    browser.set_cookie(&cookie);
    until(SOON, "the site to be busy", || {
        let reply = client.request("GET", "/").cookie(&cookie).send();
        (reply.status == 503).then_some(())
    });
    // As many again as fill the next seconds: the browser meets a site that is busy.
    let busy = until(SOON, "the browser to meet a busy site", || {
        for _ in 0..30 {
            client.request("GET", "/").cookie(&cookie).send();
        }
        browser.open(&stage.url("/busy"));
        Some(markup(&browser)).filter(|page| page.contains("tries again by itself"))
    });
    assert!(busy.contains("http-equiv=\"refresh\""), "{busy}");
    until_true(SOON, "the page to come by itself", || markup(&browser).contains("id=\"origin\""));
}

#[test]
fn a_browser_that_cannot_calculate_waits_like_one_without_script() {
    let stage = stage(Front::Proxy, 2);
    let browser = Browser::start();
    let broken = "globalThis.Worker = class { constructor() { throw new Error('none'); } };\
                  globalThis.MessageChannel = class { port1 = { close() {} }; port2 = { postMessage() {} }; };";
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({"source": broken}));
    browser.open(&stage.url("/news"));
    browser.wait(
        SOON * 6,
        "the page to give up",
        "return document.documentElement.dataset.failure === 'no_progress' || document.getElementById('origin')",
    );
    assert_eq!(browser.wait_for_origin(SOON), "/news");
    assert!(browser.notes("live").iter().any(|text| text.contains("waits instead")), "{:?}", browser.notes("live"));
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
}
