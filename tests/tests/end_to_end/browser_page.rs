//! What the gate's page itself does, whatever stands in front.

use std::time::Duration;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, stays};

fn stage(difficulty: u32, lifetime_seconds: u32) -> Stage {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.lifetime_seconds", lifetime_seconds)
        .set("challenge.max_solve_seconds", 240.min(lifetime_seconds));
    Stage::new(Front::Proxy, settings)
}

fn in_state(state: &str) -> String {
    format!("return document.documentElement.dataset.state === '{state}'")
}

#[test]
fn it_announces_start_half_and_end_and_nothing_else() {
    let stage = stage(1_000_000, 300);
    let browser = Browser::start();
    browser.open(&stage.url("/"));
    browser.wait_for_origin(SOON);
    let announced = browser.notes("live");
    assert_eq!(announced.len(), 3, "{announced:?}");
    for (text, word) in announced.iter().zip(["started", "alf", "one"]) {
        assert!(text.contains(word), "{announced:?}");
    }
}

#[test]
fn a_visitor_may_cancel_and_try_again() {
    let stage = stage(5_000_000, 300);
    let browser = Browser::start();
    browser.open(&stage.url("/page/0"));
    browser.wait(SOON, "the page to solve", &in_state("solving"));
    browser.click("[data-action=cancel]");
    browser.wait(SOON, "the page to stop", &in_state("cancelled"));
    stays(Duration::from_secs(4), || {
        let solved = stage.relay.count("POST /.portcullis/verify");
        (solved > 0).then(|| "it went on in secret".to_owned())
    });
    browser.click("[data-action=retry]");
    assert_eq!(browser.wait_for_origin(SOON * 3), "/page/0");
}

#[test]
fn a_visitor_too_slow_for_three_challenges_is_told() {
    let stage = stage(1_000_000, 3);
    let browser = Browser::with(Traits { without_wasm: true, ..Traits::default() });
    browser.open(&stage.url("/page/0"));
    let failed = "return document.documentElement.dataset.failure === 'expired'";
    browser.wait(SOON * 2, "the page to give up", failed);
    let text = browser.script("return document.body.innerText").to_string();
    assert!(text.contains("longer than allowed"), "{text}");
    assert_eq!(browser.notes("state").iter().filter(|state| *state == "failed").count(), 1);
    assert_eq!(stage.relay.count("GET /page/0"), 1, "it renews challenges, it does not reload");
    let fetched = stage.relay.count("GET /.portcullis/challenge");
    assert!((1..=3).contains(&fetched), "{fetched} challenges fetched");
}

#[test]
fn in_a_strangers_frame_it_does_not_solve_and_says_why() {
    let stage = stage(100, 300);
    let stranger = Origin::start("stranger");
    let browser = Browser::start();
    browser.open(&format!("http://stranger.test:{}/frame?{}", stranger.port, stage.url("/page/0")));
    browser.wait_for_origin(SOON);
    browser.enter_frame();
    browser.wait(SOON, "the page to refuse", &in_state("framed"));
    let link = browser.script("const a = document.querySelector('a[target=_blank]'); return a.href + ' ' + a.rel");
    assert_eq!(link, json!(format!("{} noopener", stage.url("/page/0"))));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
    assert_eq!(stage.origin.seen().len(), 0);
}

#[test]
fn a_visitor_without_script_reads_why() {
    let stage = stage(100, 300);
    let page = stage.client().navigate("/").text();
    let noscript = page.split("<noscript>").nth(1).and_then(|rest| rest.split("</noscript>").next()).unwrap();
    assert!(noscript.contains("JavaScript"), "{noscript}");
}

#[test]
fn a_sites_own_words_and_colours_are_those_of_its_page_while_it_solves() {
    let page = "title = \"Einen Moment\"\ntext = \"Gleich da.\"\nlanguage = \"de\"\nlight.tone = \"#a01020\"\ndark.tone = \"#a01020\"";
    let page = toml::Value::Table(page.parse().unwrap());
    // Long enough to look at.
    let settings = Settings::new().set("challenge.count", 8).set("challenge.difficulty", 10_000_000);
    let stage = Stage::with_site(Front::Proxy, settings, |site| site.of_site("page", page));
    let browser = Browser::start();
    browser.open(&stage.url("/"));
    browser.wait(SOON, "it to solve", "return document.documentElement.dataset.state === 'solving'");
    let said = "const t = document.querySelector('#title'), l = document.querySelector('#lead');\
                return [document.title, t.textContent, t.lang, l.textContent, l.lang, t.dir].join('|')";
    assert_eq!(browser.script(said), "Einen Moment|Einen Moment|de|Gleich da.|de|auto");
    let colour = "return getComputedStyle(document.querySelector('#site')).color";
    assert_eq!(browser.script(colour), "rgb(160, 16, 32)");
    browser.click("#action");
    browser.wait(SOON, "it to stop", "return document.documentElement.dataset.state === 'cancelled'");
    assert_eq!(browser.script("return document.querySelector('#title').lang"), "en", "the other words are ours");
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}
