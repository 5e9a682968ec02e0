//! A real browser without a screen, with a profile of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engine::Engine;
use crate::places::Place;
use crate::process::Process;
use crate::share::Share;
use crate::wait::until;
use crate::webdriver::Driver;

/// Notes in the tab's session storage what happened on every page of it, also on pages already left: lanes and states of
/// the gate, what it announced, violations of its policy, requests by URL, solvers at work and whether anybody looks.
const WITNESS: &str = r"
(() => {
  const note = (kind, text) => {
    try {
      const notes = JSON.parse(sessionStorage.getItem('witness') || '[]');
      const line = kind + ' ' + text;
      if (!notes.includes(line) && notes.length < 2000) notes.push(line);
      sessionStorage.setItem('witness', JSON.stringify(notes));
    } catch { /* no storage on this page */ }
  };
  addEventListener('securitypolicyviolation', (e) => note('violation', e.violatedDirective + ' ' + e.blockedURI));
  const look = () => {
    const data = document.documentElement?.dataset ?? {};
    if (data.lane) note('lane', data.lane);
    if (data.state) note('state', data.state);
    const live = document.querySelector('[role=status]')?.textContent;
    if (live) note('live', live);
  };
  new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-lane', 'data-state']});
  addEventListener('DOMContentLoaded', look);
  let workers = 0;
  const count = (change) => note('workers', document.visibilityState + ' ' + (workers += change));
  addEventListener('visibilitychange', () => setTimeout(count, 500, 0));
  globalThis.Worker = class extends Worker {
    constructor(...given) { super(...given); count(1); }
    terminate() { super.terminate(); count(-1); }
  };
  try {
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => note('request', entry.name)))
      .observe({type: 'resource', buffered: true});
  } catch { /* not for this document */ }
})();";

/// How a browser differs from an ordinary visitor's.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a way of its own to be different, and they combine")]
pub struct Traits {
    /// No wasm at all, and slow JavaScript.
    pub without_wasm: bool,
    /// Wasm without its SIMD instructions.
    pub without_simd: bool,
    /// Cookies are refused.
    pub without_cookies: bool,
    /// The person has switched JavaScript off.
    pub without_script: bool,
    /// A private window.
    pub private: bool,
    /// The person likes it dark.
    pub dark: bool,
    /// The person wants nothing to move.
    pub calm: bool,
    /// The person has colours of their own for everything. Not in WebKitGTK, which has no such thing.
    pub forced_colours: bool,
}

/// Keys that have no letter (`WebDriver` §17.4.2).
pub mod keys {
    /// To the next control.
    pub const TAB: &str = "\u{e004}";
    /// Presses the control that has the focus.
    pub const ENTER: &str = "\u{e007}";
}

/// A running browser.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    _display: Option<Process>,
    _profile: TempDir,
    _place: Arc<Place>,
}

impl Browser {
    /// An ordinary visitor with a new profile.
    pub fn start() -> Self {
        Self::with(Traits::default())
    }

    /// A visitor in Chromium with a new profile and these traits, who notes what happens on every page.
    pub fn with(traits: Traits) -> Self {
        let browser = Self::of(Engine::Chromium, traits);
        browser.witness();
        browser
    }

    /// A visitor in Chromium with a new profile who reaches one more address of this machine than loopback.
    pub fn reaching(address: &str) -> Self {
        let browser = Self::begin(|profile| Engine::start_reaching(profile, address));
        browser.witness();
        browser
    }

    /// A visitor with a new profile in any engine.
    pub fn of(engine: Engine, traits: Traits) -> Self {
        let browser = Self::begin(|profile| engine.start(profile, traits));
        // The other engines are told when they start.
        if engine == Engine::Chromium {
            let wishes = [
                (traits.dark, "prefers-color-scheme", "dark"),
                (traits.calm, "prefers-reduced-motion", "reduce"),
                (traits.forced_colours, "forced-colors", "active"),
            ];
            let wishes = wishes.into_iter().filter(|(wished, ..)| *wished);
            let features: Vec<_> = wishes.map(|(_, name, value)| json!({"name": name, "value": value})).collect();
            browser.cdp("Emulation.setEmulatedMedia", &json!({"features": features}));
        }
        browser
    }

    fn begin(start: impl FnOnce(&Path) -> (Driver, Option<Process>)) -> Self {
        let place = Place::of_this_test();
        let profile = TempDir::with_prefix("portcullis-browser-").unwrap();
        let (driver, display) = start(profile.path());
        Self { driver, _display: display, _profile: profile, _place: place }
    }

    /// The browser's own version.
    pub fn version(&self) -> String {
        self.driver.capability("browserVersion").as_str().unwrap_or("?").to_owned()
    }

    /// From now on it has a sixth of a core, until what this gives is dropped.
    pub fn slow_down(&self) -> Share {
        self.driver.slow_down()
    }

    /// Makes the current tab note what happens on every page it will show. Chromium only.
    pub fn witness(&self) {
        self.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({"source": WITNESS}));
    }

    /// Opens a URL in the current tab and waits for its load event.
    pub fn open(&self, url: &str) {
        self.driver.command("POST", "/url", &json!({"url": url})).unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The current URL with its fragment.
    pub fn url(&self) -> String {
        let url = self.driver.command("GET", "/url", &Value::Null).unwrap();
        url.as_str().unwrap().to_owned()
    }

    /// The value of a function body (`return …`); nothing while the page is being replaced.
    pub fn try_script(&self, script: &str) -> Option<Value> {
        self.driver.command("POST", "/execute/sync", &json!({"script": script, "args": []})).ok()
    }

    /// The value of a function body on a page that stays.
    #[track_caller]
    pub fn script(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.driver.command("POST", "/execute/sync", &body).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a script gives something true.
    #[track_caller]
    pub fn wait(&self, limit: Duration, what: &str, script: &str) -> Value {
        let truthy = |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && value != "";
        let mut last = Value::Null;
        let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(limit, what, || {
                last = self.try_script(script).unwrap_or(Value::Null);
                Some(last.clone()).filter(truthy)
            })
        }));
        value.unwrap_or_else(|_| {
            let text =
                self.try_script("return location.href + '\\n' + document.documentElement.outerHTML.slice(0, 3000)");
            panic!("in vain for {what}; the page: {text:?}; notes: {:?}; log: {:?}", self.notes(""), self.log())
        })
    }

    /// Waits for the origin's own content; gives the target it was made for.
    #[track_caller]
    pub fn wait_for_origin(&self, limit: Duration) -> String {
        let script = "const o = document.getElementById('origin'); return document.readyState === 'complete' && o && o.dataset.target";
        self.wait(limit, "the origin's own content", script).as_str().unwrap().to_owned()
    }

    /// What the witness script noted under a kind (`lane`, `state`, `live`, `violation`, `request`, `workers`); empty: everything, with its kind.
    pub fn notes(&self, kind: &str) -> Vec<String> {
        let notes = self.try_script("return JSON.parse(sessionStorage.getItem('witness') || '[]')").unwrap_or_default();
        let lines = notes.as_array().into_iter().flatten().filter_map(Value::as_str);
        lines
            .filter_map(|line| if kind.is_empty() { Some(line) } else { line.strip_prefix(kind) })
            .map(|line| line.trim().to_owned())
            .collect()
    }

    /// Clicks the element a CSS selector finds, as a person would.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.driver.command("POST", &format!("/element/{element}/click"), &json!({})).unwrap();
    }

    /// Types into the element a CSS selector finds.
    #[track_caller]
    pub fn type_text(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.driver.command("POST", &format!("/element/{element}/value"), &json!({"text": text})).unwrap();
    }

    /// Presses keys one after the other, wherever the focus is, as somebody does who has no pointer.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let steps = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()})));
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": steps.collect::<Vec<_>>()});
        self.driver
            .command("POST", "/actions", &json!({"actions": [keyboard]}))
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// What a function body hands to its last argument (`arguments[arguments.length - 1](…)`).
    #[track_caller]
    pub fn script_async(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.driver.command("POST", "/execute/async", &body).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The same; nothing if the page is left meanwhile.
    pub fn try_script_async(&self, script: &str) -> Option<Value> {
        self.driver.command("POST", "/execute/async", &json!({"script": script, "args": []})).ok()
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let body = json!({"using": "css selector", "value": selector});
        let element = self.driver.command("POST", "/element", &body).unwrap_or_else(|error| panic!("{error}"));
        element.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// The value of a cookie of the current page, also one that scripts cannot read.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookie = self.driver.command("GET", &format!("/cookie/{name}"), &Value::Null).ok()?;
        cookie["value"].as_str().map(str::to_owned)
    }

    /// Gives the current page's host a cookie.
    pub fn set_cookie(&self, pair: &str) {
        let (name, value) = pair.split_once('=').unwrap();
        let cookie = json!({"cookie": {"name": name, "value": value, "path": "/", "httpOnly": true}});
        self.driver.command("POST", "/cookie", &cookie).unwrap();
    }

    /// Forgets all cookies of the current page's host.
    pub fn forget_cookies(&self) {
        self.driver.command("DELETE", "/cookie", &Value::Null).unwrap();
    }

    /// The handles of all tabs.
    pub fn tabs(&self) -> Vec<String> {
        let tabs = self.driver.command("GET", "/window/handles", &Value::Null).unwrap();
        tabs.as_array().unwrap().iter().map(|tab| tab.as_str().unwrap().to_owned()).collect()
    }

    /// Opens another tab and goes on in this one.
    pub fn open_tab(&self) -> String {
        self.open_another("tab")
    }

    /// Opens another window and goes on in this tab.
    pub fn open_window(&self) -> String {
        self.open_another("window")
    }

    fn open_another(&self, kind: &str) -> String {
        let tab = self.driver.command("POST", "/window/new", &json!({"type": kind})).unwrap();
        tab["handle"].as_str().unwrap().to_owned()
    }

    /// Goes on in another tab.
    pub fn switch_to(&self, tab: &str) {
        self.driver.command("POST", "/window", &json!({"handle": tab})).unwrap();
    }

    /// Goes on inside the page's first frame.
    pub fn enter_frame(&self) {
        self.driver.command("POST", "/frame", &json!({"id": 0})).unwrap();
    }

    /// A command of the `DevTools` protocol. Chromium only.
    pub fn cdp(&self, command: &str, parameters: &Value) -> Value {
        self.try_cdp(command, parameters).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// The same where the browser may say no.
    pub fn try_cdp(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        let body = json!({"cmd": command, "params": parameters});
        self.driver.command("POST", "/goog/cdp/execute", &body)
    }

    /// Messages of the console since the last call, workers included. Chromium only.
    pub fn log(&self) -> Vec<String> {
        let log = self.driver.command("POST", "/se/log", &json!({"type": "browser"})).unwrap_or_default();
        log.as_array().into_iter().flatten().map(|entry| format!("{} {}", entry["level"], entry["message"])).collect()
    }

    /// Saves without a question in this folder what the page hands out. Chromium only.
    pub fn save_in(&self, folder: &Path) {
        self.cdp("Browser.setDownloadBehavior", &json!({"behavior": "allow", "downloadPath": folder}));
    }

    /// A picture of the page, written as PNG.
    pub fn screenshot(&self, file: &Path) {
        let picture = self.driver.command("GET", "/screenshot", &Value::Null).unwrap();
        let bytes = BASE64.decode(picture.as_str().unwrap().as_bytes()).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}
