//! Firefox and `WebKit` without cookies: on the gate's page, on a page with the tag and with a form all that is told is told as in
//! Chromium, and nothing is bought again and again.

use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

use super::{browser_tag_forms, browser_tag_refusals, notices};

#[test]
fn firefox_without_cookies_is_told_everywhere() {
    is_told_everywhere(Engine::Firefox);
}

#[test]
fn webkit_without_cookies_is_told_everywhere() {
    is_told_everywhere(Engine::WebKitGtk);
}

fn is_told_everywhere(engine: Engine) {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule(browser_tag_refusals::APP)
        .rule("path = \"/files/page.html\"\naction = \"allow\"");
    let stage = Stage::new(Front::Proxy, settings.clone());
    let traits = Traits { without_cookies: true, ..Traits::default() };
    let (browser, _folder) = stage.open_with_tag(browser_tag_forms::FORM, engine, traits);
    browser_tag_forms::stays(&stage, &browser);
    told(&settings, &browser);
    notices::failure_is_in_the_log(&Stage::new(Front::Proxy, settings), &browser);
}

fn told(settings: &Settings, browser: &Browser) {
    let stage = Stage::new(Front::Proxy, settings.clone());
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    browser_tag_refusals::told_once(&stage, browser);
}
