//! Every problem code of PROTOCOL §4, seen over the wire, and what each refusal carries.

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::solver::Challenge;
use tests::stage::{Front, Stage};
use tests::visitor::{buy, challenge, endpoint, redeem, solution_json, verify};
use tests::wait::{SOON, until_true};

fn stage() -> Stage {
    Stage::new(Front::Proxy, Settings::new().set("challenge.count", 2).set("challenge.difficulty", 200))
}

/// A refusal says why and carries what is needed to try again.
#[track_caller]
fn refused(client: &Client, reply: &Reply, status: u16, code: &str) {
    reply.expect(status, code);
    assert!(reply.clearance().is_none(), "a refusal sets no cookie");
    assert_eq!(reply.all("set-cookie").count(), 0, "and takes none away: {reply:?}");
    let fresh = reply.header("portcullis-challenge").unwrap_or_else(|| panic!("no fresh challenge: {reply:?}"));
    assert_eq!(reply.json()["challenge"].as_str(), Some(fresh));
    assert_eq!(reply.json()["status"], json!(status));
    redeem(client, "", &Challenge::from_text(fresh));
}

#[test]
fn cross_site() {
    let stage = stage();
    let client = stage.client();
    let challenge = challenge(&client, "");
    let foreign = [("Origin", "http://evil.test"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")];
    for (name, value) in foreign {
        let reply = verify(&client.with(name, value), "", &challenge, &challenge.solve());
        refused(&client, &reply, 403, "cross_site");
    }
    let own = format!("http://{}", client.host());
    verify(&client.with("Origin", &own), "", &challenge, &challenge.solve()).expect_status(200);
}

#[test]
fn malformed() {
    let stage = stage();
    let client = stage.client();
    let good = challenge(&client, "");
    let solution = good.solve();
    let post = |content_type: &str, body: Vec<u8>| {
        client.request("POST", &endpoint("verify", "")).body(content_type, body).send()
    };
    let text = |challenge: &str, solution: &str| json!({"challenge": challenge, "solution": solution}).to_string();
    let (c, s) = (good.text(), BASE64URL_NOPAD.encode(&solution));
    let bodies = [
        String::new(),
        "{".into(),
        "[]".into(),
        "{}".into(),
        json!({"challenge": c}).to_string(),
        json!({"challenge": 1, "solution": s}).to_string(),
        text(&format!("{c}="), &s),
        text(&format!("{c}=="), &s),
        text(&c[..c.len() - 1], &s),
        text(&format!("{c}A"), &s),
        text(&c.replacen(&c[..1], "+", 1), &s),
        text(&format!("{}\\n{}", &c[..10], &c[10..]), &s),
        text(&c, &format!("{s}==")),
        text(&c, &BASE64URL_NOPAD.encode(&solution[1..])),
        text(&c, &BASE64URL_NOPAD.encode(&[&solution[..], &[0]].concat())),
        text(&c, ""),
        format!("{{\"challenge\":\"{c}\",\"challenge\":\"{c}\",\"solution\":\"{s}\"}}"),
    ];
    for body in bodies {
        let reply = post("application/json", body.clone().into_bytes());
        reply.expect(400, "malformed");
        assert!(reply.header("portcullis-challenge").is_some(), "{body}");
    }
    // 64 bytes end with four unused bits of base64 text: set, they are another spelling of the same challenge.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(c.chars().last().unwrap()).unwrap();
    let other = format!("{}{}", &c[..c.len() - 1], &alphabet[last + 1..=last + 1]);
    post("application/json", text(&other, &s).into_bytes()).expect(400, "malformed");
    // One byte of the challenge out of its range.
    for (offset, value) in
        [(0, 0), (0, 2), (1, 0), (1, 2), (1, 9), (3, 0), (3, 65), (14, 2), (14, 3), (15, 2), (15, 0x81)]
    {
        let mut bytes = good.0;
        bytes[offset] = value;
        let reply = verify(&client, "", &Challenge(bytes), &solution);
        assert_eq!((reply.status, reply.code().as_str()), (400, "malformed"), "byte {offset} = {value}: {reply:?}");
    }
    for (range, name) in [(4..8, "difficulty 0"), (12..14, "lifetime 0")] {
        let mut bytes = good.0;
        bytes[range].fill(0);
        assert_eq!(verify(&client, "", &Challenge(bytes), &solution).code(), "malformed", "{name}");
    }
    post("text/plain", solution_json(&good, &solution)).expect(415, "malformed");
    post("application/jsonx", solution_json(&good, &solution)).expect(415, "malformed");
    client.request("POST", &endpoint("verify", "")).header("Content-Length", "0").send().expect(415, "malformed");
    // Nothing of all that has spent the challenge.
    post("application/json; charset=utf-8", solution_json(&good, &solution)).expect_status(200);
}

#[test]
fn forged() {
    let stage = stage();
    let client = stage.client();
    let good = challenge(&client, "");
    let solution = good.solve();
    for offset in [16, 31, 32, 40, 47, 48, 63] {
        let mut bytes = good.0;
        bytes[offset] ^= 1;
        refused(&client, &verify(&client, "", &Challenge(bytes), &solution), 403, "forged");
    }
    // Cheaper than signed, longer lived than signed, standing though not sold as such, of another day's key, of the future.
    for (offset, mask) in [(7, 1), (12, 0x10), (15, 1), (2, 1), (8, 1)] {
        let mut bytes = good.0;
        bytes[offset] ^= mask;
        let reply = verify(&client, "", &Challenge(bytes), &solution);
        assert_eq!((reply.status, reply.code().as_str()), (403, "forged"), "byte {offset}: {reply:?}");
    }
    verify(&client, "", &good, &solution).expect_status(200);
}

#[test]
fn no_bit_of_a_challenge_can_be_altered() {
    let stage = stage();
    let client = stage.client();
    let good = challenge(&client, "");
    let solution = good.solve();
    for bit in 0..512 {
        let mut bytes = good.0;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let reply = verify(&client, "", &Challenge(bytes), &solution);
        assert!(matches!(reply.code().as_str(), "malformed" | "forged"), "bit {bit}: {reply:?} {}", reply.text());
    }
}

#[test]
fn expired() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.lifetime_seconds", 1));
    let client = stage.client();
    let short = challenge(&client, "");
    assert_eq!(short.lifetime(), 1);
    let end = u64::from(short.issued()) + 1;
    until_true(SOON, "a second to pass", || {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() >= end
    });
    verify(&client, "", &short, &short.solve()).expect(410, "expired");
}

#[test]
fn unsolved() {
    let stage = stage();
    let client = stage.client();
    let first = challenge(&client, "");
    let second = challenge(&client, "");
    refused(&client, &verify(&client, "", &first, &first.miss()), 403, "unsolved");
    refused(&client, &verify(&client, "", &first, &second.solve()), 403, "unsolved");
    let solution = first.solve();
    let swapped = [&solution[8..], &solution[..8]].concat();
    refused(&client, &verify(&client, "", &first, &swapped), 403, "unsolved");
    let half = [&solution[..8], &first.miss()[8..]].concat();
    refused(&client, &verify(&client, "", &first, &half), 403, "unsolved");
    verify(&client, "", &first, &solution).expect_status(200);
}

#[test]
fn used() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("clearance.credits", 23));
    let client = stage.client();
    let challenge = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &challenge);
    while client.request("GET", "/").cookie(&cookie).send().status == 200 {}
    assert_eq!(stage.origin.seen().len(), 20, "23 credits less the reserve of 2.3");
    refused(&client, &verify(&client, "", &challenge, &challenge.solve()), 409, "used");
}

#[test]
fn outpriced() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 10));
    let client = stage.client();
    let cheap = challenge(&client, "");
    let neighbour = client.in_network(0, 1);
    let cheaper = challenge(&neighbour, "");
    stage.verifier.reprice(tests::stage::HOST, 201);
    refused(&client, &verify(&client, "", &cheap, &cheap.solve()), 409, "outpriced");
    stage.verifier.reprice(tests::stage::HOST, 200);
    let (_, credits) = redeem(&neighbour, "", &cheaper);
    assert!((credits - 5.0).abs() < 0.011, "a twentieth is still sold: {credits}");
}

#[test]
fn denied() {
    let settings = Settings::new().rule("path = \"/wp-login.php\"\naction = \"deny\"");
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let cookie = buy(&client);
    for target in [
        "/wp-login.php",
        "/wp-login.php?x=1",
        "/./wp-login.php",
        "//wp-login.php",
        "/a/../wp-login.php",
        "/wp%2Dlogin.php",
    ] {
        client.request("GET", target).cookie(&cookie).send().expect(403, "denied");
    }
    assert_eq!(stage.origin.seen().len(), 0);
    client.navigate("/wp-login.php").expect_status(403);
}

#[test]
fn checks_run_in_the_order_of_the_table() {
    let stage = stage();
    let client = stage.client();
    let good = challenge(&client, "");
    // Forged and unsolved: forged. Cross-site and malformed: cross-site. Cross-site and forged: cross-site.
    let mut bytes = good.0;
    bytes[63] ^= 1;
    verify(&client, "", &Challenge(bytes), &good.miss()).expect(403, "forged");
    let stranger = client.with("Origin", "http://evil.test");
    verify(&stranger, "", &Challenge(bytes), &good.solve()).expect(403, "cross_site");
    bytes[0] = 9;
    verify(&stranger, "", &Challenge(bytes), &good.solve()).expect(403, "cross_site");
    // Used before and unsolved now: unsolved.
    redeem(&client, "", &good);
    verify(&client, "", &good, &good.miss()).expect(403, "unsolved");
}

#[test]
fn the_contract_promises_nothing_for_later() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROTOCOL.md");
    let contract = std::fs::read_to_string(file).unwrap().to_lowercase();
    for promise in ["not yet", "will be served", "served but for", "to come in"] {
        assert!(!contract.contains(promise), "{promise}: what is there is described, and nothing else");
    }
}
