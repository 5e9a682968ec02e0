//! Budgets and prices as a browser meets them.

use std::time::{Duration, Instant};

use tests::browser::{Browser, Traits};
use tests::pages::ASSETS;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{challenge, redeem};
use tests::wait::SOON;

through_both!(
    a_spent_budget_is_bought_again,
    a_page_of_sixty_assets_loads_whole_on_the_smallest_clearance,
    a_page_of_sixty_assets_loads_whole_when_the_price_has_risen_tenfold,
    a_slow_visitor_reaches_a_dear_route,
    a_slow_visitor_reaches_a_standing_challenge,
);

/// How long the slow visitor needs, at least.
const SLOW: Duration = Duration::from_secs(20);

fn settings() -> Settings {
    Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 100)
        .set("challenge.max_solve_seconds", 60)
        .rule("path = \"/robots.txt\"\naction = \"allow\"")
        .rule("path = \"/static/**\"\nasset = true")
        .rule("path = \"/dear\"\ncost = 20")
        .rule("path = \"/standing\"\naction = \"challenge\"")
}

fn a_spent_budget_is_bought_again(front: Front) {
    let stage = Stage::new(front, settings().set("clearance.credits", 23));
    let browser = Browser::start();
    browser.open(&stage.url("/page/0"));
    browser.wait_for_origin(SOON);
    for number in 1..=24 {
        browser.click("#next");
        let script = format!("return document.querySelector('#origin')?.dataset.target === '/page/{number}'");
        browser.wait(SOON, "the next page", &script);
        let bought = stage.relay.count("POST /.portcullis/verify");
        assert_eq!(bought, if number < 20 { 1 } else { 2 }, "page {number}: 23 credits less the reserve are 20 pages");
    }
    assert_eq!(stage.origin.count("/page/"), 25);
}

#[track_caller]
fn sixty_assets_are_there(stage: &Stage, browser: &Browser) {
    browser.wait_for_origin(SOON);
    let script = format!(
        "return document.images.length === {ASSETS} && [...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    );
    browser.wait(SOON, "all assets", &script);
    assert_eq!(stage.origin.count("/static/"), ASSETS);
    assert_eq!(stage.origin.count("/page60"), 1);
}

fn a_page_of_sixty_assets_loads_whole_on_the_smallest_clearance(front: Front) {
    let mut stage = Stage::new(front, settings());
    let client = stage.client();
    let cheap = challenge(&client, "");
    stage.verifier_reprice(2000);
    let (cookie, credits) = redeem(&client, "", &cheap);
    assert!((credits - 5.0).abs() < 0.01, "a twentieth is the least that is sold: {credits}");
    let browser = Browser::start();
    browser.open(&stage.url("/robots.txt"));
    browser.set_cookie(&cookie);
    browser.open(&stage.url("/page60"));
    sixty_assets_are_there(&stage, &browser);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
}

fn a_page_of_sixty_assets_loads_whole_when_the_price_has_risen_tenfold(front: Front) {
    let mut stage = Stage::new(front, settings());
    let browser = Browser::start();
    browser.open(&stage.url("/page/0"));
    browser.wait_for_origin(SOON);
    stage.verifier_reprice(1000);
    browser.open(&stage.url("/page60"));
    sixty_assets_are_there(&stage, &browser);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1, "the clearance of before is enough");
}

fn a_slow_visitor_reaches_a_dear_route(front: Front) {
    slow_visit(front, "/dear");
}

fn a_slow_visitor_reaches_a_standing_challenge(front: Front) {
    slow_visit(front, "/standing");
}

/// Without wasm a browser is slow; the price is raised until it is as slow as the claim says.
fn slow_visit(front: Front, target: &str) {
    let mut stage = Stage::new(front, settings().set("challenge.difficulty", 4000));
    let browser = Browser::with(Traits { without_wasm: true, ..Traits::default() });
    let mut difficulty = 4000;
    for round in 1..=5 {
        let start = Instant::now();
        browser.open(&stage.url(target));
        assert_eq!(browser.wait_for_origin(Duration::from_secs(150)), target);
        let needed = start.elapsed();
        assert_eq!(stage.relay.count("POST /.portcullis/verify"), round, "each time solved once");
        assert_eq!(stage.origin.count(target), round);
        if needed >= SLOW {
            return;
        }
        let factor = (SLOW.as_millis() * 7 / 4).div_ceil(needed.as_millis()).min(16);
        difficulty *= u32::try_from(factor).unwrap();
        stage.verifier_reprice(difficulty);
        browser.forget_cookies();
    }
    panic!("this browser was never slow enough");
}

/// Changes the price of a stage.
trait Reprice {
    fn verifier_reprice(&mut self, difficulty: u32);
}

impl Reprice for Stage {
    fn verifier_reprice(&mut self, difficulty: u32) {
        // From a network where nobody buys: a multiplier would be asked too.
        let client = self.client().in_network(255, 0);
        self.verifier.reload(&[("challenge.difficulty", difficulty.into())], || {
            tests::visitor::ask(&client, "")["difficulty"] == serde_json::json!(difficulty)
        });
        assert_eq!(client.host().split(':').next(), Some(HOST));
    }
}
