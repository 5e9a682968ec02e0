//! Attacks as they are noticed, kept and reported: every figure is that of the metrics, and real programs take the lists.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::browser::Browser;
use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::{ask, buy, challenge, verify};
use tests::wait::{SOON, until, until_true};

/// No flood lasts longer, whatever a test waits for.
const FLOOD_MAX: Duration = Duration::from_secs(15);
/// The shortest hold, and time for a machine that is busy.
const RELEASE: Duration = Duration::from_mins(2);
/// Networks of the flood. In the first somebody pays; the last is the operator's own.
const NETWORKS: u32 = 12;
/// What the flood calls itself, to do harm where it is read.
const FLOOD: &str = "=cmd|' /C calc'!A0<script>document.title='owned'</script>`|";

/// A verifier in mode `auto` behind a proxy that says whose request it is.
fn start() -> Verifier {
    let origin = Origin::start("main");
    let settings = Settings::new()
        .set("mode", "auto")
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .set("challenge.difficulty", 100)
        .site("main", &[HOST], Some(&origin.url()))
        .of_site("capacity_per_second", 40)
        .rule("path = \"/ours/**\"\nnetwork = \"198.11.100.7/32\"\naction = \"allow\"");
    Verifier::start(settings)
}

fn address(number: u32) -> String {
    format!("198.{number}.100.7")
}

fn from(verifier: &Verifier, address: &str) -> Client {
    verifier.client(HOST).with("X-Forwarded-Proto", "http").with("X-Forwarded-For", address)
}

fn admin(verifier: &Verifier, target: &str) -> Value {
    let reply = verifier.admin().request("GET", target).try_send().unwrap();
    reply.expect_status(200);
    reply.json()
}

fn state(verifier: &Verifier) -> String {
    admin(verifier, "/status")["sites"][0]["state"].as_str().unwrap().to_owned()
}

/// Asks from all networks in turn until `done`, on two connections. Gives what each network sent.
fn flood(verifier: &Verifier, done: impl Fn() -> bool + Sync) -> Vec<u64> {
    let begun = Instant::now();
    let sent: Vec<AtomicU64> = (0..NETWORKS).map(|_| AtomicU64::new(0)).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let client = verifier.client(HOST).with("X-Forwarded-Proto", "http").with("User-Agent", FLOOD);
                for number in (0..NETWORKS).cycle() {
                    if over.load(Ordering::Relaxed) || begun.elapsed() > FLOOD_MAX {
                        return;
                    }
                    let request = client.request("GET", "/xmlrpc.php?x=1").header("X-Forwarded-For", &address(number));
                    if request.try_send().is_ok() {
                        sent[usize::try_from(number).unwrap()].fetch_add(1, Ordering::Relaxed);
                    }
                    if number == 0 && done() {
                        over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    sent.iter().map(|sent| sent.load(Ordering::Relaxed)).collect()
}

/// The metrics by name and labels.
fn metrics(verifier: &Verifier) -> BTreeMap<String, f64> {
    let text = verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap_or(f64::NAN))).collect()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn report(verifier: &Verifier, format: &str) -> String {
    said(&verifier.command(&["report", "1", "--format", format, "--time-zone", "Asia/Kathmandu"]))
}

fn indicators(verifier: &Verifier, format: &str) -> String {
    said(&verifier.command(&["indicators", "1", "--format", format]))
}

/// A flood, visitors who pay, bad solutions, and then quiet until the gate lets go. Gives what each network sent.
fn play(verifier: &Verifier) -> Vec<u64> {
    let visitor = from(verifier, "203.0.113.9");
    let asked = visitor.clone();
    let mut sent = flood(verifier, || ask(&asked, "")["needed"] == json!(true));
    // While the gate is down: a visitor, and one from a network of the flood.
    for client in [visitor.clone(), from(verifier, &address(0))] {
        let cookie = buy(&client);
        for _ in 0..3 {
            client.request("GET", "/").cookie(&cookie).send().expect_status(200);
        }
    }
    let wrong = challenge(&visitor, "");
    verify(&visitor, "", &wrong, &[0; 8]).expect(403, "unsolved");
    // Until most of what came was turned away, and enough from each network.
    let more = flood(verifier, || {
        let requests = admin(verifier, "/status")["requests"].clone();
        number(&requests["challenged"]) > (2.0 * number(&requests["unpaid"])).max(50.0 * f64::from(NETWORKS))
    });
    sent.iter_mut().zip(more).for_each(|(sent, more)| *sent += more);
    sent
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// `12,345`, as a report writes it.
fn told(count: f64) -> String {
    let digits = format!("{count:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[test]
fn every_figure_of_a_report_is_that_of_the_metrics() {
    let verifier = start();
    let sent = play(&verifier);
    assert_ne!(state(&verifier), "calm");
    assert_eq!(admin(&verifier, "/attacks")["attacks"][0]["ended_at"], Value::Null, "it goes on");
    until_true(RELEASE, "the gate to let go", || state(&verifier) == "calm");
    let list = until(SOON, "the attack to be over", || {
        let list = admin(&verifier, "/attacks");
        list["attacks"][0]["ended_at"].is_u64().then_some(list)
    });
    assert_eq!((&list["kept"], &list["keep_attacks_days"]), (&json!(true), &json!(90)));
    let attack = admin(&verifier, "/attacks/1");
    the_counts_are_those_of_the_metrics(&attack, &metrics(&verifier));
    the_sources_are_those_who_asked(&attack, &sent);
    the_reports_have_the_figures(&verifier, &attack);
    the_lists_spare_who_paid_and_who_is_trusted(&verifier);
    the_log_and_the_command_line_name_it(&verifier, &attack);
}

fn the_counts_are_those_of_the_metrics(attack: &Value, metrics: &BTreeMap<String, f64>) {
    let counts = &attack["counts"];
    let of_site = |name: &str| metrics[&format!("portcullis_{name}{{site=\"main\"}}")];
    // The curve begins a minute before, with everything since the start; what came before the beginning passed.
    let points = attack["curve"]["points"].as_array().unwrap();
    let column = |name: &str| {
        let columns = attack["curve"]["columns"].as_array().unwrap();
        let index = columns.iter().position(|column| column == name).unwrap();
        points.iter().map(|point| number(&point[index])).sum::<f64>()
    };
    let mut before = 0.0;
    for decision in ["unpaid", "paid", "challenged", "denied", "busy"] {
        let metric = metrics[&format!("portcullis_site_requests_total{{decision=\"{decision}\",site=\"main\"}}")];
        assert!((column(decision) - metric).abs() < 0.5, "{decision}: {} of {metric}", column(decision));
        let missing = metric - number(&counts[decision]);
        if decision == "unpaid" {
            before = missing;
            assert!((0.0..60.0).contains(&before), "{before} of {metric}");
        } else {
            assert!(missing.abs() < 0.5, "{decision}: {} of {metric}", counts[decision]);
        }
    }
    assert!(number(&counts["challenged"]) > 100.0 && number(&counts["paid"]) >= 6.0, "{counts}");
    for (ours, theirs) in [
        (number(&counts["sold"]), of_site("solve_seconds_count")),
        (number(&counts["sold"]), metrics["portcullis_clearances_sold_total"]),
        (number(&counts["solving"]["seconds"]), of_site("solve_seconds_sum")),
        (number(&counts["dropped"]), metrics["portcullis_requests_dropped_total"]),
        (number(&counts["origin"]["count"]) + before, of_site("origin_answer_seconds_count")),
        (number(&counts["origin_errors"]), of_site("origin_errors_total")),
    ] {
        assert!((ours - theirs).abs() < 0.001, "{ours} of {theirs} in {counts}");
    }
    for bound in counts["solving"]["within"].as_array().unwrap() {
        let name = format!("portcullis_solve_seconds_bucket{{site=\"main\",le=\"{}\"}}", bound[0].as_f64().unwrap());
        assert!((number(&bound[1]) - metrics[&name]).abs() < 0.5, "{name}");
    }
    let refused: BTreeMap<&String, f64> =
        counts["refused"].as_object().unwrap().iter().map(|(code, count)| (code, number(count))).collect();
    for (name, metric) in metrics.iter().filter(|(name, _)| name.starts_with("portcullis_site_refusals_total")) {
        let told =
            refused.iter().find(|(code, _)| name.contains(&format!("code=\"{code}\""))).map_or(0.0, |(_, told)| *told);
        assert!((told - metric).abs() < 0.5, "{name}: {told} of {metric}");
    }
    assert_eq!(refused.values().sum::<f64>().to_string(), "1", "{refused:?}");
    assert_eq!(attack["peaks"]["price"], json!(100), "a flood that never pays raises no price");
    assert_eq!(attack["before"]["capacity"], json!(40.0));
    assert_eq!(attack["signals"][0]["name"], json!("offered"));
}

fn the_sources_are_those_who_asked(attack: &Value, sent: &[u64]) {
    let sources = &attack["sources"];
    let find = |kind: &str, name: &str| {
        let found = sources[kind].as_array().unwrap().iter().find(|source| source["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("{name} in {sources}"))
    };
    for (network, sent) in sent.iter().enumerate() {
        let source = find("networks", &format!("198.{network}.100.0/24"));
        // The first has asked as a visitor too.
        let more = if network == 0 { 3 } else { 0 };
        assert_eq!(source["requests"], json!(sent + more), "{source}");
    }
    assert_eq!(find("networks", "203.0.113.0/24")["spared"], json!("paid"));
    let all: u64 = sent.iter().sum();
    assert_eq!(find("paths", "/xmlrpc.php")["requests"], json!(all));
    assert_eq!(find("user_agents", FLOOD)["requests"], json!(all));
    assert_eq!(find("reasons", "unsolved")["requests"], json!(1));
}

fn the_reports_have_the_figures(verifier: &Verifier, attack: &Value) {
    let json: Value = serde_json::from_str(&report(verifier, "json")).unwrap();
    assert_eq!(&json["attack"], attack);
    let counts = &attack["counts"];
    let [markdown, page, table] = ["md", "html", "csv"].map(|format| report(verifier, format));
    for figure in ["challenged", "paid", "unpaid", "sold"].map(|name| told(number(&counts[name]))) {
        for text in [&markdown, &page] {
            assert!(text.contains(&figure), "{figure} in {text}");
        }
    }
    assert!(markdown.contains(" +05:45") && page.contains("Asia/Kathmandu"), "{markdown}");
    assert!(!page.contains("<script") && markdown.contains(FLOOD), "{markdown}");
    let total = table.lines().find(|line| line.starts_with("total,")).unwrap();
    let cells: Vec<&str> = total.split(',').collect();
    for (cell, name) in [(7, "unpaid"), (8, "paid"), (9, "challenged"), (12, "sold")] {
        assert_eq!(cells[cell], told(number(&counts[name])).replace(',', ""), "{name} in {total}");
    }
    assert!(table.lines().any(|line| line.starts_with("user_agent,\"'=cmd|")), "{table}");
    valid_stix(&report(verifier, "stix"));
}

/// The validator of OASIS finds nothing wrong, and nothing that it would have otherwise but this: its rule 103 wants ids at
/// random, where the standard lets them be made of what they name.
const STIX_CHECK: &str = "import sys, stix2validator as v; \
    r = v.validate_file(sys.argv[1], v.ValidationOptions(version='2.1', strict=True, disabled=['103'])); \
    v.print_results(r); sys.exit(not r.is_valid)";

fn valid_stix(bundle: &str) {
    let folder = TempDir::with_prefix("portcullis-stix-").unwrap();
    let file = folder.path().join("bundle.json");
    fs::write(&file, bundle).unwrap();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/tools/stix");
    let mut check = Command::new("python3");
    let output = check.args(["-c", STIX_CHECK]).arg(&file).env("PYTHONPATH", tools).output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success(), "{said}\n{bundle}");
}

fn the_lists_spare_who_paid_and_who_is_trusted(verifier: &Verifier) {
    let cidr = indicators(verifier, "cidr");
    // Of twelve one paid and one is named in a rule that lets it pass; whoever visited is in none.
    let networks: Vec<&str> = cidr.lines().collect();
    assert_eq!(networks.len(), 10, "{cidr}");
    for spared in ["198.0.100.0/24", "198.11.100.0/24", "203.0.113.0/24"] {
        assert!(!networks.contains(&spared), "{cidr}");
    }
    let folder = TempDir::with_prefix("portcullis-lists-").unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("attack.nft"), indicators(verifier, "nft")).unwrap();
    fs::write(path("attack.conf"), indicators(verifier, "nginx")).unwrap();
    // In a network of its own, where nobody's rules are looked at: checked, loaded, and read back.
    let load =
        "PATH=$PATH:/usr/sbin; nft -c -f attack.nft && nft -f attack.nft && nft -f attack.nft && nft list ruleset";
    let mut nft = Command::new("unshare");
    nft.args(["--map-root-user", "--net", "sh", "-c", load]).current_dir(folder.path());
    let loaded = said(&nft.output().unwrap());
    for network in &networks {
        assert!(loaded.contains(network), "{network} in {loaded}");
    }
    assert!(!loaded.contains("203.0.113.0") && loaded.contains("timeout 1d"), "{loaded}");
    let config = format!(
        "pid {0}/pid; error_log stderr; events {{}} http {{ access_log off; include {0}/attack.conf; server {{ listen unix:{0}/s; }} }}",
        folder.path().display()
    );
    fs::write(path("nginx.conf"), config).unwrap();
    let nginx = Command::new("nginx").arg("-t").arg("-p").arg(folder.path()).arg("-c").arg(path("nginx.conf")).output();
    let nginx = nginx.unwrap();
    assert!(nginx.status.success(), "{nginx:?}");
    let nginx = indicators(verifier, "nginx");
    for network in networks {
        assert!(nginx.contains(&format!("deny {network};")), "{nginx}");
    }
    assert!(nginx.contains("1 network is left out because somebody there paid"), "{nginx}");
}

fn the_log_and_the_command_line_name_it(verifier: &Verifier, attack: &Value) {
    let log = verifier.log();
    assert!(log.contains("attack 1 begins") && log.contains("attack 1 is over"), "{log}");
    let listed = said(&verifier.command(&["attacks"]));
    let counts = &attack["counts"];
    assert!(listed.contains(&format!("{} paid", counts["paid"])) && listed.contains("by offered"), "{listed}");
    assert!(!verifier.command(&["report", "2"]).status.success());
    let file = verifier.directory().join("state/attacks/000001.json");
    let file = until(SOON, "the record to be written", || {
        fs::read_to_string(&file)
            .ok()
            .filter(|text| serde_json::from_str::<Value>(text).is_ok_and(|kept| kept == *attack))
    });
    assert!(file.len() < 64 * 1024, "{} bytes", file.len());
}

/// A verifier whose gate is down because a program says so.
fn told_full() -> (Verifier, Client) {
    let verifier = start();
    let operator = verifier.admin().with("Authorization", &format!("Bearer {}", verifier.admin_token()));
    post(&operator, "/load", "{\"load\":2}");
    until_true(SOON, "an attack", || admin(&verifier, "/attacks")["attacks"][0]["number"] == json!(1));
    (verifier, operator)
}

fn post(operator: &Client, target: &str, body: &str) {
    operator.request("POST", target).body("application/json", body).try_send().unwrap().expect_status(200);
}

#[test]
fn a_crash_loses_no_number_and_no_record() {
    let (mut verifier, operator) = told_full();
    let file = verifier.directory().join("state/attacks/000001.json");
    until_true(SOON, "the record to be written", || file.exists());
    for (path, mode) in [(file.clone(), 0o600), (file.parent().unwrap().to_owned(), 0o700)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
    let down = verifier.directory().join("state/price");
    until_true(SOON, "the price to be written", || {
        fs::read_to_string(&down).unwrap_or_default().contains("\"closed\":true")
    });
    verifier.crash_and_restart();
    let attack = admin(&verifier, "/attacks/1");
    assert_eq!(attack["ended_at"], Value::Null, "{attack}");
    assert!(attack["actions"].as_array().unwrap().iter().any(|action| action["kind"] == "restarted"), "{attack}");
    post(&operator, "/mode", "{\"mode\":\"off\"}");
    until_true(SOON, "the end", || admin(&verifier, "/attacks/1")["ending"] == json!("mode_off"));
    assert!(verifier.log().contains("the operator set mode off"), "{}", verifier.log());
    // A record that is damaged is said so, and its number is not given again.
    until_true(SOON, "the end to be written", || fs::read_to_string(&file).unwrap().contains("mode_off"));
    fs::write(&file, "{\"version\":1").unwrap();
    verifier.crash_and_restart();
    assert!(verifier.log().contains("000001.json is not used"), "{}", verifier.log());
    post(&operator, "/mode", "{\"mode\":\"auto\"}");
    post(&operator, "/load", "{\"load\":2}");
    until_true(SOON, "another attack", || admin(&verifier, "/attacks")["attacks"][0]["number"] == json!(2));
    // Without a verifier the files tell.
    until_true(SOON, "the record to be written", || file.with_file_name("000002.json").exists());
    verifier.crash();
    assert!(said(&verifier.command(&["attacks"])).contains("   2  "));
    assert!(said(&verifier.command(&["report", "2"])).contains("Attack 2 on"));
    assert!(!verifier.command(&["report", "1"]).status.success());
}

#[test]
fn strangers_and_other_pages_read_no_attacks() {
    let (verifier, _) = told_full();
    for target in ["/attacks", "/attacks/1", "/attacks/1/report?format=html"] {
        let admin = verifier.admin();
        assert_eq!(admin.request("GET", target).try_send().unwrap().status, 200);
        for (name, value) in [("Origin", "http://evil.test"), ("Sec-Fetch-Site", "cross-site")] {
            assert_eq!(
                admin.with(name, value).request("GET", target).try_send().unwrap().status,
                403,
                "{target} {name}"
            );
        }
        assert_eq!(admin.for_host("evil.test").request("GET", target).try_send().unwrap().status, 403);
        assert_ne!(from(&verifier, "203.0.113.9").get(target).status, 200);
    }
    let missing =
        ["/attacks/2", "/attacks/", "/attacks/1/", "/attacks/../secret", "/attacks/99999999999", "/attacks/-1"];
    for target in missing.into_iter().chain(["/attacks/2/report", "/attacks/../report", "/attacks/1/report/"]) {
        assert_eq!(verifier.admin().request("GET", target).try_send().unwrap().status, 404, "{target}");
    }
    for query in ["format=pdf", "time_zone=Middle-earth/Shire", "time_zone=../../etc/passwd"] {
        let target = format!("/attacks/1/report?{query}");
        assert_eq!(verifier.admin().request("GET", &target).try_send().unwrap().status, 400, "{target}");
    }
}

#[test]
fn a_report_is_read_in_a_browser_and_runs_nothing() {
    let (verifier, operator) = told_full();
    let client = from(&verifier, &address(3)).with("User-Agent", FLOOD);
    for _ in 0..40 {
        client.get("/%22%3E%3Cimg%20src=x%20onerror=document.title='owned'%3E").expect_status(429);
    }
    post(&operator, "/mode", "{\"mode\":\"off\"}");
    until_true(SOON, "the end", || admin(&verifier, "/attacks/1")["ending"] == json!("mode_off"));
    let page = verifier.directory().join("report.html");
    fs::write(&page, report(&verifier, "html")).unwrap();
    let browser = Browser::start();
    browser.open(&format!("file://{}", page.display()));
    assert_eq!(browser.script("return document.title"), json!("Attack 1 on main"));
    assert_eq!(browser.script("return document.querySelectorAll('script, img, a').length"), json!(0));
    let shown = browser.script("return [...document.querySelectorAll('code')].map((code) => code.textContent)");
    assert!(shown.as_array().unwrap().contains(&json!(FLOOD)), "{shown}");
    // The style of the page counts, and the picture is described.
    assert_ne!(
        browser.script("return getComputedStyle(document.querySelector('table')).borderCollapse"),
        json!("separate")
    );
    assert_eq!(browser.script("return document.querySelector('svg title').textContent"), json!("Requests a second"));
    assert!(browser.notes("violation").is_empty());
}
