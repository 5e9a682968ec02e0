//! The steps of a visitor, as PROTOCOL §4 names them.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::client::Client;
use crate::reply::Reply;
use crate::solver::Challenge;

/// `GET challenge` for a target (empty: the default); the whole answer.
pub fn ask(client: &Client, target: &str) -> Value {
    let reply = client.get(&endpoint("challenge", target));
    reply.expect_status(200);
    reply.json()
}

/// A challenge for a target that must be for sale.
pub fn challenge(client: &Client, target: &str) -> Challenge {
    let answer = ask(client, target);
    assert_eq!(answer["needed"], json!(true), "{answer}");
    let text = answer["challenge"].as_str().unwrap_or_else(|| panic!("no challenge: {answer}"));
    let challenge = Challenge::from_text(text);
    assert_eq!(answer["difficulty"], json!(challenge.difficulty()), "the fields are for reading, but must not lie");
    assert_eq!(answer["count"], json!(challenge.count()));
    assert_eq!(answer["algorithm"], json!("sha256"));
    challenge
}

/// The body of `POST verify`.
pub fn solution_json(challenge: &Challenge, solution: &[u8]) -> Vec<u8> {
    json!({"challenge": challenge.text(), "solution": BASE64URL_NOPAD.encode(solution)}).to_string().into_bytes()
}

/// `POST verify` with a solution.
pub fn verify(client: &Client, target: &str, challenge: &Challenge, solution: &[u8]) -> Reply {
    client
        .request("POST", &endpoint("verify", target))
        .body("application/json", solution_json(challenge, solution))
        .send()
}

/// Solves and redeems; the answer must be a sale. Gives the cookie and the credits it begins with.
#[track_caller]
pub fn redeem(client: &Client, target: &str, challenge: &Challenge) -> (String, f64) {
    let reply = verify(client, target, challenge, &challenge.solve());
    reply.expect_status(200);
    let answer = reply.json();
    assert_eq!(answer["ok"], json!(true), "{answer}");
    let cookie = reply.clearance().unwrap_or_else(|| panic!("a sale without a cookie: {reply:?}"));
    (cookie, answer["credits"].as_f64().unwrap_or_else(|| panic!("no credits: {answer}")))
}

/// The whole way to a clearance for an ordinary page; gives the cookie.
#[track_caller]
pub fn buy(client: &Client) -> String {
    redeem(client, "", &challenge(client, "")).0
}

/// `GET clearance` with a cookie: the credits left, or nothing when a navigation to `target` would not be admitted.
pub fn credits(client: &Client, cookie: &str, target: &str) -> Option<f64> {
    let reply = client.request("GET", &endpoint("clearance", target)).cookie(cookie).send();
    match reply.status {
        200 => Some(reply.json()["credits"].as_f64().unwrap_or_else(|| panic!("no credits: {}", reply.text()))),
        401 => None,
        other => panic!("clearance answers {other}: {}", reply.text()),
    }
}

/// An endpoint of PROTOCOL §4 with its `for`.
pub fn endpoint(name: &str, target: &str) -> String {
    if target.is_empty() {
        return format!("/.portcullis/{name}");
    }
    let target = target.replace('%', "%25").replace('?', "%3F").replace('&', "%26").replace('#', "%23");
    format!("/.portcullis/{name}?for={target}")
}
