//! `portcullis demo` as a newcomer runs it: the gate on a small site, and an attack that runs by itself.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::client::Client;
use tests::demo::Demo;
use tests::verifier::binary;
use tests::wait::{SOON, until, until_true};

/// The shortest flood that there is, in seconds.
const FLOOD_SECONDS: &str = "5";
/// One that closes the gate also on a machine that is busy.
const LONGER_SECONDS: &str = "15";

/// Calm, flood, the shortest hold, and time for a machine that is busy.
const STORY: Duration = Duration::from_mins(3);

/// The number before `what` in a line, `16` in `16 requests`.
fn number_before(line: &str, what: &str) -> u64 {
    let before = line.split(what).next().unwrap().trim_end();
    before.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no number before {what} in {line}"))
}

#[test]
fn the_attack_is_announced_met_and_over_and_visitors_are_served_meanwhile() {
    let mut demo = Demo::start(&["--attack", "--attack-seconds", FLOOD_SECONDS]);
    demo.tells("The gate is open.");
    let client = Client::new(demo.port, &format!("127.0.0.1:{}", demo.port));
    until(SOON, "the site to answer", || {
        client.request("GET", "/").try_send().ok().filter(|reply| reply.status == 200)
    });
    demo.tells("The flood begins, from 100 networks");
    demo.tells("THE GATE IS DOWN");
    client.navigate("/").expect_status(429);
    demo.tells("Visitors solve their puzzles and are let through");
    demo.tells("The flood ends");
    demo.tells("The gate stays down for");
    let told = demo.told();
    // A machine that is busy serves few of them in a second, and some all the same.
    let down = told.lines().filter(|line| line.contains(" down ") || line.contains(" holds "));
    let seconds: Vec<&str> = down.filter(|line| line.contains(" requests,")).collect();
    assert!(seconds.iter().any(|line| number_before(line, " puzzles,") > 20), "the flood is turned away: {told}");
    assert!(seconds.iter().any(|line| number_before(line, " pages read,") > 0), "visitors get pages: {told}");
    assert!(seconds.iter().all(|line| number_before(line, " requests,") < 500), "the flood is bounded: {told}");
    assert!(
        seconds.iter().any(|line| line.contains("price 262144")),
        "a flood that never pays raises no price: {told}"
    );
    assert!(told.chars().all(|char| char == '\n' || !char.is_control()), "{told}");
    demo.interrupt();
}

#[test]
fn the_story_ends_with_a_report_that_can_be_opened() {
    let mut demo = Demo::start(&["--attack", "--attack-seconds", LONGER_SECONDS]);
    demo.tells_within(STORY, "THE GATE LETS GO. Nothing is asked of anybody any more.");
    let client = Client::new(demo.port, &format!("127.0.0.1:{}", demo.port));
    client.request("GET", "/").try_send().unwrap().expect_status(200);
    demo.tells("REPORT: attack 1");
    demo.tells("The site demo was asked for more than it can do");
    demo.tells("In other forms: portcullis report 1 --config");
    let folder = demo.left_over().pop().unwrap();
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("<title>Attack 1 on demo</title>"), "{page}");
    let config = folder.join("portcullis.toml");
    let report = Command::new(binary()).args(["report", "1", "--config"]).arg(config).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    // Flood and visitors are addresses of this machine, which no list names.
    assert!(report.contains("No network is named") && report.contains("the gate went down, at"), "{report}");
    demo.interrupt();
}

#[test]
fn ctrl_c_ends_the_attack_at_any_time() {
    let moments = [
        "",
        "An attack in mode auto",
        "0 puzzles,",
        "The flood begins",
        "THE GATE IS DOWN",
        "Visitors solve their puzzles",
        "The gate stays down for",
    ];
    for moment in moments {
        let mut demo = Demo::start(&["--attack", "--attack-seconds", LONGER_SECONDS]);
        if moment.is_empty() {
            // As early as there is anything to clean up.
            until_true(SOON, "its folder", || !demo.left_over().is_empty());
        } else {
            demo.tells_within(STORY, moment);
        }
        demo.interrupt();
    }
}

#[test]
fn ctrl_c_ends_it_in_the_moment_in_which_the_gate_lets_go() {
    let mut demo = Demo::start(&["--attack", "--attack-seconds", LONGER_SECONDS]);
    demo.tells_within(STORY, "THE GATE LETS GO");
    demo.interrupt();
}

#[test]
fn the_plain_demo_asks_at_once_and_serves_who_solves() {
    let mut demo = Demo::start(&[]);
    demo.tells("The gate is down.");
    demo.tells("The whole story, calm, attack, gate, release, report: portcullis demo --attack");
    let url = format!("http://127.0.0.1:{}/", demo.port);
    let client = Client::new(demo.port, &format!("127.0.0.1:{}", demo.port));
    client.navigate("/").expect_status(429);
    let solved = Command::new(binary()).args(["solve", &url]).output().unwrap();
    let cookie = String::from_utf8(solved.stdout).unwrap();
    client.request("GET", "/").cookie(cookie.trim()).try_send().unwrap().expect_status(200);
    demo.interrupt();
}

#[test]
fn the_app_is_there_with_all_its_parts() {
    let mut demo = Demo::start(&[]);
    demo.tells(&format!("http://127.0.0.1:{}/app", demo.port));
    let client = Client::new(demo.port, &format!("127.0.0.1:{}", demo.port));
    client.navigate("/app").expect_status(429);
    let url = format!("http://127.0.0.1:{}/app", demo.port);
    let solved = Command::new(binary()).args(["solve", &url]).output().unwrap();
    let cookie = String::from_utf8(solved.stdout).unwrap();
    let get = |target: &str| {
        let reply = client.request("GET", target).cookie(cookie.trim()).try_send().unwrap();
        reply.expect_status(200);
        reply
    };
    let page = get("/app");
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self';"));
    let page = page.text();
    let named: Vec<&str> = page.split(['"', '\'']).filter(|word| word.starts_with("/static/")).collect();
    assert_eq!(named, ["/static/site.css", "/static/app.css", "/static/htmx.js", "/static/app.js"]);
    for target in named.into_iter().chain(["/.portcullis/portcullis.js", "/app/poll"]) {
        assert!(!get(target).body.is_empty(), "{target}");
    }
    for (target, answer) in [
        ("/app/fetch", "text=a+%26+b"),
        ("/app/xhr", "text=a+%26+b"),
        ("/app/form", "<p id=\"received\">a &amp; b</p>"),
        ("/app/htmx", "<li>a &amp; b</li>"),
        ("/app/upload", "12 bytes, SHA-256 "),
    ] {
        let form = client.request("POST", target).cookie(cookie.trim());
        let reply = form.body("application/x-www-form-urlencoded", "text=a+%26+b").try_send().unwrap();
        reply.expect_status(200);
        assert!(reply.text().contains(answer), "{target}: {}", reply.text());
    }
    demo.interrupt();
}

#[test]
fn htmx_in_the_app_is_what_its_authors_published() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let published = root.join("www/node_modules/htmx2/dist/htmx.min.js");
    let published = fs::read(published).expect("run `npm ci` in www first");
    let ours = fs::read(root.join("verifier-server/src/demo/app/htmx.min.js")).unwrap();
    assert!(ours == published, "take it from www/node_modules/htmx2, and its version into app.rs and sbom.rs");
}

#[test]
fn a_flood_without_end_or_without_an_attack_is_refused() {
    for arguments in [
        &["--attack", "--attack-seconds", "301"][..],
        &["--attack", "--attack-seconds", "0"],
        &["--attack-seconds", "9"],
    ] {
        let output = Command::new(binary()).arg("demo").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("attack"), "{output:?}");
    }
}
