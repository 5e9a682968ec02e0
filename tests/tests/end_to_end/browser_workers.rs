//! How many workers a page keeps busy: all cores while somebody looks, one while nobody does, fewer where memory is short.

use std::time::Duration;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, stays};

fn stage(difficulty: u32) -> Stage {
    stage_of(8, difficulty)
}

fn stage_of(count: u32, difficulty: u32) -> Stage {
    let settings = Settings::new()
        .set("challenge.count", count)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 240);
    Stage::new(Front::Proxy, settings)
}

/// A script that tells whether the page's witness has noted whether anybody looks, and how many workers there were.
fn noted(workers: &str) -> String {
    format!("return JSON.parse(sessionStorage.getItem('witness') || '[]').includes('workers {workers}')")
}

#[test]
fn a_page_that_nobody_looks_at_keeps_one_worker_and_all_of_them_once_somebody_does() {
    let stage = stage(200_000_000);
    // Slow enough to be still at work in the end.
    let browser = Browser::with(Traits { without_wasm: true, ..Traits::default() });
    browser.open(&stage.url("/page/0"));
    let cores = browser.script("return Math.min(navigator.hardwareConcurrency, 8)").as_u64().unwrap();
    assert!(cores > 1, "with one core there is nothing to see");
    let all = format!("visible {cores}");
    browser.wait(SOON, "all workers", &noted(&all));
    let [page] = &browser.tabs()[..] else { panic!("one tab") };
    let other = browser.open_tab();
    browser.switch_to(&other);
    // Time for the page to hear of it.
    stays(Duration::from_secs(2), || None);
    // What is noted is noted once: what comes from here on stands for the time after.
    browser.switch_to(page);
    browser.wait(SOON, "one worker while nobody looked", &noted("hidden 1"));
    browser.script("sessionStorage.removeItem('witness')");
    browser.cdp("Page.bringToFront", &json!({}));
    browser.wait(SOON, "all workers again", &noted(&all));
}

#[test]
fn the_time_left_is_told_after_half_a_second_of_work() {
    // Many steps, so that luck has little part in it: an eighth is the standard deviation.
    let stage = stage_of(64, 3_000_000);
    let browser = Browser::start();
    browser.cdp(
        "Page.addScriptToEvaluateOnNewDocument",
        &json!({"source": r"
            let begun, told;
            new MutationObserver(() => {
              const now = performance.now();
              const { lane, state } = document.documentElement?.dataset ?? {};
              begun ??= lane && now;
              const seconds = /about (\d+) seconds left/.exec(document.getElementById('status')?.textContent ?? '');
              told ??= begun && seconds && { after: (now - begun) / 1000, seconds: Number(seconds[1]), at: now };
              if (told && state === 'verifying' && !sessionStorage.getItem('told')) {
                sessionStorage.setItem('told', JSON.stringify({ ...told, taken: (now - told.at) / 1000 }));
              }
            }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });"
        }),
    );
    browser.open(&stage.url("/page/0"));
    browser.wait_for_origin(6 * SOON);
    let told = browser.script("return JSON.parse(sessionStorage.getItem('told'))");
    let [after, seconds, taken] =
        ["after", "seconds", "taken"].map(|name| told[name].as_f64().unwrap_or_else(|| panic!("no {name}: {told}")));
    assert!(after >= 0.4, "first told after half a second of work: {told}");
    // It is rounded up to five seconds, and how much of the cores other tests take changes meanwhile.
    assert!(seconds <= 8.0 * taken + 10.0 && taken <= 8.0 * seconds, "what was told has to do with it: {told}");
}

#[test]
fn where_memory_is_short_fewer_workers_go_on() {
    let stage = stage(1_000_000);
    let browser = Browser::start();
    // What a worker reports that gets no memory: here every one but the first.
    browser.cdp(
        "Page.addScriptToEvaluateOnNewDocument",
        &json!({"source": r"
            let started = 0;
            globalThis.Worker = class extends Worker {
              constructor(...given) {
                super(...given);
                if (++started === 2) setTimeout(() => this.onmessage({data: {exhausted: true}}));
              }
            };"
        }),
    );
    browser.open(&stage.url("/page/0"));
    assert_eq!(browser.wait_for_origin(3 * SOON), "/page/0");
    assert_eq!(browser.notes("lane"), ["hashwx"], "memory is no reason to take another algorithm");
    let workers = browser.notes("workers");
    let last = workers.last().unwrap();
    assert!(workers.contains(&"visible 2".to_owned()) && last.ends_with(" 0"), "two, then fewer: {workers:?}");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}
