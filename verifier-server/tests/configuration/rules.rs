//! Rules, and what they are about: conditions, API keys, crawlers.

use super::*;

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
    let good =
        parse(&format!("default_rules = false\n{site}{}{}", rule("/a", &allow("7.5")), rule("/b", &allow("2.5"))))
            .unwrap();
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

fn with_rules(rules: &str) -> Result<Config, String> {
    parse(&format!("[[site]]\norigin = \"http://127.0.0.1:1\"\n{rules}"))
}

#[test]
fn every_condition_of_a_rule_is_read_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.txt"), "198.51.100.0/24 # loud\n2001:db8::/32\n").unwrap();
    let rules = r#"
[[site]]
origin = "http://127.0.0.1:1"
[[rule]]
name = "callback"
host = ["shop.example.org", "*.test"]
path = "/callback"
method = "POST"
network = ["203.0.113.0/24", "2001:db8:7::1"]
action = "allow"
[[rule]]
name = "bad"
network_file = "bad.txt"
action = "deny"
[[rule]]
header = [{ name = "User-Agent", matches = "(?i)scraper" }, { name = "X-Debug", is = "1" }]
path = "/search"
cost = 5
min_price = 7
"#;
    let config = Config::parse(rules, &folder.path().join("portcullis.toml")).unwrap();
    let told = explain(&config);
    for sentence in [
        "rule 1 (`callback`): POST /callback on shop.example.org, *.test from 203.0.113.0/24, 2001:db8:7::1/128 passes unpaid"
            .to_owned(),
        format!("rule 2 (`bad`): every path from the 2 networks of {}", folder.path().join("bad.txt").display()),
        "rule 3: /search with user-agent like /(?i)scraper/ with x-debug: 1 costs 5, at 7 attempts or more; it only makes \
         dearer"
            .to_owned(),
        "rule 4 (built in, `robots`): GET /robots.txt without a query passes unpaid".to_owned(),
    ] {
        assert!(told.contains(&sentence), "{sentence} in:\n{told}");
    }
}

#[test]
fn a_rule_on_what_strangers_write_into_headers_never_asks_for_less() {
    for lax in ["action = \"allow\"", "asset = true", "cost = 0.5"] {
        for (header, what) in [
            ("{ name = \"Cookie\" }", "a cookie is what a stranger writes"),
            ("{ name = \"User-Agent\", matches = \"bot\" }", "a header is what a stranger writes"),
            ("[{ name = \"X-Secret\", is = \"1\" }, { name = \"Cookie\" }]", "a header is what a stranger writes"),
        ] {
            let told = with_rules(&format!("[[rule]]\npath = \"/feed\"\nheader = {header}\n{lax}")).unwrap_err();
            assert!(told.contains(":3: ") && told.contains(what) && told.contains("[[api_key]]"), "{told}");
            let vouched = format!("[[rule]]\nnetwork = \"203.0.113.0/24\"\nheader = {header}\n{lax}");
            assert!(with_rules(&vouched).is_ok(), "{vouched}");
        }
    }
    let told = with_rules("[[rule]]\nheader = { name = \"Cookie\" }").unwrap_err();
    assert!(told.contains("changes nothing"), "{told}");
    let config = with_rules("[[rule]]\nmethod = \"POST\"\naction = \"allow\"").unwrap();
    assert!(explain(&config).contains("warning: the rule of line 3 allows every path to everybody"));
}

#[test]
fn what_is_wrong_with_conditions_is_told_with_a_remedy() {
    let told = with_rules(
        "[[rule]]\nname = \"a\"\npath = []\n[[rule]]\nname = \"a\"\nmethod = \"get\"\n[[rule]]\n\
         network = [\"10.1.2.3/8\", \"x\"]\nhost = \"http://x\"\n[[rule]]\nnetwork_file = \"none.txt\"\n[[rule]]\n\
         header = [{ name = \"a b\" }, { matches = \"x\" }, { name = \"b\", matches = \"(\" }, { name = \"c\", is = \"1\", \
         matches = \"1\" }, { name = \"d\", like = \"1\" }]\n[[rule]]\naction = \"deny\"",
    )
    .unwrap_err();
    for problem in [
        ":3: an empty `path` matches nothing",
        ":7: two rules are called `a`",
        ":8: `get` is not a method\n    write it in capitals: GET",
        ":10: `10.1.2.3/8` has bits beyond its length\n    write \"10.0.0.0/8\"",
        ":10: `x` is not a network",
        ":11: `http://x` is not a host name",
        ":13: the list /etc/portcullis/none.txt cannot be used",
        ":15: `a b` is not a header name",
        ":15: a header without its name",
        ":15: `(` is not an expression that can be used: unclosed group",
        ":15: a header has both `is` and `matches`",
        ":15: `like` is not a key in `header`",
        ":16: a rule without `path`, `host`, `method`, `header`, `network`, `network_file`, `verified_bot` matches nothing",
    ] {
        assert!(told.contains(problem), "{problem} in:\n{told}");
    }
}

#[test]
fn what_is_built_in_is_for_reading_without_a_query_and_can_be_replaced_or_left_out() {
    let by_itself = with_rules("").unwrap();
    for path in ["/robots.txt", "/.well-known/acme-challenge/x", "/feed", "/rss.xml"] {
        assert_eq!(route(&by_itself, path).action, Action::Allow, "{path}");
        assert_eq!(route(&by_itself, &format!("{path}?s=x")).action, Action::Price, "{path}");
    }
    let slice = |path: &str| route(&by_itself, path).reserve.map(|reserve| reserve.slice);
    let (acme, health) = (slice("/.well-known/acme-challenge/x"), slice("/healthz"));
    assert!(acme.is_some() && health.is_some() && acme != health, "what must not fail shares with nobody");
    assert_eq!(slice("/.well-known/security.txt"), None);
    for path in ["//robots.txt", "/feed/../x", "/feed/x", "/.well-known/../x"] {
        assert_eq!(route(&by_itself, path).action, Action::Price, "{path}");
    }
    let replaced = with_rules("[[rule]]\npath = \"/feed\"\ncost = 3").unwrap();
    assert_eq!(route(&replaced, "/feed").cost, Credits::whole(3));
    let left_out = parse("default_rules = false\n[[site]]\norigin = \"http://127.0.0.1:1\"").unwrap();
    assert_eq!(route(&left_out, "/feed").action, Action::Price);
    assert!(explain(&left_out).contains("no rule is built in"));
}

#[test]
fn thousands_of_rules_and_networks_are_read() {
    let nets: Vec<String> =
        (0..20_000_u32).map(|number| format!("\"10.{}.{}.0/24\"", number >> 8 & 255, number & 255)).collect();
    let rule = |number| format!("[[rule]]\npath = \"/p{number}/**\"\ncost = 2\n");
    let rules = (0..5_000).map(rule).collect::<Vec<_>>().concat();
    let config =
        with_rules(&format!("[[rule]]\nnetwork = [{}]\naction = \"deny\"\n{rules}", nets.join(",\n"))).unwrap();
    assert_eq!(config.policy.rules().len(), 5_001 + 5);
    assert_eq!(route(&config, "/p4999/x").cost, Credits::whole(2));
}

#[test]
fn an_api_key_is_read_and_never_told() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("payments.key");
    std::fs::write(&secret, "correct horse battery staple\n").unwrap();
    let text = |reserve: &str| {
        format!(
            "[[site]]\norigin = \"http://127.0.0.1:1\"\ncapacity_per_second = 20\n[[api_key]]\nname = \"payments\"\n\
             header = \"X-Key\"\nsecret_file = \"payments.key\"\nreserve_per_second = {reserve}\n"
        )
    };
    let parse = |text: &str| {
        Config::parse(text, &folder.path().join("portcullis.toml")).map_err(|problems| problems.to_string())
    };
    let told = parse(&text("5")).unwrap_err();
    assert!(told.contains("others may read it") && told.contains("chmod 600"), "{told}");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let config = parse(&text("5")).unwrap();
    let shown = |value: &'static str| {
        let headers =
            [("x-key".parse().unwrap(), hyper::header::HeaderValue::from_static(value))].into_iter().collect();
        config.api_keys.shown_by(&headers).is_some()
    };
    assert!(shown("correct horse battery staple") && !shown("correct horse battery stable"));
    let explained = explain(&config);
    assert!(
        explained.contains("API key `payments`: whoever shows it in x-key passes, 5 credits a second"),
        "{explained}"
    );
    assert!(!format!("{config:?}{explained}").contains("horse"));
    let told = parse(&text("10.01")).unwrap_err();
    assert!(told.contains("more than half of what the site `main` can do"), "{told}");

    std::fs::write(&secret, "short").unwrap();
    let told = parse(&text("5")).unwrap_err();
    assert!(told.contains("it has 5 bytes, not 16 to 512") && !told.contains("short\n"), "{told}");
    let told = with_rules(
        "[[api_key]]\nname = \"a\"\nheader = \"a b\"\nsha256 = \"xyz\"\n[[api_key]]\nsecret_file = \"none\"\n[[api_key]]\n\
         name = \"b\"\nreserve_per_second = 1\n",
    )
    .unwrap_err();
    for problem in [
        ":5: `a b` is not a header name",
        ":6: `sha256` is not 64 hexadecimal digits",
        ":3: an API key without a usable `reserve_per_second`",
        ":7: an API key without a usable `name`",
        ":8: the secret in /etc/portcullis/none cannot be used",
        ":9: an API key needs either `secret_file` or `sha256`",
    ] {
        assert!(told.contains(problem), "{problem} in:\n{told}");
    }
}

#[test]
fn a_crawler_is_known_by_ranges_whose_source_and_date_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "[[site]]\norigin = \"http://127.0.0.1:1\"\n[[bot]]\nname = \"searcher\"\nranges = [\"searcher.json\"]\n\
                 [[rule]]\nverified_bot = \"searcher\"\naction = \"allow\"\nreserve_per_second = 2\n";
    let parse = |text: &str| {
        Config::parse(text, &folder.path().join("portcullis.toml")).map_err(|problems| problems.to_string())
    };
    let list = |text: &str| std::fs::write(folder.path().join("searcher.json"), text).unwrap();
    let told = parse(rules).unwrap_err();
    assert!(told.contains(":5: the ranges in ") && told.contains("| portcullis bots refresh "), "{told}");
    list("{\"creationTime\": \"2026-11-20T00:00\", \"prefixes\": [{\"ipv4Prefix\": \"203.0.113.0/27\"}]}");
    assert!(parse(rules).unwrap_err().contains("it does not name its source"));
    list("{\"source\": \"https://s.example\", \"prefixes\": [{\"ipv4Prefix\": \"203.0.113.0/27\"}]}");
    assert!(parse(rules).unwrap_err().contains("it does not name its date"));
    list("# source: https://s.example\n# date: 2026-11-20\n203.0.113.0/27\n");
    let config = parse(rules).unwrap();
    let told = explain(&config);
    let sentence =
        "rule 1: every path from the 1 networks of the crawler `searcher` (https://s.example of 2026-11-20) passes";
    assert!(told.contains(sentence), "{told}");
    assert!(!told.contains("allows every path to everybody"), "{told}");
    assert_eq!(route(&config, "/x").action, Action::Allow, "203.0.113.7 is one of them");
    let told = with_rules("[[rule]]\nverified_bot = \"searcher\"\naction = \"allow\"\n").unwrap_err();
    assert!(told.contains(":4: no crawler is called `searcher`"), "{told}");
}

#[test]
fn beside_envoy_a_header_that_it_does_not_pass_on_is_warned_of() {
    let keys = "[[rule]]\nname = \"old app\"\nheader = [{ name = \"X-App\", is = \"1\" }, { name = \"User-Agent\" }]\ncost = 5\n\
                [[rule]]\nheader = { name = \"Sec-Fetch-Mode\", is = \"cors\" }\ncost = 5\n\
                [[api_key]]\nname = \"payments\"\nheader = \"X-API-Key\"\nreserve_per_second = 1\nsha256 = \
                \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n\
                [[api_key]]\nname = \"monitor\"\nreserve_per_second = 1\nsha256 = \
                \"f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"";
    let warned = |beside: &str| {
        let text = format!("beside = \"{beside}\"\n[[site]]\ncapacity_per_second = 50\n{keys}");
        let config = parse(&text).unwrap();
        let of_envoy = config.warnings.iter().filter(|warning| warning.contains("Envoy does not pass on"));
        of_envoy.map(|warning| warning.split(", which").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        warned("envoy"),
        ["the rule `old app` looks at the header x-app", "the API key `payments` looks at the header x-api-key"]
    );
    assert_eq!(warned("caddy"), [""; 0]);
}

#[test]
fn a_crawler_may_be_known_by_names_that_could_be_nobody_elses() {
    let site = "[[site]]\norigin = \"http://127.0.0.1:1\"\n";
    let with = |bot: &str| {
        parse(&format!(
            "{site}[[bot]]\nname = \"searchbot\"\n{bot}\n[[rule]]\nverified_bot = \"searchbot\"\naction = \"allow\"\n"
        ))
    };
    let config = with("domains = \"crawl.search.example\"").unwrap();
    let told = explain(&config);
    assert!(told.contains("by a name under crawl.search.example"), "{told}");
    assert!(
        told.contains("the system's name servers are asked, in the background, for the names of addresses that call")
    );
    assert!(config.crawlers.own("a.crawl.search.example") && !config.crawlers.own("search.example"));
    assert_eq!(config.warnings, [""; 0], "it is not for everybody");
    assert!(!explain(&parse(site).unwrap()).contains("name servers"), "nobody is asked without it");
    for (bot, told) in [
        ("", ":3: a crawler without `ranges` and `domains`"),
        ("domains = []", ":3: a crawler without `ranges` and `domains`"),
        ("domains = [\"search.example\", \"*.search.example\"]", ":5: `*.search.example` is not the domain"),
        ("domains = \"Search.example\"", "`Search.example` is not the domain"),
        ("domains = \"example\"", "`example` is not the domain"),
        ("domains = \"search.example\"\nuser_agent = \"ab\"", ":6: `ab` is not what a crawler calls itself"),
        ("domains = \"search.example\"\nuser_agent = \"\"", "is not what a crawler calls itself"),
        ("user_agent = \"SearchBot\"", "a `user_agent` without `domains` says nothing"),
    ] {
        let found = with(bot).unwrap_err();
        assert!(found.contains(told), "{bot}: {found}");
    }
    let many: Vec<String> = (0..17).map(|number| format!("\"s{number}.example\"")).collect();
    assert!(
        with(&format!("domains = [{}]", many.join(", "))).unwrap_err().contains("17 domains of a crawler are more")
    );
    let servers = |list: &str| parse(&format!("name_servers = {list}\n{site}"));
    let told = servers("[\"192.0.2.53\", \"[::1]:5353\", \"2001:db8::53\"]").unwrap().name_servers;
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["192.0.2.53:53", "[::1]:5353", "[2001:db8::53]:53"]);
    let told = servers("[\"dns.example\"]").unwrap_err();
    assert!(told.contains(":1: `dns.example` is not the address of a name server"), "{told}");
}
