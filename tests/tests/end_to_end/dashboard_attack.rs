//! `portcullis demo --attack`, watched on the dashboard it prints: the attack rises and falls with nobody touching it. The
//! pictures in `docs/images/` are taken here.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;
use tests::browser::Browser;
use tests::ports;
use tests::process::Process;
use tests::verifier::binary;
use tests::wait::{SOON, until};

/// Long enough for the curves to show its height.
const FLOOD_SECONDS: &str = "30";
/// Flood, a minute of hold, and what a busy machine adds.
const COURSE: Duration = Duration::from_mins(4);

/// Desktop and phone: width, whether a finger points.
const SCREENS: [(&str, u32, bool); 2] = [("desktop", 1280, false), ("phone", 390, true)];

/// Where the attacks end, in pixels: so high is a picture.
const HEIGHT: &str = "return Math.ceil(document.querySelector('#attacks').closest('section').getBoundingClientRect().bottom + scrollY) + 16";

fn pictures(browser: &Browser, moment: &str) {
    for (screen, width, mobile) in SCREENS {
        let resize = |height: u64| {
            let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
            browser.cdp("Emulation.setDeviceMetricsOverride", &metrics);
            // A second later everything is drawn to the new width.
            browser.script("document.querySelector('#requests-chart > svg').replaceChildren()");
            browser.wait(SOON, "the next second", "return !!document.querySelector('#requests-chart > svg > *')");
        };
        resize(1000);
        resize(browser.script(HEIGHT).as_u64().unwrap());
        let file = format!("../target/screenshots/dashboard-{moment}-{screen}.png");
        browser.screenshot(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        let sideways = browser.script("return document.documentElement.scrollWidth - innerWidth");
        assert!(sideways.as_i64().unwrap() <= 0, "{moment} {screen}");
    }
}

/// The highest number that the page's own curve of this colour reached, as the picture has it: 0 at the bottom, 1 at the top.
fn height(browser: &Browser, chart: &str, curve: &str) -> f64 {
    let script = format!(
        "const d = document.querySelector('#{chart} path.curve.{curve}').getAttribute('d');
         const ys = [...d.matchAll(/ ([\\d.]+)/g)].map((m) => Number(m[1]));
         return ys.length ? 1 - (Math.min(...ys) - 6) / 150 : 0"
    );
    browser.script(&script).as_f64().unwrap()
}

#[test]
fn an_attack_rises_and_falls_with_nobody_touching_it() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let mut command = Command::new(binary());
    command.args(["demo", "--attack", "--attack-seconds", FLOOD_SECONDS, "--port", &ports::free().to_string()]);
    let demo = Process::start(command.env("TMPDIR", folder.path()), &folder.path().join("told"));
    let address = until(SOON, "the dashboard's address", || {
        let told = demo.output();
        told.lines().map(str::trim).find(|line| line.contains("/#token=")).map(str::to_owned)
    });
    let browser = Browser::start();
    browser.open(&address);
    let state = |limit, text: &str| {
        browser.wait(limit, text, &format!("return document.querySelector('#state').textContent === '{text}'"));
    };
    let attacks = |limit, text: &str| {
        browser.wait(limit, text, &format!("return document.querySelector('#attacks').textContent.includes('{text}')"));
    };
    state(SOON, "The gate is open");
    browser.wait(SOON, "visitors", "return document.querySelector('#top').textContent.includes('/static/site.css')");
    pictures(&browser, "calm");
    state(SOON * 2, "The gate is down");
    browser.wait(
        SOON * 2,
        "solved puzzles",
        "return /^\\d+ visitors solved/.test(document.querySelector('#solve-chart p').textContent)",
    );
    browser.wait(
        SOON,
        "the flood among the heaviest",
        "return document.querySelector('#top').textContent.includes('127.')",
    );
    assert!(browser.script("return document.documentElement.hasAttribute('data-down')") == json!(true));
    browser.wait(
        SOON * 2,
        "the height of the flood",
        "return parseFloat(document.querySelector('#asked').textContent) > 150",
    );
    attacks(SOON, "Attack 1 on demo is still going on, for");
    pictures(&browser, "attack");
    assert!(height(&browser, "demand-chart", "b") > 0.5, "all requests stand high");
    state(COURSE, "The gate is down and waits");
    state(COURSE, "The gate is open");
    attacks(SOON, "Attack 1 on demo lasted");
    attacks(SOON, "times the 50 that the site can do");
    pictures(&browser, "after");
    assert!(
        browser.script("return document.querySelectorAll('#requests-chart .down-time').length").as_u64() >= Some(1)
    );
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
    assert!(browser.notes("live").iter().any(|said| said.contains("The gate is down")), "{:?}", browser.notes(""));
    demo.signal(Signal::INT);
}
