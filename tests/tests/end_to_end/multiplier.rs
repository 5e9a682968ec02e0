//! What a network bought, and who pays for it; the profile over restarts. Each client comes from a /24 of its own.

use serde_json::{Value, json};
use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::verifier::Verifier;
use tests::visitor::{buy, challenge, credits, redeem, verify};

fn stage() -> Stage {
    Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 400))
}

fn work(client: &Client) -> u64 {
    challenge(client, "").work()
}

#[test]
fn a_network_that_buys_much_pays_more_and_its_neighbour_does_not() {
    let stage = stage();
    let (busy, neighbour) = (stage.client().in_network(1, 1), stage.client().in_network(1, 2));
    let mut asked = Vec::new();
    for _ in 0..9 {
        let offered = challenge(&busy, "");
        asked.push(offered.work());
        let (cookie, bought) = redeem(&busy, "", &offered);
        assert_eq!(json!(bought), json!(100.0), "who does the work that is asked gets a full clearance: {asked:?}");
        assert_eq!(credits(&busy, &cookie, "/"), Some(100.0));
    }
    // The root of what was bought, less what a minute on a slow machine lets decay.
    assert_eq!(asked[0], 400);
    assert!((760..=800).contains(&asked[3]) && (1_120..=1_200).contains(&asked[8]), "{asked:?}");
    assert_eq!(work(&neighbour), 400);
    assert_eq!(json!(redeem(&neighbour, "", &challenge(&neighbour, "")).1), json!(100.0));
}

#[test]
fn what_was_solved_in_stock_buys_less_one_by_one() {
    let stage = stage();
    let client = stage.client().in_network(2, 1);
    let stock: Vec<_> = (0..9).map(|_| challenge(&client, "")).collect();
    let bought: Vec<f64> = stock.iter().map(|offered| redeem(&client, "", offered).1).collect();
    assert_eq!(json!(bought[0]), json!(100.0));
    assert!(bought.is_sorted_by(|earlier, later| earlier > later), "{bought:?}");
    assert!((35.0..50.0).contains(&bought[8]), "{bought:?}");
}

#[test]
fn the_refused_the_forged_and_the_replayed_change_no_price() {
    let stage = stage();
    let client = stage.client().in_network(3, 1);
    for _ in 0..50 {
        let offered = challenge(&client, "");
        verify(&client, "", &offered, &offered.miss()).expect(403, "unsolved");
        let mut forged = offered;
        forged.0[20] ^= 1;
        verify(&client, "", &forged, &forged.solve()).expect(403, "forged");
    }
    assert_eq!(work(&client), 400);
    let offered = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &offered);
    let once = work(&client);
    assert!((560..=566).contains(&once), "{once}");
    for _ in 0..50 {
        assert_eq!(redeem(&client, "", &offered).0, cookie);
    }
    assert!(work(&client) <= once);
}

#[test]
fn a_network_that_is_known_to_be_shared_pays_as_its_visitors_would() {
    let known = "[[known_network]]\nnetwork = \"127.4.1.0/24\"\nvisitors = 9".parse::<toml::Table>().unwrap();
    let settings =
        Settings::new().set("challenge.difficulty", 400).set("known_network", known["known_network"].clone());
    let mut stage = Stage::new(Front::Proxy, settings);
    let office = stage.client().in_network(4, 1);
    for number in 0..9 {
        assert_eq!(work(&office), 400, "purchase {number}");
        buy(&office);
    }
    assert!((410..=425).contains(&work(&office)), "ten clearances for nine");
    let asking = office.clone();
    let nobody = toml::Value::Array(Vec::new());
    stage.verifier.reload(&[("known_network", nobody)], || work(&asking) > 1_100);
}

fn profile(verifier: &Verifier) -> Value {
    let status = verifier.admin().request("GET", "/status").try_send().unwrap().json();
    status["networks"]["profile"].clone()
}

#[test]
fn the_profile_survives_a_restart_and_a_damaged_one_is_left_alone() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("mode", "off"));
    assert_eq!(profile(&stage.verifier)["loaded"], json!(false));
    stage.client().get("/").expect_status(200);
    assert!(stage.verifier.restart().success());
    assert_eq!(profile(&stage.verifier)["loaded"], json!(true));
    let file = stage.verifier.directory().join("state/profile");
    let kept = std::fs::read(&file).unwrap();
    assert_eq!(kept.len(), 16 + 16 + 8 + 4 * 131_072 + 32, "of fixed size");
    stage.verifier.crash_and_restart();
    assert_eq!(profile(&stage.verifier)["loaded"], json!(true), "the file stays where it is");
    std::fs::write(&file, &kept[..kept.len() / 2]).unwrap();
    stage.verifier.crash_and_restart();
    assert_eq!(profile(&stage.verifier)["loaded"], json!(false));
    assert!(stage.verifier.log().contains("/profile is not used: "), "{}", stage.verifier.log());
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    for name in ["purchases_cells_used 0", "profile_loaded 0", "profile_observed_seconds 0"] {
        assert!(metrics.contains(&format!("portcullis_{name}")), "{name} in {metrics}");
    }
}
