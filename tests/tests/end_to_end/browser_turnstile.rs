//! Pages that were made for another service's widget: what they rely on when something goes wrong, or is too old.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

const SECRET: &str = "what only the back end of the form has";
/// Keeps what the page is told, what the console is, and for how long something waits.
const KEPT: &str = "<script>globalThis.told = []; globalThis.warned = []; globalThis.waits = []; globalThis.begun = []; \
     globalThis.wrong = (code) => { told.push(code); }; console.warn = (text) => warned.push(text); \
     { const native = setTimeout; globalThis.setTimeout = (act, ms, ...given) => { waits.push(ms); return native(act, ms, ...given); }; }\
     </script><script src=\"/.portcullis/portcullis.js?compat=turnstile\" defer></script>";
/// What a widget waits before it tries again, where the page does not say.
const USUAL_MS: u32 = 8_000;

/// A page with these elements and the tag in the place of the other service's.
fn page(body: &str) -> (Stage, Browser, TempDir) {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/files/**\"\naction = \"allow\"")
        .site_key(&format!("key = \"contact\"\nsha256 = \"{}\"", HEXLOWER.encode(&Sha256::digest(SECRET))));
    let stage = Stage::new(Front::Proxy, settings);
    let (browser, folder) = stage.open_with_tag(&format!("{KEPT}{body}"), Engine::Chromium, Traits::default());
    (stage, browser, folder)
}

/// A widget that waits for a call, with these attributes.
fn waiting(attributes: &str) -> String {
    format!("<form><div class=cf-turnstile data-sitekey=contact data-execution=execute {attributes}></div></form>")
}

/// Lets it begin without a network.
fn begun_without_network(stage: &Stage, browser: &Browser) {
    browser.wait(SOON, "the widget", "return document.querySelector('.portcullis-box')");
    stage.relay.cut();
    browser.script("waits.length = 0; turnstile.execute()");
    browser.wait(SOON, "an error", "return told.length > 0");
}

fn waited(browser: &Browser, ms: u32) -> bool {
    browser.script(&format!("return waits.includes({ms})")) == json!(true)
}

const TOKEN: &str = "return document.querySelector('[name=cf-turnstile-response]')?.value";
const STATE: &str = "return document.querySelector('.portcullis-box').dataset.state";

#[test]
fn what_may_pass_is_tried_again_by_itself_until_there_is_a_token() {
    let (stage, browser, _folder) = page(&waiting("data-retry-interval=1500 data-error-callback=wrong"));
    begun_without_network(&stage, &browser);
    browser.wait(SOON, "another error", "return told.length >= 3");
    assert_eq!(browser.script("return told.slice(0, 3)"), json!(["network", "network", "network"]));
    assert!(waited(&browser, 1500) && !waited(&browser, USUAL_MS));
    stage.relay.mend();
    let token = browser.wait(2 * SOON, "a token", TOKEN);
    let question = json!({"secret": SECRET, "response": token}).to_string();
    let answer = stage.client().request("POST", "/.portcullis/siteverify").body("application/json", question).send();
    assert_eq!(answer.json()["success"], json!(true));
}

#[test]
fn it_waits_eight_seconds_unless_the_page_says_how_long_and_for_nothing_that_lasts() {
    for interval in ["", "data-retry-interval=soon", "data-retry-interval=-1", "data-retry-interval=900000"] {
        let (stage, browser, _folder) = page(&waiting(&format!("{interval} data-error-callback=wrong")));
        begun_without_network(&stage, &browser);
        assert!(waited(&browser, USUAL_MS), "{interval}: {}", browser.script("return waits"));
    }
    let wrong = waiting("data-error-callback=wrong").replace("contact", "nobodys");
    let (_stage, browser, _folder) = page(&wrong);
    browser.script("turnstile.execute()");
    browser.wait(SOON, "an error", "return told.length > 0");
    assert_eq!(browser.script("return told"), json!(["wrong_site"]));
    assert!(!waited(&browser, USUAL_MS));
    assert_eq!(browser.script(STATE), json!("failed"));
}

#[test]
fn where_the_page_says_never_or_uses_the_widget_by_its_own_name_somebody_has_to_ask() {
    let never = waiting("data-retry=never data-error-callback=wrong");
    let own = waiting("data-error-callback=wrong").replace("cf-turnstile", "portcullis");
    for body in [never, own] {
        let (stage, browser, _folder) = page(&body);
        begun_without_network(&stage, &browser);
        assert!(!waited(&browser, USUAL_MS), "{body}");
        stage.relay.mend();
        browser.click(".portcullis-box button");
        browser.wait(2 * SOON, "a token", "return portcullis.getResponse()");
        assert_eq!(browser.script("return told.length"), json!(1), "{body}");
    }
}

#[test]
fn a_page_that_has_dealt_with_an_error_finds_no_warning_in_the_console() {
    for (answer, warnings) in [("true", 0), ("undefined", 1)] {
        let (stage, browser, _folder) = page(&waiting("data-retry=never data-error-callback=dealt"));
        browser.script(&format!("globalThis.dealt = (code) => {{ told.push(code); return {answer}; }}"));
        begun_without_network(&stage, &browser);
        assert_eq!(browser.script("return warned.length"), json!(warnings), "{answer}");
    }
}

#[test]
fn a_page_that_begins_anew_at_every_error_does_not_go_round_and_round() {
    let body = "<form><div id=place></div></form>";
    let (stage, browser, _folder) = page(body);
    browser.script(
        "globalThis.id = turnstile.render('#place', {sitekey: 'contact', retry: 'never', execution: 'execute', \
           'error-callback': (code) => { told.push(code); begun.push(performance.now()); turnstile.execute(id); return true; }})",
    );
    begun_without_network(&stage, &browser);
    browser.wait(SOON, "two more errors", "return told.length >= 3");
    let pauses = "return begun.slice(1).map((at, place) => at - begun[place]).every((pause) => pause > 900)";
    assert_eq!(browser.script(pauses), json!(true), "{}", browser.script("return begun"));
    stage.relay.mend();
    browser.wait(2 * SOON, "a token", TOKEN);
}

#[test]
fn a_browser_that_cannot_calculate_is_told_apart() {
    let (stage, browser, _folder) = page("<form><div id=place></div></form>");
    let broken = "globalThis.Worker = class { constructor() { throw new Error('none'); } };\
                  globalThis.MessageChannel = class { port1 = { close() {} }; port2 = { postMessage() {} }; };";
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({"source": broken}));
    browser.open(&stage.url("/files/page.html"));
    browser.wait_for_origin(SOON);
    browser.script(
        "turnstile.render('#place', {sitekey: 'contact', 'error-callback': wrong, 'unsupported-callback': () => told.push('unsupported')})",
    );
    browser.wait(6 * SOON, "it to give up", "return told.length === 2");
    assert_eq!(browser.script("return told"), json!(["no_progress", "unsupported"]));
    assert!(!waited(&browser, USUAL_MS));
}

#[test]
fn what_has_no_meaning_here_is_taken_and_what_it_says_comes_back() {
    let (stage, browser, _folder) = page("<form><div id=place></div></form>");
    browser.script(
        "const never = (name) => () => told.push(name); \
         globalThis.id = turnstile.render('#place', {sitekey: 'contact', action: 'sign-up', cData: '42', tabindex: 3, retry: 'auto', \
           'retry-interval': 2000, 'refresh-timeout': 'manual', 'refresh-expired': 'auto', 'feedback-enabled': false, \
           'before-interactive-callback': never('before'), 'after-interactive-callback': never('after'), \
           'timeout-callback': never('timeout'), 'unsupported-callback': never('unsupported'), 'expired-callback': never('expired'), \
           'error-callback': never('error'), callback: (token) => told.push(token)})",
    );
    let token = browser.wait(2 * SOON, "a token", TOKEN);
    assert_eq!(browser.script("return told"), json!([token]), "and nothing but the token is told");
    let question = json!({"secret": SECRET, "response": token}).to_string();
    let answer = stage.client().request("POST", "/.portcullis/siteverify").body("application/json", question).send();
    let answer: Value = answer.json();
    assert_eq!((&answer["action"], &answer["cdata"]), (&json!("sign-up"), &json!("42")), "{answer}");
}
