//! What the script tag says in a page of the site's own, in the language of the page or of the visitor.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::axe;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

/// Solved in a moment, and one that takes some seconds on any machine.
const EASY: u32 = 2_000;
const FORM: &str = "<h1>A form</h1><form method=post action=\"/submit\"><label>Text <input name=text id=text></label>\
     <button id=send>Send</button></form>";
/// What stands in the note once it is there.
const NOTE: &str = "const note = document.querySelector('.portcullis-note'); const said = note?.querySelector('[role=status]').textContent; \
     return said && {lang: note.lang, dir: note.dir, said, bar: note.querySelector('progress')?.getAttribute('aria-label'), \
       button: note.querySelector('button')?.textContent, before: note.getBoundingClientRect().left < innerWidth / 2}";
const ALERT: &str = "const alert = document.querySelector('form .portcullis-alert'); \
     return alert?.textContent && {lang: alert.lang, dir: alert.dir, said: alert.textContent}";

/// The site with a page of this body and the tag.
fn page(difficulty: u32, body: &str, traits: Traits) -> (Stage, Browser, TempDir) {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 60)
        .rule("path = \"/files/page.html\"\naction = \"allow\"")
        .site_key(&format!("key = \"contact\"\nsha256 = \"{}\"", "a1".repeat(32)));
    let stage = Stage::new(Front::Proxy, settings);
    let (browser, folder) = stage.open_with_tag(body, Engine::Chromium, traits);
    browser.cdp("Network.enable", &json!({}));
    (stage, browser, folder)
}

/// The page is written in this language, or says nothing of it.
fn written_in(browser: &Browser, tag: Option<&str>) {
    browser.script(&format!("document.documentElement.lang = '{}'", tag.unwrap_or_default()));
    if tag.is_none() {
        browser.script("document.documentElement.removeAttribute('lang')");
    }
}

fn words(tag: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../www/languages/{tag}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// A form, and a site at which a solution is on its way for so long that whoever waits for it is told so.
fn slow_to_sell() -> (Stage, Browser, TempDir) {
    let page = page(EASY, FORM, Traits::default());
    page.0.relay.hold_up("POST /.portcullis/verify", 2 * SOON);
    page
}

/// Asks for something that has to be paid for first.
fn ask(browser: &Browser) {
    browser.script("document.querySelector('.portcullis-note')?.remove(); void fetch('/page/1')");
}

#[test]
fn the_note_speaks_the_language_of_the_page() {
    let (stage, browser, _folder) = slow_to_sell();
    written_in(&browser, Some("ar-EG"));
    ask(&browser);
    let arabic = words("ar");
    let note = browser.wait(SOON, "a note", NOTE);
    let expected = json!({"lang": "ar", "dir": "rtl", "said": arabic["tag_note"], "bar": arabic["progress_name"], "button": null, "before": true});
    assert_eq!(note, expected, "and it stands where lines end");
    assert_eq!(stage.relay.count("GET /.portcullis/tag-ar."), 1);
    axe::finds_nothing(&browser, "a note from right to left");
}

#[test]
fn where_the_page_does_not_say_its_language_the_note_speaks_the_visitors() {
    let (stage, browser, _folder) = slow_to_sell();
    written_in(&browser, None);
    let agent = browser.script("return navigator.userAgent");
    browser.cdp("Network.setUserAgentOverride", &json!({"userAgent": agent, "acceptLanguage": "sw,uk-UA,en"}));
    assert_eq!(browser.script("return navigator.languages[0]"), json!("sw"));
    ask(&browser);
    let note = browser.wait(SOON, "a note", NOTE);
    assert_eq!((&note["lang"], &note["said"]), (&json!("uk"), &words("uk")["tag_note"]), "the first that there is");
    assert_eq!(stage.relay.count("GET /.portcullis/tag-uk."), 1);
}

#[test]
fn english_words_come_with_it_and_are_said_where_no_others_come() {
    let (stage, browser, _folder) = slow_to_sell();
    browser.cdp("Network.setBlockedURLs", &json!({"urls": ["*/tag-*"]}));
    for tag in ["en", "ar"] {
        written_in(&browser, Some(tag));
        ask(&browser);
        let note = browser.wait(2 * SOON, "a note", NOTE);
        let english = words("en");
        assert_eq!((&note["lang"], &note["dir"], &note["said"]), (&json!("en"), &json!("ltr"), &english["tag_note"]));
        browser.forget_cookies();
        browser.open(&stage.url("/files/page.html"));
        browser.wait_for_origin(SOON);
    }
    assert_eq!(stage.relay.count("GET /.portcullis/tag-"), 0);
}

#[test]
fn that_no_cookie_was_kept_is_said_in_the_language_of_page_and_form() {
    let traits = Traits { without_cookies: true, ..Traits::default() };
    let form = FORM.replace("<form", "<form lang=de");
    let (stage, browser, _folder) = page(EASY, &form, traits);
    written_in(&browser, Some("he"));
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    let (hebrew, german) = (words("he"), words("de"));
    let alert = browser.wait(SOON, "an alert", ALERT);
    assert_eq!(alert, json!({"lang": "de", "dir": "ltr", "said": german["tag_form_cookies"]}));
    let note = browser.wait(SOON, "a note", NOTE);
    assert_eq!((&note["lang"], &note["dir"], &note["bar"]), (&json!("he"), &json!("rtl"), &Value::Null));
    assert_eq!((&note["said"], &note["button"]), (&hebrew["tag_cookies"], &hebrew["tag_close"]));
    axe::finds_nothing(&browser, "two languages in a page of a third");
    browser.click(".portcullis-note button");
    assert_eq!(browser.script("return document.querySelector('.portcullis-note')"), Value::Null);
    assert_eq!(stage.relay.count("POST /submit"), 0);
}

#[test]
fn that_the_verifier_is_gone_is_said_in_words_that_were_loaded_before() {
    let form = FORM.replace("<form", "<form lang=fr data-portcullis data-sitekey=contact");
    let (mut stage, browser, _folder) = page(EASY, &form, Traits::default());
    browser.type_text("#text", "three words typed");
    let loaded = "return performance.getEntriesByType('resource').some(({name}) => name.includes('/tag-fr.'))";
    browser.wait(SOON, "the words, for who has turned to the form", loaded);
    stage.verifier.crash();
    browser.click("#send");
    let alert = browser.wait(2 * SOON, "an alert", ALERT);
    assert_eq!(alert, json!({"lang": "fr", "dir": "ltr", "said": words("fr")["widget_not_sent"]}));
}

#[test]
fn a_widget_that_does_not_come_is_missed_in_the_language_of_its_place() {
    let (_stage, browser, _folder) =
        page(EASY, "<h1>A form</h1><form><div id=place lang=el></div></form>", Traits::default());
    browser.cdp("Network.setBlockedURLs", &json!({"urls": ["*/widget.*"]}));
    browser.script("portcullis.render('#place', {sitekey: 'contact'})");
    let said =
        browser.wait(SOON, "what is missing", "return document.querySelector('#place[role=alert]')?.textContent");
    assert_eq!(said, words("el")["tag_lost"]);
    assert_eq!(
        browser.script("const {lang, dir} = document.querySelector('#place'); return [lang, dir]"),
        json!(["el", "ltr"])
    );
}
