//! The pages are there for everyone: axe-core finds nothing in any state, in any engine, and what it cannot see is looked at
//! here (docs/ACCESSIBILITY.md lists which test stands for which criterion).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tests::axe::finds_nothing;
use tests::browser::{Browser, Traits, keys};
use tests::engine::Engine;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, stays};

/// A site with everything on its page that a site can have.
pub(super) fn stage(difficulty: u32) -> Stage {
    let logo = Path::new(env!("CARGO_MANIFEST_DIR")).join("files/logo.svg");
    let page = format!(
        "name = \"The Example\"\nlogo = \"{}\"\nlinks = [{{ text = \"Donate\", to = \"https://elsewhere.test/donate\" }}, \
         {{ text = \"Call us\", to = \"tel:+49-30-123\" }}]",
        logo.display()
    );
    let page = toml::Value::Table(page.parse().unwrap());
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 240)
        .rule("path = \"/form\"\naction = \"allow\"")
        .rule("path = \"/denied\"\naction = \"deny\"");
    let stage = Stage::with_site(Front::Proxy, settings, |site| site.of_site("page", page));
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    let text = "Polling stations close at 6 pm: https://elsewhere.test/vote or tel:+49-30-123.";
    let set = stage.verifier.command(&["notice", text, "--language", "en", "--config", &file]);
    assert!(set.status.success(), "{set:?}");
    stage
}

/// Nobody solves it while somebody looks: as much as a configuration may ask for.
pub(super) const NEVER: u32 = 200_000_000;

pub(super) fn in_state(browser: &Browser, state: &str) {
    browser.wait(SOON, state, &format!("return document.documentElement.dataset.state === '{state}'"));
}

#[test]
fn axe_finds_nothing_in_chromium() {
    nothing_is_found(Engine::Chromium);
}

#[test]
fn axe_finds_nothing_in_firefox() {
    nothing_is_found(Engine::Firefox);
}

#[test]
fn axe_finds_nothing_in_webkit() {
    nothing_is_found(Engine::WebKitGtk);
}

fn nothing_is_found(engine: Engine) {
    while_it_works_and_after_it_was_stopped(engine);
    after_it_failed(engine);
    when_a_form_met_it(engine);
    on_the_other_pages(engine);
}

fn while_it_works_and_after_it_was_stopped(engine: Engine) {
    let stage = stage(NEVER);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/"));
    in_state(&browser, "solving");
    finds_nothing(&browser, "solving");
    // In WebKitGTK tabs that a driver opens hear nothing of each other: none waits.
    if engine != Engine::WebKitGtk {
        let [first] = &browser.tabs()[..] else { panic!("one tab") };
        // Before it has worked for a second, either may be the one that waits.
        stays(Duration::from_secs(1), || None);
        let other = browser.open_tab();
        browser.switch_to(&other);
        browser.open(&stage.url("/"));
        in_state(&browser, "waiting");
        finds_nothing(&browser, "waiting for another tab");
        browser.switch_to(first);
    }
    browser.click("#language");
    browser.wait(SOON, "the list of languages", "return document.querySelector('select#language')");
    finds_nothing(&browser, "choosing a language");
    browser.script(
        "const list = document.querySelector('#language'); list.value = 'ar'; list.dispatchEvent(new Event('change'))",
    );
    browser.wait(SOON, "Arabic", "return document.documentElement.dir === 'rtl'");
    finds_nothing(&browser, "in Arabic");
    browser.click("#action");
    in_state(&browser, "cancelled");
    finds_nothing(&browser, "stopped");
    let stranger = Origin::start("stranger");
    browser.open(&format!("http://elsewhere.test:{}/frame?{}", stranger.port, stage.url("/page/0")));
    browser.wait_for_origin(SOON);
    browser.enter_frame();
    in_state(&browser, "framed");
    finds_nothing(&browser, "in a stranger's frame");
}

fn after_it_failed(engine: Engine) {
    let stage = stage(100);
    let browser = Browser::of(engine, Traits { without_cookies: true, ..Traits::default() });
    browser.open(&stage.url("/"));
    in_state(&browser, "failed");
    browser.wait(
        SOON,
        "the number of the failure",
        "return document.querySelector('#request').textContent.includes('cookies-')",
    );
    finds_nothing(&browser, "failed");
}

fn when_a_form_met_it(engine: Engine) {
    let stage = stage(100);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/form"));
    browser.wait_for_origin(SOON);
    browser.click("#send");
    in_state(&browser, "done");
    finds_nothing(&browser, "back to the form");
}

fn on_the_other_pages(engine: Engine) {
    let stage = stage(NEVER);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/.portcullis/pass"));
    in_state(&browser, "incomplete");
    finds_nothing(&browser, "the page of a pass whose link is not complete");
    browser.script("location.hash = 'A'.repeat(43)");
    in_state(&browser, "ready");
    finds_nothing(&browser, "the page of a pass");
    browser.click("#action");
    in_state(&browser, "failed");
    finds_nothing(&browser, "the page of a pass that nobody gave");
    browser.open(&stage.url("/denied"));
    browser.wait(SOON, "the message", "return document.querySelector('#request')");
    finds_nothing(&browser, "a message");
    // The small page, for a network that asks for very many.
    let client = stage.browser_client();
    let seen = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || (0..30_000).take_while(|_| !seen.load(Ordering::Relaxed)).for_each(|_| drop(client.navigate("/")))
    });
    let small = (0..40).any(|_| {
        browser.open(&stage.url("/"));
        browser.script("return !document.querySelector('noscript')?.closest('main')") == json!(true)
    });
    seen.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    assert!(small, "never was it the small page");
    in_state(&browser, "solving");
    finds_nothing(&browser, "the small page");
}

fn solving_in(browser: &Browser, features: &Value) -> Stage {
    let stage = stage(NEVER);
    browser.cdp("Emulation.setEmulatedMedia", &json!({"features": features}));
    browser.open(&stage.url("/"));
    in_state(browser, "solving");
    stage
}

#[test]
fn in_the_dark_everything_stands_out_as_well() {
    let browser = Browser::start();
    let _stage = solving_in(&browser, &json!([{"name": "prefers-color-scheme", "value": "dark"}]));
    finds_nothing(&browser, "in the dark");
}

#[test]
fn nothing_moves_for_who_wants_nothing_to_move() {
    let browser = Browser::start();
    let _stage = solving_in(&browser, &json!([{"name": "prefers-reduced-motion", "value": "reduce"}]));
    assert_eq!(browser.script("return document.getAnimations().length"), json!(0));
    let bar =
        "return getComputedStyle(document.querySelector('progress'), '::-webkit-progress-value').transitionDuration";
    assert_eq!(browser.script(bar), json!("0s"));
    // Otherwise the bar does: the test can fail.
    browser.cdp("Emulation.setEmulatedMedia", &json!({"features": []}));
    assert_ne!(browser.script("return document.getAnimations().length"), json!(0));
}

#[test]
fn forced_colours_leave_bar_and_buttons_to_be_seen() {
    let browser = Browser::start();
    let _stage = solving_in(&browser, &json!([{"name": "forced-colors", "value": "active"}]));
    let seen = "const style = (id) => getComputedStyle(document.querySelector(id));\
                return [style('progress').appearance, style('#action').borderTopStyle, style('#action').borderTopWidth, style('#language').borderTopStyle]";
    assert_eq!(browser.script(seen), json!(["auto", "solid", "1px", "solid"]));
    finds_nothing(&browser, "with forced colours");
}

/// Nothing scrolls sideways and no word is cut off.
pub(super) fn everything_fits(browser: &Browser, how: &str) {
    let wide = browser.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(wide, json!(0), "{how}: nothing scrolls sideways");
    let cut = "return [...document.querySelectorAll('#card *')].filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1 \
               && getComputedStyle(e).display !== 'inline' && e.tagName !== 'PROGRESS').map((e) => e.outerHTML)";
    assert_eq!(browser.script(cut), json!([]), "{how}: nothing is cut off");
}

#[test]
fn at_320_pixels_at_200_percent_and_with_wide_text_everything_fits() {
    let stage = stage(NEVER);
    let browser = Browser::start();
    browser.cdp("Network.enable", &json!({}));
    // German has long words, Greek long texts, Arabic runs the other way.
    for language in ["en", "de", "el", "ar"] {
        browser.cdp("Network.setExtraHTTPHeaders", &json!({"headers": {"Accept-Language": language}}));
        for (width, scale) in [(320, 1), (500, 2)] {
            let metrics = json!({"width": width, "height": 700, "deviceScaleFactor": scale, "mobile": false});
            browser.cdp("Emulation.setDeviceMetricsOverride", &metrics);
            browser.open(&stage.url("/"));
            in_state(&browser, "solving");
            everything_fits(&browser, &format!("{language} at {width}"));
        }
        // WCAG 1.4.12, on the widest letters that people set.
        browser.script(
            "for (const e of document.querySelectorAll('body *')) Object.assign(e.style, \
             {lineHeight: '1.5', letterSpacing: '.12em', wordSpacing: '.16em'})",
        );
        everything_fits(&browser, &format!("{language} with wide text"));
    }
}

#[test]
fn stopping_and_going_on_need_no_pointer() {
    let stage = stage(NEVER);
    let browser = Browser::start();
    browser.open(&stage.url("/"));
    in_state(&browser, "solving");
    browser.press(keys::TAB);
    // Links of the notice come first: everything is reached in the order in which it is read.
    let order = (0..8).map(|_| {
        let focused = browser.script("return document.activeElement.id || document.activeElement.textContent");
        browser.press(keys::TAB);
        focused.as_str().unwrap_or_default().to_owned()
    });
    let order: Vec<String> = order.take_while(|name| name != "language").collect();
    assert_eq!(order, ["elsewhere.test/vote", "+49-30-123", "action", "Donate", "Call us"]);
    browser.script("document.querySelector('#action').focus()");
    let ring = "const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement); return outlineStyle + ' ' + outlineWidth";
    browser.press(keys::ENTER);
    in_state(&browser, "cancelled");
    assert_eq!(browser.script(ring), json!("solid 3px"), "where the focus is can be seen, and it stays on the control");
    browser.press(keys::ENTER);
    in_state(&browser, "solving");
    assert_eq!(browser.script("return document.activeElement.id"), json!("action"), "the focus is never lost");
}
