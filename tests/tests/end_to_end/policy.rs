//! Rules: what they look at, and that no spelling of a request slips past one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{ask, buy, credits};

/// Ways to write `/admin` that some server takes for it, `{host}` for the host.
const SPELLINGS: [&str; 54] = [
    "/admin",
    "//admin",
    "///admin",
    "/admin/",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/./admin",
    "/static/../admin",
    "/static/%2e%2e/admin",
    "/static/%2E./admin",
    "/admin;x",
    "/admin;x/y",
    "/admin;jsessionid=1?a=b",
    "/static/..%2fadmin",
    "/static/..%5cadmin",
    "/static/..\\admin",
    "/static\\..\\admin",
    "/robots.txt/../admin",
    "/robots.txt%2f..%2fadmin",
    "/%2561dmin",
    "/%252561dmin/../admin",
    "/admin%00",
    "/admin%00.css",
    "/admin.",
    "/admin..",
    "/admin/.",
    "/admin/x/..",
    "/x/../admin",
    "/x/..;/admin",
    "/%2e/admin",
    "/admin%20",
    "/admin%09",
    "/admin%0a",
    "/admin%0d%0ax",
    "/ad%09min",
    "/admin//login",
    "/admin%2flogin",
    "/static/%252e%252e/admin",
    "/static/..;x/admin",
    "/static/./../admin",
    "/static//../admin",
    "/.%2fadmin",
    "/;x/admin",
    "/admin%3bx",
    "/admin%3fx",
    "/admin%23x",
    "/admin?/../static/a.css",
    "/%c0%ae%c0%ae/admin",
    "/%c0%afadmin",
    "/%c1%a1dmin",
    "/%u0061dmin",
    "/%ef%bd%81dmin",
    "/index.php/admin",
    "http://{host}/admin",
];

through_both!(
    a_spelling_is_refused_like_the_plain_path,
    a_spelling_costs_what_the_plain_path_costs,
    a_crawler_passes_from_its_ranges_and_not_by_its_name,
    no_wildcard_lets_a_slash_or_a_program_slip_past,
);

fn cheap_rules(settings: Settings) -> Settings {
    settings.rule("path = \"/static/**\"\nasset = true").rule("path = \"/robots.txt/**\"\naction = \"allow\"")
}

/// What a spelling is answered; no manners are asked of a web server's own refusals.
fn status(client: &Client, spelling: &str, cookie: &str) -> u16 {
    let target = spelling.replace("{host}", client.host());
    client
        .request("GET", &target)
        .cookie(cookie)
        .try_send()
        .unwrap_or_else(|error| panic!("{spelling}: {error}"))
        .status
}

fn a_spelling_is_refused_like_the_plain_path(front: Front) {
    let stage = Stage::new(
        front,
        cheap_rules(Settings::new().set("mode", "auto")).rule("path = \"/admin/**\"\naction = \"deny\""),
    );
    let client = stage.client();
    assert_eq!(status(&client, "/static/a.css", ""), 200);
    let before = stage.origin.seen().len();
    for spelling in SPELLINGS {
        let status = status(&client, spelling, "");
        // 400 is what a web server, or hyper, says to a target that it does not take at all.
        assert!(matches!(status, 403 | 400), "{spelling}: {status}");
    }
    assert_eq!(stage.origin.seen().len(), before, "the origin saw none of them");
}

fn a_spelling_costs_what_the_plain_path_costs(front: Front) {
    let stage = Stage::new(front, cheap_rules(Settings::new()).rule("path = \"/admin/**\"\ncost = 20"));
    let client = stage.client();
    for spelling in SPELLINGS {
        let cookie = buy(&client);
        let status = status(&client, spelling, &cookie);
        let left = credits(&client, &cookie, "/");
        if status == 400 {
            assert_eq!(left, Some(100.0), "{spelling}: nothing passed, and nothing was paid");
        } else {
            assert_eq!(left, Some(80.0), "{spelling}: {status}");
        }
    }
}

fn no_wildcard_lets_a_slash_or_a_program_slip_past(front: Front) {
    let settings = Settings::new()
        .set("mode", "auto")
        .rule("path = [\"/login*\", \"/**/xmlrpc.php\"]\naction = \"deny\"")
        .rule("path = \"/hook*\"\naction = \"allow\"\ncost = 2")
        .rule("path = \"/**\"\naction = \"challenge\"");
    let stage = Stage::new(front, settings);
    let client = stage.client();
    for path in ["/login", "/login/", "/login.php/x", "/xmlrpc.php", "/xmlrpc.php/x", "/blog/xmlrpc.php/"] {
        client.get(path).expect_status(403);
    }
    client.get("/hook").expect_status(200);
    client.get("/hook/").expect_status(429);
    let long = format!("/{}", "a/..//".repeat(300));
    client.get(&long).expect_status(403);
}

#[test]
fn a_long_odd_path_pays_for_no_rule_of_another_host() {
    let settings = Settings::new()
        .set("mode", "auto")
        .rule("path = \"/secret\"\nhost = \"*.portcullis.test\"\naction = \"deny\"")
        .rule("path = \"/dear\"\naction = \"challenge\"");
    let origin = tests::origin::Origin::start("main");
    let verifier = tests::verifier::Verifier::start(settings.site("main", &[], Some(&origin.url())));
    let client = verifier.client(HOST);
    let long = format!("/{}", "a/..//".repeat(300));
    client.get(&long).expect(429, "challenge_required");
    client.for_host("a.portcullis.test").get(&long).expect(403, "denied");
}

#[test]
fn every_condition_counts() {
    let settings = Settings::new()
        .set("mode", "auto")
        .rule("name = \"loud\"\nnetwork = \"127.5.0.0/16\"\naction = \"deny\"")
        .rule("path = \"/submit\"\nmethod = \"POST\"\naction = \"deny\"")
        .rule("host = \"*.portcullis.test\"\npath = \"/shop/**\"\naction = \"deny\"")
        .rule("name = \"scrapers\"\nheader = { name = \"User-Agent\", matches = \"(?i)scraper\" }\naction = \"challenge\"");
    let origin = tests::origin::Origin::start("main");
    let verifier = tests::verifier::Verifier::start(settings.site("main", &[], Some(&origin.url())));
    let client = verifier.client(HOST);
    client.in_network(5, 1).get("/").expect(403, "denied");
    client.get("/submit").expect_status(200);
    client.request("POST", "/submit").body("text/plain", "x").send().expect(403, "denied");
    client.in_network(6, 1).get("/").expect_status(200);
    client.get("/shop/a").expect_status(200);
    client.for_host("a.portcullis.test").get("/shop/a").expect(403, "denied");
    client.with("User-Agent", "My-Scraper/1").get("/").expect(429, "challenge_required");
    assert_eq!(ask(&client, "/submit")["needed"], serde_json::json!(false));
    assert!(ask(&client.with("User-Agent", "My-Scraper/1"), "/submit")["challenge"].is_string());
    let log = verifier.log();
    assert!(log.contains("rule=\"loud\"") && log.contains("rule=\"scrapers\""), "{log}");
    let admin = verifier.admin().with("Authorization", &format!("Bearer {}", verifier.admin_token()));
    let text = admin.request("GET", "/metrics").try_send().unwrap().text();
    for line in [
        "portcullis_rule_requests_total{decision=\"denied\",rule=\"loud\"} 1",
        "portcullis_rule_requests_total{decision=\"challenged\",rule=\"scrapers\"} 1",
        "portcullis_rule_requests_total{decision=\"denied\",rule=\"others\"} 2",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
}

#[test]
fn a_cookie_makes_dearer_and_never_cheaper() {
    let settings = Settings::new()
        .rule("header = { name = \"Cookie\", matches = \"session=\" }\ncost = 5")
        .rule("path = \"/admin\"\ncost = 20");
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let cookie = buy(&client);
    let visit = |target: &str, cookie: &str| {
        client.request("GET", target).cookie(cookie).send().expect_status(200);
    };
    visit("/", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0));
    visit("/", &format!("session=1; {cookie}"));
    assert_eq!(credits(&client, &cookie, "/"), Some(94.0));
    visit("/admin", &format!("session=1; {cookie}"));
    assert_eq!(credits(&client, &cookie, "/"), Some(74.0), "the dearer of the two, not the first");
    let told = stage.verifier.command(&["check-config", "portcullis.toml"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("it only makes dearer what other rules decide"), "{told:?}");
}

#[test]
fn what_is_built_in_is_open_while_the_gate_is_down_and_its_spellings_are_not() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    for path in ["/robots.txt", "/.well-known/security.txt", "/feed", "/feed.xml"] {
        assert_ne!(client.get(path).status, 429, "{path}");
        for spelling in [format!("/.{path}"), format!("{path}?x"), format!("{path};x"), format!("/x/..{path}")] {
            client.get(&spelling).expect(429, "challenge_required");
        }
        client.request("POST", path).body("text/plain", "x").send().expect(429, "challenge_required");
    }
}

fn a_crawler_passes_from_its_ranges_and_not_by_its_name(front: Front) {
    let ranges = tempfile::NamedTempFile::new().unwrap();
    let path = ranges.path().to_str().unwrap();
    let refresh = |download: &str| {
        let mut portcullis = Command::new(tests::verifier::binary())
            .args(["bots", "refresh", path, "--source", "https://search.example/bot.json"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        portcullis.stdin.take().unwrap().write_all(download.as_bytes()).unwrap();
        portcullis.wait_with_output().unwrap()
    };
    std::fs::remove_file(path).unwrap();
    let published = "{\"creationTime\": \"2026-11-20T15:46\", \"prefixes\": [{\"ipv4Prefix\": \"127.9.0.0/16\"}]}";
    let told = refresh(published);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.status.success() && text.contains("1 networks of https://search.example/bot.json, 2026-11-20"),
        "{told:?}"
    );
    let broken = refresh("<html>moved</html>");
    assert!(!broken.status.success() && String::from_utf8_lossy(&broken.stderr).contains("neither"), "{broken:?}");

    let bot = format!("name = \"searcher\"\nranges = \"{path}\"").parse::<toml::Table>().unwrap();
    let settings = Settings::new()
        .set("bot", toml::Value::Array(vec![toml::Value::Table(bot)]))
        .rule("name = \"search\"\nverified_bot = \"searcher\"\naction = \"allow\"");
    let stage = Stage::new(front, settings);
    let client = stage.client().with("User-Agent", "Searcher/1.0");
    client.get("/").expect(429, "challenge_required");
    client.in_network(9, 1).get("/").expect_status(200);
    client.in_network(8, 1).get("/").expect(429, "challenge_required");
}
