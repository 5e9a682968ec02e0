//! Memory that is used up: the process ends, whoever watches over it starts it again, and it goes on at the price at which it ended.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::HOST;
use tests::verifier::Verifier;
use tests::visitor::buy;
use tests::wait::{SOON, until_true};

/// So much of a head that does not end is kept for each connection.
const HEAD_BYTES: usize = 24 * 1024;
/// Connections that are opened at the most: many times what the memory left is enough for.
const CONNECTIONS_MAX: usize = 4_000;

fn site(verifier: &Verifier) -> Value {
    verifier.admin().request("GET", "/status").try_send().unwrap().json()["sites"][0].clone()
}

#[test]
fn where_memory_is_used_up_it_ends_and_begins_again_down_at_its_price() {
    let origin = Origin::start("main");
    let settings = Settings::new().set("mode", "auto").set("challenge.difficulty", 100).set("challenge.count", 2).site(
        "main",
        &[HOST],
        Some(&origin.url()),
    );
    let mut verifier = Verifier::start(settings);
    let operator = verifier.admin().with("Authorization", &format!("Bearer {}", verifier.admin_token()));
    let load = operator.request("POST", "/load").body("application/json", "{\"load\":2}").try_send().unwrap();
    load.expect_status(200);
    let file = verifier.directory().join("state/price");
    until_true(SOON, "the price to be written", || {
        fs::read_to_string(&file).is_ok_and(|text| text.contains("\"closed\":true"))
    });
    let client = verifier.client(HOST);
    let cookie = buy(&client);

    // One more mebibyte, and that is all.
    let most = (verifier.memory_kib("VmData") + 1024) * 1024;
    verifier.limit("data", &most.to_string());
    let head = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Long: {}", "x".repeat(HEAD_BYTES));
    let mut open = Vec::new();
    while !verifier.has_ended() {
        assert!(open.len() < CONNECTIONS_MAX, "it goes on with {} KiB", verifier.memory_kib("VmData"));
        let Ok(mut connection) = client.connect() else { continue };
        let stream = connection.get_mut();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let _ = stream.write_all(head.as_bytes());
        open.push(connection);
    }
    assert!(!verifier.wait_for_end().success());
    drop(open);

    let saved: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    verifier.start_again();
    let told = format!("begins down, at {} attempts", saved["sites"][0]["price"]);
    assert!(verifier.log().contains(&told), "{told} in {}", verifier.log());
    client.request("GET", "/").cookie(&cookie).send().expect(429, "challenge_required");
    client.request("GET", "/").cookie(&buy(&client)).send().expect_status(200);
    assert_ne!(site(&verifier)["state"], json!("calm"));
}
