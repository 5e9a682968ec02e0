//! What work buys, and what requests cost (PROTOCOL §3), over the wire.

use serde_json::json;
use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{ask, buy, challenge, credits, redeem, verify};

#[track_caller]
fn visit(client: &Client, target: &str, cookie: &str) {
    client.request("GET", target).cookie(cookie).send().expect_status(200);
}

/// As a person goes to a page.
#[track_caller]
fn navigate(client: &Client, target: &str, cookie: &str) {
    client.request("GET", target).cookie(cookie).header("Accept", "text/html").send().expect_status(200);
}

#[test]
fn a_raised_floor_makes_nothing_lapse_it_only_buys_less() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 100));
    let client = stage.client();
    let neighbour = client.in_network(0, 1);
    let unredeemed = challenge(&neighbour, "");
    let cookie = buy(&client);
    visit(&client, "/", &cookie);
    stage.verifier.reprice(HOST, 400);
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0), "nothing lapsed");
    visit(&client, "/", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(95.0), "four times the price paid: four credits a page");
    let (_, bought) = redeem(&neighbour, "", &unredeemed);
    assert_eq!(json!(bought), json!(25.0), "a quarter of the work now due, a quarter of the credits");
    assert_eq!(challenge(&client.in_network(0, 2), "").work(), 400);
    stage.verifier.reprice(HOST, 100);
    visit(&client, "/", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(94.0), "and one again when the price has fallen");
}

#[test]
fn a_clearance_bought_for_less_pays_the_price_it_was_reckoned_at() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 100));
    let client = stage.client();
    let cheap = challenge(&client, "");
    stage.verifier.reprice(HOST, 400);
    let (cookie, bought) = redeem(&client, "", &cheap);
    assert_eq!(json!(bought), json!(25.0));
    visit(&client, "/", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(24.0), "its credits are credits at the present price");
}

#[test]
fn the_reserve_is_kept_for_forms() {
    let settings = Settings::new().set("clearance.credits", 23);
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let cookie = buy(&client);
    for _ in 0..20 {
        visit(&client, "/", &cookie);
    }
    client.request("GET", "/").cookie(&cookie).send().expect(429, "challenge_required");
    assert_eq!(credits(&client, &cookie, "/"), None, "spent");
    let post = |text: &str| client.request("POST", "/submit").cookie(&cookie).body("text/plain", text).send();
    for text in ["the text of a form", "another", "and a third"] {
        assert!(post(text).expect_status(200).text().contains(text));
    }
    post("once more").expect(429, "challenge_required");
}

#[test]
fn a_fresh_clearance_reaches_any_route() {
    let settings = Settings::new()
        .set("clearance.credits", 30)
        .rule("path = \"/search\"\ncost = 40")
        .rule("path = \"/heavy\"\ncost = 12");
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let cookie = buy(&client);
    assert_eq!(
        credits(&client, &cookie, "/search"),
        Some(30.0),
        "a cost of 40 counts as what is there less the reserve"
    );
    visit(&client, "/search?q=x", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), None);
    let second = buy(&client);
    visit(&client, "/heavy", &second);
    visit(&client, "/heavy", &second);
    assert_eq!(credits(&client, &second, "/heavy"), None);
    assert_eq!(credits(&client, &second, "/"), Some(6.0));
}

#[test]
fn a_standing_challenge_is_sold_and_asked_for_by_its_rule_alone() {
    let settings = Settings::new()
        .set("challenge.difficulty", 100)
        .rule("path = \"/login\"\naction = \"challenge\"\nmin_price = 1000")
        .rule("path = [\"/robots.txt\", \"/.well-known/**\"]\naction = \"allow\"");
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    client.get("/robots.txt").expect_status(200);
    client.get("/.well-known/acme-challenge/x").expect_status(200);
    assert_eq!(ask(&client, "/robots.txt"), json!({"needed": false}));
    let standing = challenge(&client, "/login?next=1");
    assert!(standing.standing());
    assert_eq!(standing.work(), 1000);
    assert!(!challenge(&client, "/").standing());
    let (cookie, bought) = redeem(&client, "/login?next=1", &standing);
    assert_eq!(json!(bought), json!(100.0), "more work than the site asks buys no more than everything");
    visit(&client, "/login?next=1", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0));
    // A clearance bought for the site's price pays more there.
    let ordinary = buy(&client);
    visit(&client, "/login", &ordinary);
    assert_eq!(credits(&client, &ordinary, "/"), Some(90.0));
}

#[test]
fn a_route_with_a_price_of_its_own_asks_it_while_the_gate_is_on() {
    let settings = Settings::new().set("challenge.difficulty", 100).rule("path = \"/search\"\nmin_price = 500");
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let dear = challenge(&client, "/search");
    assert_eq!((dear.work(), dear.standing()), (500, false));
    let cookie = buy(&client);
    visit(&client, "/search", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(95.0));
}

#[test]
fn an_asset_costs_a_tenth() {
    let stage = Stage::new(Front::Proxy, Settings::new().rule("path = \"/static/**\"\nasset = true"));
    let client = stage.client();
    let cookie = buy(&client);
    for number in 0..10 {
        visit(&client, &format!("/static/{number}.svg"), &cookie);
    }
    assert_eq!(credits(&client, &cookie, "/"), Some(99.0));
    // Headers make nothing an asset.
    let image = client.with("Sec-Fetch-Dest", "image").with("Accept", "image/*");
    visit(&image, "/not-static", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(98.0));
}

#[test]
fn no_page_loads_half_on_the_smallest_clearance() {
    let mut stage = Stage::new(
        Front::Proxy,
        Settings::new().set("challenge.difficulty", 10).rule("path = \"/static/**\"\nasset = true"),
    );
    let client = stage.client();
    let cheap = challenge(&client, "");
    stage.verifier.reprice(HOST, 200);
    let (cookie, bought) = redeem(&client, "", &cheap);
    assert_eq!(json!(bought), json!(5.0));
    navigate(&client, "/page60", &cookie);
    for number in 0..60 {
        visit(&client, &format!("/static/{number}.svg"), &cookie);
    }
    assert_eq!(credits(&client, &cookie, "/"), None, "overdrawn, and so spent");
}

#[test]
fn no_page_loads_half_when_the_price_has_risen_tenfold() {
    let mut stage = Stage::new(
        Front::Proxy,
        Settings::new().set("challenge.difficulty", 10).rule("path = \"/static/**\"\nasset = true"),
    );
    let client = stage.client();
    let cookie = buy(&client);
    stage.verifier.reprice(HOST, 100);
    navigate(&client, "/page60", &cookie);
    assert_eq!(credits(&client, &cookie, "/"), Some(90.0));
    for number in 0..60 {
        visit(&client, &format!("/static/{number}.svg"), &cookie);
    }
    assert_eq!(credits(&client, &cookie, "/"), Some(30.0), "ten for the page, one for each asset");
}

#[test]
fn the_ceiling_bounds_what_one_challenge_asks() {
    // One second at the slowest rate, k = 8: 1,000,000 / 1.47 attempts at most.
    let settings = Settings::new()
        .set("challenge.count", 8)
        .set("challenge.difficulty", 1000)
        .set("challenge.max_solve_seconds", 1)
        .rule("path = \"/dear\"\nmin_price = 6000000");
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let dear = challenge(&client, "/dear");
    assert!((670_000..=690_000).contains(&dear.work()), "{}", dear.work());
    let reply = verify(&client, "/dear", &dear, &dear.solve());
    reply.expect_status(200);
    visit(&client, "/dear", &reply.clearance().unwrap());
}
