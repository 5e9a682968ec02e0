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

#[test]
fn each_site_has_its_mode_and_its_price() {
    let (calm, busy, loose) = (Origin::start("calm"), Origin::start("busy"), Origin::start("loose"));
    let settings = Settings::new()
        .set("mode", "auto")
        .site("calm", &["calm.test"], Some(&calm.url()))
        .site("busy", &["busy.test"], Some(&busy.url()))
        .of_site("mode", "on")
        .of_site("difficulty", 77)
        .site("loose", &["loose.test"], Some(&loose.url()))
        .of_site("mode", "off");
    let verifier = Verifier::start(settings);
    let difficulty = |host: &str| ask(&verifier.client(host), "")["difficulty"].clone();
    verifier.client("calm.test").get("/").expect_status(200);
    verifier.client("loose.test").get("/").expect_status(200);
    verifier.client("busy.test").get("/").expect(429, "challenge_required");
    assert_eq!(difficulty("busy.test"), serde_json::json!(77));
    let file = verifier.directory().join("portcullis.toml").display().to_string();
    let set = |mode: &str| assert!(verifier.command(&["mode", mode, "--config", &file]).status.success());
    set("on");
    assert_eq!(difficulty("calm.test"), serde_json::json!(1));
    verifier.client("loose.test").get("/").expect_status(200);
    set("off");
    for host in ["calm.test", "busy.test", "loose.test"] {
        verifier.client(host).get("/").expect_status(200);
    }
}

#[test]
fn a_sites_page_has_its_words_and_colours_and_no_other_sites() {
    let origin = Origin::start("both");
    let page = |text: &str| toml::Value::Table(text.parse::<toml::Table>().unwrap());
    let settings = Settings::new()
        .site("red", &["red.test"], Some(&origin.url()))
        .of_site(
            "page",
            page("title = \"Einen <Moment>\"\ntext = \"Gleich da.\"\nlanguage = \"de\"\nlight.tone = \"#a00\""),
        )
        .site("blue", &["blue.test"], Some(&origin.url()));
    let verifier = Verifier::start(settings);
    let (red, blue) = (verifier.client("red.test"), verifier.client("blue.test"));
    let html = red.navigate("/").text();
    assert!(
        html.contains("<title>Einen &lt;Moment&gt;</title>") && html.contains(" lang=\"de\" data-own>Gleich da.</p>"),
        "{html}"
    );
    let style = html.split('"').find(|part| part.contains("/colours.")).unwrap().to_owned();
    let reply = red.get(&style);
    assert_eq!(reply.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(reply.text(), "@media(prefers-color-scheme:light){:root{--tone:#aa0000}}");
    blue.get(&style).expect_status(404);
    let html = blue.navigate("/").text();
    assert!(html.contains("One moment, please") && !html.contains("/colours."), "{html}");
}
