//! The widget for forms and the note of the script tag are there for everyone: in each of their states, in a window of 320
//! pixels and with letters twice as large, axe-core finds nothing and nothing is cut off, in any engine.

use serde_json::json;
use tests::axe::finds_nothing;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::stage::Front;
use tests::wait::SOON;

use super::browser_accessible::NEVER;
use super::browser_widget::{Scene, TAG, page, settings};

/// Solved in a moment.
const EASY: u32 = 2_000;
const BY_HAND: &str = "<form><div class=portcullis data-sitekey=contact data-execution=execute></div></form>";
const IN_ARABIC: &str =
    "<form lang=ar dir=rtl><div class=portcullis data-sitekey=contact data-refresh-expired=never></div></form>";
/// The five minutes of a token's life are over when a test says so.
const AGES: &str = "<script>{ const native = setTimeout; \
     globalThis.setTimeout = (act, ms, ...given) => ms > 200000 ? void (globalThis.age = act) : native(act, ms, ...given); }</script>";

#[test]
fn widget_and_note_are_for_everyone_in_chromium() {
    in_every_state(Engine::Chromium);
}

#[test]
fn widget_and_note_are_for_everyone_in_firefox() {
    in_every_state(Engine::Firefox);
}

#[test]
fn widget_and_note_are_for_everyone_in_webkit() {
    in_every_state(Engine::WebKitGtk);
}

fn in_every_state(engine: Engine) {
    // No cookie is kept: the note has something to say in the end.
    let browser = Browser::of(engine, Traits { without_cookies: true, ..Traits::default() });
    let scene = framed(browser, NEVER, TAG, BY_HAND);
    looks_right(&scene, "idle");
    scene.browser.script("window.portcullis.execute()");
    looks_right(&scene, "working");
    scene.browser.script("window.portcullis.reset()");
    in_state(&scene, "idle");
    scene.stage.relay.cut();
    scene.browser.script("window.portcullis.execute()");
    looks_right(&scene, "failed");
    scene.stage.relay.mend();
    asks(&scene);
    noted(&scene, "short calculation");

    let scene = framed(scene.browser, EASY, &format!("{AGES}{TAG}"), IN_ARABIC);
    looks_right(&scene, "done");
    scene.browser.script("window.age()");
    looks_right(&scene, "expired");
    asks(&scene);
    noted(&scene, "allow cookies");
}

#[test]
fn widget_and_note_keep_their_edges_and_stand_still_in_chromium() {
    as_wished(Engine::Chromium, true);
}

#[test]
fn widget_and_note_keep_their_edges_and_stand_still_in_firefox() {
    as_wished(Engine::Firefox, true);
}

#[test]
fn widget_and_note_stand_still_in_webkit() {
    as_wished(Engine::WebKitGtk, false);
}

fn as_wished(engine: Engine, forced_colours: bool) {
    let browser = Browser::of(engine, Traits { calm: true, forced_colours, ..Traits::default() });
    let scene = framed(browser, NEVER, TAG, BY_HAND);
    let matches = |what: &str| scene.browser.script(&format!("return matchMedia('({what})').matches"));
    assert_eq!(matches("prefers-reduced-motion: reduce"), json!(true), "the precondition");
    assert_eq!(matches("forced-colors: active"), json!(forced_colours), "the precondition");
    scene.browser.script("window.portcullis.execute()");
    looks_right(&scene, "working");
    asks(&scene);
    noted(&scene, "short calculation");
    let edges = "return ['.portcullis-box', '.portcullis-note'].map((name) => { const style = getComputedStyle(document.querySelector(name)); \
                 return style.borderTopStyle + ' ' + (style.borderTopColor !== style.backgroundColor); })";
    assert_eq!(scene.browser.script(edges), json!(["solid true", "solid true"]));
    assert_eq!(scene.browser.script("return document.getAnimations().length"), json!(0));
    let bar = "return document.querySelector('.portcullis-box progress').position";
    assert_ne!(scene.browser.script(bar), json!(-1), "a bar without a value moves");
}

/// The page with the widget in a frame of the site itself, whose width any engine can be told.
fn framed(browser: Browser, difficulty: u32, head: &str, body: &str) -> Scene {
    let settings = settings().set("challenge.difficulty", difficulty).set("challenge.max_solve_seconds", 240);
    let scene = Scene::of(Front::Proxy, settings, browser, "", "");
    std::fs::write(scene.folder.path().join("page.html"), page(head, body)).unwrap();
    let frame = page("", "<iframe title=narrow src=page.html width=320 height=700></iframe>");
    std::fs::write(scene.folder.path().join("narrow.html"), frame).unwrap();
    scene.browser.open(&scene.stage.url("/files/narrow.html"));
    scene.browser.wait_for_origin(SOON);
    scene.browser.enter_frame();
    scene
}

fn in_state(scene: &Scene, state: &str) {
    let shown = format!("return document.querySelector('.portcullis-box')?.dataset.state === '{state}'");
    scene.browser.wait(2 * SOON, state, &shown);
}

/// The widget is in this state, and stays there while it is looked at.
#[track_caller]
fn looks_right(scene: &Scene, state: &str) {
    in_state(scene, state);
    everything_fits(&scene.browser, state);
    finds_nothing(&scene.browser, state);
    in_state(scene, state);
}

/// The page asks for something that has to be paid for.
fn asks(scene: &Scene) {
    scene.browser.script("window.fetch('/page/1').catch(() => undefined); return true");
}

#[track_caller]
fn noted(scene: &Scene, words: &str) {
    let says =
        format!("return document.querySelector('.portcullis-note [role=status]')?.textContent.includes('{words}')");
    scene.browser.wait(2 * SOON, words, &says);
    everything_fits(&scene.browser, words);
    finds_nothing(&scene.browser, words);
    assert_eq!(scene.browser.script(&says), json!(true), "it stayed while it was looked at");
}

#[track_caller]
fn everything_fits(browser: &Browser, state: &str) {
    for (width, letters) in [(640, "200%"), (320, "100%")] {
        browser.script(&format!(
            "window.frameElement.width = {width}; document.documentElement.style.fontSize = '{letters}'"
        ));
        assert_eq!(browser.script("return innerWidth"), json!(width), "the precondition");
        let wide = browser.script(
            "const page = document.documentElement; const parts = '.portcullis-box, .portcullis-box *, .portcullis-note, .portcullis-note *'; \
             const cut = (e) => e.tagName !== 'PROGRESS' && getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1; \
             const within = (e, left, right) => { const place = e.getBoundingClientRect(); return place.left >= left - 1 && place.right <= right + 1; }; \
             const fits = (e) => { const own = e.closest('.portcullis-box, .portcullis-note').getBoundingClientRect(); \
               return !cut(e) && within(e, own.left, own.right) && within(e, 0, innerWidth) && own.top >= 0; }; \
             return [page.scrollWidth > page.clientWidth, [...document.querySelectorAll(parts)].filter((e) => !fits(e)).map((e) => e.outerHTML)]",
        );
        assert_eq!(wide, json!([false, []]), "{state} at {width} with letters of {letters}");
    }
}
