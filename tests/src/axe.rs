//! axe-core, which looks for what shuts people out: `npm ci` in `www` brings it.

use std::path::Path;

use crate::browser::Browser;

/// WCAG 2.2 A and AA, and what axe-core calls good practice.
const RUN: &str = "const done = arguments[arguments.length - 1];\
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'];\
    const rules = Object.fromEntries(WITHOUT.map((rule) => [rule, {enabled: false}]));\
    axe.run(document, {runOnly: tags, rules, resultTypes: ['violations', 'passes']}).then(({violations, passes}) => done({\
      found: violations.flatMap(({id, help, nodes}) => nodes.map(({html}) => id + ': ' + help + ': ' + html)),\
      passed: passes.length}), (error) => done({found: [String(error)], passed: 0}));";

/// Rules that have to find something to look at on any page of ours: fewer means that axe-core saw none.
const RULES_MIN: u64 = 10;

/// Fails if axe-core finds anything on the page in its present state.
#[track_caller]
pub fn finds_nothing(browser: &Browser, state: &str) {
    assert!(finds_nothing_but(browser, state, &[]), "{state}: the page was left while it was looked at");
}

/// The same without some of its rules, on a page that may be left at any moment; whether it stayed for as long as it takes.
#[track_caller]
pub fn finds_nothing_but(browser: &Browser, state: &str, rules: &[&str]) -> bool {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/node_modules/axe-core/axe.min.js");
    let source = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("run `npm ci` in www first"));
    let run = RUN.replace("WITHOUT", &serde_json::json!(rules).to_string());
    let told = browser
        .try_script(&format!("if (!globalThis.axe) {{ {source}\n }}"))
        .and_then(|_| browser.try_script_async(&run));
    let Some(told) = told else { return false };
    assert_eq!(told["found"], serde_json::json!([]), "{state}");
    assert!(told["passed"].as_u64().unwrap() >= RULES_MIN, "{state}: {told}");
    true
}
