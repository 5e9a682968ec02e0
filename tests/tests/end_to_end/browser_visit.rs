//! A visit with a real browser: challenged once, solved, and then left in peace.

use std::time::Duration;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

through_both!(
    challenged_once_and_left_in_peace_for_twenty_clicks,
    the_gate_takes_four_requests_before_it_has_a_solution_and_five_with_hashwx,
    the_fragment_is_kept,
    a_second_browser_is_challenged_anew,
    three_tabs_at_once_buy_one_clearance,
    nothing_is_asked_of_others_and_no_policy_is_violated,
    wasm_without_simd_solves,
    javascript_solves_where_wasm_is_off,
);

fn stage(front: Front, difficulty: u32) -> Stage {
    Stage::new(front, settings(difficulty))
}

fn stage_of_sha256(front: Front, difficulty: u32) -> Stage {
    Stage::new(front, settings(difficulty).set("challenge.hashwx.enabled", false))
}

fn settings(difficulty: u32) -> Settings {
    Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 60)
        .rule("path = \"/robots.txt\"\naction = \"allow\"")
        .rule("path = \"/static/**\"\nasset = true")
}

fn challenged_once_and_left_in_peace_for_twenty_clicks(front: Front) {
    let stage = stage(front, 200_000);
    let browser = Browser::start();
    browser.open(&stage.url("/page/0?from=abroad"));
    assert_eq!(browser.wait_for_origin(SOON), "/page/0?from=abroad");
    assert_eq!(browser.url(), stage.url("/page/0?from=abroad"), "the page stands at the address asked for");
    assert_eq!(browser.script("return isSecureContext"), json!(false), "what visitors on plain HTTP have");
    assert_eq!(browser.notes("lane"), ["hashwx"]);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
    browser.click("#next");
    for number in 1..=20 {
        let script = format!("return document.querySelector('#origin')?.dataset.target === '/page/{number}'");
        browser.wait(SOON, "the next page", &script);
        if number < 20 {
            browser.click("#next");
        }
    }
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1, "one purchase");
    assert_eq!(
        stage.relay.count("GET /page/"),
        22,
        "the gate's page, and then each page once: {:?}",
        stage.relay.requests()
    );
    assert_eq!(stage.origin.count("/page/"), 21);
}

fn the_gate_takes_four_requests_before_it_has_a_solution_and_five_with_hashwx(front: Front) {
    for (stage, most) in [(stage_of_sha256(front, 20_000), 4), (stage(front, 20_000), 5)] {
        let browser = Browser::start();
        browser.open(&stage.url("/page/0"));
        browser.wait_for_origin(SOON);
        let requests = stage.relay.requests();
        let before: Vec<_> = requests.iter().take_while(|line| !line.starts_with("POST /.portcullis/verify")).collect();
        assert_eq!(before.len(), most, "page, style, script that is the worker's too, solver (two files): {before:?}");
    }
}

fn the_fragment_is_kept(front: Front) {
    let stage = stage(front, 1000);
    let browser = Browser::start();
    browser.open(&stage.url("/article?id=7#comments"));
    assert_eq!(browser.wait_for_origin(SOON), "/article?id=7");
    assert_eq!(browser.url(), stage.url("/article?id=7#comments"));
    assert_eq!(browser.script("return location.hash"), json!("#comments"));
}

fn a_second_browser_is_challenged_anew(front: Front) {
    let stage = stage(front, 1000);
    for visitor in 1..=2 {
        let browser = Browser::start();
        browser.open(&stage.url("/"));
        browser.wait_for_origin(SOON);
        assert_eq!(stage.relay.count("POST /.portcullis/verify"), visitor);
    }
}

fn three_tabs_at_once_buy_one_clearance(front: Front) {
    let stage = stage(front, 2_500_000);
    let browser = Browser::start();
    browser.open(&stage.url("/robots.txt"));
    browser.wait_for_origin(SOON);
    let first = browser.tabs();
    browser.script("for (const number of [1, 2, 3]) window.open('/page/' + number); return true");
    let tabs = browser.tabs().into_iter().filter(|tab| !first.contains(tab)).collect::<Vec<_>>();
    assert_eq!(tabs.len(), 3);
    for tab in tabs {
        browser.switch_to(&tab);
        assert!(browser.wait_for_origin(Duration::from_mins(1)).starts_with("/page/"));
    }
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1, "{:?}", stage.relay.requests());
    assert_eq!(stage.origin.count("/page/"), 3);
}

fn nothing_is_asked_of_others_and_no_policy_is_violated(front: Front) {
    let stage = stage(front, 200_000);
    let browser = Browser::start();
    browser.open(&stage.url("/"));
    browser.wait_for_origin(SOON);
    let requests = browser.notes("request");
    assert!(requests.iter().any(|url| url.contains("/.portcullis/")), "the page's requests are seen: {requests:?}");
    let own = stage.url("/");
    let foreign = requests.iter().filter(|url| !url.starts_with(&own) && !url.starts_with("data:")).collect::<Vec<_>>();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
    // Workers have a policy of their own; its violations only reach the console.
    let log = browser.log();
    let complaints = log.iter().filter(|line| !line.contains("429"));
    assert_eq!(complaints.count(), 0, "{log:?}");
}

fn wasm_without_simd_solves(front: Front) {
    let stage = stage_of_sha256(front, 20_000);
    let browser = Browser::with(Traits { without_simd: true, ..Traits::default() });
    browser.open(&stage.url("/"));
    browser.wait_for_origin(SOON);
    // (module (func (result v128) (v128.const 0) …)): the smallest module that needs SIMD.
    let simd = "return WebAssembly.validate(new Uint8Array([0,97,115,109,1,0,0,0,1,5,1,96,0,1,123,3,2,1,0,10,10,1,8,0,65,0,253,15,253,98,11]))";
    assert_eq!(browser.script(simd), json!(false), "the precondition");
    assert_eq!(browser.notes("lane"), ["scalar"]);
}

fn javascript_solves_where_wasm_is_off(front: Front) {
    let stage = stage(front, 2_000);
    let browser = Browser::with(Traits { without_wasm: true, ..Traits::default() });
    browser.open(&stage.url("/"));
    browser.wait_for_origin(Duration::from_mins(1));
    assert_eq!(browser.script("return typeof WebAssembly"), json!("undefined"), "the precondition");
    assert_eq!(browser.notes("lane"), ["javascript"]);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}
