//! `portcullis demo` as a newcomer runs it: the gate on a small site, and an attack that runs by itself.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tests::client::Client;
use tests::ports;
use tests::process::Process;
use tests::verifier::binary;
use tests::wait::{SOON, until, until_true};

/// The shortest flood that there is, in seconds.
const FLOOD_SECONDS: &str = "5";

/// Calm, flood, the shortest hold, and time for a machine that is busy.
const STORY: Duration = Duration::from_mins(3);

/// A demo whose temporary folder is the test's own.
struct Demo {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let port = ports::free();
        let mut command = Command::new(binary());
        command.arg("demo").args(["--port", &port.to_string()]).args(arguments).env("TMPDIR", folder.path());
        let process = Process::start(&mut command, &folder.path().join("told"));
        Self { process, folder, port }
    }

    fn told(&self) -> String {
        self.process.output()
    }

    fn tells(&mut self, what: &str) {
        self.tells_within(SOON, what);
    }

    fn tells_within(&mut self, limit: Duration, what: &str) {
        until_true(limit, what, || {
            if let Some(status) = self.process.exited() {
                panic!("it ended with {status} instead of telling {what}: {}", self.told());
            }
            // A line may break between any two words.
            in_one_line(&self.told()).contains(what)
        });
    }

    /// Folders that it made.
    fn left_over(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    }

    /// Ctrl-C: it has to end by itself, soon, and leave nothing behind.
    fn interrupt(&mut self) {
        self.process.signal(Signal::INT);
        let status = self.process.wait(SOON);
        assert!(status.success(), "{status}: {}", self.told());
        assert_eq!(self.left_over(), Vec::<PathBuf>::new());
        assert!(TcpStream::connect(("127.0.0.1", self.port)).is_err(), "nobody listens any more");
        assert!(!self.told().contains("panicked"), "{}", self.told());
    }
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

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
    let mut demo = Demo::start(&["--attack", "--attack-seconds", FLOOD_SECONDS]);
    demo.tells_within(STORY, "THE GATE LETS GO. Nothing is asked of anybody any more.");
    let client = Client::new(demo.port, &format!("127.0.0.1:{}", demo.port));
    client.request("GET", "/").send().expect_status(200);
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
        "The flood ends",
        "The gate stays down for",
    ];
    for moment in moments {
        let mut demo = Demo::start(&["--attack", "--attack-seconds", FLOOD_SECONDS]);
        if moment.is_empty() {
            // As early as there is anything to clean up.
            until_true(SOON, "its folder", || !demo.left_over().is_empty());
        } else {
            demo.tells(moment);
        }
        demo.interrupt();
    }
}

#[test]
fn ctrl_c_ends_it_in_the_moment_in_which_the_gate_lets_go() {
    let mut demo = Demo::start(&["--attack", "--attack-seconds", FLOOD_SECONDS]);
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
