//! A form that meets the gate loses no word.

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

through_both!(
    typed_text_is_still_there_after_a_post_met_the_gate,
    a_form_of_which_only_the_post_is_asked_for_is_paid_for_before_the_way_back,
    the_reserve_carries_a_form_past_the_gate,
);

const TEXT: &str = "Dear newspaper, three paragraphs that nobody types twice.";

fn settings() -> Settings {
    Settings::new().set("challenge.count", 8).set("challenge.difficulty", 10_000)
}

fn typed_text_is_still_there_after_a_post_met_the_gate(front: Front) {
    comes_back(&Stage::new(front, settings()), &Browser::start());
}

#[test]
fn typed_text_is_still_there_in_webkit() {
    comes_back(&Stage::new(Front::Proxy, settings()), &Browser::of(Engine::WebKitGtk, Traits::default()));
}

fn a_form_of_which_only_the_post_is_asked_for_is_paid_for_before_the_way_back(front: Front) {
    let rule = "path = \"/submit\"\nmethod = \"POST\"\naction = \"challenge\"";
    let stage = Stage::new(front, settings().set("mode", "auto").rule(rule));
    comes_back(&stage, &Browser::start());
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}

fn comes_back(stage: &Stage, browser: &Browser) {
    browser.open(&stage.url("/form"));
    assert_eq!(browser.wait_for_origin(SOON), "/form");
    browser.type_text("#text", TEXT);
    // The clearance is gone in the meantime.
    browser.forget_cookies();
    browser.click("#send");
    browser.wait(SOON, "the gate to offer the way back", "return document.querySelector('[data-action=back]')?.offsetParent !== null && document.documentElement.dataset.state === 'done'");
    assert_eq!(stage.relay.count("POST /submit"), 1, "the form is never sent by anybody but its writer");
    browser.click("[data-action=back]");
    assert_eq!(browser.wait_for_origin(SOON), "/form");
    let kept = format!("return document.querySelector('#text').value === {}", json!(TEXT));
    browser.wait(SOON, "what was typed", &kept);
    browser.click("#send");
    browser.wait(SOON, "the form to arrive", "return document.querySelector('#echo')?.textContent");
    let echo =
        browser.script("return decodeURIComponent(document.querySelector('#echo').textContent.replaceAll('+', ' '))");
    assert!(echo.as_str().unwrap().contains(TEXT), "{echo}");
    assert_eq!(stage.origin.count("/submit"), 1);
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}

fn the_reserve_carries_a_form_past_the_gate(front: Front) {
    let stage = Stage::new(front, settings().set("clearance.credits", 23));
    let browser = Browser::start();
    for _ in 0..20 {
        browser.open(&stage.url("/form"));
        assert_eq!(browser.wait_for_origin(SOON), "/form");
    }
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
    browser.type_text("#text", TEXT);
    browser.click("#send");
    browser.wait(SOON, "the form to arrive", "return document.querySelector('#echo')?.textContent");
    assert_eq!(
        stage.relay.count("POST /.portcullis/verify"),
        1,
        "no page that could be read was left, and the form went through"
    );
}
