//! A path that is denied to somebody who has paid: the browser shows what the gate says of it, and nobody pays again.

use std::time::Duration;

use serde_json::json;
use tests::browser::Browser;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, stays, until_true};

const SOLD: &str = "POST /.portcullis/verify";
const ASKED_BY_TAG: &str = "GET /.portcullis/clearance?for=%2Fapp&method=GET";
/// The script asks for the first time after fifteen seconds.
const FIRST_ASK: Duration = Duration::from_secs(15);

fn stage() -> Stage {
    Stage::new(Front::Proxy, Settings::new().set("challenge.count", 8).set("challenge.difficulty", 2_000))
}

fn deny(stage: &Stage, path: &str) {
    let admin = stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    let rule = json!({"action": "deny", "path": path, "minutes": 5}).to_string();
    admin.request("POST", "/rules").body("application/json", rule).try_send().unwrap().expect_status(200);
}

#[test]
fn what_is_denied_while_it_is_paid_for_says_so_and_is_paid_for_once() {
    let stage = stage();
    stage.relay.hold_up(SOLD, Duration::from_secs(3));
    let browser = Browser::start();
    browser.open(&stage.url("/page/0"));
    until_true(SOON, "the solution to be on its way", || stage.relay.count(SOLD) == 1);
    deny(&stage, "/page/0");
    browser.wait(
        SOON,
        "the page that says so",
        "return document.querySelector('h1')?.textContent === 'This page is not available'",
    );
    stays(Duration::from_secs(3), || (stage.relay.count(SOLD) > 1).then(|| format!("{:?}", stage.relay.requests())));
    assert_eq!(stage.relay.count("GET /page/0"), 2, "the gate's page, and what it says now");
}

#[test]
fn a_page_that_is_denied_by_now_renews_nothing() {
    let stage = stage();
    let browser = Browser::start();
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    deny(&stage, "/app");
    until_true(FIRST_ASK + SOON, "it asks", || stage.relay.count(ASKED_BY_TAG) == 1);
    stays(Duration::from_secs(5), || (stage.relay.count(SOLD) > 1).then(|| format!("{:?}", stage.relay.requests())));
    assert_eq!(browser.script("return fetch('/page/1').then(({status}) => status)"), json!(200), "all others go on");
}
