//! What `check-config` says: all errors at once, with line and remedy, and what is right is taken as written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use puzzle::Credits;
use std::path::Path;
use verifier_server::config::{Beside, Bind, Config, Listen, Mode};
use verifier_server::explain::explain;
use verifier_server::gate::policy::Action;
use verifier_server::gate::target::Target;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/portcullis/portcullis.toml")).map_err(|problems| problems.to_string())
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
         [challenge]\ncount = 65\ndifficulty = 0\n\n[[site]]\nname = \"a\"\n\n[[site]]\nname = \"a\"\norigin = \"https://x\"\n\
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
        (15, "the origin `https://x` cannot be used", "http://127.0.0.1:3000"),
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
    assert_eq!(config.challenge.floor(), 4_000);
    let name = |host| config.site_of(host).map(|site| site.name.as_str());
    assert_eq!(name("EXAMPLE.org"), Some("main"));
    assert_eq!(name("www.example.org."), Some("main"));
    assert_eq!(name("shop.example.org"), Some("shop"), "an exact name goes before a wildcard");
    assert_eq!(name("example.com"), None);
    assert_eq!(name(".example.org"), None);
    let route = |path| config.policy.route(&Target::parse(path));
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
fn a_rule_that_no_clearance_could_pay_is_an_error() {
    let told = parse("[[site]]\norigin = \"http://h\"\n[[rule]]\npath = \"/x\"\ncost = 20\nmin_price = 100_000_000")
        .unwrap_err();
    assert!(told.contains("no clearance could ever pay"), "{told}");
}

#[test]
fn a_reserve_is_for_what_passes_unpaid_and_leaves_something_to_the_others() {
    let rule = |path: &str, rest: &str| format!("[[rule]]\npath = \"{path}\"\n{rest}\n");
    let site = "[[site]]\norigin = \"http://127.0.0.1:1\"\ncapacity_per_second = 20\n";
    let allow = |reserve: &str| format!("action = \"allow\"\nreserve_per_second = {reserve}");
    let good = parse(&format!("{site}{}{}", rule("/a", &allow("7.5")), rule("/b", &allow("2.5")))).unwrap();
    let reserves: Vec<_> = good.policy.reserves().map(|reserve| (reserve.slice, reserve.per_second)).collect();
    assert_eq!(reserves, [(0, Credits::hundredths(750)), (1, Credits::hundredths(250))]);
    let told = explain(&good);
    assert!(told.contains("rule 1: /a passes unpaid, with 7.5 credits a second of its own"), "{told}");
    assert!(told.contains("share 2 credits a second"), "{told}");
    assert!(told.contains("a browser without JavaScript waits 15 s or longer"), "{told}");

    let told = parse(&format!("{site}{}{}", rule("/a", &allow("8")), rule("/b", &allow("2.01")))).unwrap_err();
    let expected = ":7: `reserve_per_second` (lines 7, 11) keeps 10.01 credits a second, more than half of what the site \
                    `main` can do";
    assert!(told.contains(expected) && told.contains("keep 10 or less in all"), "{told}");
    for action in ["", "action = \"challenge\"", "action = \"deny\"", "asset = true", "cost = 2"] {
        let told = parse(&format!("{site}{}", rule("/a", &format!("{action}\nreserve_per_second = 1")))).unwrap_err();
        assert!(told.contains(":7: `reserve_per_second` is for what passes unpaid"), "{action}: {told}");
        assert!(told.contains("write action = \"allow\""), "{action}: {told}");
    }
    let seventeen: String = (0..17).map(|number| rule(&format!("/{number}"), &allow("0.01"))).collect();
    let told = parse(&format!("{site}{seventeen}")).unwrap_err();
    assert!(told.contains("more than 16 rules have a `reserve_per_second`"), "{told}");
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
    let silent = parse(&format!("{beside}capacity_per_second = 30\n[ticket]\nwait_seconds = 0\n")).unwrap();
    assert!(explain(&silent).contains("keeps browsers without JavaScript out"));
    let told = parse(&format!("{beside}[ticket]\nwait_seconds = 601\nwait_second = 1\n")).unwrap_err();
    assert!(told.contains("from 0 to 600") && told.contains("did you mean `wait_seconds`?"), "{told}");
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
