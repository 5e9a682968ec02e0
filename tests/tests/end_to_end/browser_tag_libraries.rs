//! The script tag under the libraries that sites use for pages that stay, as npm has them.

use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

through_both!(htmx_4_keeps_working, htmx_2_keeps_working, turbo_keeps_working);

/// A package of `www/package.json`; `cargo xtask test` has installed it.
fn package(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/node_modules").join(file);
    assert!(path.exists(), "{} is missing: run `npm ci` in www", path.display());
    path
}

/// The site with a page of this body, which has the tag and the library, in a browser without a clearance.
fn page(front: Front, browser: Browser, library: &str, body: &str) -> (Stage, Browser, TempDir) {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = [\"/files/page.html\", \"/files/library.js\"]\naction = \"allow\"");
    let stage = Stage::new(front, settings);
    let folder = TempDir::new().unwrap();
    std::fs::copy(package(library), folder.path().join("library.js")).unwrap();
    let head =
        "<meta charset=utf-8><script src=\"/.portcullis/portcullis.js\"></script><script src=\"library.js\"></script>";
    let text = format!(
        "<!doctype html><html lang=en><head>{head}</head><body><main id=origin data-target=page>{body}</main></body></html>"
    );
    std::fs::write(folder.path().join("page.html"), text).unwrap();
    stage.origin.offer(folder.path());
    browser.open(&stage.url("/files/page.html"));
    browser.wait_for_origin(SOON);
    browser.forget_cookies();
    (stage, browser, folder)
}

/// A link and a form, each of which htmx sends by itself.
const HTMX: &str = "<button id=get hx-get=\"/page/1\" hx-target=\"#out\">More</button>\
     <form hx-post=\"/submit\" hx-target=\"#out\"><input name=text id=text><button id=send>Send</button></form><div id=out></div>";

/// What htmx says of an answer that it cannot use, in either version.
const HTMX_ERRORS: &str = "window.errors = []; \
     for (const type of ['htmx:responseError', 'htmx:sendError', 'htmx:timeout', 'htmx:error', 'htmx:response:error']) \
       document.addEventListener(type, () => window.errors.push(type));";

fn htmx_4_keeps_working(front: Front) {
    htmx(front, Browser::with(Traits::default()), "htmx.org/dist/htmx.min.js", "4.");
}

fn htmx_2_keeps_working(front: Front) {
    htmx(front, Browser::with(Traits::default()), "htmx2/dist/htmx.min.js", "2.");
}

fn turbo_keeps_working(front: Front) {
    turbo(front, Browser::with(Traits::default()));
}

#[test]
fn they_keep_working_in_firefox() {
    all_in(Engine::Firefox);
}

#[test]
fn they_keep_working_in_webkit() {
    all_in(Engine::WebKitGtk);
}

fn all_in(engine: Engine) {
    let browser = Browser::of(engine, Traits::default());
    let browser = htmx(Front::Proxy, browser, "htmx.org/dist/htmx.min.js", "4.");
    let browser = htmx(Front::Proxy, browser, "htmx2/dist/htmx.min.js", "2.");
    turbo(Front::Proxy, browser);
}

fn htmx(front: Front, browser: Browser, library: &str, version: &str) -> Browser {
    let (stage, browser, _folder) = page(front, browser, library, HTMX);
    let found = browser.script("return window.htmx.version");
    assert!(found.as_str().unwrap().starts_with(version), "{found}");
    browser.script(HTMX_ERRORS);
    browser.click("#get");
    browser.wait(
        SOON,
        "what was asked for",
        "return document.querySelector('#out')?.textContent.includes('The content of main.')",
    );
    assert_eq!(stage.relay.count("GET /page/1"), 2, "the gate's answer, and then the site's");
    browser.forget_cookies();
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    let echo = browser.wait(SOON, "the form's answer", "return document.querySelector('#out #echo')?.textContent");
    // The second version writes a blank as a form does not.
    assert_eq!(echo.as_str().map(|echo| echo.replace("%20", "+")).as_deref(), Some("text=three+words+typed"));
    assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (2, 1));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 2);
    assert_eq!(browser.script("return window.errors"), json!([]));
    assert_eq!(browser.url(), stage.url("/files/page.html"), "nothing was left");
    browser
}

/// A form that Turbo sends by itself, and a frame that it fills.
const TURBO: &str = "<form method=post action=\"/save\"><input name=text id=text><button id=send>Send</button></form>\
     <turbo-frame id=part></turbo-frame>";

fn turbo(front: Front, browser: Browser) {
    let (stage, browser, folder) = page(front, browser, "@hotwired/turbo/dist/turbo.es2017-umd.js", TURBO);
    let frame = "<turbo-frame id=part><p id=filled>filled</p></turbo-frame>";
    std::fs::write(folder.path().join("part.html"), frame).unwrap();
    browser.script(
        "window.stays = true; window.errors = []; \
         for (const type of ['turbo:fetch-request-error', 'turbo:frame-missing']) addEventListener(type, () => window.errors.push(type)); \
         document.getElementById('part').src = '/files/part.html'",
    );
    browser.wait(SOON, "the frame", "return document.getElementById('filled')?.textContent === 'filled'");
    assert_eq!(stage.relay.count("GET /files/part.html"), 2, "the gate's answer, and then the site's");
    browser.forget_cookies();
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    browser.wait(
        SOON,
        "the form's answer",
        "return document.getElementById('origin')?.dataset.target === '/page/9?text=three+words+typed'",
    );
    assert_eq!((stage.relay.count("POST /save"), stage.origin.count("/save")), (2, 1));
    browser.forget_cookies();
    browser.click("#next");
    browser.wait(SOON, "the next page", "return document.getElementById('origin')?.dataset.target === '/page/1'");
    assert_eq!(
        browser.script("return [window.stays, window.errors]"),
        json!([true, []]),
        "no page was loaded anew, and nothing failed"
    );
    assert_eq!(browser.url(), stage.url("/page/1"));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 3);
}
