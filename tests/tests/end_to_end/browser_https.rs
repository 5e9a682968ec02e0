//! Pages that stay over HTTPS, where a browser has more than on plain HTTP: the tag, a form, a form with a token and the widget,
//! in every engine.

use serde_json::json;
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::client::Client;
use tests::engine::Engine;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::wait::SOON;

use super::browser_conditions::over_https;
use super::browser_widget::{SECRET, TAG, TOKEN, ask, page, settings};

const FORMS: &str = "<form method=post action=\"/submit\"><input name=text id=text><button id=send>Send</button></form>\
     <form method=post action=\"/submit\" data-portcullis data-sitekey=contact><input name=text id=other><button id=prove>Send</button></form>\
     <form id=third><div class=portcullis data-sitekey=contact></div></form>";

#[test]
fn chromium_does_it_over_https() {
    in_engine(Engine::Chromium);
}

#[test]
fn firefox_does_it_over_https() {
    in_engine(Engine::Firefox);
}

#[test]
fn webkit_does_it_over_https() {
    in_engine(Engine::WebKitGtk);
}

fn in_engine(engine: Engine) {
    let (server, verifier, origin) = over_https(settings(), "location / { PASS }");
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("page.html"), page(TAG, FORMS)).unwrap();
    origin.offer(folder.path());
    let browser = Browser::of(engine, Traits::default());
    let open = || {
        browser.open(&format!("https://{HOST}:{}/files/page.html", server.port));
        browser.wait_for_origin(SOON);
    };
    open();
    assert_eq!(browser.script("return isSecureContext"), json!(true));

    let widget = browser.wait(2 * SOON, "the widget's token", TOKEN);
    good_once(&verifier, widget.as_str().unwrap());

    assert!(browser.cookie("__Host-portcullis").is_none(), "nothing was bought yet but a token");
    let asked = browser.script(
        "const body = new URLSearchParams({text: 'typed'}); \
         const xhr = new Promise((resolve) => { const request = new XMLHttpRequest(); request.open('POST', '/upload'); \
           request.onload = () => resolve(request.status + ' ' + request.responseText); request.send('12345'); }); \
         return Promise.all([fetch('/submit', {method: 'POST', body}).then(({status}) => status), xhr])",
    );
    assert_eq!(asked, json!([200, "200 5"]));
    assert!(browser.cookie("__Host-portcullis").is_some());
    assert_eq!((origin.count("/submit"), origin.count("/upload")), (1, 1));

    browser.forget_cookies();
    open();
    browser.type_text("#text", "typed");
    browser.click("#send");
    assert_eq!(echo(&browser), "text=typed", "it was paid for before it was sent");
    assert!(browser.cookie("__Host-portcullis").is_some());

    browser.forget_cookies();
    open();
    browser.type_text("#other", "typed");
    browser.click("#prove");
    let sent = echo(&browser);
    let token = sent.strip_prefix("text=typed&portcullis-response=").unwrap_or_else(|| panic!("{sent}"));
    good_once(&verifier, token);
    assert_eq!(origin.count("/submit"), 3);
}

fn echo(browser: &Browser) -> String {
    let echo = browser.wait(2 * SOON, "the form's answer", "return document.querySelector('#echo')?.textContent");
    echo.as_str().unwrap().to_owned()
}

/// As a back end finds it.
fn good_once(verifier: &Verifier, token: &str) {
    let client: Client =
        verifier.client(HOST).with("X-Forwarded-Proto", "https").with("X-Forwarded-For", "198.51.100.7");
    assert_eq!(ask(&client, SECRET, token)["success"], json!(true));
    assert_eq!(ask(&client, SECRET, token)["error-codes"], json!(["timeout-or-duplicate"]));
}
