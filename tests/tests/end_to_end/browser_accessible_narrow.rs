//! The gate's page in a window of 320 pixels, with letters twice as large, for who wants nothing to move or has colours of their
//! own, in every engine that can be told; and what it asks of hands, eyes and ears.

use serde_json::json;
use tempfile::TempDir;
use tests::axe::finds_nothing;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

use super::browser_accessible::{NEVER, everything_fits, in_state};
use super::browser_widget::{Scene, TAG};

#[test]
fn everything_fits_in_firefox() {
    fits(Engine::Firefox);
}

#[test]
fn everything_fits_in_webkit() {
    fits(Engine::WebKitGtk);
}

/// In a frame of the site itself, whose width any engine can be told.
fn fits(engine: Engine) {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", NEVER)
        .set("challenge.max_solve_seconds", 240)
        .rule("path = \"/files/**\"\naction = \"allow\"");
    let stage = Stage::new(Front::Proxy, settings);
    let folder = TempDir::new().unwrap();
    let frame = "<!doctype html><title>Narrow</title><main id=origin data-target=page><iframe src=/page/0 width=320 height=700></iframe></main>";
    std::fs::write(folder.path().join("narrow.html"), frame).unwrap();
    stage.origin.offer(folder.path());
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/files/narrow.html"));
    browser.wait_for_origin(SOON);
    browser.enter_frame();
    in_state(&browser, "solving");
    for language in ["en", "de", "el", "ar"] {
        browser.script("document.querySelector('button#language')?.click()");
        browser.wait(SOON, "the list of languages", "return document.querySelector('select#language')");
        browser.script(&format!(
            "const list = document.querySelector('#language'); list.value = '{language}'; list.dispatchEvent(new Event('change'))"
        ));
        browser.wait(SOON, "the language", &format!("return document.documentElement.lang === '{language}'"));
        for (width, letters) in [(320, "100%"), (640, "200%")] {
            browser.script(&format!(
                "window.frameElement.width = {width}; document.documentElement.style.fontSize = '{letters}'"
            ));
            assert_eq!(browser.script("return innerWidth"), json!(width), "the precondition");
            everything_fits(&browser, &format!("{language} at {width} in {}", engine.name()));
        }
        browser.script("window.frameElement.width = 320; document.documentElement.style.fontSize = '100%'");
    }
    browser.script(
        "for (const e of document.querySelectorAll('body *')) Object.assign(e.style, \
         {lineHeight: '1.5', letterSpacing: '.12em', wordSpacing: '.16em'})",
    );
    everything_fits(&browser, &format!("wide text in {}", engine.name()));
}

#[test]
fn wishes_are_kept_in_firefox() {
    let browser = Browser::of(Engine::Firefox, Traits { calm: true, forced_colours: true, ..Traits::default() });
    stands_still(&browser);
    keeps_its_edges(&browser);
}

#[test]
fn wishes_are_kept_in_webkit() {
    stands_still(&Browser::of(Engine::WebKitGtk, Traits { calm: true, ..Traits::default() }));
}

fn stands_still(browser: &Browser) {
    let stage = super::browser_accessible::stage(NEVER);
    browser.open(&stage.url("/"));
    in_state(browser, "solving");
    assert_eq!(browser.script("return matchMedia('(prefers-reduced-motion: reduce)').matches"), json!(true));
    assert_eq!(browser.script("return document.getAnimations().length"), json!(0));
    assert_eq!(
        browser.script("return getComputedStyle(document.querySelector('progress')).animationName"),
        json!("none")
    );
    assert_ne!(
        browser.script("return document.querySelector('progress').position"),
        json!(-1),
        "a bar without a value moves"
    );
    finds_nothing(browser, "without motion");
}

/// On the page that is open.
fn keeps_its_edges(browser: &Browser) {
    assert_eq!(browser.script("return matchMedia('(forced-colors: active)').matches"), json!(true));
    let seen = "const style = (id) => getComputedStyle(document.querySelector(id));\
                return [style('progress').appearance, style('#action').borderTopStyle, style('#action').borderTopWidth, style('#language').borderTopStyle]";
    assert_eq!(browser.script(seen), json!(["auto", "solid", "1px", "solid"]));
}

/// Notes every type of event that anything listens for.
const RECORDS: &str = "globalThis.heard = []; const listen = EventTarget.prototype.addEventListener; \
     EventTarget.prototype.addEventListener = function (type, ...given) { heard.push(type); return listen.call(this, type, ...given); };";
/// What takes single keys, a pointer's way, a press that is not yet over, a steady hand, or the movement of the device.
const DEMANDS: &str = "return heard.filter((type) => /^(key|mouse|pointer|touch|drag|drop|wheel|gesture|device|contextmenu|dblclick)/.test(type))";
/// What would need ears, a second look at a hovering word, or something to be filled in; and names that are not what is read.
const ODD: &str = "return [...document.querySelectorAll('audio, video, canvas, svg, img:not(#logo), object, [accesskey], [title], [draggable], \
     [autofocus], [contenteditable], input:not([type=hidden]), textarea, [tabindex]:not([tabindex=\"-1\"]), button[aria-label], a[aria-label]')] \
     .map((e) => e.outerHTML)";

#[test]
fn a_press_is_all_that_page_widget_and_note_ever_ask_for() {
    let browser = Browser::start();
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({"source": RECORDS}));
    let stage = super::browser_accessible::stage(NEVER);
    browser.open(&stage.url("/"));
    in_state(&browser, "solving");
    browser.click("#language");
    browser.wait(SOON, "the list of languages", "return document.querySelector('select#language')");
    asks_for_a_press(&browser, "the page");

    let settings = super::browser_widget::settings().set("challenge.difficulty", NEVER);
    let widget = "<form><div class=portcullis data-sitekey=contact></div></form>";
    let settings = settings.set("challenge.max_solve_seconds", 240);
    let scene = Scene::of(Front::Proxy, settings, browser, TAG, widget);
    scene.browser.wait(
        SOON,
        "it to work",
        "return document.querySelector('.portcullis-box')?.dataset.state === 'working'",
    );
    scene.browser.script("fetch('/page/1'); return true");
    scene.browser.wait(SOON, "a note", "return document.querySelector('.portcullis-note')");
    asks_for_a_press(&scene.browser, "widget and note");
}

fn asks_for_a_press(browser: &Browser, what: &str) {
    assert_eq!(browser.script("return heard.includes('click')"), json!(true), "{what}: what is listened for is seen");
    assert_eq!(browser.script(DEMANDS), json!([]), "{what}");
    assert_eq!(browser.script(ODD), json!([]), "{what}");
}
