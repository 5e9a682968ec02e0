//! Pictures of the gate's page, taken while it solves, and what can be measured about its looks.

use std::path::Path;

use serde_json::json;
use tests::browser::Browser;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::SOON;

/// Opens the gate's page in a browser prepared by `prepare`, and takes its picture when a part is solved.
fn picture(name: &str, prepare: impl Fn(&Browser)) -> Browser {
    // About 80 million attempts: some seconds of work for the fastest lane.
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 10_000_000)
        .set("challenge.max_solve_seconds", 240);
    let stage = Stage::new(Front::Proxy, settings);
    let browser = Browser::start();
    prepare(&browser);
    browser.open(&stage.url("/"));
    browser.wait(SOON * 6, "some progress", "return document.querySelector('#progress')?.value >= 2");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    browser.screenshot(&workspace.join(format!("target/screenshots/gate-{name}.png")));
    browser
}

/// Brightness of the background, 0 to 255.
fn brightness(browser: &Browser) -> f64 {
    let script = "const colour = [document.body, document.documentElement].map((e) => getComputedStyle(e).backgroundColor)\
                  .find((c) => !/, 0\\)$/.test(c)); const [r, g, b] = (colour || 'rgb(255, 255, 255)').match(/\\d+/g).map(Number);\
                  return (r + g + b) / 3";
    browser.script(script).as_f64().unwrap()
}

#[test]
fn light() {
    let browser = picture("light", |_| ());
    assert!(brightness(&browser) > 180.0);
}

#[test]
fn dark() {
    let browser = picture("dark", |browser| {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
        browser.cdp("Emulation.setEmulatedMedia", &features);
    });
    assert!(brightness(&browser) < 80.0);
}

#[test]
fn a_phone() {
    let browser = picture("phone", |browser| {
        let metrics = json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true});
        browser.cdp("Emulation.setDeviceMetricsOverride", &metrics);
    });
    let width = browser.script("return document.documentElement.scrollWidth");
    assert_eq!(width, json!(360), "nothing is cut off, nothing scrolls sideways");
    let small = "return Math.min(...[...document.querySelectorAll('p, button, h1')].filter((e) => e.offsetParent && e.textContent)\
                 .map((e) => parseFloat(getComputedStyle(e).fontSize)))";
    assert!(browser.script(small).as_f64().unwrap() >= 12.0);
}
