//! A path is an asset once the origin has answered it as one, and not by its name.

use tests::client::Client;
use tests::raw_origin::RawOrigin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::{buy, credits};

fn answer(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 2\r\nConnection: close\r\n\r\nok")
}

fn behind(settings: Settings, headers: &str) -> (RawOrigin, Verifier) {
    let origin = RawOrigin::start(&answer(headers));
    let verifier = Verifier::start(settings.site("main", &[HOST], Some(&origin.url())));
    (origin, verifier)
}

/// What a request costs a clearance, in credits.
#[track_caller]
fn cost(client: &Client, cookie: &str, method: &str, target: &str) -> f64 {
    let left = || credits(client, cookie, "/").unwrap();
    let before = left();
    client.request(method, target).cookie(cookie).try_send().unwrap().expect_status(200);
    // Whole credits are told: ten of a kind tell tenths.
    before - left()
}

/// What ten more of the same cost together.
#[track_caller]
fn ten_cost(client: &Client, cookie: &str, method: &str, target: &str) -> f64 {
    (0..10).map(|_| cost(client, cookie, method, target)).sum()
}

#[test]
fn a_path_answered_as_a_static_part_costs_a_tenth_from_then_on() {
    let (_origin, verifier) = behind(Settings::new(), "Content-Type: text/css\r\n");
    let client = verifier.client(HOST);
    let cookie = buy(&client);
    assert!((cost(&client, &cookie, "GET", "/a.css") - 1.0).abs() < 0.01, "its name makes nothing an asset");
    assert!((ten_cost(&client, &cookie, "GET", "/a.css") - 1.0).abs() < 0.01);
    for (method, target) in [
        ("GET", "/index.php/x.css"),
        ("GET", "/style.php"),
        ("POST", "/a.css"),
        ("GET", "//a.css"),
        ("GET", "/a.css;x"),
    ] {
        client.request(method, target).cookie(&cookie).try_send().unwrap().expect_status(200);
        let ten = ten_cost(&client, &cookie, method, target);
        assert!((ten - 10.0).abs() < 0.01, "{method} {target}: {ten}");
        if credits(&client, &cookie, "/").unwrap() < 40.0 {
            break;
        }
    }
    let fresh = buy(&client);
    // Whoever makes up queries pays for each of them once.
    let made_up: f64 = (0..10).map(|number| cost(&client, &fresh, "GET", &format!("/a.css?{number}"))).sum();
    assert!((made_up - 10.0).abs() < 0.01, "{made_up}");
    assert!((ten_cost(&client, &fresh, "GET", "/a.css?3") - 1.0).abs() < 0.01);
}

#[test]
fn what_is_made_for_one_visitor_or_is_no_part_of_a_page_is_no_asset() {
    for headers in [
        "Content-Type: text/html\r\n",
        "Content-Type: text/css\r\nSet-Cookie: a=1\r\n",
        "Content-Type: image/png\r\nCache-Control: private\r\n",
    ] {
        let (_origin, verifier) = behind(Settings::new(), headers);
        let client = verifier.client(HOST);
        let cookie = buy(&client);
        let ten = ten_cost(&client, &cookie, "GET", "/a.css");
        assert!((ten - 10.0).abs() < 0.01, "{headers}: {ten}");
    }
}

#[test]
fn it_is_learned_in_peace_and_can_be_switched_off() {
    for (learned, first_ten) in [(true, 1.0), (false, 10.0)] {
        let settings = Settings::new().set("mode", "off").set("learned_assets", learned);
        let (_origin, verifier) = behind(settings, "Content-Type: image/png\r\n");
        let client = verifier.client(HOST);
        client.request("GET", "/a.png").try_send().unwrap().expect_status(200);
        assert!(verifier.command(&["mode", "on", "--config", "portcullis.toml"]).status.success());
        let cookie = buy(&client);
        let ten = ten_cost(&client, &cookie, "GET", "/a.png");
        assert!((ten - first_ten).abs() < 0.01, "{learned}: {ten}");
        let told = verifier.command(&["check-config", "portcullis.toml"]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert_eq!(told.contains("is an asset once the origin has answered it"), learned, "{told}");
    }
}
