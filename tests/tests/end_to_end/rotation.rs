//! Secrets that are replaced while visitors come: the old one holds until it is taken away, and nobody is turned away.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::browser::Browser;
use tests::client::Client;
use tests::load::Load;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::visitor::{buy, challenge, credits, redeem, verify};
use tests::wait::{SOON, until_true};

/// Secrets of a form's back end.
const FORM_SECRETS: [&str; 2] = ["the secret of last year 0123", "the secret of this year 4567"];

fn stage(folder: &tempfile::TempDir) -> Stage {
    let form_secret = folder.path().join("form.secret");
    write(&form_secret, FORM_SECRETS[0]);
    let settings = Settings::new()
        .set("clearance.credits", 1_000_000)
        .set("challenge.count", 8)
        .set("challenge.difficulty", 100_000)
        .set("challenge.max_solve_seconds", 60)
        .site_key(&format!("key = \"contact\"\nsecret_file = \"{}\"", form_secret.display()));
    Stage::with_site(Front::Proxy, settings, |site| site.of_site("capacity_per_second", 100_000))
}

/// As an editor writes: another file that takes the place of the one before.
fn write(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// Replaces a file that the configuration names, and waits until that is in force and visitors have come since.
fn rotate(stage: &Stage, load: &Load, path: &Path, text: &str) {
    let reloads = || stage.verifier.log().matches("reloaded ").count();
    let before = reloads();
    write(path, text);
    stage.verifier.hang_up();
    until_true(SOON, "the reload", || reloads() > before);
    load.wait_for_more(250);
}

/// Requests of somebody who has paid, and of the page that he is on.
fn asked(client: &Client, cookie: &str) -> Vec<Vec<u8>> {
    let targets = ["/page/1", "/static/1.svg", "/.portcullis/clearance?for=/page/2", "/page/3"];
    let request = |target: &&str| client.request("GET", target).cookie(cookie).header("Connection", "close").bytes();
    targets.iter().map(request).collect()
}

/// What the back end hears that shows this secret with a token that nobody sold.
fn heard(client: &Client, secret: &str) -> Value {
    let question = json!({"secret": secret, "response": "no token"}).to_string();
    let reply = client.request("POST", "/.portcullis/siteverify").body("application/json", question).send();
    reply.json()["error-codes"][0].clone()
}

/// What somebody with this token is answered who changes something.
fn operator(stage: &Stage, token: &str) -> u16 {
    let admin = stage.verifier.admin().with("Authorization", &format!("Bearer {token}"));
    admin.request("POST", "/reload").body("application/json", "{}").try_send().unwrap().status
}

#[test]
fn a_new_secret_under_load_fails_no_request_and_asks_no_visitor_twice() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(&folder);
    let client = stage.client();
    let (cookie, offered) = (buy(&client), challenge(&client, ""));
    let file = stage.verifier.directory().join("portcullis.secret");
    let old = fs::read_to_string(&file).unwrap().trim().to_owned();
    let new = "ab".repeat(32);
    Load::during(&client, &asked(&client, &cookie), |load| {
        let browser = Browser::start();
        browser.open(&stage.url("/page/100"));
        until_true(SOON, "it to solve", || browser.notes("state").iter().any(|state| state == "solving"));
        rotate(&stage, load, &file, &format!("{new}\n{old}\n"));
        assert_eq!(
            browser.wait_for_origin(Duration::from_mins(1)),
            "/page/100",
            "offered under the old, bought under both"
        );
        assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1);
        redeem(&client, "", &offered);
        let last = challenge(&client, "");
        // The old line is taken away: what was bought stays bought.
        rotate(&stage, load, &file, &format!("{new}\n"));
        verify(&client, "", &offered, &offered.solve()).expect(403, "forged");
        redeem(&client, "", &last);
        browser.open(&stage.url("/page/101"));
        assert_eq!(browser.wait_for_origin(SOON), "/page/101");
        assert_eq!(stage.relay.count("POST /.portcullis/verify"), 1, "nobody is asked a second time");
    });
    assert!(credits(&client, &cookie, "/").is_some_and(|left| left > 0.0));
}

#[test]
fn the_secret_of_a_form_and_the_admin_token_are_replaced_under_load_and_the_old_ones_then_refused() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage(&folder);
    let client = stage.client();
    let cookie = buy(&client);
    let [last_year, this_year] = FORM_SECRETS;
    let (form_secret, token_file) = (folder.path().join("form.secret"), stage.verifier.directory().join("admin-token"));
    let (old, new) = (stage.verifier.admin_token(), "cd".repeat(16));
    let (known, unknown) = (json!("invalid-input-response"), json!("invalid-input-secret"));
    Load::during(&client, &asked(&client, &cookie), |load| {
        assert_eq!((heard(&client, last_year), heard(&client, this_year)), (known.clone(), unknown.clone()));
        rotate(&stage, load, &form_secret, &format!("{this_year}\n{last_year}\n"));
        assert_eq!((heard(&client, last_year), heard(&client, this_year)), (known.clone(), known.clone()));
        rotate(&stage, load, &form_secret, &format!("{this_year}\n"));
        assert_eq!((heard(&client, last_year), heard(&client, this_year)), (unknown, known));

        assert_eq!((operator(&stage, &old), operator(&stage, &new)), (200, 401));
        rotate(&stage, load, &token_file, &format!("{new}\n{old}\n"));
        assert_eq!((operator(&stage, &old), operator(&stage, &new)), (200, 200));
        assert!(stage.verifier.command(&["mode", "on"]).status.success(), "the first is ours");
        rotate(&stage, load, &token_file, &format!("{new}\n"));
        assert_eq!((operator(&stage, &old), operator(&stage, &new)), (401, 200));
        assert!(stage.verifier.command(&["mode", "on"]).status.success());
        // A file that is gone, or holds no token, changes nothing, and says so.
        fs::remove_file(&token_file).unwrap();
        assert_eq!(operator(&stage, &new), 422);
        write(&token_file, "short");
        assert_eq!(operator(&stage, &new), 422);
    });
}
