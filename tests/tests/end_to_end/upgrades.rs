//! Another version in the place of the one that serves, under load: nobody is turned away, nobody solves twice, and pages that were
//! open before find what they still need.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tests::browser::Browser;
use tests::client::Client;
use tests::load::Load;
use tests::origin::Origin;
use tests::ports;
use tests::relay::Relay;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{HOST, Stage};
use tests::verifier::{Unit, Verifier, another_binary, held_socket};
use tests::visitor::{buy, credits};
use tests::wait::{SOON, until_true};

/// What an asset is answered with besides its content.
const HEADERS: [&str; 6] = [
    "content-type",
    "cache-control",
    "content-security-policy",
    "x-content-type-options",
    "cross-origin-resource-policy",
    "vary",
];

/// A site behind the other version, as a unit with a socket of its own runs it, at a price that takes a browser some seconds.
fn before(difficulty: u32) -> Stage {
    let (origin, port) = (Origin::start("main"), ports::free());
    let settings = Settings::new()
        .set("clearance.credits", 1_000_000)
        .set("challenge.count", 8)
        .set("challenge.difficulty", difficulty)
        .set("challenge.max_solve_seconds", 60)
        .site("main", &[HOST], Some(&origin.url()))
        .of_site("capacity_per_second", 100_000);
    let unit = Unit { socket: Some(held_socket(port)), binary: Some(another_binary()), ..Unit::default() };
    let verifier = Verifier::start_in(unit, settings, port);
    let relay = Relay::start(port);
    Stage { origin, verifier, nginx: None, relay }
}

/// What visitors with this clearance ask: pages, something posted, and what the gate says to it.
fn asked(client: &Client, cookie: &str) -> Vec<Vec<u8>> {
    let request = |method, target| client.request(method, target).cookie(cookie).header("Connection", "close");
    vec![
        request("GET", "/page/1").bytes(),
        request("GET", "/static/1.svg").bytes(),
        request("GET", "/.portcullis/clearance?for=/page/2").bytes(),
        request("POST", "/submit").body("application/x-www-form-urlencoded", "text=kept").bytes(),
    ]
}

/// The name with a hash of this script in a text.
fn name_of(script: &str, text: &str) -> String {
    let beginning = format!("{script}.");
    let candidates = text.match_indices(&beginning).filter_map(|(begin, _)| {
        let name: String =
            text[begin..].chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '.').collect();
        let hash = name.strip_prefix(&beginning)?.strip_suffix(".js")?;
        (hash.len() == 16).then(|| name.clone())
    });
    candidates.min().unwrap_or_else(|| panic!("no {script} in {text}"))
}

/// A visitor whose tab counts the gate's pages that it shows.
fn counting() -> Browser {
    let browser = Browser::start();
    let source = "addEventListener('DOMContentLoaded', () => {
         if (document.body.dataset.challenge) sessionStorage.gates = 1 + Number(sessionStorage.gates ?? 0);
     })";
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({"source": source}));
    browser
}

/// How many those are.
fn gates(browser: &Browser) -> Value {
    browser.script("return sessionStorage.gates")
}

fn asset(stage: &Stage, name: &str) -> Reply {
    stage.client().get(&format!("/.portcullis/{name}"))
}

/// What the tag loads when there is something to solve, by the version that serves.
fn buying_script(stage: &Stage) -> String {
    name_of("buying", &asset(stage, "portcullis.js").text())
}

fn version(stage: &Stage) -> String {
    stage.verifier.admin().get("/status").json()["version"].as_str().unwrap().to_owned()
}

#[test]
fn an_upgrade_under_load_fails_no_request_and_asks_no_visitor_twice() {
    let mut stage = before(150_000);
    let client = stage.client();
    let cookie = buy(&client);
    let visitor = counting();
    visitor.open(&stage.url("/app"));
    visitor.wait_for_origin(SOON);
    let bought = visitor.cookie("portcullis").unwrap();
    let former = version(&stage);
    Load::during(&client, &asked(&client, &cookie), |load| {
        let solving = counting();
        solving.open(&stage.url("/page/100"));
        until_true(SOON, "it to solve", || solving.notes("state").iter().any(|state| state == "solving"));
        // It goes on asking while one verifier ends and the other begins.
        visitor.script(
            "globalThis.met = []; (async () => { while (!globalThis.over) {
                 met.push(await fetch('/page/7').then((answer) => answer.status, String));
                 await new Promise((resolve) => setTimeout(resolve, 50));
             } })(); return true",
        );
        assert!(stage.verifier.upgrade().success());
        load.wait_for_more(500);
        assert_eq!(
            solving.wait_for_origin(Duration::from_mins(1)),
            "/page/100",
            "what it solved before is bought after"
        );
        assert_eq!(gates(&solving), json!("1"), "and asked for once");
        let met = visitor.script("globalThis.over = true; return [...new Set(met)]");
        assert_eq!(met, json!([200]));
    });
    assert_ne!(version(&stage), former, "another version serves");
    assert_eq!(visitor.cookie("portcullis").unwrap(), bought, "with what it had bought before");
    assert_eq!(stage.relay.count("GET /.portcullis/buying."), 0, "nothing was asked of it a second time");
    assert_eq!(gates(&visitor), json!("1"), "the gate's page was seen once, at the first visit");
    assert!(credits(&client, &cookie, "/").is_some_and(|left| left > 0.0));
}

#[test]
fn a_page_from_before_an_upgrade_still_loads_its_solver_for_an_hour() {
    let mut stage = before(20_000);
    let former = buying_script(&stage);
    let solver = name_of("hashwx", &asset(&stage, &former).text());
    let with_tag = Browser::start();
    with_tag.open(&stage.url("/app"));
    with_tag.wait_for_origin(SOON);
    // Somebody who pressed the button before it had solved, and comes back to it.
    let cancelled = Browser::start();
    stage.relay.hold_up("GET /.portcullis/hashwx.", Duration::from_secs(2));
    cancelled.open(&stage.url("/page/1"));
    cancelled.click("#action");
    cancelled.wait(SOON, "it to stop", "return document.documentElement.dataset.state === 'cancelled'");

    assert!(stage.verifier.upgrade().success());
    let now = buying_script(&stage);
    assert_ne!(now, former);
    let (old, new) = (asset(&stage, &former), asset(&stage, &now));
    old.expect_status(200);
    assert_ne!(old.body, new.body);
    for header in HEADERS {
        assert_eq!(old.header(header), new.header(header), "{header}");
        assert!(old.header(header).is_some(), "{header}");
    }

    with_tag.forget_cookies();
    let paid =
        "const done = arguments[arguments.length - 1]; fetch('/page/5').then((answer) => done(answer.status), String)";
    assert_eq!(with_tag.script_async(paid), json!(200), "{:?}", stage.relay.requests());
    assert!(stage.relay.count(&format!("GET /.portcullis/{former}")) > 0, "{:?}", stage.relay.requests());
    assert_eq!(stage.relay.count(&format!("GET /.portcullis/{now}")), 0);

    // Its browser has forgotten what it had loaded.
    let loads = || stage.relay.count(&format!("GET /.portcullis/{solver}"));
    let before = loads();
    cancelled.cdp("Network.clearBrowserCache", &json!({}));
    cancelled.click("#action");
    assert_eq!(cancelled.wait_for_origin(SOON), "/page/1");
    assert!(loads() > before, "the page's own solver, and no other: {:?}", stage.relay.requests());

    // What is not what its name says is not answered, and neither is a name that nobody has.
    let folder = stage.verifier.directory().join("state/assets/former");
    fs::write(folder.join(&former), "something else").unwrap();
    assert_eq!(asset(&stage, &former).body, old.body, "it is read at the start, and never again");
    assert!(stage.verifier.restart().success());
    assert_eq!(asset(&stage, &former).status, 404);
    assert!(!folder.join(&former).exists());
    assert_eq!(asset(&stage, "buying.0123456789abcdef.js").status, 404);
}
