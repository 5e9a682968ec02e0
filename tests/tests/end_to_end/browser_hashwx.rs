//! Visits where the second algorithm is offered: each engine solves it, and whoever cannot compile it solves the first.

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

/// Some 30,000 attempts on each of four sub-puzzles: long enough to be seen at work.
const PRICE: u32 = 1_200_000;
/// What is asked of who has to do without.
const CHEAP: u32 = 40_000;

#[test]
fn chromium_solves_hashwx() {
    solves(Engine::Chromium);
}

#[test]
fn firefox_solves_hashwx() {
    solves(Engine::Firefox);
}

#[test]
fn webkit_solves_hashwx() {
    solves(Engine::WebKitGtk);
}

#[test]
fn chromium_without_wasm_falls_back_to_sha256() {
    falls_back(Engine::Chromium);
}

#[test]
fn firefox_without_wasm_falls_back_to_sha256() {
    falls_back(Engine::Firefox);
}

#[test]
fn webkit_without_wasm_falls_back_to_sha256() {
    falls_back(Engine::WebKitGtk);
}

#[test]
fn where_only_the_programs_are_refused_sha256_keeps_its_fastest_lane() {
    let stage = stage(CHEAP);
    let browser = Browser::start();
    // What the worker of hashwx reports where compiling is refused; the other workers go on as they are.
    browser.cdp(
        "Page.addScriptToEvaluateOnNewDocument",
        &json!({"source": r"
            globalThis.Worker = class extends Worker {
              constructor(url, options) {
                super(url, options);
                this.refuses = /hashwx/.test(url);
              }
              set onmessage(hear) {
                super.onmessage = this.refuses ? () => hear({ data: { refused: true } }) : hear;
              }
            };"
        }),
    );
    browser.open(&stage.url("/page/0"));
    assert_eq!(browser.wait_for_origin(3 * SOON), "/page/0");
    assert_eq!(browser.notes("lane"), ["simd"]);
    assert_eq!(stage.relay.count("GET /.portcullis/challenge?"), 1, "{:?}", stage.relay.requests());
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}

#[test]
fn where_it_is_not_offered_nothing_of_it_is_loaded() {
    let settings = Settings::new().set("challenge.difficulty", 1000).set("challenge.hashwx.enabled", false);
    let stage = Stage::new(Front::Proxy, settings);
    let browser = Browser::start();
    browser.open(&stage.url("/page/0"));
    browser.wait_for_origin(SOON);
    assert_eq!(stage.relay.count("GET /.portcullis/hashwx"), 0, "{:?}", stage.relay.requests());
    assert_eq!(stage.relay.count("GET /.portcullis/solver-simd"), 1);
}

fn stage(difficulty: u32) -> Stage {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 60)
        .set("challenge.hashwx.enabled", true);
    Stage::new(Front::Proxy, settings)
}

/// Challenged once, solved by programs, and then left in peace; nothing of the other algorithm is loaded.
fn solves(engine: Engine) {
    let stage = stage(PRICE);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/page/0"));
    let seen = browser.wait(SOON, "a lane", "return document.documentElement.dataset.lane");
    assert_eq!(seen, json!("hashwx"), "{} compiles programs", engine.name());
    assert_eq!(browser.wait_for_origin(3 * SOON), "/page/0");
    browser.click("#next");
    browser.wait(SOON, "the next page", "return document.querySelector('#origin')?.dataset.target === '/page/1'");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1, "one purchase");
    assert_eq!(stage.relay.count("GET /.portcullis/challenge"), 0, "with the challenge that was in the page");
    assert_eq!(stage.relay.count("GET /.portcullis/solver"), 0, "{:?}", stage.relay.requests());
    assert!(stage.relay.count("GET /.portcullis/hashwx.") > 0, "worker and solver come from here");
}

/// The page finds that it cannot, asks for the other challenge once, and solves that.
fn falls_back(engine: Engine) {
    let stage = stage(CHEAP / 20);
    let browser = Browser::of(engine, Traits { without_wasm: true, ..Traits::default() });
    browser.open(&stage.url("/page/0"));
    assert_eq!(browser.wait_for_origin(6 * SOON), "/page/0");
    assert_eq!(stage.relay.count("GET /.portcullis/challenge?"), 1, "{:?}", stage.relay.requests());
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1, "one purchase");
}
