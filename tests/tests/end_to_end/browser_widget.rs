//! The widget, as pages have it: it gets tokens for their forms, which the forms' back ends find good.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

through_both!(
    a_widget_gives_its_form_a_token_that_the_back_end_finds_good,
    a_form_is_sent_with_a_fresh_token_each_time_and_else_stays,
);

const SECRET: &str = "what only the back end of the form has";
/// A site whose pages have forms and no gate.
const SHOP: &str = "other.test";

fn stage(front: Front) -> Stage {
    let digest = Sha256::digest(SECRET).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/files/**\"\naction = \"allow\"")
        .rule("path = \"/submit\"\naction = \"allow\"")
        .site_key(&format!("key = \"contact\"\nhosts = [\"portcullis.test\", \"{SHOP}\"]\nsha256 = \"{digest}\""));
    Stage::new(front, settings)
}

/// A page with the tag, its query, and this body.
fn write_page(folder: &TempDir, tag: &str, body: &str) {
    let text = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><script src=\"{tag}\" async defer></script></head>\
         <body><main id=origin data-target=page>{body}</main>\
         <script>globalThis.told = []; globalThis.got = (token) => told.push(['got', token]);\
           for (const type of ['solved', 'expired', 'error']) addEventListener('portcullis-' + type, () => told.push([type]));</script></body></html>"
    );
    std::fs::write(folder.path().join("page.html"), text).unwrap();
}

fn page(stage: &Stage, query: &str, body: &str) -> (Browser, TempDir) {
    let folder = TempDir::new().unwrap();
    write_page(&folder, &format!("/.portcullis/portcullis.js{query}"), body);
    stage.origin.offer(folder.path());
    let browser = Browser::with(Traits::default());
    browser.open(&stage.url("/files/page.html"));
    browser.wait_for_origin(SOON);
    (browser, folder)
}

/// What the back end of a form hears of a token.
fn siteverify(stage: &Stage, token: &str) -> Value {
    let question = json!({"secret": SECRET, "response": token}).to_string();
    stage.client().request("POST", "/.portcullis/siteverify").body("application/json", question).send().json()
}

/// The token in a hidden field, once it is there.
fn token(browser: &Browser, field: &str) -> String {
    let token = browser.wait(SOON, "a token", &format!("return document.querySelector('[name={field}]')?.value"));
    token.as_str().unwrap().to_owned()
}

fn a_widget_gives_its_form_a_token_that_the_back_end_finds_good(front: Front) {
    let stage = stage(front);
    let widget = "<form method=post action=\"/submit\"><div id=widget class=portcullis data-sitekey=contact data-action=sign-up \
                  data-callback=got></div></form>";
    let (browser, _folder) = page(&stage, "", widget);
    let first = token(&browser, "portcullis-response");
    let answer = siteverify(&stage, &first);
    assert_eq!((&answer["success"], &answer["action"]), (&json!(true), &json!("sign-up")), "{answer}");
    assert_eq!(browser.script("return told"), json!([["solved"], ["got", first]]), "the event bubbles");
    let asked = "return [portcullis.getResponse(), portcullis.getResponse('#widget'), portcullis.isExpired('#widget')]";
    assert_eq!(browser.script(asked), json!([first, first, false]));
    assert_eq!(browser.script("return document.querySelector('.portcullis-box').dataset.state"), json!("done"));
    browser.script("portcullis.reset('#widget'); return true");
    browser.wait(SOON, "another token", "return told.length === 4");
    let second = token(&browser, "portcullis-response");
    assert_ne!(first, second);
    assert_eq!(siteverify(&stage, &second)["success"], json!(true));
    browser.script("portcullis.remove('#widget'); return true");
    let gone = "return !document.querySelector('.portcullis-box') && portcullis.getResponse('#widget') === undefined";
    browser.wait(SOON, "the widget to be gone", gone);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 2);
}

#[test]
fn scripts_of_the_page_make_widgets_themselves_where_they_say_so() {
    let stage = stage(Front::Proxy);
    let begin = "<div id=place></div><div class=portcullis data-sitekey=contact></div>\
         <script>globalThis.begin = () => { globalThis.id = portcullis.render('#place', {sitekey: 'contact', execution: 'execute', \
           'response-field-name': 'g-recaptcha-response', callback: (token) => told.push(['called', token])}); }</script>";
    let (browser, _folder) = page(&stage, "?onload=begin&render=explicit", begin);
    browser.wait(SOON, "the widget", "return document.querySelector('#place .portcullis-box')?.dataset.state === 'idle'");
    assert_eq!(browser.script("return document.querySelectorAll('.portcullis-box').length"), json!(1));
    assert_eq!(stage.relay.count("GET /.portcullis/challenge"), 0, "it waits for its call");
    browser.script("portcullis.execute(id); return true");
    let found = token(&browser, "g-recaptcha-response");
    assert_eq!(browser.script("return told"), json!([["solved"], ["called", found]]));
    assert_eq!(siteverify(&stage, &found)["success"], json!(true));
}

#[test]
fn a_site_that_has_turnstile_changes_one_address() {
    let stage = stage(Front::Proxy);
    let theirs = "<form><div class=cf-turnstile data-sitekey=contact data-callback=got></div></form><div id=second></div>";
    let (browser, _folder) = page(&stage, "?compat=turnstile", theirs);
    let first = token(&browser, "cf-turnstile-response");
    assert_eq!(siteverify(&stage, &first)["success"], json!(true));
    browser.script("turnstile.ready(() => { globalThis.id = turnstile.render('#second', {sitekey: 'contact'}); }); return true");
    browser.wait(SOON, "the second", "return turnstile.getResponse(id)");
    assert_eq!(browser.script("return turnstile.isExpired(id)"), json!(false));
}

#[test]
fn a_widget_without_a_key_says_that_it_failed_and_offers_another_try() {
    let stage = stage(Front::Proxy);
    let (browser, _folder) = page(&stage, "", "<div id=widget class=portcullis data-sitekey=unknown></div>");
    browser.wait(SOON, "the failure", "return document.querySelector('.portcullis-box')?.dataset.state === 'failed'");
    assert_eq!(browser.script("return told"), json!([["error"]]));
    browser.click(".portcullis-box button");
    browser.wait(SOON, "the second failure", "return told.length === 2");
}

fn a_form_is_sent_with_a_fresh_token_each_time_and_else_stays(front: Front) {
    let stage = stage(front);
    let form = "<form method=post action=\"/submit\" data-portcullis data-sitekey=contact data-action=write>\
                <input name=text id=text><button id=send>Send</button></form>";
    let (browser, _folder) = page(&stage, "", form);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        browser.script("document.querySelector('#text').value = ''");
        browser.type_text("#text", "typed");
        browser.click("#send");
        let echo = browser.wait(SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
        let (text, sent) = echo.as_str().unwrap().split_once("&portcullis-response=").unwrap();
        assert_eq!(text, "text=typed");
        let answer = siteverify(&stage, sent);
        assert_eq!((&answer["success"], &answer["action"]), (&json!(true), &json!("write")), "{answer}");
        tokens.push(sent.to_owned());
        browser.script("history.back()");
        browser.wait(SOON, "the form", "return document.querySelector('#text')");
    }
    assert_ne!(tokens[0], tokens[1]);
    browser.script("document.querySelector('form').dataset.sitekey = 'unknown'; document.querySelector('#text').value = ''");
    browser.type_text("#text", "typed again");
    browser.click("#send");
    // What was prepared for the form as it was is used up; now there is no token for it.
    let alert = browser.wait(SOON, "an alert", "return document.querySelector('form [role=alert]')?.textContent");
    assert!(alert.as_str().unwrap().contains("still here"), "{alert}");
    assert_eq!(browser.script("return document.querySelector('#text').value"), json!("typed again"));
    assert_eq!(stage.origin.count("/submit"), 2);
}

#[test]
fn pages_of_other_sites_get_tokens_in_every_engine() {
    let stage = stage(Front::Proxy);
    let shop = Origin::start("shop");
    let folder = TempDir::new().unwrap();
    write_page(&folder, &stage.url("/.portcullis/portcullis.js"), "<div class=portcullis data-sitekey=contact></div>");
    shop.offer(folder.path());
    for engine in Engine::ALL {
        let browser = Browser::of(engine, Traits::default());
        browser.open(&format!("http://{SHOP}:{}/files/page.html", shop.port));
        browser.wait_for_origin(SOON);
        let answer = siteverify(&stage, &token(&browser, "portcullis-response"));
        assert_eq!((&answer["success"], &answer["hostname"]), (&json!(true), &json!(SHOP)), "{}: {answer}", engine.name());
    }
}
