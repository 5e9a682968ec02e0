//! What changes when the visitor came over HTTPS (TLS is done by the proxy in front).

use std::process::Command;

use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::tls::{TlsServer, TlsSite};
use tests::verifier::Verifier;
use tests::visitor::{challenge, verify};

fn stage() -> (Stage, Client) {
    let settings = Settings::new().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.0/8"]);
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client().with("X-Forwarded-For", "203.0.113.7").with("X-Forwarded-Proto", "https");
    (stage, client)
}

/// Both cookies of a sale: the clearance, and the one for a visitor who comes back by a form of another site.
pub(crate) fn cookies(client: &Client) -> [String; 2] {
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
fn the_command_line_buys_a_clearance_over_tls_and_believes_only_whom_it_is_told() {
    let origin = Origin::start("main");
    let settings = Settings::new().set("beside", "proxy").set("trusted_proxies", vec!["127.0.0.1/32"]);
    let verifier = Verifier::start(settings.site("main", &["localhost"], Some(&origin.url())));
    let lines = format!(
        "location / {{ proxy_pass http://127.0.0.1:{}; proxy_set_header Host $http_host;\n\
         proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https; }}\n",
        verifier.port
    );
    let server = TlsServer::start(&[TlsSite { name: "localhost", lines }]);
    let (url, ca) = (format!("https://localhost:{}/", server.port), server.authority().display().to_string());
    let solved = verifier.command(&["solve", &url, "--ca", &ca]);
    let cookie = String::from_utf8_lossy(&solved.stdout).trim().to_owned();
    assert!(solved.status.success() && cookie.starts_with("__Host-portcullis="), "{solved:?}");
    // As a program would use it, checked by another client.
    let curl = |cookie: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", &ca, &url, "--cookie", cookie]);
        let output = curl.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!((curl(&cookie).as_str(), curl("__Host-portcullis=x").as_str()), ("200", "429"));
    let unbelieved = verifier.command(&["solve", &url]);
    let told = String::from_utf8_lossy(&unbelieved.stderr).into_owned();
    assert!(!unbelieved.status.success() && told.contains("certificate"), "{told}");
    let missing = verifier.command(&["solve", &url, "--ca", "nowhere.pem"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nowhere.pem cannot be read"), "{missing:?}");
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
