//! When solving is not the end of it.

use std::time::Duration;

use tests::browser::{Browser, Traits};
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, stays};

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
