//! Several sites behind one verifier have nothing to do with one another.

use tests::origin::Origin;
use tests::settings::Settings;
use tests::verifier::Verifier;
use tests::visitor::{ask, buy, challenge, credits, redeem, verify};

fn two_sites() -> (Verifier, Origin, Origin) {
    let (red, blue) = (Origin::start("red"), Origin::start("blue"));
    let settings = Settings::new()
        .set("challenge.difficulty", 50)
        .site("red", &["red.test", "www.red.test"], Some(&red.url()))
        .site("blue", &["blue.test"], Some(&blue.url()));
    (Verifier::start(settings), red, blue)
}

#[test]
fn a_challenge_of_another_site_is_worth_nothing() {
    let (verifier, _red, _blue) = two_sites();
    let (red, blue) = (verifier.client("red.test"), verifier.client("blue.test"));
    let offered = challenge(&red, "");
    verify(&blue, "", &offered, &offered.solve()).expect(403, "wrong_site");
    redeem(&verifier.client("www.red.test"), "", &offered);
}

#[test]
fn a_clearance_of_another_site_is_as_if_absent() {
    let (verifier, red_origin, blue_origin) = two_sites();
    let (red, blue) = (verifier.client("red.test"), verifier.client("blue.test"));
    let cookie = buy(&red);
    blue.request("GET", "/").cookie(&cookie).send().expect(429, "challenge_required");
    assert_eq!(credits(&blue, &cookie, "/"), None);
    assert_eq!(credits(&red, &cookie, "/"), Some(100.0), "and nothing was charged for it");
    red.request("GET", "/").cookie(&cookie).send().expect_status(200);
    verifier.client("www.red.test").request("GET", "/").cookie(&cookie).send().expect_status(200);
    assert_eq!((red_origin.seen().len(), blue_origin.seen().len()), (2, 0));
}

#[test]
fn a_foreign_cookie_does_not_hide_the_right_one() {
    let (verifier, _red, _blue) = two_sites();
    let (red, blue) = (verifier.client("red.test"), verifier.client("blue.test"));
    let both = format!("{}; {}", buy(&red), buy(&blue));
    red.request("GET", "/").cookie(&both).send().expect_status(200);
    blue.request("GET", "/").cookie(&both).send().expect_status(200);
}

#[test]
fn an_unknown_host_is_misdirected() {
    let (verifier, red, blue) = two_sites();
    for host in ["green.test", "red.test.evil.test", "xred.test", "127.0.0.1"] {
        let client = verifier.client(host);
        client.get("/").expect_status(421);
        client.navigate("/").expect_status(421);
        client.get("/.portcullis/challenge").expect_status(421);
    }
    assert_eq!(red.seen().len() + blue.seen().len(), 0);
    assert_eq!(ask(&verifier.client("RED.test"), "")["needed"], serde_json::json!(true), "names have no case");
}
