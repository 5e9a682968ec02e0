use super::*;
use crate::config::Host;
use crate::gate::crawlers::CrawlerNames;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use puzzle::Credits;
use std::net::IpAddr;

/// A request; `GET /` from 198.51.100.7 on example.org unless said otherwise.
struct Sent<'a> {
    target: &'a str,
    method: Option<&'a str>,
    host: &'a str,
    address: &'a str,
    crawler: Option<&'a str>,
    headers: &'a [(&'static str, &'static str)],
}

const SENT: Sent<'static> = Sent {
    target: "/",
    method: Some("GET"),
    host: "example.org",
    address: "198.51.100.7",
    crawler: None,
    headers: &[],
};

fn route(policy: &Policy, sent: &Sent<'_>) -> Route {
    let lines = sent.headers.iter();
    let lines = lines.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let headers: HeaderMap = lines.collect();
    let target = Target::parse(sent.target);
    policy.route(&Subject {
        target: &target,
        has_query: sent.target.contains('?'),
        host: sent.host,
        address: sent.address.parse::<IpAddr>().expect("an address"),
        crawler: sent.crawler,
        method: sent.method,
        headers: Some(&headers),
    })
}

fn to(target: &str) -> Sent<'_> {
    Sent { target, ..SENT }
}

fn policy(rules: &[(&str, Route)]) -> Policy {
    let mut builder = PolicyBuilder::default();
    for (path, route) in rules {
        builder.add_for_paths(&[path], *route).expect("a pattern");
    }
    builder.build().expect("rules")
}

fn with_conditions(rules: Vec<(Conditions, Route)>) -> Policy {
    let mut builder = PolicyBuilder::default();
    for (conditions, route) in rules {
        builder.add(None, conditions, route, false).expect("a rule");
    }
    builder.build().expect("rules")
}

fn acting(action: Action) -> Route {
    Route { action, ..Route::DEFAULT }
}

fn methods(names: &[&str]) -> Conditions {
    Conditions { methods: names.iter().map(|name| (*name).to_owned()).collect(), ..Conditions::default() }
}

fn paths(patterns: &[&str]) -> Conditions {
    Conditions { paths: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(), ..Conditions::default() }
}

fn networks(nets: &[&str]) -> Conditions {
    let nets = nets.iter().map(|net| net.parse().expect("a network")).collect();
    Conditions { networks: vec![std::sync::Arc::new(Networks::new(String::new(), nets))], ..Conditions::default() }
}

fn crawlers(domains: &[&str]) -> Conditions {
    let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    let names = CrawlerNames { name: "bot".to_owned(), domains, user_agent: "bot".to_owned() };
    Conditions { crawlers: vec![std::sync::Arc::new(names)], ..Conditions::default() }
}

fn hosts(names: &[&str]) -> Conditions {
    let host = |name: &&str| match name.strip_prefix('*') {
        Some(suffix) => Host::Below(suffix.to_owned()),
        None => Host::Exact((*name).to_owned()),
    };
    Conditions { hosts: names.iter().map(host).collect(), ..Conditions::default() }
}

fn header(name: &'static str, value: HeaderValueIs) -> Conditions {
    let name = HeaderName::from_static(name);
    Conditions { headers: vec![HeaderCondition { name, value }], ..Conditions::default() }
}

#[test]
fn the_first_match_decides() {
    let policy =
        policy(&[("/a/b", acting(Action::Deny)), ("/a/**", acting(Action::Allow)), ("/**", acting(Action::Challenge))]);
    let action = |path| route(&policy, &to(path)).action;
    assert_eq!(action("/a/b"), Action::Deny);
    assert_eq!(action("/a/c/d"), Action::Allow);
    assert_eq!(action("/a"), Action::Allow);
    assert_eq!(action("/"), Action::Challenge);
    assert_eq!(action("/b"), Action::Challenge);
    assert_eq!(route(&policy, &to("/b")).rule, Some(2));
}

#[test]
fn a_star_stays_within_its_segment() {
    let policy = policy(&[("/feeds/*.xml", acting(Action::Allow))]);
    let action = |path| route(&policy, &to(path)).action;
    assert_eq!(action("/feeds/news.xml"), Action::Allow);
    assert_eq!(action("/feeds/deep/news.xml"), Action::Price);
    assert_eq!(action("/feeds/news.xml?page=2"), Action::Allow);
}

#[test]
fn a_crawler_is_known_by_its_networks_or_by_its_confirmed_name_and_by_nothing_else() {
    let by_either = Conditions { crawlers: crawlers(&["bot.example"]).crawlers, ..networks(&["203.0.113.0/24"]) };
    let other_networks = (0..20).map(|third| (networks(&[&format!("10.0.{third}.0/24")]), acting(Action::Deny)));
    let policy = with_conditions(other_networks.chain([(by_either, acting(Action::Allow))]).collect());
    let action = |sent: &Sent<'_>| route(&policy, sent).action;
    assert_eq!(action(&Sent { address: "203.0.113.9", ..to("/") }), Action::Allow);
    // Nowhere near those networks: a rule that was found by them alone would be missed.
    assert_eq!(action(&Sent { crawler: Some("crawl-1.bot.example"), ..to("/") }), Action::Allow);
    for crawler in [None, Some("crawl-1.evilbot.example"), Some("bot.example.evil.net")] {
        let claims = Sent { crawler, headers: &[("user-agent", "bot")], ..to("/") };
        assert_eq!(action(&claims), Action::Price, "{crawler:?}");
    }
}

#[test]
fn every_condition_of_a_rule_must_hold() {
    let conditions = Conditions {
        methods: methods(&["POST"]).methods,
        networks: networks(&["203.0.113.0/24", "2001:db8::/32"]).networks,
        hosts: hosts(&["shop.example.org", "*.test"]).hosts,
        ..paths(&["/callback"])
    };
    let policy = with_conditions(vec![(conditions, acting(Action::Allow))]);
    let good =
        Sent { target: "/callback", method: Some("POST"), host: "Shop.Example.org.", address: "203.0.113.9", ..SENT };
    let action = |sent: &Sent<'_>| route(&policy, sent).action;
    assert_eq!(action(&good), Action::Allow);
    assert_eq!(action(&Sent { host: "a.b.test", ..good }), Action::Allow);
    assert_eq!(action(&Sent { address: "2001:db8::9", ..good }), Action::Allow);
    assert_eq!(action(&Sent { address: "::ffff:203.0.113.9", ..good }), Action::Allow);
    for other in [
        Sent { target: "/callback/", ..good },
        Sent { method: Some("GET"), ..good },
        Sent { method: Some("post"), ..good },
        Sent { method: None, ..good },
        Sent { host: "example.org", ..good },
        Sent { host: "test", ..good },
        Sent { address: "203.0.114.9", ..good },
    ] {
        assert_eq!(action(&other), Action::Price);
    }
}

#[test]
fn what_a_stranger_writes_into_a_header_only_makes_dearer() {
    let like = |text| HeaderValueIs::Like(regex::bytes::Regex::new(text).expect("an expression"));
    let dear = Route { cost: Credits::whole(5), ..Route::DEFAULT };
    let policy = with_conditions(vec![
        (header("cookie", like("session=")), dear),
        (header("user-agent", HeaderValueIs::Exactly("bad".to_owned())), acting(Action::Deny)),
        (paths(&["/feed"]), acting(Action::Allow)),
        (paths(&["/admin"]), Route { cost: Credits::whole(20), ..acting(Action::Challenge) }),
        (header("x-late", HeaderValueIs::Present), acting(Action::Deny)),
    ]);
    let at = |target, headers| route(&policy, &Sent { target, headers, ..SENT });
    assert_eq!(at("/feed", &[]).action, Action::Allow);
    assert_eq!(at("/", &[("cookie", "a=1; session=x")]).cost, Credits::whole(5));
    assert_eq!(at("/", &[("cookie", "a=1")]), Route::DEFAULT);
    assert_eq!(at("/", &[("cookie", "a=1"), ("cookie", "session=x")]).rule, Some(0), "any line counts");
    let feed = at("/feed", &[("cookie", "session=x")]);
    assert_eq!((feed.action, feed.cost), (Action::Price, Credits::whole(5)));
    let admin = at("/admin", &[("cookie", "session=x")]);
    assert_eq!((admin.action, admin.cost, admin.rule), (Action::Challenge, Credits::whole(20), Some(3)));
    assert_eq!(at("/feed", &[("user-agent", "bad")]).action, Action::Deny);
    assert_eq!(at("/feed", &[("x-late", "1")]).action, Action::Allow, "a rule after the one that decided is not asked");
}

#[test]
fn a_method_in_a_header_or_in_small_letters_slips_past_no_rule() {
    let policy = with_conditions(vec![
        (Conditions { methods: methods(&["DELETE"]).methods, ..paths(&["/items/**"]) }, acting(Action::Deny)),
        (Conditions { methods: methods(&["POST"]).methods, ..paths(&["/items/**"]) }, acting(Action::Allow)),
        (Conditions { methods: methods(&["GET"]).methods, ..paths(&["/dear"]) }, acting(Action::Challenge)),
    ]);
    let by =
        |method, headers| route(&policy, &Sent { target: "/items/1", method: Some(method), headers, ..SENT }).action;
    assert_eq!(by("DELETE", &[]), Action::Deny);
    assert_eq!(by("delete", &[]), Action::Deny);
    assert_eq!(by("POST", &[]), Action::Allow);
    assert_eq!(by("POST", &[("x-http-method-override", "DELETE")]), Action::Deny);
    assert_eq!(by("POST", &[("x-method-override", "PUT")]), Action::Price);
    assert_eq!(by("POST", &[("x-http-method-override", "DELETE, x")]), Action::Deny, "some take the first of a list");
    let twice = [("x-http-method", "GET"), ("x-http-method", "delete")];
    assert_eq!(by("POST", &twice), Action::Deny, "and some the last line");
    let many: String = (0..1_000).map(|number| number.to_string() + ",").collect();
    let many: &'static str = (many + "DELETE").leak();
    let many = [("x-http-method", many)];
    assert_eq!(by("POST", &many), Action::Deny, "nobody hides it behind others");
    let any: &'static str = "x,".repeat(1_000).leak();
    let any = [("x-http-method", any)];
    assert_eq!(by("POST", &any), Action::Deny, "and who writes so many has written every one");
    assert_eq!(by("PUT", &[("x-http-method", "POST")]), Action::Price, "and none becomes free by it");
    for method in ["GET", "HEAD", "head"] {
        let sent = Sent { target: "/dear", method: Some(method), ..SENT };
        assert_eq!(route(&policy, &sent).action, Action::Challenge, "{method}");
    }
    let unknown = Sent { target: "/dear", method: None, ..SENT };
    assert_eq!(route(&policy, &unknown).action, Action::Challenge, "work is asked where the method is not known");
}

#[test]
fn a_program_in_the_path_slips_past_no_rule() {
    let policy = policy(&[
        ("/login.php", acting(Action::Challenge)),
        ("/admin/**", acting(Action::Deny)),
        ("/index.php/callback", acting(Action::Allow)),
    ]);
    let action = |path| route(&policy, &to(path)).action;
    assert_eq!(action("/login.php/x"), Action::Challenge);
    assert_eq!(action("/index.php/admin/x"), Action::Deny);
    assert_eq!(action("/sub/app.php/admin"), Action::Price);
    assert_eq!(action("/index.php//admin"), Action::Deny);
    assert_eq!(action("/index.php/login.php"), Action::Challenge);
    assert_eq!(action("/index.php/callback"), Action::Allow);
}

#[test]
fn no_wildcard_lets_a_program_or_a_slash_slip_past_a_rule() {
    for (pattern, paths) in [
        ("/**/xmlrpc.php", &["/xmlrpc.php", "/xmlrpc.php/x", "/blog/xmlrpc.php/x/y", "/xmlrpc.php/"][..]),
        ("/login*", &["/login", "/login/", "/login.php/x", "/login-form/", "/login.cgi/"]),
        ("/wp-*", &["/wp-login.php/x", "/wp-cron.php/"]),
        ("/admin/?", &["/admin/a/"]),
        ("/[Ll]ogin.ph[p7]", &["/Login.php/x", "/login.ph7/"]),
    ] {
        for action in [Action::Challenge, Action::Deny] {
            let policy = policy(&[(pattern, acting(action)), ("/**", acting(Action::Allow))]);
            for path in paths {
                assert_eq!(route(&policy, &to(path)).action, action, "{pattern} {path}");
            }
        }
    }
}

#[test]
fn what_opens_or_cheapens_grows_by_no_slash_and_behind_no_program() {
    let asset = Route { asset: true, min_price: 7, ..Route::DEFAULT };
    let dear_but_allowed = Route { cost: Credits::whole(5), ..acting(Action::Allow) };
    for opening in [asset, dear_but_allowed, acting(Action::Allow)] {
        let policy = policy(&[("/pay*", opening), ("/hook.php", opening)]);
        for path in ["/pay/", "/pay.php/x", "/hook.php/x", "/hook.php/"] {
            assert_eq!(route(&policy, &to(path)), Route::DEFAULT, "{path}");
        }
        let callback = Conditions { methods: methods(&["POST"]).methods, ..paths(&["/callback"]) };
        let policy = with_conditions(vec![(callback, opening)]);
        let small_letters = Sent { method: Some("post"), ..to("/callback") };
        assert_eq!(route(&policy, &small_letters), Route::DEFAULT);
    }
}

/// Ways to write `/admin` below a rule that is dear, beside rules that are cheap.
pub(crate) const SPELLINGS: [&str; 52] = [
    "//admin",
    "/admin/",
    "/%61dmin",
    "/./admin",
    "/static/../admin",
    "/static/%2e%2e/admin",
    "/admin;x",
    "/admin;x/y",
    "/static/..%2fadmin",
    "/static/..%5cadmin",
    "/static/..\\admin",
    "/robots.txt/../admin",
    "/%2561dmin",
    "/admin%00",
    "/admin%00.css",
    "/admin.",
    "/admin/.",
    "/x/../admin",
    "/x/..;/admin",
    "/%2e/admin",
    "/admin%20",
    "/admin%20/",
    "/admin//login",
    "/admin%2flogin",
    "/static/%252e%252e/admin",
    "/static/..;x/admin",
    "/a%2f..%2fadmin",
    "/%c0%ae%c0%ae/admin",
    "/%c0%afadmin",
    "/%c1%a1dmin",
    "/%e0%81%a1dmin",
    "/%u0061dmin",
    "/%ef%bd%81dmin",
    "/robots.txt%2f..%2fadmin",
    "/static/./../admin",
    "/static//../admin",
    "/.%2fadmin",
    "/admin%3bx",
    "/admin%3fx",
    "/admin%23x",
    "/admin%0a",
    "/admin%0d%0ax",
    "/ad%09min",
    "/;x/admin",
    "/admin/secret/x://y/../..",
    "/admin/x//../..",
    "/x://y/../../admin",
    "/index.php/admin",
    "/index.php/static/../admin",
    "http://example.org/admin",
    "http://example.org//%61dmin",
    "/admin?/../static/a.css",
];

#[test]
fn no_spelling_is_cheaper_than_the_plain_one() {
    let dear = Route { cost: Credits::whole(20), ..acting(Action::Challenge) };
    let asset = Route { asset: true, ..Route::DEFAULT };
    let policy = policy(&[("/static/**", asset), ("/robots.txt", acting(Action::Allow)), ("/admin/**", dear)]);
    let plain = route(&policy, &to("/admin"));
    for spelling in SPELLINGS {
        let found = route(&policy, &to(spelling));
        assert_eq!((found.action, found.cost, found.asset), (plain.action, plain.cost, false), "{spelling}");
    }
}

#[test]
fn rules_that_nothing_tells_apart_are_refused_beyond_a_limit() {
    let alike = |count: usize| {
        let mut builder = PolicyBuilder::default();
        for _ in 0..count {
            builder.add(None, methods(&["POST"]), acting(Action::Deny), false).expect("a rule");
        }
        builder.build().map(|_| ())
    };
    assert_eq!(alike(RULES_ALIKE_MAX), Ok(()));
    assert_eq!(alike(RULES_ALIKE_MAX + 1), Err(PolicyError::Alike(RULES_ALIKE_MAX + 1)));
    let mut builder = PolicyBuilder::default();
    for number in 0..2_000_u32 {
        let net = IpAddr::from((number << 8).to_be_bytes()).to_string() + "/24";
        let conditions = Conditions { networks: networks(&[&net]).networks, ..paths(&["/**"]) };
        builder.add(None, conditions, acting(Action::Deny), false).expect("a rule");
    }
    assert!(builder.build().is_ok(), "rules for every path are told apart by their networks");
    let mut builder = PolicyBuilder::default();
    for number in 0..RULES_ALIKE_MAX {
        builder.add_for_paths(&[&format!("/shop/{number}-*.php")], acting(Action::Deny)).expect("a rule");
    }
    assert!(builder.build().is_ok(), "a rule counts once, however many ways there are to look for its path");
}

mod long_paths;
mod properties;
