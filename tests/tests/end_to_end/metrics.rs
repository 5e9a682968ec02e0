//! `GET /metrics`: what the documentation, the dashboard and the alert rules name is there, and Prometheus itself reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tests::client::Client;
use tests::ports;
use tests::process::Process;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::buy;
use tests::wait::{SOON, until};

/// A stage at which everything was counted that is counted only once it came.
fn busy_stage() -> Stage {
    let rule = "name = \"private\"\npath = \"/private/**\"\naction = \"deny\"";
    let stage = Stage::new(Front::Proxy, Settings::new().rule(rule));
    let client = stage.client();
    client.get("/private/").expect_status(403);
    client.get("/").expect_status(429);
    let cookie = buy(&client);
    client.with("Cookie", &cookie).get("/").expect_status(200);
    stage
}

fn metrics_of(stage: &Stage) -> String {
    stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text()
}

/// Each metric there is, with its kind.
fn kinds(metrics: &str) -> BTreeMap<String, String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split_once(' ')).map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn file(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// Every `portcullis_…` in a text, without the endings that a histogram adds.
fn named_in(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let names = text.split(|letter| !is_part(letter)).filter(|word| word.starts_with("portcullis_"));
    let plain = |name: &str| {
        let ending = ["_bucket", "_count"].into_iter().find(|ending| name.ends_with(&format!("_seconds{ending}")));
        name[..name.len() - ending.map_or(0, str::len)].to_owned()
    };
    names.map(plain).collect()
}

#[test]
fn the_documentation_lists_the_metrics_that_there_are_and_no_other() {
    let there = kinds(&metrics_of(&busy_stage()));
    let manual = file("docs/OPERATING.md");
    let section = manual.split("\n## Metrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `portcullis_"));
    let told: BTreeMap<String, String> = rows
        .map(|row| {
            let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
            (format!("portcullis_{}", cells.next().unwrap()), cells.next().unwrap())
        })
        .collect();
    assert_eq!(told, there);
}

#[test]
fn whatever_a_site_counts_stands_under_its_name() {
    let stage = busy_stage();
    let metrics = metrics_of(&stage);
    for line in [
        "portcullis_site_requests_total{decision=\"challenged\",site=\"main\"} 1",
        "portcullis_site_requests_total{decision=\"denied\",site=\"main\"} 1",
        "portcullis_site_requests_total{decision=\"paid\",site=\"main\"} 1",
        "portcullis_site_requests_total{decision=\"busy\",site=\"main\"} 0",
        "portcullis_site_refusals_total{code=\"used\",site=\"main\"} 0",
        "portcullis_solve_seconds_count{site=\"main\"} 1",
        "portcullis_origin_answer_seconds_count{site=\"main\"} 1",
        "portcullis_origin_errors_total{site=\"main\"} 0",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line}\n{metrics}");
    }
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse::<f64>().unwrap()
    };
    assert!(value("portcullis_cpu_seconds_total ") > 0.0);
    assert!(value("portcullis_resident_memory_bytes ") > 1e6);
}

#[test]
fn no_word_of_a_stranger_becomes_a_label() {
    let stage = busy_stage();
    let before = metrics_of(&stage).lines().count();
    let client = stage.client();
    for number in 0..50 {
        let stranger = client.with("User-Agent", &format!("agent-{number}"));
        stranger.get(&format!("/path-{number}?{number}"));
        stranger.for_host(&format!("host-{number}.test")).get("/");
    }
    let after = metrics_of(&stage);
    assert_eq!(after.lines().count(), before, "{after}");
    assert!(!after.contains("agent-") && !after.contains("path-") && !after.contains("host-"));
}

#[test]
fn the_status_names_who_asks_most() {
    let stage = busy_stage();
    let client = stage.client().with("User-Agent", "scraper/1.0");
    for number in 0..20 {
        client.get(&format!("/wp-login.php?{number}")).expect_status(429);
    }
    let top = stage.verifier.admin().request("GET", "/status").try_send().unwrap().json()["top"].clone();
    assert_eq!(top["networks"][0]["name"], "127.0.0.0/24", "{top}");
    let path = &top["paths"][0];
    assert_eq!((path["name"].as_str(), path["site"].as_str()), (Some("/wp-login.php"), Some("main")), "{top}");
    assert_eq!((path["requests"].as_u64(), path["turned_away"].as_u64()), (Some(20), Some(20)), "{top}");
    assert_eq!(top["user_agents"][0]["name"], "scraper/1.0", "{top}");
    assert_eq!(top["reasons"][0]["name"], "denied", "{top}");
    let status = stage.verifier.command(&["status", "--config", "portcullis.toml"]);
    let told = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(told.contains("/wp-login.php on main: 20 in"), "{told}");
}

#[test]
fn the_dashboard_and_the_alert_rules_name_metrics_that_there_are() {
    let there: BTreeSet<String> = kinds(&metrics_of(&busy_stage())).into_keys().collect();
    for path in [
        "deploy/grafana/portcullis.json",
        "deploy/prometheus/portcullis.rules.yml",
        "deploy/prometheus/portcullis.rules.test.yml",
    ] {
        let named = named_in(&file(path));
        assert!(named.len() > 5, "{path}: {named:?}");
        let missing: Vec<_> = named.difference(&there).collect();
        assert!(missing.is_empty(), "{path}: {missing:?}");
    }
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard: serde_json::Value = serde_json::from_str(&file("deploy/grafana/portcullis.json")).unwrap();
    assert_eq!(dashboard["__inputs"][0]["pluginId"], "prometheus");
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        assert_eq!(panel["datasource"]["uid"], "${DS_PROMETHEUS}", "{panel}");
    }
}

/// Runs `promtool` in `deploy/prometheus` and wants it content, without a warning.
fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(workspace().join("deploy/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success() && !said.to_lowercase().contains("warn"), "{arguments:?}: {said}");
    if arguments[1] == "metrics" {
        assert_eq!(said, "");
    }
}

#[test]
fn promtool_finds_nothing_wrong() {
    promtool(&["check", "metrics"], &metrics_of(&busy_stage()));
    promtool(&["check", "rules", "portcullis.rules.yml"], "");
    promtool(&["test", "rules", "portcullis.rules.test.yml"], "");
    promtool(&["check", "config", "prometheus.yml"], "");
}

#[test]
fn prometheus_scrapes_it_and_loads_the_rules() {
    let stage = busy_stage();
    let folder = TempDir::with_prefix("prometheus-test-").unwrap();
    let config = file("deploy/prometheus/prometheus.yml")
        .replace("127.0.0.1:9090", &format!("127.0.0.1:{}", stage.verifier.admin_port))
        .replace("scrape_interval: 15s", "scrape_interval: 1s");
    fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    fs::write(folder.path().join("portcullis.rules.yml"), file("deploy/prometheus/portcullis.rules.yml")).unwrap();
    let port = ports::free();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let prometheus = Process::start(&mut command, &folder.path().join("log"));
    let client = Client::new(port, "127.0.0.1");
    let query = "/api/v1/query?query=portcullis_site_requests_total%7Bdecision%3D%22paid%22%7D";
    let paid = until(SOON, "Prometheus to have scraped the verifier", || {
        let answer = client.request("GET", query).try_send().ok().filter(|answer| answer.status == 200)?.json();
        let value = answer["data"]["result"][0].clone();
        (!value.is_null()).then_some(value)
    });
    assert_eq!(paid["metric"]["site"], "main", "{paid}");
    assert_eq!(paid["value"][1], "1", "{paid}\n{}", prometheus.output());
    let rules = client.request("GET", "/api/v1/rules").try_send().unwrap().json();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 5 && rules.iter().all(|rule| rule["health"] != "err"), "{rules:?}");
}
