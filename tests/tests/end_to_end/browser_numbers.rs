//! What failed in a page that stays has a number, which the operator finds in the log; and what moves in it moves for a reason.

use std::time::Duration;

use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tests::axe;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::verifier::Verifier;
use tests::wait::{SOON, until};

/// A page of another origin.
const ELSEWHERE: &str = "elsewhere.test";
fn settings() -> Settings {
    let digest = |secret: &str| HEXLOWER.encode(&Sha256::digest(secret));
    let [contact, shop] = ["what only the back end of the form has", "what only that of the shop has"].map(digest);
    Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/files/**\"\naction = \"allow\"")
        .site_key(&format!("key = \"contact\"\nsha256 = \"{contact}\""))
        .site_key(&format!("key = \"shop\"\nhosts = [\"{ELSEWHERE}\"]\nsha256 = \"{shop}\""))
}

/// The number that a visitor reads in an element of the page.
#[track_caller]
fn number_in(browser: &Browser, place: &str, code: &str) -> String {
    let read = format!("return /\\b{code}-[0-9a-f]{{8}}\\b/.exec(document.querySelector('{place}')?.innerText)?.[0]");
    browser.wait(4 * SOON, "the number", &read).as_str().unwrap().to_owned()
}

/// The line of the log that has the number.
#[track_caller]
fn line_of(verifier: &Verifier, number: &str) -> String {
    let named = format!("failure_id=\"{number}\"");
    until(SOON, "its line", || verifier.log().lines().find(|line| line.contains(&named)).map(str::to_owned))
}

#[test]
fn what_a_visitor_reads_of_a_failure_in_a_widget_is_in_the_log() {
    let stage = Stage::new(Front::Proxy, settings());
    let action = "far too long for what is asked of it";
    let form =
        format!("<h1>A form</h1><form><div class=portcullis data-sitekey=contact data-action='{action}'></div></form>");
    let (browser, _folder) = stage.open_with_tag(&form, Engine::Chromium, Traits::default());
    let number = number_in(&browser, ".portcullis-box", "malformed");
    let line = line_of(&stage.verifier, &number);
    assert!(line.contains("a solution was refused") && line.contains("127.0.0.0/24"), "{line}");
    let spoken = "return document.querySelector('.portcullis-box [role=status]').textContent";
    assert!(!browser.script(spoken).as_str().unwrap().contains(&number), "it is read by who looks for it");
    browser.script("document.title = 'A form'");
    axe::finds_nothing(&browser, "failed, with its number");
    // What is tried again has not failed.
    stage.relay.hold_up("GET /.portcullis/challenge", Duration::from_secs(2));
    browser.click(".portcullis-box button");
    let text = browser.wait(
        SOON,
        "it to work",
        "const box = document.querySelector('.portcullis-box'); return box.dataset.state === 'working' && box.innerText",
    );
    assert!(!text.as_str().unwrap().contains("malformed"), "{text}");
}

#[test]
fn so_is_that_of_a_page_of_another_origin() {
    let settings = settings().set("challenge.lifetime_seconds", 3).set("challenge.max_solve_seconds", 3);
    let stage = Stage::new(Front::Proxy, settings);
    // What was solved comes too late, each time.
    stage.relay.hold_up("POST /.portcullis/verify", Duration::from_secs(5));
    let (origin, folder) = (Origin::start("elsewhere"), TempDir::new().unwrap());
    let page = format!(
        "<!doctype html><script src=\"{}\" defer></script><form><div class=portcullis data-sitekey=shop data-size=compact></div></form>",
        stage.url("/.portcullis/portcullis.js")
    );
    std::fs::write(folder.path().join("page.html"), page).unwrap();
    origin.offer(folder.path());
    let browser = Browser::start();
    browser.open(&format!("http://{ELSEWHERE}:{}/files/page.html", origin.port));
    let number = number_in(&browser, ".portcullis-box", "expired");
    let line = line_of(&stage.verifier, &number);
    assert!(line.contains("expired"), "{line}");
    let wide = "const box = document.querySelector('.portcullis-box'); return box.scrollWidth > box.clientWidth";
    assert_eq!(browser.script(wide), json!(false), "and it fits into the narrowest widget");
}

#[test]
fn what_a_visitor_reads_of_cookies_in_a_note_is_in_the_log() {
    let stage = Stage::new(Front::Proxy, settings());
    let traits = Traits { without_cookies: true, ..Traits::default() };
    let (browser, _folder) = stage.open_with_tag("<h1>A page</h1>", Engine::Chromium, traits);
    browser.script("void fetch('/page/1'); document.title = 'A page'");
    let number = number_in(&browser, ".portcullis-note", "cookies");
    let line = line_of(&stage.verifier, &number);
    assert!(line.contains("a page says that it failed"), "{line}");
    axe::finds_nothing(&browser, "a note with a number");
}

/// The bar of a note, and whether it moves without saying anything.
const BAR: &str = "const bar = document.querySelector('.portcullis-note progress'); return bar && [bar.value, bar.matches(':indeterminate')]";

#[test]
fn the_bar_of_a_note_says_how_far_it_is_and_does_not_move_otherwise() {
    // Where nothing is bought but the token, so that there is one note.
    let stage = Stage::new(Front::Proxy, settings().set("mode", "off"));
    // Before there is any progress.
    stage.relay.hold_up("GET /.portcullis/challenge", Duration::from_secs(4));
    let form = "<form method=post action=\"/submit\" data-portcullis data-sitekey=contact><button id=send>Send</button></form>";
    let (browser, _folder) = stage.open_with_tag(form, Engine::Chromium, Traits::default());
    browser.click("#send");
    assert_eq!(browser.wait(SOON, "a note", BAR), json!([0, false]));

    // When all is solved and the answer takes its time.
    stage.relay.hold_up("POST /.portcullis/verify", Duration::from_secs(4));
    let solved = "const bar = document.querySelector('.portcullis-note progress'); return bar && bar.value === bar.max";
    browser.wait(2 * SOON, "all steps to be done", solved);
}
