//! The gate's page in moments that pass, and the message for very many visitors: axe-core finds nothing there either, in any
//! engine (docs/ACCESSIBILITY.md).

use std::time::Duration;

use tests::axe::{finds_nothing, finds_nothing_but};
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, until};

use super::browser_accessible::{NEVER, in_state, stage};
use super::browser_tag_refusals::hold_all_slots;

/// Longer than anybody here looks.
const LONG: Duration = Duration::from_secs(45);

#[test]
fn axe_finds_nothing_in_moments_that_pass_in_chromium() {
    in_every_moment(Engine::Chromium);
}

#[test]
fn axe_finds_nothing_in_moments_that_pass_in_firefox() {
    in_every_moment(Engine::Firefox);
}

#[test]
fn axe_finds_nothing_in_moments_that_pass_in_webkit() {
    in_every_moment(Engine::WebKitGtk);
}

fn in_every_moment(engine: Engine) {
    let browser = Browser::of(engine, Traits::default());
    before_its_solver_is_there(&browser);
    while_the_site_does_not_answer(&browser);
    when_its_script_does_not_come(&browser);
    where_it_waits_because_it_cannot_calculate(&browser);
    when_there_are_too_many_visitors(&browser);
}

fn before_its_solver_is_there(browser: &Browser) {
    let stage = stage(NEVER);
    stage.relay.hold_up("GET /.portcullis/hashwx", LONG);
    browser.open(&stage.url("/"));
    in_state(browser, "starting");
    finds_nothing(browser, "starting");
    in_state(browser, "starting");
}

fn while_the_site_does_not_answer(browser: &Browser) {
    let stage = stage(20_000);
    stage.relay.hold_up("POST /.portcullis/verify", LONG);
    browser.open(&stage.url("/"));
    in_state(browser, "verifying");
    finds_nothing(browser, "verifying");
    stage.relay.cut();
    let says = "return document.querySelector('#status').textContent.includes('No connection')";
    browser.wait(SOON, "the page to say so", says);
    finds_nothing(browser, "verifying without a connection");
    in_state(browser, "verifying");
}

fn when_its_script_does_not_come(browser: &Browser) {
    let stage = stage(NEVER);
    stage.relay.refuse("GET /.portcullis/gate-");
    browser.open(&stage.url("/"));
    let late = "return !document.documentElement.dataset.state && getComputedStyle(document.querySelector('#late')).opacity === '1'";
    browser.wait(SOON, "the page to say so", late);
    finds_nothing(browser, "without its script");
}

/// What cannot be made any more once the page is there: it is asked to begin again.
const BREAKS: &str = "window.Worker = class { constructor() { throw new Error('none'); } }; \
     window.MessageChannel = class { constructor() { this.port1 = { close() {} }; this.port2 = { postMessage() {} }; } };";

fn where_it_waits_because_it_cannot_calculate(browser: &Browser) {
    let settings = Settings::new().set("challenge.difficulty", NEVER).set("challenge.max_solve_seconds", 240);
    let settings = settings.set("ticket.wait_seconds", 90);
    let stage = Stage::with_site(Front::Proxy, settings, |settings| settings.of_site("capacity_per_second", 200));
    browser.open(&stage.url("/"));
    in_state(browser, "solving");
    browser.click("#action");
    in_state(browser, "cancelled");
    browser.script(BREAKS);
    browser.click("#action");
    let waits = "return document.documentElement.dataset.failure === 'no_progress' && document.querySelector('#lead').textContent";
    let said = browser.wait(6 * SOON, "the page to give up", waits);
    assert!(said.as_str().unwrap().contains("waits instead"), "{said}");
    finds_nothing(browser, "waiting like a browser without script");
}

/// The message asks again by itself, which axe-core takes for a fault: nothing is lost by it.
fn when_there_are_too_many_visitors(browser: &Browser) {
    let settings = Settings::new().set("challenge.difficulty", 2_000);
    let stage = Stage::with_site(Front::Proxy, settings, |settings| settings.of_site("capacity_per_second", 100));
    browser.open(&stage.url("/page/0"));
    browser.wait_for_origin(SOON);
    let _held = hold_all_slots(&stage);
    browser.open(&stage.url("/page/1"));
    until(6 * SOON, "the message to stay for as long as it is looked at", || {
        let message = "return document.querySelector('meta[http-equiv=refresh]') && document.querySelector('#request')?.textContent";
        let said = browser.try_script(message)?;
        said.as_str()?.contains("503").then_some(())?;
        finds_nothing_but(browser, "too many visitors", &["meta-refresh"]).then_some(())
    });
}
