//! Forms under the script tag: they are paid for before they are sent, so that none meets the gate and loses what was typed.

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::wait::SOON;

through_both!(
    a_form_is_paid_for_before_it_is_posted,
    a_form_of_which_only_the_post_is_asked_for_never_meets_the_gate,
    a_script_that_submits_a_form_sends_it_as_it_was_then,
    a_form_that_cannot_be_paid_for_stays_with_all_that_was_typed,
    a_form_that_scripts_of_the_page_send_is_theirs,
);

pub(super) const FORM: &str = "<form method=post action=\"/elsewhere\"><input name=text id=text>\
     <button id=send name=kind value=short formaction=\"/submit\">Send</button></form>";

fn settings() -> Settings {
    Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 2_000)
        .rule("path = \"/files/page.html\"\naction = \"allow\"")
}

/// The site with a page of this body and the tag, in a browser without a clearance.
fn page(front: Front, body: &str, engine: Engine, traits: Traits) -> (Stage, Browser, TempDir) {
    let stage = Stage::new(front, settings());
    let (browser, folder) = stage.open_with_tag(body, engine, traits);
    (stage, browser, folder)
}

#[track_caller]
fn echo(browser: &Browser) -> String {
    let echo = browser.wait(SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    echo.as_str().unwrap().to_owned()
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
    let requests = stage.relay.requests();
    let mut questions = requests.iter().filter(|line| line.starts_with("GET /.portcullis/clearance?for=%2F"));
    assert!(questions.all(|line| line.contains("once=")), "what a service worker kept is no answer: {requests:?}");
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

fn a_form_of_which_only_the_post_is_asked_for_never_meets_the_gate(front: Front) {
    let rule = "path = \"/submit\"\nmethod = \"POST\"\naction = \"challenge\"";
    let stage = Stage::new(front, settings().set("mode", "auto").rule(rule));
    let (browser, _folder) = stage.open_with_tag(FORM, Engine::Chromium, Traits::default());
    let asked = browser.script(
        "const ask = (method) => fetch('/.portcullis/clearance?for=/submit' + method) \
           .then(async (answer) => [answer.status, (await answer.json()).needed ?? null]); \
         return Promise.all([ask(''), ask('&method=GET'), ask('&method=POST'), ask('&method=odd')])",
    );
    assert_eq!(asked, json!([[200, false], [200, false], [401, null], [200, false]]));
    posted(&stage, &browser);
}

#[test]
fn what_a_rule_denies_is_sent_and_answered_by_the_page_that_says_so() {
    let rule = "path = \"/submit\"\nmethod = \"POST\"\naction = \"deny\"";
    let stage = Stage::new(Front::Proxy, settings().rule(rule));
    let (browser, _folder) = stage.open_with_tag(FORM, Engine::Chromium, Traits::default());
    browser.click("#send");
    browser.wait(SOON, "the gate's page", "return document.body.innerText.includes('do not allow this request')");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0, "no work would have helped");
}

#[test]
fn a_form_that_is_replaced_while_it_is_held_is_sent_as_it_was() {
    let (stage, browser, _folder) = page(Front::Proxy, FORM, Engine::Chromium, Traits::default());
    stage.relay.hold_up("POST /.portcullis/verify", Duration::from_secs(2));
    browser.type_text("#text", "three words typed");
    browser.click("#send");
    browser.script("document.querySelector('#origin').innerHTML = '<p>Another view</p>'");
    assert_eq!(echo(&browser), "text=three+words+typed&kind=short");
    assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (1, 1));
}

#[test]
fn fields_may_be_named_like_what_forms_can_do() {
    let fields = ["append", "remove", "submit", "requestSubmit"];
    let fields: String = fields.map(|name| format!("<input type=hidden name={name} value=x>")).concat();
    let body = FORM.replace("</form>", &format!("{fields}</form>"));
    for act in ["document.querySelector('#send').click()", "HTMLFormElement.prototype.submit.call(document.forms[0])"] {
        let (stage, browser, _folder) = page(Front::Proxy, &body, Engine::Chromium, Traits::default());
        // Elsewhere, so that what it does here can be seen to its end.
        browser.script(
            "const frame = document.createElement('iframe'); frame.name = 'aside'; document.body.append(frame); \
             document.forms[0].target = 'aside'; document.forms[0].setAttribute('action', '/submit')",
        );
        browser.script(act);
        let sent = "return window.frames.aside.document.querySelector('#echo')?.textContent";
        let sent = browser.wait(SOON, "the form's answer", sent);
        assert!(sent.as_str().unwrap().contains("remove=x"), "{sent}");
        browser.wait(SOON, "the form to be free again", "return !document.forms[0].hasAttribute('aria-busy')");
        assert_eq!(browser.script("return document.querySelector('.portcullis-alert')?.textContent"), json!(null));
        assert_eq!(stage.origin.count("/submit"), 1);
    }
}

fn a_script_that_submits_a_form_sends_it_as_it_was_then(front: Front) {
    let body = "<form method=post action=\"/submit\" enctype=\"multipart/form-data\"><input name=text id=text>\
         <input type=file name=file id=file><input type=file name=none></form>";
    let (stage, browser, _folder) = page(front, body, Engine::Chromium, Traits::default());
    browser.type_text("#text", "three words typed");
    browser.script(
        "const files = new DataTransfer(); files.items.add(new File(['what is in it'], 'a.txt', {type: 'text/plain'})); \
         document.querySelector('#file').files = files.files; \
         const form = document.querySelector('form'); form.submit(); form.reset(); form.remove()",
    );
    let echo = echo(&browser);
    for part in ["\r\n\r\nthree words typed\r\n", "filename=\"a.txt\"", "what is in it", "name=\"none\"; filename=\"\""]
    {
        assert!(echo.replace('\n', "\r\n").replace("\r\r", "\r").contains(part), "{part}: {echo}");
    }
    assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (1, 1), "it never met the gate");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}

#[test]
fn every_engine_sends_what_a_script_submits_after_it_was_paid_for() {
    for engine in Engine::ALL {
        let (stage, browser, _folder) = page(Front::Proxy, FORM, engine, Traits::default());
        browser.type_text("#text", "three words typed");
        // As scripts do it that look at a form first.
        browser.script(
            "const form = document.querySelector('form'); form.action = '/submit'; \
             form.addEventListener('submit', (event) => { event.preventDefault(); setTimeout(() => form.submit(), 50); })",
        );
        browser.click("#send");
        assert_eq!(echo(&browser), "text=three+words+typed", "{}", engine.name());
        assert_eq!((stage.relay.count("POST /submit"), stage.origin.count("/submit")), (1, 1));
    }
}

#[test]
fn what_a_script_submits_in_vain_stays_where_it_can_be_read_why() {
    let traits = Traits { without_cookies: true, ..Traits::default() };
    let (stage, browser, _folder) = page(Front::Proxy, FORM, Engine::Chromium, traits);
    browser.script("document.querySelector('form').submit()");
    let alert = browser.wait(SOON, "an alert", "return document.querySelector('form [role=alert]')?.textContent");
    assert!(alert.as_str().unwrap().contains("allow cookies"), "{alert}");
    assert_eq!(stage.relay.count("POST /elsewhere"), 0);
    browser.script("const form = document.querySelector('form'); form.submit(); form.remove()");
    browser.wait(SOON, "the gate's page", "return document.body.dataset.challenge");
    assert_eq!(stage.relay.count("POST /elsewhere"), 1);
}

#[test]
fn a_form_to_another_host_of_the_site_is_paid_for_there() {
    const OTHER: &str = "www.portcullis.test";
    let hosts = [HOST, OTHER].map(toml::Value::from).to_vec();
    let stage = Stage::with_site(Front::Proxy, settings(), |settings| settings.of_site("hosts", hosts));
    let form = FORM.replace("\"/submit\"", &stage.url("/submit").replace(HOST, OTHER));
    let (browser, _folder) = stage.open_with_tag(&form, Engine::Chromium, Traits::default());
    posted(&stage, &browser);
    assert_eq!(browser.script("return location.hostname"), json!(OTHER));
}

#[test]
fn a_form_to_who_has_no_gate_is_sent_as_ever() {
    let stranger = Origin::start("stranger");
    for (host, asked) in [("elsewhere.test", 0), ("shop.portcullis.test", 1)] {
        let form = FORM.replace("\"/submit\"", &format!("http://{host}:{}/submit", stranger.port));
        let (stage, browser, _folder) = page(Front::Proxy, &form, Engine::Chromium, Traits::default());
        browser.type_text("#text", "three words typed");
        browser.click("#send");
        assert_eq!(echo(&browser), "text=three+words+typed&kind=short", "{host}");
        assert_eq!(stranger.count("/.portcullis/clearance"), asked, "{host}: only a neighbour may belong to the site");
        assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
    }
    assert_eq!(stranger.count("/submit"), 2);
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
