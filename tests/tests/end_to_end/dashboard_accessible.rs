//! The dashboard is there for everyone: axe-core finds nothing in calm, under attack and afterwards, light and dark, in any
//! engine; and all of it is reached without a pointer.

use serde_json::{Value, json};
use tests::axe::finds_nothing;
use tests::browser::{Browser, Traits, keys};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

#[test]
fn axe_finds_nothing_on_the_dashboard_in_chromium() {
    nothing_is_found(Engine::Chromium);
}

#[test]
fn axe_finds_nothing_on_the_dashboard_in_firefox() {
    nothing_is_found(Engine::Firefox);
}

#[test]
fn axe_finds_nothing_on_the_dashboard_in_webkit() {
    nothing_is_found(Engine::WebKitGtk);
}

fn nothing_is_found(engine: Engine) {
    for dark in [false, true] {
        let stage = stage();
        let browser = Browser::of(engine, Traits { dark, ..Traits::default() });
        open(&stage, &browser);
        assert_eq!(browser.script("return matchMedia('(prefers-color-scheme: dark)').matches"), json!(dark));
        let told = |state: &str| format!("{state}, {}, {}", engine.name(), if dark { "dark" } else { "light" });
        finds_nothing(&browser, &told("calm"));
        attack(&stage, &browser);
        finds_nothing(&browser, &told("under attack"));
        browser.click("[data-mode=on]");
        browser.wait(SOON, "the question", "return document.querySelector('#confirm').open");
        finds_nothing(&browser, &told("asked whether it is wanted"));
        browser.click("#confirm-no");
        post(&stage, "/mode", &json!({"mode": "off"}));
        shows(&browser, "attacks", "lasted");
        finds_nothing(&browser, &told("afterwards"));
    }
}

fn stage() -> Stage {
    let settings = Settings::new().set("mode", "auto");
    Stage::with_site(Front::Proxy, settings, |site| site.of_site("capacity_per_second", 40))
}

fn open(stage: &Stage, browser: &Browser) {
    browser.open(&format!("http://127.0.0.1:{}/#token={}", stage.verifier.admin_port, stage.verifier.admin_token()));
    // Open, or off.
    shows(browser, "state", "The gate is o");
}

fn post(stage: &Stage, target: &str, body: &Value) {
    let operator = stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    operator.request("POST", target).body("application/json", body.to_string()).try_send().unwrap().expect_status(200);
}

#[track_caller]
fn shows(browser: &Browser, id: &str, text: &str) {
    browser.wait(SOON, text, &format!("return document.getElementById('{id}').textContent.includes('{text}')"));
}

/// An attack, with something in every list: names of strangers, a rule, a price, a pass.
fn attack(stage: &Stage, browser: &Browser) {
    for path in ["/", "/a%20b", "/search?q=1"] {
        stage.client().with("User-Agent", "<b>\u{202e}stranger</b>").get(path);
    }
    post(stage, "/rules", &json!({"action": "deny", "path": "/search/**", "minutes": 5}));
    post(stage, "/price", &json!({"site": "main", "price": 5, "minutes": 5}));
    post(stage, "/load", &json!({"load": 2}));
    shows(browser, "attacks", "Attack 1 on main");
    shows(browser, "rules", "Deny /search/**");
    browser.wait(SOON, "the gate to be down", "return document.documentElement.hasAttribute('data-down')");
    browser.wait(SOON, "the heaviest", "return document.querySelectorAll('#top tbody tr').length >= 3");
    browser.type_text("#pass-name", "ada");
    browser.click("#pass-form button");
    browser.click("#confirm-yes");
    browser.wait(SOON, "the link", "return document.querySelector('#confirm-more input')?.value");
    finds_nothing(browser, "a pass that was made");
    browser.click("#confirm-no");
    shows(browser, "passes", "ada");
}

/// What somebody would call the control `e`.
const NAME: &str = "(e) => e.getAttribute('aria-label') || e.id || e.textContent";

#[test]
fn everything_is_reached_by_keyboard_in_the_order_in_which_it_is_read() {
    let stage = stage();
    let browser = Browser::start();
    open(&stage, &browser);
    attack(&stage, &browser);
    // Nothing new comes: the lists stay as they are.
    post(&stage, "/mode", &json!({"mode": "off"}));
    shows(&browser, "attacks", "lasted");
    // Anew, with the focus nowhere.
    browser.open("about:blank");
    open(&stage, &browser);
    shows(&browser, "attacks", "lasted");
    shows(&browser, "passes", "ada");
    let all = browser.script(&format!(
        "return [...document.querySelectorAll('a[href], button, input, select')].filter((e) => e.checkVisibility()).map({NAME})"
    ));
    let all: Vec<String> = serde_json::from_value(all).unwrap();
    assert!(all.len() > 15 && all.iter().any(|name| name == "Report of attack 1 as STIX"), "{all:?}");
    let ring = "const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement); return outlineStyle + ' ' + outlineWidth";
    let reached = all.iter().map(|_| {
        browser.press(keys::TAB);
        assert_eq!(browser.script(ring), json!("solid 3px"), "where the focus is can be seen");
        browser.script(&format!("return ({NAME})(document.activeElement)")).as_str().unwrap().to_owned()
    });
    assert_eq!(reached.collect::<Vec<_>>(), all);
}
