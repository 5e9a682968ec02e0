//! Forms under the script tag: they are paid for before they are sent, so that none meets the gate and loses what was typed.

use serde_json::json;
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

through_both!(
    a_form_is_paid_for_before_it_is_posted,
    a_form_that_cannot_be_paid_for_stays_with_all_that_was_typed,
    a_form_that_scripts_of_the_page_send_is_theirs,
);

pub(super) const FORM: &str = "<form method=post action=\"/elsewhere\"><input name=text id=text>\
     <button id=send name=kind value=short formaction=\"/submit\">Send</button></form>";

/// The site with a page of this body and the tag, in a browser without a clearance.
fn page(front: Front, body: &str, engine: Engine, traits: Traits) -> (Stage, Browser, TempDir) {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/files/page.html\"\naction = \"allow\"");
    let stage = Stage::new(front, settings);
    let (browser, folder) = stage.open_with_tag(body, engine, traits);
    (stage, browser, folder)
}

fn posted(stage: &Stage, browser: &Browser) {
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    let echo = browser.wait(SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    assert_eq!(
        echo,
        json!("text=three+words+typed&kind=short"),
        "as the browser sends it, with the button that was pressed"
    );
    assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (1, 1), "it never met the gate");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}

fn a_form_is_paid_for_before_it_is_posted(front: Front) {
    let (stage, browser, _folder) = page(front, FORM, Engine::Chromium, Traits::default());
    posted(&stage, &browser);
    // Back in the history the form is as it was, and goes through again.
    browser.script("history.back()");
    browser.wait_for_origin(SOON);
    browser.wait(SOON, "the form", "return document.querySelector('#text')?.value === 'three words typed'");
}

#[test]
fn every_engine_posts_it_so() {
    for engine in Engine::ALL {
        let (stage, browser, _folder) = page(Front::Proxy, FORM, engine, Traits::default());
        posted(&stage, &browser);
    }
}

fn a_form_that_cannot_be_paid_for_stays_with_all_that_was_typed(front: Front) {
    let traits = Traits { without_cookies: true, ..Traits::default() };
    let (stage, browser, _folder) = page(front, FORM, Engine::Chromium, traits);
    stays(&stage, &browser);
}

/// With all that was typed, in a browser without cookies.
pub(super) fn stays(stage: &Stage, browser: &Browser) {
    browser.type_text("#text", "three words typed");
    for _ in 0..2 {
        browser.click("#send");
        let alert = browser.wait(SOON, "an alert", "return document.querySelector('form [role=alert]')?.textContent");
        let alert = alert.as_str().unwrap();
        assert!(alert.contains("allow cookies") && alert.contains("still here"), "{alert}");
    }
    assert_eq!(browser.script("return document.querySelector('#text').value"), json!("three words typed"));
    assert_eq!(stage.relay.count("POST /submit"), 0);
}

fn a_form_that_scripts_of_the_page_send_is_theirs(front: Front) {
    let (stage, browser, _folder) = page(front, FORM, Engine::Chromium, Traits::default());
    browser.script(
        "globalThis.sent = []; \
         document.querySelector('form').addEventListener('submit', (event) => { event.preventDefault(); \
           fetch('/submit', {method: 'POST', body: new URLSearchParams(new FormData(event.target, event.submitter))}) \
             .then(async (answer) => sent.push((await answer.text()).includes('text=typed&kind=short'))); })",
    );
    browser.type_text("#text", "typed");
    browser.click("#send");
    browser.wait(SOON, "the answer", "return sent.length === 1");
    assert_eq!(browser.script("return sent"), json!([true]));
    assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (2, 1));
}

#[test]
fn where_nobody_answers_the_form_stays() {
    let (mut stage, browser, _folder) = page(Front::Proxy, FORM, Engine::Chromium, Traits::default());
    browser.type_text("#text", "three words typed");
    stage.verifier.crash();
    browser.click("#send");
    let alert = browser.wait(SOON, "an alert", "return document.querySelector('form [role=alert]')?.textContent");
    assert!(alert.as_str().unwrap().contains("could not be sent"), "{alert}");
    stage.verifier.start_again();
    browser.click("#send");
    let echo = browser.wait(SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    assert_eq!(echo, json!("text=three+words+typed&kind=short"));
}
