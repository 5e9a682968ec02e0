//! What `check-config` says: all errors at once, with line and remedy, and what is right is taken as written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod rules;
mod site_keys;

use puzzle::Credits;
use std::path::Path;
use verifier_server::config::{Beside, Bind, Config, Listen, Mode};
use verifier_server::explain::explain;
use verifier_server::gate::policy::{Action, Route, Subject};
use verifier_server::gate::target::Target;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/portcullis/portcullis.toml")).map_err(|problems| problems.to_string())
}

/// What the rules say of a plain request for a path.
fn route(config: &Config, path: &str) -> Route {
    config.policy.route(&Subject {
        target: &Target::parse(path),
        has_query: path.contains('?'),
        host: "example.org",
        address: [203, 0, 113, 7].into(),
        crawler: None,
        method: Some("GET"),
        headers: None,
    })
}

#[test]
fn a_file_with_nothing_but_a_site_and_its_origin_works() {
    let config = parse("[[site]]\norigin = \"http://127.0.0.1:3000\"").unwrap();
    assert_eq!(config.listen, [Listen::Tcp("0.0.0.0:8080".parse().unwrap())]);
    assert_eq!(config.mode, Mode::Auto);
    assert_eq!(config.challenge.floor(), 262_144);
    assert_eq!(config.clearance.full, Credits::whole(100));
    assert_eq!(config.secret_file, Path::new("/etc/portcullis/portcullis.secret"));
    assert_eq!(config.base_path, "/.portcullis/");
    assert!(config.site_of("anything.example").is_some());
}

#[test]
fn every_error_is_told_at_once_with_its_line_and_a_remedy() {
    let told = parse(
        "listen = \"8080\"\nmood = \"on\"\nmode = \"onn\"\ntrusted_proxies = [\"10.0.0.0/33\"]\n\n\
         [challenge]\ncount = 65\ndifficulty = 0\n\n[[site]]\nname = \"a\"\n\n[[site]]\nname = \"a\"\norigin = \"ftp://x\"\n\
         hosts = [\"http://x\"]\n\n[[rule]]\npath = \"static\"\nacton = \"allow\"\n\n[[known_network]]\n\
         network = \"203.0.113.7/24\"\nvisitors = 0\nvisitor = 5\n[[known_network]]\nnetwork = \"10.0.0.0/8\"\nvisitors = 9\n",
    )
    .unwrap_err();
    for (line, message, remedy) in [
        (1, "`8080` is not an address to listen on", "127.0.0.1:8080"),
        (2, "`mood` is not a key at the top level", "did you mean `mode`?"),
        (3, "`mode` = \"onn\" is not known", "did you mean `on`?"),
        (4, "`trusted_proxies` has no effect without `beside`", "remove it"),
        (7, "`count` = 65 is out of range", "from 1 to 64"),
        (8, "`difficulty` = 0 is out of range", "from 1 to"),
        (10, "the site `a` has no origin", "origin = "),
        (13, "two sites are called `a`", "`name`"),
        (15, "the origin `ftp://x` cannot be used", "http://127.0.0.1:3000"),
        (16, "`http://x` is not a host name", "without scheme"),
        (19, "the path `static` does not begin with a slash", "\"/static\""),
        (20, "`acton` is not a key in [[rule]]", "did you mean `action`?"),
        (23, "`203.0.113.7/24` has bits beyond its length", "\"203.0.113.0/24\""),
        (24, "`visitors` = 0 is out of range", "from 1 to 4096"),
        (25, "`visitor` is not a key in [[known_network]]", "did you mean `visitors`?"),
        (27, "`10.0.0.0/8` is too wide to be one shared network", "a /16 or narrower"),
    ] {
        let start = format!("portcullis.toml:{line}: {message}");
        let (_, rest) = told.split_once(&start).unwrap_or_else(|| panic!("{start} is missing in:\n{told}"));
        assert!(rest.lines().nth(1).unwrap_or_default().contains(remedy), "{start}: {remedy} in:\n{told}");
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let told = parse("mode = \"on\"\n[[site\norigin = 1").unwrap_err();
    assert!(told.contains("portcullis.toml:2: this is not TOML"), "{told}");
}

#[test]
fn the_whole_example_of_the_design_is_taken_as_written() {
    let config = parse(
        r#"
listen = ["127.0.0.1:8080", "unix:/run/portcullis.sock"]
admin = "unix:/run/portcullis-admin.sock"
mode = "on"
on_failure = "open"
beside = "proxy"
client_address_header = "X-Client"
trusted_proxies = ["127.0.0.1/32", "::1"]
state_dir = "/var/lib/portcullis"
keep_attacks_days = 30
verifiers = 2
table_mib = 64
secret_file = "../secret"

[[site]]
name = "main"
hosts = ["example.org", "*.example.org"]
origin = "http://127.0.0.1:3000"
[[site]]
name = "shop"
hosts = ["shop.example.org"]
origin = "http://127.0.0.1:3001/"

[challenge]
lifetime_seconds = 200
count = 4
difficulty = 1_000
max_solve_seconds = 10

[clearance]
lifetime_seconds = 900
credits = 200
bind = "strict"

[[rule]]
path = "/static/**"
asset = true
[[rule]]
path = ["/robots.txt", "/.well-known/**"]
action = "allow"
[[rule]]
path = "/search"
cost = 2.5
min_price = 5000

[[known_network]]
network = "203.0.113.0/24"
visitors = 50
"#,
    )
    .unwrap();
    assert_eq!(config.beside, Some(Beside::Proxy { client_address_header: "x-client".parse().unwrap() }));
    assert_eq!(config.clearance.full, Credits::whole(100), "divided by two verifiers");
    assert_eq!(config.clearance.bind, Bind::Strict);
    assert_eq!(config.keep_attacks_days, 30);
    assert_eq!(config.challenge.floor(), 4_000);
    let name = |host| config.site_of(host).map(|site| site.name.as_str());
    assert_eq!(name("EXAMPLE.org"), Some("main"));
    assert_eq!(name("www.example.org."), Some("main"));
    assert_eq!(name("shop.example.org"), Some("shop"), "an exact name goes before a wildcard");
    assert_eq!(name("example.com"), None);
    assert_eq!(name(".example.org"), None);
    let route = |path| route(&config, path);
    assert!(route("/static/a.css").asset);
    assert_eq!(route("/.well-known/acme-challenge/x").action, Action::Allow);
    assert_eq!((route("/search?q=1").cost, route("/search").min_price), (Credits::hundredths(250), 5000));
    let told = explain(&config);
    for sentence in [
        "203.0.113.0/24 is known to be shared by 50 visitors".to_owned(),
        "X-Client".to_lowercase(),
        "rule 3: /search costs 2.5".to_owned(),
        "/var/lib/portcullis".to_owned(),
    ] {
        assert!(told.contains(&sentence), "{sentence} in:\n{told}");
    }
}

#[test]
fn the_workers_of_a_server_are_told_where_requests_pass_and_divided_by_the_verifiers() {
    let site = "[[site]]\norigin = \"http://127.0.0.1:1\"\norigin_requests_max = 50\n";
    let config = parse(&format!("verifiers = 4\n{site}")).unwrap();
    assert_eq!(config.origin_requests_max_of(&config.sites[0]), Some(13));
    assert!(explain(&config).contains("at most 13 requests are there at once"), "{}", explain(&config));
    let told = parse("beside = \"nginx\"\n[[site]]\norigin_requests_max = 50\n").unwrap_err();
    assert!(told.contains(":3: `origin_requests_max` does nothing for the site `main`"), "{told}");
    let told = parse("[[site]]\norigin = \"http://127.0.0.1:1\"\norigin_requests_max = 0\n").unwrap_err();
    assert!(told.contains("a whole number from 1 to 100000"), "{told}");
}

#[test]
fn where_no_capacity_is_known_that_is_said_plainly() {
    let beside = "beside = \"nginx\"\n[[site]]\nname = \"main\"\n";
    let config = parse(beside).unwrap();
    let told = explain(&config);
    assert!(told.contains("nothing bounds allow rules and preflights"), "{told}");
    assert!(told.contains("warning: nothing tells how much the site `main` can do: while its gate is down"), "{told}");
    let known = parse(&format!("{beside}capacity_per_second = 30\n")).unwrap();
    assert_eq!(known.warnings, [""; 0]);
    let before = parse(&format!("{beside}capacity_at_least_per_second = 20\n")).unwrap();
    let told = explain(&before);
    assert!(told.contains("it did 20 credits a second here before: more than 40 start its gate"), "{told}");
    assert!(told.contains("share 2 credits a second"), "{told}");
    assert!(matches!(before.warnings.as_slice(), [one] if one.contains("never rises above the floor")), "{told}");
    let logged = format!("access_log = \"127.0.0.1:8081\"\n{beside}capacity_at_least_per_second = 20\n");
    assert_eq!(parse(&logged).unwrap().warnings, [""; 0]);
    let told = parse(&format!("{beside}capacity_per_second = 10\ncapacity_at_least_per_second = 20\n")).unwrap_err();
    assert!(told.contains(":5: the site `main` can do less than `capacity_at_least_per_second`"), "{told}");
    let silent = parse(&format!("{beside}capacity_per_second = 30\n[ticket]\nwait_seconds = 0\n")).unwrap();
    assert!(explain(&silent).contains("keeps browsers without JavaScript out"));
    let told = parse(&format!("{beside}[ticket]\nwait_seconds = 601\nwait_second = 1\n")).unwrap_err();
    assert!(told.contains("from 0 to 600") && told.contains("did you mean `wait_seconds`?"), "{told}");
}

#[test]
fn the_web_servers_log_comes_to_loopback_or_a_socket_and_only_beside_one_that_asks() {
    let beside =
        |access_log: &str| parse(&format!("beside = \"nginx\"\naccess_log = {access_log}\n\n[[site]]\nname = \"a\"\n"));
    let config = beside("[\"127.0.0.1:8081\", \"unix:/run/portcullis/access.sock\"]").unwrap();
    assert_eq!(
        config.access_log.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["udp:127.0.0.1:8081", "unix:/run/portcullis/access.sock"]
    );
    assert!(config.warnings.is_empty(), "the log tells what the site can do: {:?}", config.warnings);
    assert!(explain(&config).contains("learned from the web server's log, which comes to udp:127.0.0.1:8081"));
    assert!(!parse("beside = \"nginx\"\n[[site]]\nname = \"a\"\n").unwrap().warnings.is_empty());
    for (wrong, message) in [
        ("\"0.0.0.0:8081\"", "`0.0.0.0:8081` is not on loopback"),
        ("\"8081\"", "`8081` is not where a log can be sent"),
        ("\"unix:\"", "`unix:` is not where a log can be sent"),
        ("8081", "`access_log` is a"),
    ] {
        let told = beside(wrong).unwrap_err();
        assert!(told.contains(message) && told.contains("portcullis.toml:2"), "{message} in {told}");
    }
    let proxied = parse("access_log = \"127.0.0.1:8081\"\n[[site]]\norigin = \"http://127.0.0.1:3000\"\n").unwrap_err();
    assert!(proxied.contains("as a proxy the verifier sees every answer itself"), "{proxied}");
}

#[test]
fn what_a_site_says_of_itself_is_checked_at_once_with_line_and_remedy() {
    let told = parse(
        "[[site]]\nhosts = [\"example.org\", \"a.other.test\"]\norigin = [\"http://a\", \"https://b\", \"http://a\"]\n\
         origin_ca_file = \"/nowhere/ca.pem\"\nhealth_path = \"health\"\nmode = \"of\"\ndifficulty = 0\n\
         canonical = \"https://www.example.org\"\ncookie_domain = \"example.org\"\n[site.page]\ntitle = \"\"\n\
         text = \"a\\nb\"\nlanguage = \"de_DE\"\nlight.tone = \"red;}\"\nlight.toned = \"#fff\"\n\
         [[site]]\nname = \"b\"\nhosts = \"b.test\"\norigin = \"http://b\"\ncookie_domain = \"test\"\ncanonical = \"b.test\"",
    )
    .unwrap_err();
    for (line, message, remedy) in [
        (3, "`http://a` is named twice", "write each server once"),
        (4, "`origin_ca_file` cannot be used: /nowhere/ca.pem cannot be read", "in PEM"),
        (5, "`health_path` = \"health\" is not a path", "\"/health\""),
        (6, "`mode` = \"of\" is not known", "did you mean `off`?"),
        (7, "`difficulty` = 0 is out of range", "from 1 to"),
        (8, "`canonical` names www.example.org, which is not one of the site's hosts", "add it to `hosts`"),
        (8, "`canonical` is https, and nobody tells the verifier who came by HTTPS", "beside = \"proxy\""),
        (9, "`cookie_domain` = \"example.org\" does not cover the host `a.other.test`", "a site of its own"),
        (11, "`title` cannot be used", "1 to 120 bytes"),
        (12, "`text` cannot be used", "1 to 560 bytes"),
        (13, "`de_DE` is not a language tag", "\"pt-BR\""),
        (14, "`red;}` is not a colour", "\"#2a6180\""),
        (15, "`toned` is not a key in [site.page.light]", "did you mean `tone`?"),
        (20, "`cookie_domain` = \"test\" is not a domain", "\"example.org\""),
        (21, "`canonical` = \"b.test\" cannot be used", "\"https://www.example.org\""),
    ] {
        let start = format!("portcullis.toml:{line}: {message}");
        let (_, rest) = told.split_once(&start).unwrap_or_else(|| panic!("{start} is missing in:\n{told}"));
        assert!(rest.lines().nth(1).unwrap_or_default().contains(remedy), "{start}: {remedy} in:\n{told}");
    }
}

#[test]
fn name_logo_links_and_translations_are_checked_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.html"), "<html>").unwrap();
    std::fs::write(folder.path().join("large.svg"), "<svg>".to_owned() + &" ".repeat(17 * 1024)).unwrap();
    let site = "[[site]]\norigin = \"http://127.0.0.1:1\"\n[site.page]\n";
    let told = |page: &str| {
        let config = Config::parse(&format!("{site}{page}"), &folder.path().join("portcullis.toml"));
        config.map(|_| ()).map_err(|problems| problems.to_string()).err().unwrap_or_default()
    };
    assert_eq!(told("name = \"The Example\"\nlinks = [{ text = \"Mail\", to = \"mailto:a@example.org\" }]"), "");
    let long = format!("links = [{{ text = \"a\", to = \"https://{}/\" }}]", "a".repeat(320));
    for (page, message) in [
        ("logo = \"nowhere.svg\"", "the logo"),
        ("logo = \"page.html\"", "is no picture"),
        ("logo = \"large.svg\"", "is larger than 16384 bytes"),
        ("links = [{ text = \"a\", to = \"javascript:alert(1)\" }]", "a link cannot lead to `javascript:alert(1)`"),
        ("links = [{ text = \"a\" }]", "lacks its text or where it leads"),
        ("links = \"https://example.org\"", "`links` is a string"),
        (&long, "the links have 330 bytes"),
        ("[[site.page.translation]]\ntitle = \"Un instant\"", "does not say its language"),
        ("[[site.page.translation]]\nlanguage = \"fr\"\ntitel = \"a\"", "did you mean `title`?"),
    ] {
        assert!(told(page).contains(message), "{message} in: {}", told(page));
    }
}

#[test]
fn what_a_site_says_of_itself_is_explained_and_what_it_shares_draws_a_warning() {
    let config = parse(
        "beside = \"proxy\"\n[[site]]\nhosts = [\"www.example.org\", \"*.example.org\"]\n\
         origin = [\"http://10.0.0.1:80\", \"http://10.0.0.2:80\"]\nhealth_path = \"/health\"\nmode = \"on\"\ndifficulty = 1000\n\
         canonical = \"https://www.example.org\"\ncookie_domain = \"example.org\"\n[site.page]\ntitle = \"Hello\"\n\
         light.soft = \"#ccc\"",
    )
    .unwrap();
    let told = explain(&config);
    for part in [
        "passes requests on to http://10.0.0.1:80, http://10.0.0.2:80, each to the one with the fewest",
        "asks each of them for /health every few seconds",
        "`main` has a mode of its own: on",
        "`main` has a price of its own: 8000 attempts",
        "by another host or scheme is sent to https://www.example.org (308), in every mode",
        "clearances of `main` are sent to every host of example.org",
        "the page of `main` has words and colours of its own",
        "to turn everything off: `portcullis mode off`",
        "warning: `cookie_domain` of `main`: browsers send its clearances to every host of example.org",
        "warning: `soft` on `card` of the site `main` (light) is hard to read: a contrast of 1.6 to 1",
    ] {
        assert!(told.contains(part), "{part} in:\n{told}");
    }
    let off = parse("mode = \"off\"\n[[site]]\norigin = \"http://a\"\nmode = \"on\"").unwrap();
    assert!(off.warnings.iter().any(|warning| warning.contains("turns everything off")), "{:?}", off.warnings);
}

#[test]
fn where_a_request_would_be_given_a_proxys_own_address_that_is_said() {
    let site = "[[site]]\norigin = \"http://127.0.0.1:1\"\ncapacity_per_second = 30\n";
    let warned = |text: &str| parse(&format!("{text}\n{site}")).unwrap().warnings.join("\n");
    assert!(warned("listen = \"127.0.0.1:8080\"").contains("every listener is on loopback and `beside` is left out"));
    assert_eq!(warned("listen = \"127.0.0.1:8080\"\nbeside = \"proxy\""), "");
    assert_eq!(warned("listen = [\"127.0.0.1:8080\", \"0.0.0.0:80\"]"), "");
    let everybody = "beside = \"proxy\"\ntrusted_proxies = [\"10.0.0.1\", \"0.0.0.0/0\"]";
    assert!(warned(everybody).contains("`trusted_proxies` has 0.0.0.0/0: everybody is believed"));
    assert!(warned("listen_proxy_protocol = \"10.0.0.2:8081\"").contains("closes every connection from elsewhere"));
    assert_eq!(warned("listen_proxy_protocol = \"10.0.0.2:8081\"\ntrusted_proxies = [\"10.0.0.1\"]"), "");
}

#[test]
fn a_configuration_says_with_an_example_whose_address_it_would_believe() {
    for (text, sentence) in [
        ("", "the client's address is that of the connection; every forwarding header is ignored"),
        ("beside = \"nginx\"", "for example `X-Real-IP: 203.0.113.9` from 127.0.0.1 makes 203.0.113.9 the client"),
        (
            "beside = \"caddy\"",
            "for example `X-Forwarded-For: 198.51.100.7, 203.0.113.9` from 127.0.0.1 makes 203.0.113.9 the client",
        ),
        (
            "beside = \"proxy\"\ntrusted_proxies = [\"10.0.0.0/8\", \"203.0.113.0/24\"]",
            "for example `X-Forwarded-For: 198.51.100.7, 203.0.113.9` from 10.0.0.0 makes 198.51.100.7 the client",
        ),
        (
            "listen = \"unix:/run/p.sock\"\nbeside = \"nginx\"",
            "the client's address is what nginx at the unix socket sets in X-Real-IP",
        ),
        (
            "listen_proxy_protocol = \"unix:/run/p.sock\"",
            "on unix:/run/p.sock the connection is that of the client whom whoever may open the unix socket announces",
        ),
    ] {
        let told = explain(&parse(&format!("{text}\n[[site]]\norigin = \"http://127.0.0.1:1\"")).unwrap());
        assert!(told.contains(sentence), "{text}: {told}");
    }
}

#[test]
fn trusted_networks_come_from_files_too_and_a_file_that_is_wrong_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let head = "# source: https://cdn.example/ranges\n# date: 2026-01-31\n";
    std::fs::write(folder.path().join("good.txt"), format!("{head}192.0.2.0/24\n")).unwrap();
    std::fs::write(folder.path().join("bad.txt"), format!("{head}0.0.0.0/0\n")).unwrap();
    let read = |keys: &str| {
        let text = format!("beside = \"proxy\"\n{keys}\n[[site]]\norigin = \"http://127.0.0.1:1\"");
        Config::parse(&text, &folder.path().join("portcullis.toml"))
    };
    let nets = |keys: &str| read(keys).unwrap().trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(nets("trusted_proxies_file = \"good.txt\""), ["192.0.2.0/24"], "then nobody else is trusted");
    let both = "trusted_proxies = [\"127.0.0.1/32\"]\ntrusted_proxies_file = [\"good.txt\"]";
    assert_eq!(nets(both), ["127.0.0.1/32", "192.0.2.0/24"]);
    let told = read("trusted_proxies_file = \"bad.txt\"").unwrap_err().to_string();
    assert!(told.contains(":2: the file `bad.txt` cannot be used: its line 3, `0.0.0.0/0`, is wider"), "{told}");
    let told = read("trusted_proxies_file = \"none.txt\"").unwrap_err().to_string();
    assert!(told.contains(":2: the file `none.txt` cannot be used: it cannot be read"), "{told}");
}
