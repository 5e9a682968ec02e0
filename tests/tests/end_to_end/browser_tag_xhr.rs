//! `XMLHttpRequest` under the script tag: what its page is told of a request that is sent again.

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, until_true};

use super::browser_tag::beside_another_host;

fn settings() -> Settings {
    Settings::new().set("challenge.count", 8).set("challenge.difficulty", 2_000)
}

/// A page with the tag in a browser that has no clearance.
fn page(engine: Engine) -> (Stage, Browser) {
    let stage = Stage::new(Front::Proxy, settings().rule("path = \"/app\"\naction = \"allow\""));
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    (stage, browser)
}

/// A request that notes in `told` how it ends.
const REQUEST: &str = "window.told = []; window.request = new XMLHttpRequest(); \
     for (const type of ['load', 'error', 'abort', 'timeout', 'loadend']) \
       window.request.addEventListener(type, () => window.told.push(type));";

#[test]
fn an_upload_is_told_from_the_beginning_each_time_it_is_sent_and_the_answer_once() {
    for engine in Engine::ALL {
        let (stage, browser) = page(engine);
        let told = browser.script(
            "return new Promise((resolve) => { \
               const request = new XMLHttpRequest(); const up = []; const down = []; \
               const note = (list) => ({type, loaded, total}) => { \
                 if (list.at(-1)?.[0] === type) list.pop(); list.push([type, loaded, total]); }; \
               for (const type of ['loadstart', 'progress', 'load', 'abort', 'error', 'timeout', 'loadend']) { \
                 request.addEventListener(type, note(down)); request.upload.addEventListener(type, note(up)); } \
               request.addEventListener('loadend', () => resolve({up, down, text: request.responseText})); \
               request.open('POST', '/upload'); request.send(new Blob([new Uint8Array(50000)])); })",
        );
        let (whole, name) = (50_000, engine.name());
        let once = [json!(["loadstart", 0, whole]), json!(["progress", whole, whole]), json!(["load", whole, whole])];
        let once = once.into_iter().chain([json!(["loadend", whole, whole])]).collect::<Vec<_>>();
        assert_eq!(told["up"], json!([once.clone(), once].concat()), "{name}");
        let answer = json!([["loadstart", 0, 0], ["progress", 5, 5], ["load", 5, 5], ["loadend", 5, 5]]);
        assert_eq!(told["down"], answer, "{name}: nothing of the gate's answer");
        assert_eq!(told["text"], json!("50000"));
        assert_eq!((stage.relay.count("POST /upload"), stage.origin.count("/upload")), (2, 1));
    }
}

#[test]
fn a_download_is_told_as_it_comes() {
    for engine in Engine::ALL {
        let (stage, browser) = page(engine);
        let told = browser.script(
            "return new Promise((resolve) => { \
               const request = new XMLHttpRequest(); const loaded = []; \
               request.addEventListener('progress', (event) => loaded.push(event.loaded)); \
               request.addEventListener('load', () => resolve({loaded, bytes: request.response.byteLength})); \
               request.open('GET', '/download?3000000'); request.responseType = 'arraybuffer'; request.send(); })",
        );
        let loaded = told["loaded"].as_array().unwrap().iter().map(|bytes| bytes.as_u64().unwrap()).collect::<Vec<_>>();
        assert!(loaded.is_sorted() && loaded.last() == Some(&3_000_000), "{}: {loaded:?}", engine.name());
        assert_eq!(told["bytes"], json!(3_000_000));
        assert_eq!((stage.relay.count("GET /download"), stage.origin.count("/download")), (2, 1));
    }
}

#[test]
fn what_is_aborted_or_takes_too_long_after_it_was_paid_for_ends_as_ever() {
    for engine in Engine::ALL {
        let (stage, browser) = page(engine);
        let name = engine.name();
        browser.script(&format!("{REQUEST} window.request.open('GET', '/hang?1'); window.request.send()"));
        until_true(2 * SOON, "the request at the site", || stage.origin.count("/hang?1") == 1);
        browser.script("window.request.abort()");
        browser.wait(SOON, "its end", "return window.told.includes('loadend')");
        assert_eq!(
            browser.script("return [window.told, window.request.readyState]"),
            json!([["abort", "loadend"], 0]),
            "{name}"
        );
        browser.forget_cookies();
        // Counted from when it is sent again: the work before is not the site's fault.
        browser.script(&format!(
            "{REQUEST} window.request.open('GET', '/hang?2'); window.request.timeout = 3000; window.request.send()"
        ));
        browser.wait(2 * SOON, "its end", "return window.request.readyState === 4 && window.told.includes('loadend')");
        let ended = browser.script("return [window.told, window.request.readyState, window.request.status]");
        assert_eq!(ended, json!([["timeout", "loadend"], 4, 0]), "{name}");
        assert_eq!(stage.origin.count("/hang?2"), 1, "{name}");
        assert_eq!(stage.relay.count("POST /.portcullis/verify"), 2);
    }
}

#[test]
fn another_host_of_the_site_is_paid_for_where_its_cookies_go_along() {
    let (stage, browser, other) = beside_another_host(settings());
    let ask = |credentials: bool| {
        browser.script(&format!(
            "return new Promise((resolve) => {{ const request = new XMLHttpRequest(); request.open('POST', '{other}'); \
               request.withCredentials = {credentials}; request.onloadend = () => resolve(request.status + ' ' + request.responseText); \
               request.send('typed'); }})"
        ))
    };
    assert!(ask(false).as_str().unwrap().starts_with("429 "), "no clearance would go along");
    assert_eq!(ask(true), json!("200 shared"));
    assert_eq!(ask(true), json!("200 shared"));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}
