//! Tokens of forms over the wire: asked for by pages, asked about by their back ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::client::Client;
use tests::origin::Origin;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::solver::Challenge;
use tests::stage::{Front, HOST, Stage};
use tests::verifier::Verifier;
use tests::wait::{SOON, until_true};

const SECRET: &str = "what only the back end of the form has";
/// A page of somebody else's, whose forms get tokens here.
const SHOP: &str = "https://shop.example";

through_both!(
    a_page_gets_a_token_and_its_back_end_hears_once_that_it_is_good,
    every_answer_has_the_word_that_site_owners_know,
    pages_of_the_keys_hosts_may_read_and_no_others
);

fn digest(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret))
}

fn settings() -> Settings {
    Settings::new()
        .set("challenge.difficulty", 50)
        .site_key(&format!("key = \"contact\"\nsha256 = \"{}\"", digest(SECRET)))
        .site_key(&format!(
            "key = \"shop\"\nhosts = [\"shop.example\"]\nsha256 = \"{}\"",
            digest("the secret of the shop")
        ))
        .site_key(&format!("key = \"always\"\ntest = \"pass\"\nsha256 = \"{}\"", digest("the secret of the tests")))
}

/// `GET challenge` for a form.
fn ask(client: &Client, key: &str, origin: &str) -> Reply {
    let request = client.request("GET", &format!("/.portcullis/challenge?purpose=form&key={key}"));
    if origin.is_empty() { request.send() } else { request.header("Origin", origin).send() }
}

fn challenge_of(reply: &Reply) -> Challenge {
    reply.expect_status(200);
    Challenge::from_text(reply.json()["challenge"].as_str().unwrap())
}

/// `POST verify` as a form.
fn redeem(client: &Client, challenge: &Challenge, origin: &str, more: &str) -> Reply {
    let solution = BASE64URL_NOPAD.encode(&challenge.solve());
    let body = format!("challenge={}&solution={solution}{more}", challenge.text());
    let request = client.request("POST", "/.portcullis/verify");
    let request = if origin.is_empty() { request } else { request.header("Origin", origin) };
    request.body("application/x-www-form-urlencoded", body).send()
}

#[track_caller]
fn buy(client: &Client, key: &str, origin: &str) -> String {
    let reply = redeem(client, &challenge_of(&ask(client, key, origin)), origin, "&action=sign-up&cdata=%C3%BC");
    reply.expect_status(200);
    assert_eq!(reply.header("set-cookie"), None, "a token is no clearance");
    let answer = reply.json();
    assert!(answer["ok"] == json!(true) && (1..=300).contains(&answer["expires_in"].as_i64().unwrap()), "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

#[track_caller]
fn verify_json(client: &Client, question: &Value) -> Value {
    let reply = client.request("POST", "/.portcullis/siteverify").body("application/json", question.to_string()).send();
    reply.expect_status(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()
}

fn code(answer: &Value) -> String {
    assert_eq!(answer["success"], json!(false), "{answer}");
    assert_eq!(answer["error-codes"].as_array().unwrap().len(), 1, "{answer}");
    answer["error-codes"][0].as_str().unwrap().to_owned()
}

fn a_page_gets_a_token_and_its_back_end_hears_once_that_it_is_good(front: Front) {
    let stage = Stage::new(front, settings());
    let client = stage.client();
    let token = buy(&client, "contact", "");
    let question = json!({"secret": SECRET, "response": token, "remoteip": "203.0.113.7", "idempotency_key": "a"});
    let answer = verify_json(&client, &question);
    assert_eq!(answer["success"], json!(true), "{answer}");
    assert_eq!(
        (&answer["hostname"], &answer["action"], &answer["cdata"]),
        (&json!(HOST), &json!("sign-up"), &json!("ü"))
    );
    assert_eq!(answer["error-codes"], json!([]));
    let time = answer["challenge_ts"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z') && time.starts_with("20"), "{time}");
    assert_eq!(verify_json(&client, &question), answer, "the same question gets the same answer");
    assert_eq!(code(&verify_json(&client, &json!({"secret": SECRET, "response": token}))), "timeout-or-duplicate");

    // A page of somebody else's, and a back end that asks with a form.
    let token = buy(&client, "shop", SHOP);
    let body = format!("secret=the+secret+of+the+shop&response={token}&remoteip=None");
    let post = || {
        let request = client.request("POST", "/.portcullis/siteverify");
        request.body("application/x-www-form-urlencoded", body.clone()).send().json()
    };
    let answer = post();
    assert_eq!((&answer["success"], &answer["hostname"]), (&json!(true), &json!("shop.example")), "{answer}");
    assert_eq!(code(&post()), "timeout-or-duplicate");
    let log = stage.verifier.log();
    assert!(!log.contains(SECRET) && !log.contains(&token), "neither secrets nor tokens are logged");
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    for line in ["portcullis_tokens_sold_total 2", "portcullis_siteverify_total{answer=\"success\"} 3"] {
        assert!(metrics.contains(line), "{line}");
    }
}

fn every_answer_has_the_word_that_site_owners_know(front: Front) {
    let stage = Stage::new(front, settings());
    let client = stage.client();
    let token = buy(&client, "contact", "");
    let long = "x".repeat(600);
    for (question, expected) in [
        (json!({}), "missing-input-secret"),
        (json!({"secret": "", "response": token}), "missing-input-secret"),
        (json!({"secret": null, "response": token}), "missing-input-secret"),
        (json!({"secret": "wrong", "response": token}), "invalid-input-secret"),
        (json!({"secret": long, "response": token}), "invalid-input-secret"),
        (json!({"secret": "contact", "response": token}), "invalid-input-secret"),
        (json!({"secret": SECRET}), "missing-input-response"),
        (json!({"secret": SECRET, "response": ""}), "missing-input-response"),
        (json!({"secret": SECRET, "response": "nonsense"}), "invalid-input-response"),
        (json!({"secret": SECRET, "response": format!("{token}A")}), "invalid-input-response"),
        (json!({"secret": SECRET, "response": "A".repeat(4_000)}), "invalid-input-response"),
        (json!({"secret": "the secret of the shop", "response": token}), "invalid-input-response"),
        (json!({"secret": 1, "response": token}), "bad-request"),
        (json!({"secret": SECRET, "response": [token]}), "bad-request"),
        (json!({"secret": SECRET, "response": token, "idempotency_key": "x".repeat(129)}), "bad-request"),
        (json!([SECRET, token]), "bad-request"),
        (json!({"secret": SECRET, "response": "A".repeat(9_000)}), "bad-request"),
    ] {
        assert_eq!(code(&verify_json(&client, &question)), expected, "{question}");
    }
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", "{\"secret\":\"a\",\"secret\":\"a\"}"),
        ("text/plain", "secret=a&response=b"),
        ("application/x-www-form-urlencoded", "secret=a&secret=a&response=b"),
    ] {
        let reply = client.request("POST", "/.portcullis/siteverify").body(kind, body).send();
        assert_eq!((reply.status, code(&reply.json())), (200, "bad-request".to_owned()), "{kind} {body}");
    }
    client.get("/.portcullis/siteverify").expect(405, "method");
    // A key for tests takes whatever it is asked about, with its own secret.
    let tests = json!({"secret": "the secret of the tests", "response": "XXXX.DUMMY.TOKEN.XXXX"});
    assert_eq!(verify_json(&client, &tests)["success"], json!(true));
    let test_token = buy(&client, "always", "");
    let real = json!({"secret": SECRET, "response": test_token});
    assert_eq!(code(&verify_json(&client, &real)), "invalid-input-response");
    // And after all that the token is still good.
    assert_eq!(verify_json(&client, &json!({"secret": SECRET, "response": token}))["success"], json!(true));
    let warned = stage.verifier.log().lines().filter(|line| line.contains("the secret of no site key")).count();
    assert!((1..=3).contains(&warned), "{warned}");
}

fn pages_of_the_keys_hosts_may_read_and_no_others(front: Front) {
    let stage = Stage::new(front, settings());
    let client = stage.client();
    let cors = |reply: &Reply| {
        let header = |name: &str| reply.header(name).map(str::to_owned);
        (header("access-control-allow-origin"), header("access-control-allow-credentials"))
    };
    let shop = Some(SHOP.to_owned());
    let offered = ask(&client, "shop", SHOP);
    assert_eq!(cors(&offered), (shop.clone(), None), "without credentials");
    let challenge = challenge_of(&offered);
    assert_eq!(challenge.0[14], 1);
    assert!(!challenge.standing());
    let own = format!("http://{}", client.host());
    for (key, origin) in
        [("shop", "https://evil.example"), ("shop", own.as_str()), ("contact", SHOP), ("nobodys", SHOP)]
    {
        let refused = ask(&client, key, origin);
        refused.expect(403, "wrong_site");
        assert_eq!(refused.header("portcullis-challenge"), None);
        assert_eq!(cors(&refused), (None, None), "{key} {origin}");
    }
    client.get("/.portcullis/challenge?purpose=form").expect(400, "malformed");
    client.get("/.portcullis/challenge?purpose=ticket&key=shop").expect(400, "malformed");

    for origin in ["https://evil.example", "null", ""] {
        let refused = redeem(&client, &challenge, origin, "");
        refused.expect(403, "wrong_site");
        assert_eq!(cors(&refused), (None, None), "{origin}");
    }
    let long = redeem(&client, &challenge, SHOP, &format!("&action={}", "x".repeat(33)));
    long.expect(400, "malformed");
    assert_eq!(cors(&long), (shop.clone(), None), "its own page may read what is wrong");
    let next = Challenge::from_text(long.header("portcullis-challenge").unwrap());
    assert_eq!((next.0[14], &next.0[40..48]), (1, &challenge.0[40..48]), "and gets a fresh one for the same key");
    let sold = redeem(&client, &challenge, SHOP, "&action=x");
    sold.expect_status(200);
    assert_eq!(cors(&sold), (shop.clone(), None));
    redeem(&client, &challenge, SHOP, "&action=y").expect(409, "used");

    let preflight = |origin: &str| {
        let request = client.request("OPTIONS", "/.portcullis/verify").header("Origin", origin);
        cors(&request.header("Access-Control-Request-Method", "POST").send())
    };
    assert_eq!(preflight(SHOP), (shop, None));
    assert_eq!(preflight("https://evil.example"), (None, None));
    let script = client.get("/.portcullis/portcullis.js");
    assert_eq!(script.header("cross-origin-resource-policy"), Some("cross-origin"));
    assert_eq!(script.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn where_there_are_no_keys_scripts_stay_at_home_and_there_are_no_tokens() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let script = client.get("/.portcullis/portcullis.js");
    assert_eq!(script.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(script.header("access-control-allow-origin"), None);
    ask(&client, "contact", "").expect(403, "wrong_site");
    let answer = verify_json(&client, &json!({"secret": SECRET, "response": "x"}));
    assert_eq!(code(&answer), "invalid-input-secret");
}

#[test]
fn an_idle_gate_sells_tokens_and_nothing_else() {
    for mode in ["off", "auto"] {
        let stage = Stage::new(Front::Proxy, settings().set("mode", mode));
        let client = stage.client();
        client.get("/").expect_status(200);
        let token = buy(&client, "contact", "");
        assert_eq!(
            verify_json(&client, &json!({"secret": SECRET, "response": token}))["success"],
            json!(true),
            "{mode}"
        );
        assert_eq!(client.get("/.portcullis/challenge").json(), json!({"needed": false}), "{mode}");
    }
}

#[test]
fn a_secret_is_changed_while_it_runs_and_tokens_outlast_a_stop_and_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("contact.secret");
    let write = |lines: &str| {
        // Written beside it and put in its place, as an editor does.
        let new = folder.path().join("new");
        fs::write(&new, lines).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &file).unwrap();
    };
    let (old, new) = ("the secret of last year", "the secret of this year");
    write(&format!("{old}\n"));
    let settings = Settings::new().site_key(&format!("key = \"contact\"\nsecret_file = \"{}\"", file.display()));
    let mut stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let ask = |secret: &str, token: &str| verify_json(&client, &json!({"secret": secret, "response": token}));
    let is_known = |secret: &str| code(&ask(secret, "x")) == "invalid-input-response";
    assert!(is_known(old) && !is_known(new));
    let token = buy(&client, "contact", "");
    write(&format!("{new}\n{old}\n"));
    until_true(SOON, "both secrets", || is_known(new) && is_known(old));
    assert_eq!(ask(new, &token)["success"], json!(true), "sold under the old one");
    let token = buy(&client, "contact", "");
    write(&format!("{new}\n"));
    until_true(SOON, "the old one to be forgotten", || !is_known(old));
    assert_eq!(code(&ask(old, &token)), "invalid-input-secret");

    let spent = buy(&client, "contact", "");
    assert_eq!(ask(new, &spent)["success"], json!(true));
    assert!(stage.verifier.restart().success());
    assert_eq!(ask(new, &token)["success"], json!(true), "it outlasts a clean stop");
    assert_eq!(code(&ask(new, &spent)), "timeout-or-duplicate", "and so does that it was used");
    let lost = buy(&client, "contact", "");
    stage.verifier.crash_and_restart();
    assert_eq!(code(&ask(new, &lost)), "timeout-or-duplicate", "after a crash nobody knows whether it was used");
}

/// Libraries that site owners have, with nothing of theirs changed but the address.
mod libraries {
    use super::*;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    fn workspace() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    fn said(command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A name that every machine resolves, since libraries look it up themselves.
    fn verifier() -> (Verifier, Origin, Client, String) {
        let origin = Origin::start("main");
        let verifier = Verifier::start(settings().site("main", &["localhost"], Some(&origin.url())));
        let client = verifier.client("localhost");
        let url = format!("http://localhost:{}/.portcullis/siteverify", verifier.port);
        (verifier, origin, client, url)
    }

    #[test]
    fn django_turnstile_takes_a_form_with_a_token_once() {
        let (_verifier, _origin, client, url) = verifier();
        let django = |secret: &str, token: &str| {
            let mut command = Command::new("python3");
            command.arg(workspace().join("tests/backends/django_form.py")).args([&url, secret, token]);
            said(command.env("PYTHONPATH", workspace().join("target/tools/django")))
        };
        let token = buy(&client, "contact", "");
        assert_eq!(django(SECRET, ""), "required");
        assert_eq!(django("the secret of the shop", &token), "invalid_turnstile");
        assert_eq!(django(SECRET, &token), "valid");
        assert_eq!(django(SECRET, &token), "invalid_turnstile");
        assert_eq!(django("the secret of the tests", "XXXX.DUMMY.TOKEN.XXXX"), "valid");
    }

    #[test]
    fn cf_turnstile_finds_host_action_and_data_once() {
        let (_verifier, _origin, client, url) = verifier();
        let node = |token: &str, host: &str, action: &str| -> Value {
            let folder = workspace().join("target/tools/cf-turnstile");
            let mut command = Command::new("node");
            command.arg(workspace().join("tests/backends/turnstile.cjs")).arg(folder);
            serde_json::from_str(&said(command.args([&url, SECRET, token, host, action]))).unwrap()
        };
        let token = buy(&client, "contact", "");
        let found = node(&token, "localhost", "sign-up");
        assert_eq!(
            (&found["success"], &found["cdata"], &found["errors"]),
            (&json!(true), &json!("ü"), &json!([])),
            "{found}"
        );
        let time = found["timestamp"].as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20"), "a time that JavaScript reads: {found}");
        let again = node(&token, "localhost", "sign-up");
        assert_eq!((&again["success"], &again["errors"]), (&json!(false), &json!(["timeout-or-duplicate"])), "{again}");
        let other = node(&buy(&client, "contact", ""), "localhost", "sign-in");
        assert_eq!(other["errors"], json!(["cfts-action-mismatch"]), "{other}");
    }

    #[test]
    fn the_client_in_python_gets_a_token_too() {
        let (verifier, _origin, client, _url) = verifier();
        let mut command = Command::new("python3");
        command.arg(workspace().join("tests/python/portcullis_client.py")).args(["token", "--action", "sign-up"]);
        let address = format!("http://localhost:{}/", verifier.port);
        let token = said(command.args([address.as_str(), "contact"]));
        let answer = verify_json(&client, &json!({"secret": SECRET, "response": token}));
        assert_eq!((&answer["success"], &answer["action"]), (&json!(true), &json!("sign-up")), "{answer}");
    }
}
