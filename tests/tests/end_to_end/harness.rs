//! What the other tests take for granted about their own tools.

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::origin::Origin;
use tests::relay::Relay;
use tests::stage::HOST;
use tests::wait::SOON;

#[test]
fn a_browser_sees_the_origin_through_the_relay_and_nothing_else() {
    let origin = Origin::start("main");
    let relay = Relay::start(origin.port);
    let browser = Browser::start();
    browser.open(&format!("http://{HOST}:{}/page60#x", relay.port));
    assert_eq!(browser.wait_for_origin(SOON), "/page60");
    browser.wait(SOON, "pictures", "return [...document.images].every((image) => image.naturalWidth > 0)");
    assert_eq!(relay.count("GET /static/"), 60);
    assert_eq!(origin.count("/static/"), 60);
    assert_eq!(browser.notes("request").len(), 60, "{:?}", browser.notes(""));
    assert_eq!(browser.script("return isSecureContext"), json!(false));
    assert!(browser.cookie("none").is_none());
    assert!(browser.try_script("throw new Error('x')").is_none());
    let foreign = "return fetch('http://elsewhere.example/').then(() => 'reached', () => 'not reached')";
    assert_eq!(browser.script(foreign), json!("not reached"));
}

#[test]
fn a_browser_without_wasm_has_none() {
    let origin = Origin::start("main");
    let browser = Browser::with(Traits { without_wasm: true, ..Traits::default() });
    browser.open(&format!("http://{HOST}:{}/form", origin.port));
    assert_eq!(browser.script("return typeof WebAssembly"), json!("undefined"));
    browser.type_text("#text", "typed");
    browser.click("#send");
    let echo = browser.wait(SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    assert_eq!(echo, json!("text=typed"));
}

#[test]
fn a_test_with_several_browsers_waits_for_no_other_test() {
    let origin = Origin::start("main");
    let browsers: [Browser; 3] = std::array::from_fn(|_| Browser::start());
    for browser in browsers {
        browser.open(&format!("http://{HOST}:{}/form", origin.port));
        assert_eq!(browser.wait_for_origin(SOON), "/form");
    }
}
