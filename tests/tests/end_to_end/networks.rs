//! Networks: roaming costs one toll, sharing dies.

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::{buy, challenge, credits, redeem, verify};

fn stage(settings: Settings) -> Stage {
    let settings = settings.set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.0/8"]);
    Stage::new(Front::Proxy, settings)
}

/// As the proxy asks, but for the address.
fn proxied(stage: &Stage) -> Client {
    stage.client().with("X-Forwarded-Proto", "http")
}

fn from(stage: &Stage, address: &str) -> Client {
    proxied(stage).with("X-Forwarded-For", address)
}

#[track_caller]
fn visit(client: &Client, cookie: &str) {
    client.request("GET", "/").cookie(cookie).send().expect_status(200);
}

#[test]
fn another_network_pays_one_toll_while_it_is_remembered() {
    let stage = stage(Settings::new());
    let home = from(&stage, "203.0.113.7");
    let phone = from(&stage, "198.51.100.9");
    let cookie = buy(&home);
    visit(&home, &cookie);
    assert_eq!(credits(&home, &cookie, "/"), Some(99.0));
    visit(&phone, &cookie);
    assert_eq!(credits(&phone, &cookie, "/"), Some(88.0), "a toll of a tenth, and the page");
    visit(&phone, &cookie);
    assert_eq!(credits(&phone, &cookie, "/"), Some(87.0));
}

#[test]
fn a_client_that_alternates_between_two_networks_pays_once() {
    let stage = stage(Settings::new());
    let clients = [from(&stage, "203.0.113.7"), from(&stage, "198.51.100.9")];
    let cookie = buy(&clients[0]);
    for turn in 0..20 {
        visit(&clients[turn % 2], &cookie);
    }
    assert_eq!(credits(&clients[0], &cookie, "/"), Some(70.0), "twenty pages and one toll");
}

#[test]
fn a_neighbour_in_the_same_network_pays_no_toll() {
    let stage = stage(Settings::new());
    let cookie = buy(&from(&stage, "203.0.113.7"));
    visit(&from(&stage, "203.0.113.250"), &cookie);
    visit(&from(&stage, "::ffff:203.0.113.9"), &cookie);
    assert_eq!(credits(&from(&stage, "203.0.113.7"), &cookie, "/"), Some(98.0));
}

#[test]
fn the_first_network_of_the_other_family_is_free() {
    let stage = stage(Settings::new());
    let cookie = buy(&from(&stage, "203.0.113.7"));
    visit(&from(&stage, "2001:db8:1:100::5"), &cookie);
    assert_eq!(credits(&from(&stage, "203.0.113.7"), &cookie, "/"), Some(99.0), "dual stack");
    visit(&from(&stage, "2001:db8:1:1ff::5"), &cookie);
    assert_eq!(credits(&from(&stage, "203.0.113.7"), &cookie, "/"), Some(98.0), "the same /56");
    visit(&from(&stage, "2001:db8:1:200::5"), &cookie);
    assert_eq!(credits(&from(&stage, "203.0.113.7"), &cookie, "/"), Some(87.0), "a second one pays");
}

#[test]
fn shared_by_eleven_networks_it_is_worthless() {
    let stage = stage(Settings::new());
    let clients = (0..11).map(|number| from(&stage, &format!("198.51.{number}.9"))).collect::<Vec<_>>();
    let cookie = buy(&clients[0]);
    let mut admitted = 0;
    for _ in 0..10 {
        let round =
            clients.iter().filter(|client| client.request("GET", "/").cookie(&cookie).send().status == 200).count();
        admitted += round;
        if round == 0 {
            break;
        }
    }
    assert!((1..=15).contains(&admitted), "{admitted} pages where one network gets 90");
    assert!(clients.iter().all(|client| client.request("GET", "/").cookie(&cookie).send().status == 429));
}

#[test]
fn a_strict_clearance_stays_in_its_network() {
    let stage = stage(Settings::new().set("clearance.bind", "strict"));
    let home = from(&stage, "203.0.113.7");
    let elsewhere = from(&stage, "198.51.100.9");
    let offered = challenge(&home, "");
    assert_ne!(offered.0[32..40], [0; 8], "bound");
    verify(&elsewhere, "", &offered, &offered.solve()).expect(403, "wrong_client");
    let (cookie, _) = redeem(&from(&stage, "203.0.113.99"), "", &offered);
    visit(&home, &cookie);
    elsewhere.request("GET", "/").cookie(&cookie).send().expect(429, "challenge_required");
    assert_eq!(credits(&home, &cookie, "/"), Some(99.0));
}

#[test]
fn the_address_is_the_first_from_the_right_outside_the_trusted_proxies() {
    let stage = stage(Settings::new());
    let home = from(&stage, "203.0.113.7");
    let cookie = buy(&home);
    for list in ["198.51.100.1, 203.0.113.8", "203.0.113.8, 127.0.0.9", "10.0.0.1,  203.0.113.8 ,127.1.1.1,127.0.0.1"] {
        visit(&from(&stage, list), &cookie);
    }
    // Two lines are one list.
    let lines = proxied(&stage).with("X-Forwarded-For", "198.51.100.1").with("X-Forwarded-For", "203.0.113.9");
    visit(&lines, &cookie);
    assert_eq!(credits(&home, &cookie, "/"), Some(96.0), "always the same network, no toll");
}
