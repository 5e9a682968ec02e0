//! A page that stays: with the script tag its clearance is renewed before it runs out, and hardly anybody notices.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, stays, until_true};

/// The script asks for the first time fifteen seconds after a page was opened.
const FIRST_ASK: Duration = Duration::from_secs(15);
/// In the life of this clearance the script asks once, and once more when a third of what it saw first is left.
const LIFE_SECONDS: u32 = 45;
const ASKED: &str = "GET /.portcullis/clearance?for=%2Fapp";
/// As the gate's own page does not ask.
const ASKED_BY_TAG: &str = "GET /.portcullis/clearance?for=%2Fapp&method=GET";
const SOLD: &str = "POST /.portcullis/verify";

fn settings(difficulty: u32) -> Settings {
    Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 60)
        .set("clearance.lifetime_seconds", LIFE_SECONDS)
}

fn stage(difficulty: u32) -> Stage {
    Stage::new(Front::Proxy, settings(difficulty))
}

/// What was ordered of workers, as well: how long they rest. They do so this many times as long: one of them that mostly rests
/// is as slow then as the page fears, on whatever machine.
fn orders(longer: u32) -> String {
    format!(
        "globalThis.Worker = class extends globalThis.Worker {{ \
           postMessage(order, ...more) {{ \
             const {{ rest }} = order; \
             if (rest !== undefined) sessionStorage.setItem('rests', (sessionStorage.getItem('rests') ?? '') + rest + ' '); \
             super.postMessage(rest ? {{...order, rest: rest * {longer}}} : order, ...more); }} }};"
    )
}

/// A browser on a page that was paid for; what the gate's own page did is forgotten.
fn page(stage: &Stage) -> Browser {
    page_with(stage, 1)
}

/// The same, where whoever solves beside other work needs minutes.
fn slow_page(stage: &Stage) -> Browser {
    page_with(stage, 100)
}

fn page_with(stage: &Stage, longer: u32) -> Browser {
    let browser = Browser::with(Traits::default());
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({"source": orders(longer)}));
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(3 * SOON);
    browser.script("sessionStorage.clear()");
    browser
}

#[test]
fn firefox_renews_it_before_it_runs_out() {
    renews(Engine::Firefox);
}

#[test]
fn webkit_renews_it_before_it_runs_out() {
    renews(Engine::WebKitGtk);
}

/// While the page does nothing, and without a word.
fn renews(engine: Engine) {
    let stage = stage(2_000);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(3 * SOON);
    assert_eq!(stage.relay.count(SOLD), 1);
    until_true(Duration::from_secs(u64::from(LIFE_SECONDS)), "the clearance to be renewed", || {
        stage.relay.count(SOLD) == 2
    });
    assert_eq!(stage.relay.count("GET /app"), 2, "the gate's page and the site's: nothing was loaded anew");
    assert_eq!(browser.script("return document.querySelectorAll('.portcullis-note').length"), json!(0));
    assert_eq!(browser.script("return fetch('/page/1').then(({status}) => status)"), json!(200));
    assert_eq!(stage.relay.count("GET /page/1"), 1, "it never met the gate");
}

fn rests(browser: &Browser) -> Value {
    browser.script("return sessionStorage.getItem('rests')")
}

#[test]
fn a_clearance_is_renewed_before_it_runs_out_by_one_worker_that_mostly_rests() {
    let stage = stage(2_000);
    let browser = page(&stage);
    assert_eq!(stage.relay.count(SOLD), 1);
    until_true(Duration::from_secs(u64::from(LIFE_SECONDS)), "the clearance to be renewed", || {
        stage.relay.count(SOLD) == 2
    });
    let left = "return fetch('/.portcullis/clearance?for=/app').then((answer) => answer.json()).then((left) => left.expires_in)";
    browser.wait(SOON, "the new clearance", &format!("{left}.then((seconds) => seconds > {})", LIFE_SECONDS - 20));
    assert_eq!(browser.notes("workers"), ["visible 1", "visible 0"]);
    assert_eq!(rests(&browser), json!("3 "), "three quarters of its time");
    assert_eq!(browser.script("return document.querySelectorAll('.portcullis-note').length"), json!(0));
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}

#[test]
fn where_it_would_come_too_late_all_workers_work() {
    let stage = stage(8_000_000);
    let browser = slow_page(&stage);
    let cores = browser.script("return Math.min(navigator.hardwareConcurrency, 8)").as_u64().unwrap();
    browser.wait(3 * SOON, "one worker", "return sessionStorage.getItem('rests') === '3 '");
    let all =
        format!("return JSON.parse(sessionStorage.getItem('witness') || '[]').includes('workers visible {cores}')");
    browser.wait(SOON, "all workers", &all);
    until_true(3 * SOON, "the clearance to be renewed", || stage.relay.count(SOLD) == 2);
    assert_eq!(stage.relay.count("GET /app"), 2, "the gate's page and the site's");
}

#[test]
fn whoever_waits_for_it_has_all_workers_work() {
    let stage = stage(8_000_000);
    let browser = slow_page(&stage);
    browser.wait(3 * SOON, "one worker", "return sessionStorage.getItem('rests') === '3 '");
    browser.forget_cookies();
    assert_eq!(browser.script("return fetch('/page/1').then(({status}) => status)"), json!(200));
    assert_eq!(stage.relay.count(SOLD), 2, "what was begun is finished");
    assert!(rests(&browser).as_str().unwrap().starts_with("3 0 "), "{}", rests(&browser));
}

#[test]
fn while_nobody_looks_it_neither_asks_nor_works() {
    let stage = stage(8_000_000);
    let browser = slow_page(&stage);
    let asked = stage.relay.count(ASKED);
    let [page] = &browser.tabs()[..] else { panic!("one tab") };
    let other = browser.open_tab();
    browser.switch_to(&other);
    stays(FIRST_ASK + Duration::from_secs(5), || {
        (stage.relay.count(ASKED) > asked).then(|| format!("asked: {:?}", stage.relay.requests()))
    });
    let show = |tab: &str| {
        browser.switch_to(tab);
        browser.cdp("Page.bringToFront", &json!({}));
    };
    show(page);
    until_true(SOON, "it asks once somebody looks", || stage.relay.count(ASKED) > asked);
    browser.wait(3 * SOON, "it works", "return sessionStorage.getItem('rests') === '3 '");
    show(&other);
    // Time for the page to hear of it.
    stays(Duration::from_secs(2), || None);
    browser.switch_to(page);
    browser.wait(
        SOON,
        "nobody works",
        "return JSON.parse(sessionStorage.getItem('witness') || '[]').includes('workers hidden 0')",
    );
}

#[test]
fn a_page_that_nobody_looks_at_by_the_time_the_solver_comes_does_not_work() {
    const CHALLENGED: &str = "GET /.portcullis/challenge";
    let stage = stage(8_000_000);
    stage.relay.hold_up("GET /.portcullis/buying", Duration::from_secs(8));
    let browser = page(&stage);
    let [page] = &browser.tabs()[..] else { panic!("one tab") };
    until_true(FIRST_ASK + 2 * SOON, "the solver to be asked for", || {
        stage.relay.count("GET /.portcullis/buying") == 1
    });
    let challenges = stage.relay.count(CHALLENGED);
    let other = browser.open_tab();
    browser.switch_to(&other);
    browser.cdp("Page.bringToFront", &json!({}));
    // The solver is there meanwhile.
    stays(Duration::from_secs(14), || {
        (stage.relay.count(CHALLENGED) > challenges).then(|| format!("{:?}", stage.relay.requests()))
    });
    browser.switch_to(page);
    browser.cdp("Page.bringToFront", &json!({}));
    browser.wait(2 * SOON, "it works once somebody looks", "return sessionStorage.getItem('rests')?.startsWith('3 ')");
}

#[test]
fn where_credits_run_out_first_all_workers_work() {
    // By its life alone, this clearance would not be renewed within ten minutes.
    let stage = Stage::new(Front::Proxy, settings(24_000_000).set("clearance.lifetime_seconds", 1_800));
    let browser = slow_page(&stage);
    until_true(FIRST_ASK + SOON, "it asks", || stage.relay.count(ASKED_BY_TAG) == 1);
    // Of a hundred credits there is hardly more than the reserve left.
    let spent = "return Promise.all(Array.from({length: 84}, (_, number) => fetch(`/page/${number}`))) \
         .then((answers) => answers.every(({status}) => status === 200))";
    assert_eq!(browser.script(spent), json!(true));
    let cores = browser.script("return Math.min(navigator.hardwareConcurrency, 8)").as_u64().unwrap();
    browser.wait(
        Duration::from_mins(1) + SOON,
        "one worker",
        "return sessionStorage.getItem('rests')?.startsWith('3 ')",
    );
    let all =
        format!("return JSON.parse(sessionStorage.getItem('witness') || '[]').includes('workers visible {cores}')");
    browser.wait(SOON, "all workers", &all);
    until_true(3 * SOON, "the clearance to be renewed", || stage.relay.count(SOLD) == 2);
    assert_eq!(stage.relay.count("GET /page/"), 84, "nothing had to wait for it");
}

#[test]
fn where_data_is_to_be_saved_nothing_is_asked() {
    let stage = stage(2_000);
    let browser = Browser::with(Traits::default());
    let saves = "Object.defineProperty(navigator, 'connection', {value: {saveData: true}})";
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({"source": saves}));
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    let asked = stage.relay.count(ASKED);
    stays(FIRST_ASK + Duration::from_secs(5), || {
        (stage.relay.count(ASKED) > asked).then(|| format!("asked: {:?}", stage.relay.requests()))
    });
}

#[test]
fn while_the_gate_is_up_it_asks_once_and_never_again() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("mode", "auto"));
    let browser = Browser::with(Traits::default());
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    until_true(FIRST_ASK + SOON, "it asks", || stage.relay.count("GET /.portcullis/clearance") == 1);
    stays(Duration::from_secs(10), || {
        let more = stage.relay.requests().iter().filter(|line| line.contains("/.portcullis/")).count() > 2;
        more.then(|| format!("more than the script and one question: {:?}", stage.relay.requests()))
    });
    assert_eq!(stage.origin.last().target, "/app");
}

#[test]
fn twenty_tabs_and_a_second_window_renew_it_once() {
    let stage = stage(500_000);
    let browser = page(&stage);
    for _ in 0..19 {
        let tab = browser.open_tab();
        browser.switch_to(&tab);
        browser.open(&stage.url("/app"));
        browser.wait_for_origin(SOON);
    }
    let window = browser.open_window();
    browser.switch_to(&window);
    browser.open(&stage.url("/app"));
    browser.wait_for_origin(SOON);
    let bought = stage.relay.count(SOLD);
    until_true(Duration::from_secs(u64::from(LIFE_SECONDS)), "the clearance to be renewed", || {
        stage.relay.count(SOLD) > bought
    });
    stays(Duration::from_secs(8), || {
        (stage.relay.count(SOLD) > bought + 1).then(|| format!("more than once: {:?}", stage.relay.requests()))
    });
}

#[test]
fn a_page_that_polls_never_fails_its_visitor() {
    // 23 credits less the reserve are 20 requests.
    let settings =
        Settings::new().set("challenge.count", 8).set("challenge.difficulty", 2_000).set("clearance.credits", 23);
    let stage = Stage::new(Front::Proxy, settings);
    let browser = page(&stage);
    let statuses = browser.script(
        "const poll = async (number) => { const statuses = []; \
           for (let turn = 0; turn < 40; turn++) statuses.push((await fetch(`/poll/${number}/${turn}`)).status); \
           return statuses; }; \
         const user = async () => { const statuses = []; \
           for (let turn = 0; turn < 5; turn++) { \
             statuses.push((await fetch('/upload', {method: 'POST', body: 'typed'})).status); \
             await new Promise((resolve) => setTimeout(resolve, 100)); } \
           return statuses; }; \
         return Promise.all([poll(1), poll(2), user()]).then((all) => [...new Set(all.flat())])",
    );
    assert_eq!(statuses, json!([200]));
    assert_eq!((stage.origin.count("/poll/"), stage.origin.count("/upload")), (80, 5));
    let bought = stage.relay.count(SOLD);
    assert!((4..=8).contains(&bought), "85 requests at 20 for each clearance: {bought}");
}

#[test]
fn a_solver_that_is_to_rest_is_a_quarter_busy() {
    let origin = Origin::start("main");
    let folder = TempDir::new().unwrap();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/src/slices.js");
    std::fs::copy(source, folder.path().join("slices.js")).unwrap();
    origin.offer(folder.path());
    let browser = Browser::start();
    browser.open(&format!("{}/page/0", origin.url()));
    // Ten milliseconds pass with each slice, and none besides.
    let told = browser.script(
        "return import('/files/slices.js').then(({createSlices}) => new Promise((resolve) => { \
           let clock = 0; let slices = 0; const rests = []; const after = setTimeout; \
           performance.now = () => clock; \
           globalThis.setTimeout = (act, ms) => { rests.push(ms); after(act); }; \
           const lane = {setChallengeWord() {}, prepare() {}, foundHigh: () => 0, foundLow: () => 0, \
             run() { clock += 10; slices++; \
               if (slices === 5) solver.postMessage({puzzle: 0, rest: 0}); \
               if (slices === 9) { solver.terminate(); resolve({rests, slices}); } \
               return 0; } }; \
           const words = new Uint32Array(16); words[0] = 1; \
           const solver = createSlices(() => {}, async () => ({lane, report: {}}), {first: 1, most: 1, stride: 2 ** 32}); \
           solver.postMessage({words, puzzle: 0, rest: 3}); \
         }))",
    );
    assert_eq!(told, json!({"rests": [30, 30, 30, 30], "slices": 9}), "and none any more once it is to hurry");
}
