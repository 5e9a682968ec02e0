//! A first visit in the other two engines: the page, the worker and each lane do what they do in Chromium.

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

/// Long enough to be seen at work on the fastest lane, short enough for the slowest.
const WITH_SIMD: u32 = 2_000_000;
const WITHOUT_WASM: u32 = 60_000;

#[test]
fn firefox_solves_with_simd() {
    visits(Engine::Firefox, Traits::default(), WITH_SIMD, "simd");
}

#[test]
fn firefox_solves_without_wasm() {
    visits(Engine::Firefox, Traits { without_wasm: true, ..Traits::default() }, WITHOUT_WASM, "javascript");
}

#[test]
fn webkit_solves_on_the_lane_that_is_fastest_there() {
    let lane = if cfg!(target_arch = "x86_64") { "scalar" } else { "simd" };
    visits(Engine::WebKitGtk, Traits::default(), WITH_SIMD, lane);
}

#[test]
fn webkit_solves_without_simd() {
    visits(Engine::WebKitGtk, Traits { without_simd: true, ..Traits::default() }, WITH_SIMD / 2, "scalar");
}

#[test]
fn webkit_solves_without_wasm() {
    visits(Engine::WebKitGtk, Traits { without_wasm: true, ..Traits::default() }, WITHOUT_WASM, "javascript");
}

/// Nothing tells Firefox to do without SIMD: here the module that has it does not arrive.
#[test]
fn firefox_solves_without_the_module_that_has_simd() {
    visits_without(Some("GET /.portcullis/solver-simd"), Engine::Firefox, Traits::default(), WITH_SIMD / 2, "scalar");
}

/// Challenged once, solved on the expected lane, and then left in peace.
fn visits(engine: Engine, traits: Traits, difficulty: u32, lane: &str) {
    visits_without(None, engine, traits, difficulty, lane);
}

fn visits_without(lost: Option<&'static str>, engine: Engine, traits: Traits, difficulty: u32, lane: &str) {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 60)
        .set("challenge.hashwx.enabled", false);
    let stage = Stage::new(Front::Proxy, settings);
    if let Some(lost) = lost {
        stage.relay.refuse(lost);
    }
    let browser = Browser::of(engine, traits);
    browser.open(&stage.url("/page/0"));
    let seen = browser.wait(SOON, "a lane", "return document.documentElement.dataset.lane");
    assert_eq!(seen, json!(lane), "{} solves on its own lane", engine.name());
    assert_eq!(browser.wait_for_origin(3 * SOON), "/page/0");
    assert_eq!(browser.script("return isSecureContext"), json!(false), "what visitors on plain HTTP have");
    browser.click("#next");
    browser.wait(SOON, "the next page", "return document.querySelector('#origin')?.dataset.target === '/page/1'");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1, "one purchase");
}
