//! Forms that are sent only with a fresh token: `<form data-portcullis data-sitekey="…">`. What was typed is never lost.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, until_true};

through_both!(
    a_form_is_sent_with_a_token_that_is_good_once,
    a_form_that_a_script_submits_has_a_token,
    scripts_of_the_page_find_the_token,
);

const SECRET: &str = "what only the back end of the form has";
const FORM: &str = "<form method=post action=\"/elsewhere\" data-portcullis data-sitekey=contact data-action=write>\
     <input name=text id=text required><button id=send name=kind value=short formaction=\"/submit\">Send</button></form>";

fn scene(front: Front, mode: &str, body: &str, engine: Engine, traits: Traits) -> (Stage, Browser, TempDir) {
    let settings = Settings::new()
        .set("mode", mode)
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/files/**\"\naction = \"allow\"")
        .site_key(&format!("key = \"contact\"\nsha256 = \"{}\"", HEXLOWER.encode(&Sha256::digest(SECRET))));
    let stage = Stage::new(front, settings);
    let (browser, folder) = stage.open_with_tag(body, engine, traits);
    (stage, browser, folder)
}

fn ask(stage: &Stage, token: &str) -> Value {
    let question = json!({"secret": SECRET, "response": token}).to_string();
    stage.client().request("POST", "/.portcullis/siteverify").body("application/json", question).send().json()
}

/// The token in what the site got.
#[track_caller]
fn posted(browser: &Browser) -> String {
    let echo = browser.wait(2 * SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    let echo = echo.as_str().unwrap().to_owned();
    let token = echo.strip_prefix("text=three+words+typed&kind=short&portcullis-response=");
    token.unwrap_or_else(|| panic!("{echo}")).to_owned()
}

fn sent(stage: &Stage, browser: &Browser) {
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    let token = posted(browser);
    assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (1, 1), "it never met the gate");
    let answer = ask(stage, &token);
    assert_eq!((&answer["success"], &answer["action"]), (&json!(true), &json!("write")), "{answer}");
    assert_eq!(ask(stage, &token)["error-codes"], json!(["timeout-or-duplicate"]));
}

fn a_form_is_sent_with_a_token_that_is_good_once(front: Front) {
    let (stage, browser, _folder) = scene(front, "on", FORM, Engine::Chromium, Traits::default());
    assert_eq!(stage.relay.count("GET /.portcullis/widget"), 0, "nobody has turned to the form yet");
    sent(&stage, &browser);
    // Back in the history it is sent again, with another token.
    browser.script("history.back()");
    browser.wait_for_origin(SOON);
    browser.wait(SOON, "the form", "return document.querySelector('#text')?.value === 'three words typed'");
    browser.click("#send");
    let token = posted(&browser);
    assert_eq!(ask(&stage, &token)["success"], json!(true));
}

#[test]
fn every_engine_sends_it_so_while_the_gate_is_off() {
    for engine in Engine::ALL {
        let (stage, browser, _folder) = scene(Front::Proxy, "off", FORM, engine, Traits::default());
        sent(&stage, &browser);
    }
}

fn a_form_that_a_script_submits_has_a_token(front: Front) {
    let (stage, browser, _folder) = scene(front, "on", FORM, Engine::Chromium, Traits::default());
    browser.type_text("#text", "three words typed");
    browser.script("const form = document.querySelector('form'); form.action = '/submit'; form.submit(); form.reset()");
    let echo = browser.wait(2 * SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    let echo = echo.as_str().unwrap();
    let token = echo.strip_prefix("text=three+words+typed&portcullis-response=").unwrap_or_else(|| panic!("{echo}"));
    assert_eq!(ask(&stage, token)["success"], json!(true));
    assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (1, 1), "it never met the gate");
}

fn scripts_of_the_page_find_the_token(front: Front) {
    let (stage, browser, _folder) = scene(front, "on", FORM, Engine::Chromium, Traits::default());
    browser.script(
        "globalThis.sent = []; \
         document.querySelector('form').addEventListener('submit', (event) => { event.preventDefault(); \
           sent.push(new FormData(event.target, event.submitter).get('portcullis-response')); })",
    );
    browser.type_text("#text", "typed");
    for count in [1, 2] {
        browser.click("#send");
        browser.wait(
            2 * SOON,
            "a token",
            &format!("return sent.length === {count} && !document.querySelector('[aria-busy]')"),
        );
    }
    let sent = browser.script("return sent");
    assert_ne!(sent[0], sent[1], "each time another one");
    for token in [&sent[0], &sent[1]] {
        assert_eq!(ask(&stage, token.as_str().unwrap())["success"], json!(true));
    }
    assert_eq!(stage.origin.count("/submit"), 0);
}

#[test]
fn where_the_verifier_dies_the_form_stays_with_all_that_was_typed() {
    let (mut stage, browser, _folder) = scene(Front::Proxy, "off", FORM, Engine::Chromium, Traits::default());
    browser.type_text("#text", "three words typed");
    until_true(2 * SOON, "a token for who turned to the form", || stage.relay.count("POST /.portcullis/verify") == 1);
    // It is worth nothing after this.
    stage.verifier.crash();
    for _ in 0..2 {
        browser.click("#send");
        browser.wait(SOON, "an end of it", "return !document.querySelector('[aria-busy]')");
        let alert = browser.wait(SOON, "an alert", "return document.querySelector('form [role=alert]')?.textContent");
        let alert = alert.as_str().unwrap();
        assert!(alert.contains("could not be sent") && alert.contains("still here"), "{alert}");
        assert_eq!(browser.script("return document.querySelector('#text').value"), json!("three words typed"));
    }
    stage.verifier.start_again();
    browser.click("#send");
    let token = posted(&browser);
    assert_eq!(ask(&stage, &token)["success"], json!(true));
    assert_eq!(stage.origin.count("/submit"), 1);
}

#[test]
fn a_key_that_nobody_knows_sends_nothing_and_says_so_in_the_language_of_the_form() {
    let form = FORM.replace("data-sitekey=contact", "lang=de data-sitekey=nobodys");
    let (stage, browser, _folder) = scene(Front::Proxy, "off", &form, Engine::Chromium, Traits::default());
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    let alert =
        browser.wait(SOON, "an alert", "return document.querySelector('form [role=alert][lang=de]')?.textContent");
    assert!(alert.as_str().unwrap().contains("ist noch da"), "{alert}");
    assert_eq!(browser.script("return document.querySelector('#text').value"), json!("three words typed"));
    assert_eq!(stage.origin.count("/submit"), 0);
}

#[test]
fn a_form_without_a_key_sends_nothing_and_says_so() {
    let form = FORM.replace(" data-sitekey=contact", "");
    let (stage, browser, _folder) = scene(Front::Proxy, "off", &form, Engine::Chromium, Traits::default());
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    let alert = browser.wait(SOON, "an alert", "return document.querySelector('form [role=alert]')?.textContent");
    assert!(alert.as_str().unwrap().contains("could not be sent"), "{alert}");
    let log = browser.log();
    assert!(log.iter().any(|line| line.contains("no data-sitekey")), "whoever made the page reads why: {log:?}");
    assert_eq!(browser.script("return document.querySelector('#text').value"), json!("three words typed"));
    assert_eq!(stage.relay.count("POST /submit"), 0);
}
