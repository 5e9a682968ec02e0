//! The gate's page under the conditions in which browsers are used, in every engine that can be put there.
//! docs/BROWSERS.md has the table; a test here holds it to these tests.

use std::time::Duration;

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::tls::{TlsServer, TlsSite};
use tests::verifier::Verifier;
use tests::wait::{SOON, stays};

use super::browser_accessible::{NEVER, in_state};

/// One test for each condition and engine, and the list of them.
macro_rules! conditions {
    ($($module:ident: $engine:ident: $($name:ident),* $(,)?;)*) => {
        $(mod $module {
            $(#[test]
            fn $name() {
                super::$name(super::Engine::$engine);
            })*
        })*

        /// Which condition is tested in which engine.
        const TESTED: &[(&str, Engine)] = &[$($((stringify!($name), Engine::$engine),)*)*];
    };
}

conditions! {
    chromium: Chromium: https, private_window, cookies_blocked, third_party_frame, back_forward_cache, offline_in_the_middle,
        service_worker, policy_without_wasm, policy_without_our_name, three_challenges, a_sixth_of_a_core, slow_network, clock_wrong_by_a_day;
    firefox: Firefox: https, private_window, cookies_blocked, third_party_frame, back_forward_cache, offline_in_the_middle,
        service_worker, policy_without_wasm, policy_without_our_name, three_challenges, a_sixth_of_a_core, slow_network, clock_wrong_by_a_day;
    webkit: WebKitGtk: https, private_window, cookies_blocked, third_party_frame, back_forward_cache, offline_in_the_middle,
        service_worker, policy_without_wasm, policy_without_our_name, three_challenges, a_sixth_of_a_core, slow_network, clock_wrong_by_a_day;
}

/// Solved in a moment; in some seconds.
const EASY: u32 = 2_000;
const HARD: u32 = 4_000_000;
/// A sixth of a core takes some seconds for it.
const SLOWED: u32 = 6_000_000;

fn settings(difficulty: u32) -> Settings {
    Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 240)
        .rule("path = \"/robots.txt\"\naction = \"allow\"")
}

fn stage(difficulty: u32) -> Stage {
    Stage::new(Front::Proxy, settings(difficulty))
}

/// The site over HTTPS, behind an nginx that puts `lines` into its own locations.
pub(super) fn over_https(settings: Settings, lines: &str) -> (TlsServer, Verifier, Origin) {
    let origin = Origin::start("main");
    let settings = settings.set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.1/32"]);
    let verifier = Verifier::start(settings.site("main", &[HOST], Some(&origin.url())));
    let pass = format!(
        "proxy_pass http://127.0.0.1:{}; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; \
         proxy_set_header X-Forwarded-Proto $scheme;",
        verifier.port
    );
    let lines = lines.replace("PASS", &pass);
    (TlsServer::start(&[TlsSite { name: HOST, lines }]), verifier, origin)
}

fn https(engine: Engine) {
    let (server, _verifier, origin) = over_https(settings(EASY), "location / { PASS }");
    let browser = Browser::of(engine, Traits::default());
    browser.open(&format!("https://{HOST}:{}/page/0", server.port));
    assert_eq!(browser.wait_for_origin(SOON), "/page/0");
    assert_eq!(browser.script("return isSecureContext"), json!(true));
    assert!(browser.cookie("__Host-portcullis").is_some());
    assert_eq!(origin.count("/page/0"), 1);
}

fn private_window(engine: Engine) {
    let stage = stage(EASY);
    let browser = Browser::of(engine, Traits { private: true, ..Traits::default() });
    browser.open(&stage.url("/page/0"));
    assert_eq!(browser.wait_for_origin(SOON), "/page/0");
    browser.click("#next");
    browser.wait(SOON, "the next page", "return document.querySelector('#origin')?.dataset.target === '/page/1'");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
}

fn cookies_blocked(engine: Engine) {
    let stage = stage(EASY);
    let browser = Browser::of(engine, Traits { without_cookies: true, ..Traits::default() });
    browser.open(&stage.url("/page/0"));
    browser.wait(SOON, "the page to say so", "return document.documentElement.dataset.failure === 'cookies'");
    let text = browser.script("return document.body.innerText").to_string();
    assert!(text.contains("allow cookies"), "{text}");
    stays(Duration::from_secs(7), || {
        let (pages, solutions) = (stage.relay.count("GET /page/0"), stage.relay.count("POST /.portcullis/verify"));
        (pages > 1 || solutions > 2).then(|| format!("{pages} pages, {solutions} solutions"))
    });
    assert!(stage.relay.count("GET /.portcullis/clearance") > 0, "that is how it found out");
    assert_eq!(stage.origin.seen().len(), 0);
}

fn third_party_frame(engine: Engine) {
    let stage = stage(EASY);
    let stranger = Origin::start("stranger");
    let browser = Browser::of(engine, Traits::default());
    browser.open(&format!("http://elsewhere.test:{}/frame?{}", stranger.port, stage.url("/page/0")));
    browser.wait_for_origin(SOON);
    browser.enter_frame();
    in_state(&browser, "framed");
    let link = browser.script("const a = document.querySelector('a[target=_blank]'); return a.href + ' ' + a.rel");
    assert_eq!(link, json!(format!("{} noopener", stage.url("/page/0"))));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
    let tabs = browser.tabs().len();
    browser.click("a[target=_blank]");
    tests::wait::until_true(SOON, "a tab of its own", || browser.tabs().len() > tabs);
    tests::wait::until_true(SOON, "the site in it", || stage.origin.count("/page/0") == 1);
}

fn back_forward_cache(engine: Engine) {
    let stage = stage(NEVER);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/page/0"));
    in_state(&browser, "solving");
    browser.open(&stage.url("/robots.txt"));
    browser.wait_for_origin(SOON);
    browser.script("history.back()");
    in_state(&browser, "solving");
    // And once more, while the gate opens behind its back.
    browser.open(&stage.url("/robots.txt"));
    browser.wait_for_origin(SOON);
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    let lifted = stage.verifier.command(&["mode", "off", "--config", &file]);
    assert!(lifted.status.success(), "{lifted:?}");
    browser.script("history.back()");
    let script = "return document.querySelector('#origin')?.dataset.target === '/page/0'";
    browser.wait(SOON, "the site's page", script);
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0);
}

fn offline_in_the_middle(engine: Engine) {
    let stage = stage(HARD);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/page/0"));
    in_state(&browser, "solving");
    stage.relay.cut();
    in_state_within(&browser, "verifying", 6 * SOON);
    let says = "return document.querySelector('#status').textContent.includes('No connection')";
    browser.wait(SOON, "the page to say so", says);
    stage.relay.mend();
    assert_eq!(browser.wait_for_origin(SOON), "/page/0");
    assert_eq!(stage.relay.count("GET /page/0"), 2, "what was solved is not solved again");
}

fn in_state_within(browser: &Browser, state: &str, limit: Duration) {
    browser.wait(limit, state, &format!("return document.documentElement.dataset.state === '{state}'"));
}

/// A worker as sites have them: pages from the network, everything else that was ever good from its cache.
const SERVICE_WORKER: &str = "self.addEventListener(\\'install\\', () => self.skipWaiting());\
    self.addEventListener(\\'activate\\', (event) => event.waitUntil(clients.claim()));\
    self.addEventListener(\\'fetch\\', (event) => event.respondWith((async () => {\
      const cache = await caches.open(\\'site\\');\
      const kept = event.request.mode === \\'navigate\\' ? undefined : await cache.match(event.request);\
      if (kept) return kept;\
      const answer = await fetch(event.request);\
      if (event.request.method === \\'GET\\' && answer.ok) await cache.put(event.request, answer.clone());\
      return answer;\
    })()));";

fn service_worker(engine: Engine) {
    let worker = format!(
        "location = /sw.js {{ default_type text/javascript; return 200 '{SERVICE_WORKER}'; }} location / {{ PASS }}"
    );
    let (server, _verifier, origin) = over_https(settings(EASY), &worker);
    let browser = Browser::of(engine, Traits::default());
    let url = |target: &str| format!("https://{HOST}:{}{target}", server.port);
    browser.open(&url("/page/0"));
    assert_eq!(browser.wait_for_origin(SOON), "/page/0");
    browser.script("navigator.serviceWorker.register('/sw.js')");
    browser.wait(SOON, "the worker to take over", "return navigator.serviceWorker.controller !== null");
    // The worker sees every answer to a visitor with a clearance, and to one without.
    for visit in 1..=3 {
        browser.forget_cookies();
        browser.open(&url("/page/0"));
        assert_eq!(browser.wait_for_origin(3 * SOON), "/page/0", "visit {visit}");
        assert!(browser.cookie("__Host-portcullis").is_some());
        let between = browser.script("return navigator.serviceWorker.controller !== null");
        assert_eq!(between, json!(true), "the worker was in between");
    }
    assert_eq!(origin.count("/page/0"), 4);
}

/// The site's own policy on its pages; what lies below the base path keeps its own.
fn with_policy(trusted_types: &str) -> String {
    format!(
        "location /.portcullis/ {{ PASS }} location / {{ add_header Content-Security-Policy \"default-src 'self'; \
         script-src 'self'; require-trusted-types-for 'script'; trusted-types {trusted_types}\" always; PASS }}"
    )
}

fn policy_without_wasm(engine: Engine) {
    let (server, _verifier, _origin) = over_https(settings(200_000), &with_policy("portcullis other"));
    let browser = Browser::of(engine, Traits::default());
    browser.open(&format!("https://{HOST}:{}/page/0", server.port));
    let lane = browser.wait(SOON, "a lane", "return document.documentElement.dataset.lane");
    assert_ne!(lane, json!("javascript"), "wasm is compiled in the worker, whose policy is its own");
    assert_eq!(browser.wait_for_origin(3 * SOON), "/page/0");
}

fn policy_without_our_name(engine: Engine) {
    let (server, _verifier, _origin) = over_https(settings(20_000), &with_policy("other"));
    let browser = Browser::of(engine, Traits::default());
    browser.open(&format!("https://{HOST}:{}/page/0", server.port));
    let lane = browser.wait(SOON, "a lane", "return document.documentElement.dataset.lane");
    assert_eq!(lane, json!("javascript"), "no worker may be made: it solves in slices");
    assert_eq!(browser.wait_for_origin(3 * SOON), "/page/0");
}

/// Solutions that are longer on their way than their challenge lives: on a machine of any speed.
fn three_challenges(engine: Engine) {
    let settings = settings(EASY).set("challenge.lifetime_seconds", 3).set("challenge.max_solve_seconds", 3);
    let stage = Stage::new(Front::Proxy, settings);
    stage.relay.hold_up("POST /.portcullis/verify", Duration::from_secs(4));
    let browser = Browser::of(engine, Traits { without_wasm: true, ..Traits::default() });
    browser.open(&stage.url("/page/0"));
    let failed = "return document.documentElement.dataset.failure === 'expired'";
    browser.wait(SOON * 2, "the page to give up", failed);
    let text = browser.script("return document.body.innerText").to_string();
    assert!(text.contains("longer than allowed"), "{text}");
    assert_eq!(stage.relay.count("GET /page/0"), 1, "it renews challenges, it does not reload");
    // The challenge of `hashwx` in the page is one of the three.
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 2);
}

/// An old phone: the page says what it does, hears who presses its button, and gets in.
fn a_sixth_of_a_core(engine: Engine) {
    let stage = stage(SLOWED);
    let browser = Browser::of(engine, Traits::default());
    browser.open(&stage.url("/robots.txt"));
    browser.wait_for_origin(SOON);
    let share = browser.slow_down();
    browser.open(&stage.url("/page/0"));
    let says =
        "return document.documentElement.dataset.state === 'solving' && document.querySelector('#status').textContent";
    let first = browser.wait(6 * SOON, "the page to say how far it is", says);
    browser.click("#action");
    in_state_within(&browser, "cancelled", 3 * SOON);
    browser.click("#action");
    let next = format!(
        "const said = (() => {{ {says} }})(); return said && said !== {first} && said || !!document.querySelector('#origin')"
    );
    browser.wait(6 * SOON, "the page to say more while its workers work, or to be through", &next);
    assert_eq!(browser.wait_for_origin(9 * SOON), "/page/0");
    let sent = stage.relay.count("POST /.portcullis/verify");
    assert!((1..=3).contains(&sent), "within the challenges that there may be: {sent}");
    assert_eq!(stage.relay.count("GET /page/0"), 2, "nothing is asked for again because it is slow");
    assert!(share.held_back() > 0, "it wanted more than a sixth");
}

/// What developers call slow 3G: Chromium does it itself, for the others the way is slow.
fn slow_network(engine: Engine) {
    let (latency, bytes_per_second) = (Duration::from_secs(2), 50_000);
    let stage = stage(EASY);
    let browser = Browser::of(engine, Traits::default());
    if engine == Engine::Chromium {
        browser.cdp("Network.enable", &json!({}));
        let slow = json!({"offline": false, "latency": 2000, "downloadThroughput": bytes_per_second, "uploadThroughput": bytes_per_second});
        browser.cdp("Network.emulateNetworkConditions", &slow);
    } else {
        stage.relay.slow_down(latency, bytes_per_second);
    }
    browser.open(&stage.url("/page/0"));
    assert_eq!(browser.wait_for_origin(6 * SOON), "/page/0");
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
    assert_eq!(stage.relay.count("GET /page/0"), 2, "nothing is asked for again because it is slow");
}

/// Every script of the gate finds another time, in the page and in its workers.
fn clock_wrong_by_a_day(engine: Engine) {
    let browser = Browser::of(engine, Traits::default());
    for day in [-86_400_000_i64, 86_400_000] {
        let shift = format!(
            "if (!globalThis.shifted) {{ globalThis.shifted = true; const now = Date.now.bind(Date); Date.now = () => now() + ({day}); \
             globalThis.Date = class extends Date {{ constructor(...given) {{ super(...(given.length ? given : [Date.now()])); }} }}; }}"
        );
        let lines = format!(
            "location ~ ^/.portcullis/(gate-|hashwx).*[.]js$ {{ PASS proxy_set_header Accept-Encoding \"\"; \
             addition_types *; add_before_body /shift.js; }} location = /shift.js {{ default_type text/javascript; return 200 '{shift}'; }} \
             location / {{ PASS }}"
        );
        let (server, verifier, origin) = over_https(settings(1_000_000), &lines);
        browser.open(&format!("https://{HOST}:{}/page/0", server.port));
        in_state(&browser, "solving");
        let clock = browser.script("return new window.Date().getTime()").as_i64().unwrap();
        let real = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        assert!((clock - real - day).abs() < 60_000, "the precondition: {clock} is a day off {real}");
        assert_eq!(browser.wait_for_origin(6 * SOON), "/page/0");
        assert_eq!(origin.count("/page/0"), 1);
        let metrics = verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
        assert!(metrics.contains("portcullis_clearances_sold_total 1\n"), "one purchase: {metrics}");
        browser.forget_cookies();
    }
}

#[test]
fn the_table_says_what_is_tested_and_no_more() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/BROWSERS.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).map(|row| row.split(" | "));
    let mut told = Vec::new();
    for mut cells in rows {
        let condition = cells.next().unwrap_or_default();
        let Some(name) = condition.rsplit('`').nth(1) else { continue };
        let engines: Vec<_> = Engine::ALL.into_iter().zip(cells).collect();
        assert_eq!(engines.len(), 3, "{condition}: a cell for each engine");
        for (engine, cell) in engines {
            assert!(cell == "tested" || cell.len() > 10, "{condition}: tested, or why it is not: {cell}");
            told.extend((cell == "tested").then(|| (name.to_owned(), engine.name())));
        }
    }
    let mut tested: Vec<_> = TESTED.iter().map(|(name, engine)| ((*name).to_owned(), engine.name())).collect();
    tested.sort();
    told.sort();
    assert_eq!(told, tested);
}
