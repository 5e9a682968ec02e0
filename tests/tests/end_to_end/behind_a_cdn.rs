//! `deploy/cdn`: the list of ranges, where it comes from, and what is believed with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tests::nginx::{Nginx, Site};
use tests::origin::Origin;
use tests::recipes::shipped;
use tests::settings::Settings;
use tests::stage::{HOST, beside_nginx};
use tests::verifier::Verifier;

/// As CDNs publish them: one a line, and JSON.
const LIST: &str = "127.9.0.0/16\n2001:db8::/32\n";
const JSON: &str = "{\"addresses\": [\"192.0.2.0/24\", \"198.51.100.0/24\"], \"ipv6_addresses\": [\"2001:db8:1::/48\"], \"version\": 3}";

fn refresh(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("deploy/cdn/refresh-ranges.sh");
    Command::new("sh").arg(script).args(arguments).output().unwrap()
}

/// What a CDN publishes, and where it is fetched to.
fn published(texts: &[(&str, &str)]) -> (Origin, TempDir, PathBuf) {
    let (origin, folder) = (Origin::start("cdn"), TempDir::new().unwrap());
    for (name, text) in texts {
        fs::write(folder.path().join(name), text).unwrap();
    }
    origin.offer(folder.path());
    let file = folder.path().join("cdn-ranges.txt");
    (origin, folder, file)
}

#[test]
fn the_list_names_its_source_and_date_and_is_replaced_only_by_a_whole_one() {
    let (origin, _folder, file) =
        published(&[("list", LIST), ("json", JSON), ("wide", "0.0.0.0/0\n"), ("empty", "<html>")]);
    let url = |name: &str| format!("{}/files/{name}", origin.url());
    let path = file.display().to_string();
    let made = refresh(&[&path, &url("list"), &url("json")]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(&format!("# source: {}\n# source: {}\n# date: 20", url("list"), url("json"))), "{text}");
    let networks: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(networks, ["127.9.0.0/16", "2001:db8::/32", "192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"]);
    for bad in ["wide", "empty", "missing"] {
        let failed = refresh(&[&path, &url("list"), &url(bad)]);
        assert_eq!(failed.status.code().map(|code| code != 0), Some(true), "{bad}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text, "{bad}: the old list stays");
    }
    let leftovers = fs::read_dir(file.parent().unwrap()).unwrap().flatten();
    assert_eq!(leftovers.filter(|entry| entry.file_name().to_string_lossy().contains("ranges.txt.")).count(), 0);
}

#[test]
fn the_verifier_behind_it_believes_the_ranges_and_nobody_else() {
    let (cdn, _folder, file) = published(&[("list", LIST)]);
    assert!(refresh(&[&file.display().to_string(), &format!("{}/files/list", cdn.url())]).status.success());
    let origin = Origin::start("main");
    let settings = Settings::from_text(&shipped("cdn", "portcullis.toml")).without("state_dir").without("secret_file");
    let settings =
        settings.without("listen").set("mode", "off").set("trusted_proxies_file", file.display().to_string());
    let verifier = Verifier::start(settings.of_site("hosts", vec![HOST]).of_site("origin", origin.url()));
    let of = |client: tests::client::Client| {
        let client = client.with("X-Forwarded-For", "198.51.100.1, 203.0.113.9").with("X-Forwarded-Proto", "https");
        client.get("/page/1").expect_status(200);
        (origin.last().header("x-forwarded-for"), origin.last().header("x-forwarded-proto"))
    };
    assert_eq!(of(verifier.client(HOST).in_network(9, 9)), ("203.0.113.9".to_owned(), "https".to_owned()));
    assert_eq!(of(verifier.client(HOST).in_network(8, 8)), ("127.8.8.1".to_owned(), "http".to_owned()));
}

#[test]
fn the_shipped_example_is_a_list_that_is_taken() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("cdn-ranges.txt"), shipped("cdn", "cdn-ranges.example.txt")).unwrap();
    fs::write(folder.path().join("portcullis.toml"), shipped("cdn", "portcullis.toml")).unwrap();
    let told = Command::new(tests::verifier::binary())
        .args(["check-config", "portcullis.toml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success() && text.contains("192.0.2.0/24, 2001:db8::/32"), "{told:?}");
}

#[test]
fn nginx_behind_it_tells_the_verifier_the_visitors_address() {
    let (cdn, folder, _) = published(&[("list", LIST)]);
    let ranges = folder.path().join("cdn-ranges.conf").display().to_string();
    let made = refresh(&["--nginx", &ranges, &format!("{}/files/list", cdn.url())]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let real_ip = shipped("cdn", "nginx-realip.conf");
    assert_eq!(real_ip.matches("\ninclude /etc/nginx/cdn-ranges.conf;").count(), 1);
    let real_ip = real_ip.replace("/etc/nginx/cdn-ranges.conf", &ranges);
    let origin = Origin::start("main");
    let verifier =
        Verifier::start(beside_nginx(Settings::new().set("clearance.bind", "strict")).site("main", &[HOST], None));
    let lines = format!(
        "{real_ip}\nlocation / {{ proxy_pass {}; proxy_set_header X-Seen-Address $remote_addr; }}",
        origin.url()
    );
    let nginx = Nginx::start(verifier.port, &Site { lines, ..Site::default() });
    // Bound to one network, a clearance tells which address the verifier was given.
    let visitor = |address: &str| nginx.client(HOST).in_network(9, 9).with("X-Forwarded-For", address);
    let cookie = tests::visitor::buy(&visitor("198.51.100.1, 203.0.113.9, 127.9.1.1"));
    let asks = |client: &tests::client::Client| client.request("GET", "/page/1").cookie(&cookie).send().status;
    assert_eq!(asks(&visitor("203.0.113.10")), 200);
    assert_eq!(origin.last().header("x-seen-address"), "203.0.113.10");
    assert_eq!(asks(&visitor("198.51.100.1")), 429);
    let around = nginx.client(HOST).in_network(8, 8).with("X-Forwarded-For", "203.0.113.10");
    assert_eq!(asks(&around), 429, "who goes around the CDN is taken at the address he has");
}
