//! `portcullis learn` on weeks of simulated logs: what it finds, within bounds, and what an attacker cannot make it find.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use puzzle::{ClientNetwork, UnixSeconds};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use verifier_server::calendar;
use verifier_server::config::Config;
use verifier_server::gate::networks::{Nested, Profile};
use verifier_server::gate::policy::Subject;
use verifier_server::gate::target::Target;
use verifier_server::learn::{self, LearnError, Learned};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0";
const OFFICE: &str = "203.0.113.5";
const DAY_SECONDS: u32 = 86_400;

fn until() -> UnixSeconds {
    calendar::of_operator("2026-11-25T00:00:00Z").unwrap()
}

/// A log under construction, line by line.
#[derive(Default)]
struct Log(String);

impl Log {
    fn line(&mut self, at: UnixSeconds, address: &str, request: &str, status: u16, agent: &str) {
        // Days of the two months that the tests live in.
        let days = (at.0 - calendar::of_operator("2026-11-01").unwrap().0 + 31 * DAY_SECONDS) / DAY_SECONDS;
        let (day, month) = if days < 31 { (days + 1, "Oct") } else { (days - 30, "Nov") };
        let of_day = at.0 % DAY_SECONDS;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        writeln!(
            self.0,
            "{address} - - [{day:02}/{month}/2026:{hour:02}:{minute:02}:{second:02} +0000] \"{request} HTTP/1.1\" {status} 512 \"-\" \"{agent}\""
        )
        .unwrap();
    }

    fn page(&mut self, at: UnixSeconds, address: &str) {
        self.line(at, address, "GET /news/today", 200, BROWSER);
        for asset in ["/static/a.css", "/static/b.js", "/wp-content/uploads/c.jpg"] {
            self.line(at, address, &format!("GET {asset}"), 200, BROWSER);
        }
    }

    fn write(&self, folder: &TempDir, name: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, &self.0).unwrap();
        path
    }
}

static WEEKS: LazyLock<String> = LazyLock::new(|| simulated_weeks().0);

fn weeks() -> Log {
    Log(WEEKS.clone())
}

/// Fourteen days: an office of about forty visitors all day, two homes a minute, a payment provider, a cron job.
fn simulated_weeks() -> Log {
    let mut log = Log::default();
    for minute in 0..14 * 24 * 60_u32 {
        let at = UnixSeconds(until().0 - 14 * DAY_SECONDS + minute * 60);
        (0..37).for_each(|_| log.line(at, OFFICE, "GET /news/today", 200, BROWSER));
        (0..2)
            .for_each(|home| log.page(at, &format!("198.{}.{}.7", 18 + minute / 256 % 80, (minute + home * 97) % 256)));
        if minute % 30 == 0 {
            log.line(at, "192.0.2.44", "POST /pay/callback", 200, "Provider/2.1");
            log.line(at, "127.0.0.1", "POST /wp-cron.php", 200, "WordPress/6.9");
            log.line(at, "192.0.9.99", "POST /pay/callback", 403, "Provider/2.1");
        }
    }
    log
}

fn learn(paths: &[PathBuf]) -> Learned {
    learn::learn(paths, until(), |_| ()).unwrap()
}

fn rate(profile: &Profile, address: &str) -> f32 {
    let address: IpAddr = address.parse().unwrap();
    profile.learned_rate(Nested::of(ClientNetwork::of(address)).levels()[0])
}

/// The configuration of a site with the report appended as it stands.
fn with_report(report: &str) -> Result<Config, String> {
    let text = format!("[[site]]\nname = \"main\"\norigin = \"http://127.0.0.1:3000\"\n\n{report}");
    Config::parse(&text, Path::new("portcullis.toml")).map_err(|problems| problems.to_string())
}

/// A report without the rules that name a network.
fn without_callers(report: &str) -> String {
    let rules = report.split("[[rule]]").map(str::to_owned);
    rules.filter(|rule| !rule.contains("network = ")).collect::<Vec<_>>().join("[[rule]]")
}

#[test]
fn the_weeks_before_are_learned_as_a_running_verifier_would_have() {
    let folder = tempfile::tempdir().unwrap();
    let learned = learn(&[weeks().write(&folder, "access.log")]);
    // 37 pages a minute are 0.617 credits a second; a home's page with three files is 1.3 credits in two weeks.
    let office = rate(&learned.profile, OFFICE);
    assert!((0.55..0.65).contains(&office), "{office}");
    let home = rate(&learned.profile, "198.20.7.7");
    assert!(home < 0.002, "{home}");
    assert!(rate(&learned.profile, "198.51.100.9") < 0.001, "a network that never came");
    let days = learned.profile.observed_seconds() / f64::from(DAY_SECONDS);
    assert!((9.0..14.0).contains(&days), "{days}: fourteen of them, the first of which count half");
    let paths: Vec<&str> = learned.folders.iter().map(|folder| folder.path.as_str()).collect();
    assert_eq!(paths, ["/static/", "/wp-content/"]);
    let callers: Vec<(String, &str, bool)> =
        learned.callers.iter().map(|caller| (caller.network.to_string(), caller.path.as_str(), caller.own)).collect();
    assert_eq!(
        callers,
        [("127.0.0.1/32".to_owned(), "/wp-cron.php", true), ("192.0.2.44/32".to_owned(), "/pay/callback", false)]
    );
}

#[test]
fn the_report_is_a_configuration_and_its_rules_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let learned = learn(&[weeks().write(&folder, "access.log")]);
    let report = learned.report(Path::new("profile"));
    let rules: toml::Table = report.parse().unwrap();
    let rules = rules["rule"].as_array().unwrap();
    assert_eq!(rules.len(), 3, "two folders and the machine's own: {report}");
    for rule in rules.iter().filter(|rule| rule.get("action").is_some()) {
        for key in ["network", "method", "path"] {
            assert!(rule.get(key).is_some(), "{key} is missing in {rule}");
        }
    }
    assert!(report.contains("#network = \"192.0.2.44/32\"\n#method = \"POST\"\n#path = \"/pay/callback\""), "{report}");
    let config = with_report(&without_callers(&report)).unwrap();
    let is_asset = |path: &str| {
        let target = &Target::parse(path);
        let (host, address) = ("example.org", [203, 0, 113, 7].into());
        let subject =
            Subject { target, has_query: false, host, address, crawler: None, method: Some("GET"), headers: None };
        config.policy.route(&subject).asset
    };
    assert!(is_asset("/static/deep/x.css") && !is_asset("/news/today"));
}

#[test]
fn weeks_of_forged_requests_earn_no_rule_no_asset_and_little_capacity() {
    let folder = tempfile::tempdir().unwrap();
    let honest = learn(&[weeks().write(&folder, "access.log")]);
    let mut forged = Log::default();
    for minute in 0..14 * 24 * 60_u32 {
        let at = UnixSeconds(until().0 - 14 * DAY_SECONDS + minute * 60);
        forged.line(at, "192.0.2.200", "POST /xmlrpc.php", 200, "Provider/2.1");
        forged.line(at, "192.0.2.200", "GET /news/today", 200, "Provider/2.1");
        forged.line(at, "192.0.2.200", "GET /search/x.css", 200, BROWSER);
        forged.line(at, "192.0.2.200", "POST /pay/callback", 403, "Provider/2.1");
        forged.line(at, "192.0.2.200", "GET /a\\\"b\\n[[rule]]", 200, "x");
    }
    let burst = UnixSeconds(until().0 - 5 * DAY_SECONDS);
    (0..20_000).for_each(|_| forged.line(burst, "192.0.2.200", "GET /favicon.ico", 200, BROWSER));
    let mut paths = [weeks().write(&folder, "access.log"), forged.write(&folder, "forged.log")];
    paths.reverse();
    let learned = learn(&paths);
    assert_eq!(learned.folders.iter().map(|folder| &folder.path).collect::<Vec<_>>(), ["/static/", "/wp-content/"]);
    let own: Vec<&str> =
        learned.callers.iter().filter(|caller| caller.own).map(|caller| caller.path.as_str()).collect();
    assert_eq!(own, ["/wp-cron.php"], "no rule without a question");
    let report = learned.report(Path::new("profile"));
    let table: toml::Table = report.parse().unwrap();
    let allowed = table["rule"].as_array().unwrap().iter().filter(|rule| rule.get("action").is_some());
    assert_eq!(allowed.count(), 1, "{report}");
    assert!(!report.contains("/news/today") && !report.contains("/a"), "{report}");
    // Two thousand credits in ten seconds, of one network.
    let (honest, forged) = (honest.peak.unwrap().credits_per_second, learned.peak.unwrap().credits_per_second);
    assert!(forged < honest + 10.0, "{forged} instead of {honest}");
}

#[test]
fn the_last_hour_and_whatever_follows_it_count_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = weeks();
    for second in 0..1_800_u32 {
        (0..20).for_each(|_| log.page(UnixSeconds(until().0 - 1_700 + second), "192.0.2.66"));
    }
    let learned = learn(&[log.write(&folder, "access.log")]);
    assert!(rate(&learned.profile, "192.0.2.66") < 0.001, "{}", rate(&learned.profile, "192.0.2.66"));
    assert!(learned.peak.unwrap().credits_per_second < 50.0, "{:?}", learned.peak);
    assert_eq!(learned.outside, 1_800 * 20 * 4 + 60 * (37 + 8) + 6);
    assert!(learned.summary().contains("left out as too old, too late"), "{}", learned.summary());
}

#[test]
fn what_cannot_be_read_is_said_and_no_profile_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("odd.log");
    std::fs::write(&odd, "{\"json\": true}\n".repeat(7)).unwrap();
    let (profile, log) = (folder.path().join("profile"), weeks().write(&folder, "access.log"));
    let run = |paths: &[PathBuf], until| learn::run(paths, until, &profile, |_| ());
    assert!(matches!(run(std::slice::from_ref(&odd), until()), Err(LearnError::NoLines(7))));
    assert!(matches!(run(&[folder.path().join("none.log")], until()), Err(LearnError::File(_))));
    let early = calendar::of_operator("2026-01-01").unwrap();
    assert!(matches!(run(std::slice::from_ref(&log), early), Err(LearnError::OutOfTime { .. })));
    assert!(!profile.exists());
    let learned = run(&[odd, log.clone()], until()).unwrap();
    assert!(learned.summary().contains(", 7 malformed ones left out"), "{}", learned.summary());
    let kept = std::fs::read(&profile).unwrap();
    assert!(matches!(run(&[log], until()), Err(LearnError::ProfileExists(_))));
    assert_eq!(std::fs::read(&profile).unwrap(), kept);
    let read = Profile::read(folder.path()).unwrap().unwrap();
    assert_eq!(rate(&read, OFFICE).to_bits(), rate(&learned.profile, OFFICE).to_bits());
}

#[test]
fn a_quiet_site_is_told_no_capacity() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    (0..200).for_each(|hour| log.page(UnixSeconds(until().0 - 9 * DAY_SECONDS + hour * 3_600), "198.51.100.9"));
    let report = learn(&[log.write(&folder, "access.log")]).report(Path::new("profile"));
    assert!(report.contains("too little to tell") && !report.contains("capacity_per_second ="), "{report}");
}
