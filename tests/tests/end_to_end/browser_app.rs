//! The demo's single-page app under the script tag, in every engine, while the price rises from nothing to the most there is and
//! goes back to nothing: no action of its user fails, none is done twice, and nothing that was typed or chosen is lost.

use std::cell::Cell;
use std::iter::successors;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tests::axe::finds_nothing;
use tests::browser::{Browser, Traits};
use tests::demo::Demo;
use tests::engine::Engine;
use tests::relay::Relay;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::wait::{SOON, until_true};

#[test]
fn no_action_fails_while_the_price_rises_and_falls_in_chromium() {
    carries_on(Engine::Chromium);
}

#[test]
fn no_action_fails_while_the_price_rises_and_falls_in_firefox() {
    carries_on(Engine::Firefox);
}

#[test]
fn no_action_fails_while_the_price_rises_and_falls_in_webkit() {
    carries_on(Engine::WebKitGtk);
}

/// What a user does in the app; besides, it polls by itself.
const ACTIONS: [&str; 5] = ["fetch", "xhr", "form", "upload", "htmx"];
/// Where the user types.
const FIELDS: [&str; 4] = ["#note", "#question", "#message", "#guest"];
const FILE_BYTES: u32 = 300_000;

/// Attempts: the least that is asked while anything is.
const FLOOR: u64 = 20_000;
/// How much dearer it gets at once: less than a full clearance of before can pay.
const STEP: u64 = 4;

fn carries_on(engine: Engine) {
    let scene = Scene::start();
    let app = App::open(&scene, engine);
    app.acts();
    app.acts();
    assert_eq!(scene.bought(), 0, "the gate is up, and nothing is asked");
    let highest = scene.highest_price();
    let mut prices: Vec<u64> =
        successors(Some(FLOOR), |price| Some(STEP * price)).take_while(|price| STEP * price <= highest).collect();
    assert!(prices.len() >= 3, "the ceiling is far above the floor: {highest}");
    prices.push(highest);
    let mut bought = 0;
    for price in prices {
        bought = scene.bought();
        app.acts_while(|| scene.asks(price));
        app.acts();
        app.acts();
    }
    assert!(scene.bought() > bought, "at the highest price, too, the app has paid");
    app.acts_while(|| scene.lets_go());
    app.acts();
    app.acts();
    app.ends(&scene);
}

/// The demo's site behind a verifier of ours, whose price is cheap to pay and set by hand.
struct Scene {
    _demo: Demo,
    verifier: Verifier,
    /// Before the site: what arrived there.
    site: Relay,
    /// Before the verifier: what the browser asked for.
    front: Relay,
}

impl Scene {
    fn start() -> Self {
        let demo = Demo::start(&[]);
        let site = Relay::start(demo.site_port());
        let settings = Settings::new()
            .set("mode", "auto")
            .set("challenge.count", 8)
            .set("challenge.difficulty", u32::try_from(FLOOR / 8).unwrap())
            .set("challenge.max_solve_seconds", 1)
            .rule("path = \"/static/**\"\nasset = true")
            .site("main", &[HOST], Some(&format!("http://127.0.0.1:{}", site.port)));
        let verifier = Verifier::start(settings);
        let front = Relay::start(verifier.port);
        Self { _demo: demo, verifier, site, front }
    }

    /// How often somebody has paid.
    fn bought(&self) -> usize {
        self.front.count("POST /.portcullis/verify")
    }

    fn tell(&self, what: &str, order: &Value) -> (u16, Value) {
        let authorization = format!("Bearer {}", self.verifier.admin_token());
        let operator = self.verifier.admin().with("Authorization", &authorization);
        let reply = operator.request("POST", what).body("application/json", order.to_string()).send();
        (reply.status, reply.json())
    }

    /// The most that the verifier lets anybody set.
    fn highest_price(&self) -> u64 {
        let (status, refusal) = self.tell("/price", &json!({"site": "main", "price": 1, "minutes": 60}));
        let reason = refusal["error"].as_str().unwrap();
        let numbers: Vec<u64> = reason.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!((status, &numbers[..1]), (400, &[FLOOR][..]), "{reason}");
        numbers[1]
    }

    fn asks(&self, price: u64) {
        let pinned = self.tell("/price", &json!({"site": "main", "price": price, "minutes": 60}));
        let down = self.tell("/mode", &json!({"mode": "on"}));
        assert_eq!((pinned.0, down.0), (200, 200), "{pinned:?}, {down:?}");
        self.until_price(price);
    }

    fn lets_go(&self) {
        let told = self.tell("/mode", &json!({"mode": "auto"}));
        assert_eq!(told.0, 200, "{told:?}");
        self.until_price(0);
    }

    fn until_price(&self, price: u64) {
        until_true(SOON, &format!("a price of {price}"), || {
            let status = self.verifier.admin().request("GET", "/status").send().json();
            status["sites"][0]["price"] == json!(price)
        });
    }
}

/// The app in a browser, and what its user has done.
struct App {
    browser: Browser,
    rounds: Cell<usize>,
    folder: TempDir,
}

impl App {
    fn open(scene: &Scene, engine: Engine) -> Self {
        let browser = Browser::of(engine, Traits::default());
        if engine == Engine::Chromium {
            browser.witness();
        }
        browser.open(&format!("http://{HOST}:{}/app", scene.front.port));
        browser.wait(SOON, "its first poll", "return document.querySelector('[data-part=poll]')?.dataset.done > 0");
        finds_nothing(&browser, "the app before anything was done");
        Self { browser, rounds: Cell::new(0), folder: TempDir::new().unwrap() }
    }

    /// Each action once, and two polls meanwhile.
    fn acts(&self) {
        self.acts_while(|| ());
    }

    /// The same, where something happens while all the actions are on their way.
    fn acts_while(&self, happens: impl FnOnce()) {
        self.rounds.set(self.rounds.get() + 1);
        let polls = self.count("poll", "done");
        let text = format!("Round {}: ä & <b>+%20</b>", self.rounds.get());
        let file = self.folder.path().join(format!("{}.bin", self.rounds.get()));
        let bytes: Vec<u8> = (0..FILE_BYTES).map(|byte| byte.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        std::fs::write(&file, [text.as_bytes(), &bytes].concat()).unwrap();
        for field in FIELDS {
            self.browser.type_text(field, &text);
        }
        self.browser.type_text("#file", file.to_str().unwrap());
        // From the last to the first: an answer that comes meanwhile moves nothing that is still to be pressed.
        for action in ACTIONS.iter().rev() {
            self.browser.click(&format!("[data-part={action}] button"));
        }
        happens();
        let ended = format!(
            "const parts = [...document.querySelectorAll('[data-part]')].map(({{dataset}}) => dataset); \
             return parts.some(({{failed}}) => failed !== '0') || \
               parts.every(({{part, done}}) => part === 'poll' ? done >= {} : done === '{}')",
            polls + 2,
            self.rounds.get()
        );
        self.browser.wait(3 * SOON, &format!("the end of round {}", self.rounds.get()), &ended);
        self.nothing_failed();
        self.has_arrived(&text, &std::fs::read(&file).unwrap());
    }

    fn count(&self, part: &str, outcome: &str) -> usize {
        let script = format!("return Number(document.querySelector('[data-part={part}]').dataset.{outcome})");
        usize::try_from(self.browser.script(&script).as_u64().unwrap()).unwrap()
    }

    fn nothing_failed(&self) {
        let failed = self.browser.script(
            "return [...document.querySelectorAll('[data-part]')].filter(({dataset}) => dataset.failed !== '0') \
               .map((part) => part.dataset.part + ': ' + part.querySelector('.answer').textContent)",
        );
        assert_eq!(failed, json!([]), "round {}", self.rounds.get());
    }

    /// What the site says that it has received is what was typed and chosen.
    fn has_arrived(&self, text: &str, file: &[u8]) {
        let answers = self.browser.script(
            "const answer = (part) => document.querySelector(`[data-part=${part}] .answer`).textContent; \
             const reply = document.querySelector('iframe').contentDocument.getElementById('received').textContent; \
             return {fetch: answer('fetch'), xhr: answer('xhr'), upload: answer('upload'), form: reply, \
               htmx: document.querySelector('#guests li:last-child').textContent}",
        );
        let received = format!("The site has received: {text}");
        let whole = format!("{} bytes, SHA-256 {}", file.len(), HEXLOWER.encode(&Sha256::digest(file)));
        let expected = json!({
            "fetch": received, "xhr": received, "upload": format!("The site has received: {whole}"), "form": text, "htmx": text,
        });
        assert_eq!(answers, expected);
    }

    /// Nothing has failed, and the site has seen each action once and no more.
    fn ends(&self, scene: &Scene) {
        self.browser.click("#polls");
        let polled = || scene.site.count("GET /app/poll");
        until_true(SOON, "the last poll to be counted", || self.count("poll", "done") == polled());
        self.nothing_failed();
        for action in ACTIONS {
            let seen = scene.site.count(&format!("POST /app/{action}"));
            assert_eq!((seen, self.count(action, "done")), (self.rounds.get(), self.rounds.get()), "{action}");
        }
        let all = ACTIONS.len() * self.rounds.get() + polled();
        let state = self.browser.script("return document.getElementById('state').textContent");
        assert_eq!(state, json!(format!("{all} actions, and none has failed.")));
        let loads = scene.front.requests().iter().filter(|request| *request == "GET /app").count();
        assert_eq!(loads, 1, "the page has stayed");
        assert_eq!(self.browser.notes("violation"), Vec::<String>::new(), "its policy is kept");
        finds_nothing(&self.browser, "the app after everything was done");
    }
}
