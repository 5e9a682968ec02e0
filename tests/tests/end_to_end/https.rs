//! What changes when the visitor came over HTTPS (TLS is done by the proxy in front).

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::{challenge, verify};

fn stage() -> (Stage, Client) {
    let settings = Settings::new().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.0/8"]);
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client().with("X-Forwarded-For", "203.0.113.7").with("X-Forwarded-Proto", "https");
    (stage, client)
}

/// Both cookies of a sale: the clearance, and the one for a visitor who comes back by a form of another site.
fn cookies(client: &Client) -> [String; 2] {
    let offered = challenge(client, "");
    let reply = verify(client, "", &offered, &offered.solve());
    reply.expect_status(200);
    let cookies = reply.all("set-cookie").map(str::to_owned).collect::<Vec<_>>();
    assert!(cookies.iter().all(|cookie| cookie.contains("; Secure") && cookie.contains("; HttpOnly")), "{cookies:?}");
    let find = |name: &str| {
        let cookie = cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
        cookie.unwrap_or_else(|| panic!("{name} in {cookies:?}")).clone()
    };
    let [clearance, returning] = [find("__Host-portcullis"), find("__Host-portcullis-return")];
    assert!(clearance.contains("SameSite=Lax") && returning.contains("SameSite=None"), "{cookies:?}");
    [clearance, returning].map(|cookie| cookie.split(';').next().unwrap().to_owned())
}

#[test]
fn the_cookie_is_of_this_host_alone() {
    let (_stage, client) = stage();
    let [clearance, _] = cookies(&client);
    client.request("GET", "/").cookie(&clearance).send().expect_status(200);
    let plain = clearance.trim_start_matches("__Host-").to_owned();
    client.request("GET", "/").cookie(&plain).send().expect(429, "challenge_required");
}

#[test]
fn a_visitor_who_returns_by_a_form_of_another_site_passes() {
    let (stage, client) = stage();
    let [_, returning] = cookies(&client);
    let back = |mode: &str, destination: &str, method: &str| {
        let client = client.with("Sec-Fetch-Mode", mode).with("Sec-Fetch-Dest", destination);
        let client = client.with("Sec-Fetch-Site", "cross-site");
        client.request(method, "/submit").cookie(&returning).body("text/plain", "paid").send().status
    };
    assert_eq!(back("navigate", "document", "POST"), 200);
    assert_eq!(back("navigate", "document", "GET"), 429);
    assert_eq!(back("navigate", "iframe", "POST"), 429);
    assert_eq!(back("cors", "empty", "POST"), 429);
    assert_eq!(stage.origin.last().header("cookie"), "", "the origin sees neither");
    assert_eq!(stage.origin.last().header("x-forwarded-proto"), "https");
}
