//! Crawlers that are known by the names of their addresses, against a real name server.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;
use tests::client::Client;
use tests::names::{NameServer, Said, reverse};
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::verifier::Verifier;
use tests::wait::{SOON, stays, until_true};
use toml::{Table, Value};

through_both!(a_crawler_passes_once_its_name_leads_back_to_its_address);

const CRAWLER: &str = "Mozilla/5.0 (compatible; SearchBot/2.1; +https://search.example/bot)";

fn settings(names: &NameServer) -> Settings {
    let bot = "name = \"searchbot\"\ndomains = [\"searchbot.example\", \"crawl.search.example\"]";
    Settings::new()
        .set("name_servers", vec![names.address.to_string()])
        .set("bot", Value::Array(vec![Value::Table(bot.parse::<Table>().unwrap())]))
        .rule("name = \"closed\"\npath = \"/closed\"\naction = \"deny\"")
        .rule("name = \"search\"\nverified_bot = \"searchbot\"\naction = \"allow\"")
}

fn stage(front: Front, names: &NameServer) -> Stage {
    Stage::with_site(front, settings(names), |site| site.of_site("capacity_per_second", 200))
}

/// Whoever asks from 127.`second`.`third`.1 and says that it is the crawler.
fn crawler(stage: &Stage, second: u8, third: u8) -> Client {
    stage.client().with("User-Agent", CRAWLER).in_network(second, third)
}

fn address(second: u8, third: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, second, third, 1)
}

fn passes(client: &Client) -> bool {
    client.get("/").status == 200
}

fn status(verifier: &Verifier) -> serde_json::Value {
    verifier.admin().request("GET", "/status").try_send().unwrap().json()["crawlers"].clone()
}

fn metric(verifier: &Verifier, name: &str) -> u64 {
    let metrics = verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("portcullis_{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().unwrap()
}

fn a_crawler_passes_once_its_name_leads_back_to_its_address(front: Front) {
    let names = NameServer::start();
    names.names(address(9, 1), "Crawl-1.SearchBot.example", &[address(200, 200), address(9, 1)]);
    let stage = stage(front, &names);
    let client = crawler(&stage, 9, 1);
    // nginx asks twice: by the second time the name may be known, and the answer is to come again at once.
    client.get("/").expect_status(429);
    until_true(SOON, "its name to be confirmed", || passes(&client));
    client.get("/closed").expect(403, "denied");
    // Neither the name without the address nor the address without the name.
    crawler(&stage, 9, 2).get("/").expect(429, "challenge_required");
    stage.client().in_network(9, 1).get("/").expect(429, "challenge_required");
    assert_eq!(status(&stage.verifier)["confirmed"], json!(1));
    assert_eq!(names.asked_for("crawl-1.searchbot.example"), 1);
    let told = stage.verifier.command(&["check-config", "portcullis.toml"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("the crawler `searchbot` by a name under searchbot.example, crawl.search.example"), "{told}");
    assert!(told.contains(&format!("{} are asked, in the background", names.address)), "{told}");
}

#[test]
fn no_other_name_makes_a_crawler() {
    let names = NameServer::start();
    let liars = [
        // Whoever has a network gives its addresses the names he likes: they do not lead back.
        (1, "crawl-1.searchbot.example", address(9, 9)),
        (2, "evilsearchbot.example", address(8, 2)),
        (3, "searchbot.example.evil.net", address(8, 3)),
        (4, "crawl.evil.net", address(8, 4)),
        (5, "search.example", address(8, 5)),
    ];
    for (third, name, leads_to) in liars {
        names.names(address(8, third), name, &[leads_to]);
    }
    names.says(&reverse(address(8, 6)), Said::Forged("crawl-6.searchbot.example".to_owned()));
    names.says("crawl-6.searchbot.example", Said::Addresses(vec![address(8, 6).into()]));
    let stage = stage(Front::Proxy, &names);
    let claim = |third| crawler(&stage, 8, third).get("/").expect(429, "challenge_required").status;
    (1..=7).for_each(|third| assert_eq!(claim(third), 429));
    let refuted = "crawler_lookups_total{outcome=\"refuted\"}";
    until_true(SOON, "all to be found out", || metric(&stage.verifier, refuted) == 7);
    (1..=7).for_each(|third| assert_eq!(claim(third), 429));
    assert_eq!(metric(&stage.verifier, "crawler_addresses"), 0);
    // A name under none of the domains is not even looked at, and nobody is asked for twice.
    let asked = names.asked();
    assert!(!asked.iter().any(|name| name.contains("evil") || name == "search.example"), "{asked:?}");
    (1..=7).for_each(|third| assert_eq!(names.asked_for(&reverse(address(8, third))), 1, "{asked:?}"));
}

#[test]
fn nobody_is_asked_for_who_claims_nothing_or_is_refused_anyway() {
    let names = NameServer::start();
    let stage = stage(Front::Proxy, &names);
    let browser = stage.client().with("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)");
    browser.in_network(7, 1).get("/").expect(429, "challenge_required");
    stage.client().in_network(7, 2).get("/").expect(429, "challenge_required");
    crawler(&stage, 7, 3).get("/closed").expect(403, "denied");
    crawler(&stage, 7, 4).get("/").expect(429, "challenge_required");
    until_true(SOON, "the one who claims to be found out", || status(&stage.verifier)["refuted"] == json!(1));
    assert_eq!(names.asked(), [reverse(address(7, 4))]);
}

#[test]
fn a_name_server_that_is_slow_or_silent_holds_up_no_request() {
    let names = NameServer::start();
    names.falls_silent();
    names.takes(Duration::from_millis(100));
    names.names(address(9, 1), "crawl-1.searchbot.example", &[address(9, 1)]);
    let stage = stage(Front::Proxy, &names);
    let no_answer = "crawler_lookups_total{outcome=\"no_answer\"}";
    crawler(&stage, 6, 1).get("/").expect(429, "challenge_required");
    assert_eq!(metric(&stage.verifier, no_answer), 0, "it was answered before the name server was given up");
    for third in 2..=40 {
        crawler(&stage, 6, third).get("/").expect(429, "challenge_required");
    }
    until_true(SOON, "the silence to be noticed", || metric(&stage.verifier, no_answer) > 0);
    // Behind forty who are never answered, eight at a time, the crawler's turn comes.
    let client = crawler(&stage, 9, 1);
    until_true(Duration::from_mins(1), "its turn", || passes(&client));
}

#[test]
fn a_name_server_that_fails_has_said_nothing() {
    let names = NameServer::start();
    names.says(&reverse(address(6, 1)), Said::Failure);
    let stage = stage(Front::Proxy, &names);
    let lookups = |outcome: &str| metric(&stage.verifier, &format!("crawler_lookups_total{{outcome=\"{outcome}\"}}"));
    crawler(&stage, 6, 1).get("/").expect(429, "challenge_required");
    until_true(SOON, "the failure to be noticed", || lookups("no_answer") == 1);
    crawler(&stage, 6, 2).get("/").expect(429, "challenge_required");
    until_true(SOON, "one without a name", || lookups("refuted") == 1);
    assert_eq!(lookups("no_answer"), 1);
}

#[test]
fn a_flood_of_claims_asks_no_more_than_it_may_and_hides_no_crawler_that_is_known() {
    let names = NameServer::start();
    names.names(address(9, 1), "crawl-1.searchbot.example", &[address(9, 1)]);
    names.names(Ipv4Addr::new(10, 9, 1, 7), "crawl-7.searchbot.example", &[Ipv4Addr::new(10, 9, 1, 7)]);
    names.names(Ipv4Addr::new(10, 9, 1, 8), "crawl-8.searchbot.example", &[Ipv4Addr::new(10, 9, 1, 8)]);
    let origin = tests::origin::Origin::start("main");
    let settings = settings(&names)
        .set("beside", "proxy")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .site("main", &[HOST], Some(&origin.url()))
        .of_site("capacity_per_second", 200);
    let verifier = Verifier::start(settings);
    let front = verifier.client(HOST).with("X-Forwarded-Proto", "http").with("User-Agent", CRAWLER);
    let from = |address: Ipv4Addr| front.with("X-Forwarded-For", &address.to_string());
    until_true(SOON, "its name to be confirmed", || passes(&from(Ipv4Addr::new(10, 9, 1, 7))));
    // Five thousand addresses in five thousand networks of a hundred allocations, none of which has a name.
    for number in 0..5_000_u32 {
        let flood = Ipv4Addr::from_bits(0x0b00_0000 + ((number % 100) << 16) + ((number / 100) << 8) + 9);
        from(flood).get("/").expect(429, "challenge_required");
    }
    let dropped = "crawler_lookups_total{outcome=\"dropped\"}";
    assert!(metric(&verifier, dropped) > 1_000, "{}", metric(&verifier, dropped));
    assert!(status(&verifier)["waiting"].as_u64().unwrap() <= 256);
    from(Ipv4Addr::new(10, 9, 1, 7)).get("/").expect_status(200);
    // Its neighbour is asked for before all who wait.
    let before = status(&verifier)["waiting"].as_u64().unwrap();
    until_true(SOON, "its neighbour to be confirmed", || passes(&from(Ipv4Addr::new(10, 9, 1, 8))));
    let after = status(&verifier)["waiting"].as_u64().unwrap();
    assert!(before < 50 || after > 0, "of {before} that waited {after} still do");
}

#[test]
fn after_a_restart_a_name_is_found_out_again_and_a_reload_asks_for_those_who_were_nobody() {
    let names = NameServer::start();
    names.names(address(9, 1), "crawl-1.searchbot.example", &[address(9, 1)]);
    names.names(address(9, 2), "crawl-2.other.example", &[address(9, 2)]);
    let mut stage = stage(Front::Proxy, &names);
    let [known, other] = [1, 2].map(|third| crawler(&stage, 9, third));
    until_true(SOON, "the name to be confirmed", || passes(&known));
    stage.verifier.restart();
    known.get("/").expect(429, "challenge_required");
    until_true(SOON, "the name to be confirmed again", || passes(&known));
    other.get("/").expect(429, "challenge_required");
    until_true(SOON, "the other name to be looked at", || names.asked_for(&reverse(address(9, 2))) == 1);
    stays(Duration::from_millis(300), || passes(&other).then(|| "under a domain that is not listed".to_owned()));
    let bot = "name = \"searchbot\"\ndomains = [\"searchbot.example\", \"other.example\"]".parse::<Table>().unwrap();
    let bots = Value::Array(vec![Value::Table(bot)]);
    stage.verifier.reload(&[("bot", bots)], || passes(&other));
    assert!(passes(&known), "what was known stays known");
}
