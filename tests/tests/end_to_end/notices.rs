//! What the operator has to say on the page, and the number by which a failure is found again.

use serde_json::json;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::verifier::Verifier;
use tests::visitor::challenge;
use tests::wait::{SOON, until_true};

fn stage() -> Stage {
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 10_000_000)
        .set("challenge.max_solve_seconds", 240)
        .rule("path = \"/denied\"\naction = \"deny\"");
    Stage::new(Front::Proxy, settings)
}

fn notice(verifier: &Verifier, arguments: &[&str]) -> (bool, String) {
    let file = verifier.directory().join("portcullis.toml").display().to_string();
    let output = verifier.command(&[&["notice"][..], arguments, &["--config", &file]].concat());
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
}

const TEXT: &str = "Vote until 6 pm <today>: https://vote.example.org/?a=1&b=2. Call tel:+49-30-123!";
const HTML: &str = "<p id=\"notice\" dir=\"auto\" lang=\"en\">Vote until 6 pm &lt;today&gt;: \
    <a href=\"https://vote.example.org/?a=1&amp;b=2\">vote.example.org/?a=1&amp;b=2</a>. Call <a href=\"tel:+49-30-123\">+49-30-123</a>!</p>";

#[test]
fn a_notice_is_read_without_solving_and_changed_while_the_verifier_runs() {
    let mut stage = stage();
    assert_eq!(notice(&stage.verifier, &[]), (true, "no notices".to_owned()));
    assert!(!stage.client().navigate("/").text().contains("id=\"notice\""));
    let (done, said) = notice(&stage.verifier, &[TEXT, "--language", "en"]);
    assert!(done && said.contains("from now on") && !said.contains("restart"), "{said}");
    assert!(stage.client().navigate("/").text().contains(HTML));
    assert!(stage.client().navigate("/denied").text().contains(HTML), "on every page of the gate");
    assert_eq!(notice(&stage.verifier, &[]), (true, format!("main: {TEXT}")));
    // With and without script it is the same.
    for engine in Engine::ALL {
        let browser = Browser::of(engine, Traits::default());
        browser.open(&stage.url("/"));
        browser.wait(SOON, "it to solve", "return document.documentElement.dataset.state === 'solving'");
        let shown = browser
            .script("const n = document.querySelector('#notice'); return n.innerText + n.querySelectorAll('a').length");
        let text = "Vote until 6 pm <today>: vote.example.org/?a=1&b=2. Call +49-30-123!2";
        assert_eq!(shown, json!(text), "{}", engine.name());
    }
    stage.verifier.crash_and_restart();
    assert!(stage.client().navigate("/").text().contains(HTML), "it outlasts a crash");
    let (done, _) = notice(&stage.verifier, &["--clear"]);
    assert!(done && !stage.client().navigate("/").text().contains("id=\"notice\""));
    stage.verifier.crash_and_restart();
    assert!(!stage.client().navigate("/").text().contains("id=\"notice\""), "and so does its end");
}

#[test]
fn each_site_has_a_notice_of_its_own_and_what_does_not_fit_is_refused() {
    let settings = Settings::new().site("one", &["one.test"], Some("http://127.0.0.1:9")).site(
        "two",
        &["two.test"],
        Some("http://127.0.0.1:9"),
    );
    let verifier = Verifier::start(settings);
    let page = |host: &str| verifier.client(host).navigate("/").text();
    let (done, said) = notice(&verifier, &["Hello"]);
    assert!(!done && said.contains("name the site: one, two"), "{said}");
    let (done, said) = notice(&verifier, &["Hello", "--site", "two"]);
    assert!(done && said.contains("`two`"), "{said}");
    assert!(page("two.test").contains(">Hello</p>") && !page("one.test").contains("Hello"));
    for (text, reason) in [("&".repeat(121), "605 bytes"), ("a\nb".to_owned(), "one line")] {
        let (done, said) = notice(&verifier, &[&text, "--site", "one"]);
        assert!(!done && said.contains(reason), "{said}");
    }
    let (done, said) = notice(&verifier, &["Hello", "--site", "one", "--language", "d\""]);
    assert!(!done && said.contains("as a tag"), "{said}");
    assert!(!page("one.test").contains("id=\"notice\""));
}

#[test]
fn nobody_else_sets_a_notice() {
    let stage = stage();
    let admin = stage.verifier.admin();
    let token = format!("Bearer {}", stage.verifier.admin_token());
    let body = json!({"text": "Hello"}).to_string();
    let post = |headers: &[(&str, &str)], kind: &str| {
        let request =
            headers.iter().fold(admin.request("POST", "/notice"), |request, (name, value)| request.header(name, value));
        request.body(kind, body.as_str()).send().status
    };
    assert_eq!(post(&[], "application/json"), 401);
    assert_eq!(post(&[("Authorization", "Bearer x")], "application/json"), 401);
    assert_eq!(post(&[("Authorization", &token)], "text/plain"), 415);
    assert_eq!(post(&[("Authorization", &token), ("Origin", "http://evil.test")], "application/json"), 403);
    assert_eq!(post(&[("Authorization", &token), ("Sec-Fetch-Site", "cross-site")], "application/json"), 403);
    stage
        .client()
        .request("POST", "/.portcullis/notice")
        .body("application/json", body.as_str())
        .send()
        .expect_status(405);
    assert!(!stage.client().navigate("/").text().contains("Hello"));
    assert_eq!(post(&[("Authorization", &token)], "application/json"), 200);
    assert!(stage.client().navigate("/").text().contains("Hello"));
}

#[test]
fn what_a_visitor_reads_of_a_failure_is_in_the_log() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.count", 8).set("challenge.difficulty", 100));
    failure_is_in_the_log(&stage, &Browser::with(Traits { without_cookies: true, ..Traits::default() }));
}

/// What a browser without cookies is told on the gate's page.
pub(super) fn failure_is_in_the_log(stage: &Stage, browser: &Browser) {
    browser.open(&stage.url("/page/0"));
    let read = "return /cookies-[0-9a-f]{8}/.exec(document.querySelector('#request').textContent)?.[0]";
    let number = browser.wait(SOON, "the number", read);
    let number = number.as_str().unwrap();
    let line = || stage.verifier.log().lines().find(|line| line.contains(number)).map(str::to_owned);
    until_true(SOON, "its line", || line().is_some());
    let line = line().unwrap();
    assert!(
        line.contains("a page says that it failed") && line.contains("127.0.0.0/24") && !line.contains("127.0.0.1"),
        "{line}"
    );
}

#[test]
fn of_a_thousand_failures_in_a_second_every_number_is_in_the_log_and_few_lines() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 1_000_000));
    let client = stage.client();
    let asked = challenge(&client, "");
    let wrong = json!({"challenge": asked.text(), "solution": "AAAAAAAAAAA"}).to_string();
    let mut numbers = std::collections::BTreeSet::new();
    for _ in 0..1_000 {
        let reply = client.request("POST", "/.portcullis/verify").body("application/json", wrong.as_str()).send();
        numbers.insert(reply.json()["failure_id"].as_str().unwrap().to_owned());
    }
    for code in ["busy", "malformed", "outpriced"] {
        let failed = client.get(&format!("/.portcullis/clearance?failed={code}"));
        numbers.insert(failed.json()["failure_id"].as_str().unwrap().to_owned());
    }
    let odd = client.get("/.portcullis/clearance?failed=%3Cscript%3E");
    assert_eq!(odd.json()["failure_id"], json!(null), "only words that pages know");
    assert!(!numbers.is_empty());
    let log = stage.verifier.log();
    for number in &numbers {
        assert!(log.contains(&format!("failure_id=\"{number}\"")), "{number}: {log}");
    }
    let lines = log.lines().filter(|line| line.contains("a solution was refused")).count();
    assert!(lines <= 2 * numbers.len() + 2, "{lines} lines for {} numbers", numbers.len());
}
