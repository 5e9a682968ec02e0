//! When solving is not the end of it.

use std::time::Duration;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, stays, until_true};

through_both!(
    a_gate_lifted_in_the_middle_lets_the_page_leave,
    a_browser_that_keeps_no_cookie_is_told_and_does_not_loop,
    a_network_that_asks_for_many_pages_is_still_let_in,
);

fn slow() -> Traits {
    Traits { without_wasm: true, ..Traits::default() }
}

fn settings(difficulty: u32) -> Settings {
    Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 240)
}

fn a_gate_lifted_in_the_middle_lets_the_page_leave(front: Front) {
    let stage = Stage::new(front, settings(20_000_000));
    let browser = Browser::with(slow());
    browser.open(&stage.url("/page/5#here"));
    browser.wait(SOON, "the page to solve", "return document.documentElement.dataset.state === 'solving'");
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    let lifted = stage.verifier.command(&["mode", "off", "--config", &file]);
    assert!(lifted.status.success(), "{lifted:?}");
    assert_eq!(browser.wait_for_origin(SOON), "/page/5");
    assert_eq!(browser.url(), stage.url("/page/5#here"));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0, "nobody solved it");
}

fn a_browser_that_keeps_no_cookie_is_told_and_does_not_loop(front: Front) {
    let stage = Stage::new(front, settings(100));
    let browser = Browser::with(Traits { without_cookies: true, ..Traits::default() });
    browser.open(&stage.url("/page/0"));
    browser.wait(SOON, "the page to say so", "return document.documentElement.dataset.failure === 'cookies'");
    let text = browser.script("return document.body.innerText").to_string();
    assert!(text.contains("allow cookies"), "{text}");
    // The page asks every five seconds while it works: it must neither reload nor solve for longer than that.
    stays(Duration::from_secs(7), || {
        let (pages, solutions) = (stage.relay.count("GET /page/0"), stage.relay.count("POST /.portcullis/verify"));
        (pages > 1 || solutions > 2)
            .then(|| format!("{pages} pages, {solutions} solutions: {:?}", stage.relay.requests()))
    });
    assert_eq!(stage.origin.seen().len(), 0);
}

fn a_network_that_asks_for_many_pages_is_still_let_in(front: Front) {
    let stage = Stage::new(front, settings(1000));
    let client = stage.client();
    let page = || client.navigate("/page/0");
    let mut small = page();
    for _ in 0..40 {
        small = page();
        if small.body.len() <= 640 {
            break;
        }
    }
    assert_eq!(small.status, 429);
    assert!(small.body.len() <= 640, "more than ten pages in a second, and still {} bytes", small.body.len());
    assert!(small.text().contains(small.header("portcullis-challenge").unwrap()));
    let flood = std::thread::spawn({
        let client = client.clone();
        move || (0..3000).for_each(|_| drop(client.request("GET", "/page/0").header("Accept", "text/html").try_send()))
    });
    let browser = Browser::start();
    browser.open(&stage.url("/page/1"));
    assert_eq!(browser.wait_for_origin(SOON), "/page/1");
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
    flood.join().unwrap();
}

#[test]
fn whoever_the_price_is_too_high_for_reads_a_number_that_is_in_the_log() {
    // In a second a phone does so much less of this algorithm than of the other that the price of now is out of its reach.
    let stage = Stage::new(Front::Proxy, settings(1_000).set("challenge.max_solve_seconds", 1));
    let admin = stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    let price = json!({"site": "main", "price": 30_000_000, "minutes": 5}).to_string();
    admin.request("POST", "/price").body("application/json", price).try_send().unwrap().expect_status(200);
    let browser = Browser::with(slow());
    browser.open(&stage.url("/page/0"));
    browser.wait(SOON, "the page to say so", "return document.documentElement.dataset.failure === 'outpriced'");
    let read = "return /outpriced-[0-9a-f]{8}/.exec(document.querySelector('#request').textContent)?.[0]";
    let number = browser.wait(SOON, "the number", read);
    until_true(SOON, "its line in the log", || stage.verifier.log().contains(number.as_str().unwrap()));
}

#[test]
fn at_most_three_challenges_are_used_in_a_row_whatever_other_tabs_say() {
    let settings = settings(100).set("challenge.lifetime_seconds", 3).set("challenge.max_solve_seconds", 3);
    let rule = "path = \"/robots.txt\"\naction = \"allow\"";
    let stage = Stage::new(Front::Proxy, settings.set("challenge.hashwx.enabled", false).rule(rule));
    // Solutions are longer on their way than their challenge lives.
    stage.relay.hold_up("POST /.portcullis/verify", Duration::from_secs(4));
    let browser = Browser::with(Traits::default());
    let [page] = &browser.tabs()[..] else { panic!("one tab") };
    let other = browser.open_tab();
    browser.switch_to(&other);
    browser.open(&stage.url("/robots.txt"));
    browser.wait_for_origin(SOON);
    browser.switch_to(page);
    browser.cdp("Page.bringToFront", &json!({}));
    browser.open(&stage.url("/page/0"));
    until_true(2 * SOON, "the second solution", || stage.relay.count("POST /.portcullis/verify") == 2);
    // A tab that was first, as after a sleep, and is gone again; and one that has bought, for another address.
    browser.switch_to(&other);
    browser.script(
        "const channel = new BroadcastChannel('portcullis ' + location.origin); \
         const first = {id: -1, established: true, progress: {solved: 0, count: 8}}; \
         for (const kind of ['gone', 'done', 'gone']) { channel.postMessage({...first, kind: 'beat'}); channel.postMessage({...first, kind}); }",
    );
    browser.switch_to(page);
    browser.wait(2 * SOON, "the page to give up", "return document.documentElement.dataset.failure === 'expired'");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 3);
    assert_eq!(stage.relay.count("GET /page/0"), 1);
}
