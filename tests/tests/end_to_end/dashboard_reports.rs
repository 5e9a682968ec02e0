//! The attacks on the dashboard, in a real browser: shown as they happen, with reports that are saved.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::browser::{Browser, keys};
use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, until, until_true};

/// Where the operator sits.
const ZONE: &str = "Asia/Tehran";
/// The forms of a report, and what their files are called.
const FORMS: [(&str, &str, &str); 5] = [
    ("html", "HTML", "attack-1.html"),
    ("md", "Markdown", "attack-1.md"),
    ("json", "JSON", "attack-1.json"),
    ("csv", "CSV", "attack-1.csv"),
    ("stix", "STIX", "attack-1.stix.json"),
];

fn stage() -> Stage {
    let settings = Settings::new().set("mode", "auto");
    Stage::with_site(Front::Proxy, settings, |site| site.of_site("capacity_per_second", 40))
}

fn operator(stage: &Stage) -> Client {
    stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()))
}

fn post(operator: &Client, target: &str, body: &Value) {
    operator.request("POST", target).body("application/json", body.to_string()).try_send().unwrap().expect_status(200);
}

fn attack(stage: &Stage) -> Value {
    stage.verifier.admin().request("GET", "/attacks").try_send().unwrap().json()["attacks"][0].clone()
}

fn text(browser: &Browser, id: &str) -> String {
    let script = format!("return document.getElementById('{id}').innerText");
    browser.script(&script).as_str().unwrap().replace('\n', " ")
}

#[track_caller]
fn shows(browser: &Browser, id: &str, text: &str) {
    browser.wait(SOON, text, &format!("return document.getElementById('{id}').textContent.includes('{text}')"));
}

/// What was saved under this name, when all of it is there.
fn saved(folder: &Path, name: &str) -> String {
    let file = folder.join(name);
    until(SOON, name, || fs::read_to_string(&file).ok().filter(|text| !text.is_empty()))
}

fn reported(stage: &Stage, form: &str) -> String {
    let told = stage.verifier.command(&["report", "1", "--format", form, "--time-zone", ZONE]);
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn an_attack_is_shown_as_it_happens_and_its_report_is_saved_in_every_form() {
    let stage = stage();
    let operator = operator(&stage);
    let folder = TempDir::with_prefix("portcullis-saved-").unwrap();
    let browser = Browser::start();
    browser.cdp("Emulation.setTimezoneOverride", &json!({"timezoneId": ZONE}));
    browser.save_in(folder.path());
    browser.open(&format!("http://127.0.0.1:{}/#token={}", stage.verifier.admin_port, stage.verifier.admin_token()));
    shows(&browser, "attacks-told", "None has been noticed. Kept for 90 days.");

    post(&operator, "/load", &json!({"load": 2}));
    shows(&browser, "attacks", "Attack 1 on main is still going on, for");
    shows(&browser, "attacks", "Not yet");
    for _ in 0..30 {
        stage.client().get("/");
    }
    until_true(SOON, "requests in the attack", || attack(&stage)["turned_away"].as_u64() >= Some(20));
    // The link that has the focus keeps it while the line changes.
    browser.script("document.querySelector('#attacks a').focus()");
    let away = attack(&stage)["turned_away"].clone();
    browser.wait(
        SOON,
        "what was turned away",
        &format!("return document.querySelector('#attacks').innerText.includes('{away}')"),
    );
    post(&operator, "/mode", &json!({"mode": "off"}));
    shows(&browser, "attacks", "Attack 1 on main lasted");
    assert_eq!(browser.script("return document.activeElement.textContent"), json!("HTML"));
    the_line_has_the_figures(&text(&browser, "attacks"), &attack(&stage));
    let strip = "return document.querySelectorAll('#attacks-strip rect.attack').length";
    browser.wait(SOON, "the bar of the attack", &format!("{strip} === 1"));

    for (form, name, file) in FORMS {
        let link = format!("[aria-label='Report of attack 1 as {name}']");
        if form == "html" {
            browser.press(keys::ENTER);
        } else {
            browser.click(&link);
        }
        let saved = saved(folder.path(), file);
        assert_eq!(saved.trim_end(), reported(&stage, form).trim_end(), "{file}");
        assert_eq!(text(&browser, "attacks-error"), "");
    }
    assert!(fs::read_to_string(folder.path().join("attack-1.md")).unwrap().contains(" +03:30"));
    assert_eq!(browser.notes("violation"), Vec::<String>::new());
}

fn the_line_has_the_figures(line: &str, attack: &Value) {
    let capacity = attack["capacity"].as_f64().unwrap();
    assert!((capacity - 40.0).abs() < 0.1, "{attack}");
    assert!(line.contains("times the 40 that the site can do"), "{line}");
    assert!(
        line.contains(" UTC") && line.contains(" +03:30 here") && line.contains("the mode was set to off"),
        "{line}"
    );
    for figure in ["paid", "unpaid", "turned_away"] {
        assert!(line.contains(&attack[figure].to_string()), "{figure} of {attack} in {line}");
    }
}

#[test]
fn a_report_is_a_file_that_runs_nothing_wherever_it_is_opened() {
    let stage = stage();
    post(&operator(&stage), "/load", &json!({"load": 2}));
    until_true(SOON, "an attack", || attack(&stage)["number"] == json!(1));
    for (form, _, file) in FORMS {
        let target = format!("/attacks/1/report?format={form}&time_zone={ZONE}");
        let reply = stage.verifier.admin().request("GET", &target).try_send().unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        let disposition = format!("attachment; filename=\"{file}\"");
        for (name, value) in [
            ("content-disposition", disposition.as_str()),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{form}");
        }
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with("; sandbox"), "{policy}");
    }
    let bare = stage.verifier.admin().request("GET", "/attacks/1/report").try_send().unwrap();
    assert!(bare.text().starts_with("# Attack 1 on "), "{bare:?}");
}

#[test]
fn a_report_that_cannot_be_made_says_so_on_the_page() {
    let stage = stage();
    let operator = operator(&stage);
    post(&operator, "/load", &json!({"load": 2}));
    let browser = Browser::start();
    browser.open(&format!("http://127.0.0.1:{}/", stage.verifier.admin_port));
    shows(&browser, "attacks", "Attack 1 on main");
    post(&operator, "/mode", &json!({"mode": "off"}));
    shows(&browser, "attacks", "lasted");
    // Once it is written and forgotten in memory, whoever damages the record is told so.
    let file = stage.verifier.directory().join("state/attacks/000001.json");
    until_true(SOON, "the end to be written", || fs::read_to_string(&file).unwrap_or_default().contains("mode_off"));
    fs::write(&file, "{\"version\":1").unwrap();
    browser.click("[aria-label='Report of attack 1 as CSV']");
    shows(&browser, "attacks-error", "There is no report: ");
}
