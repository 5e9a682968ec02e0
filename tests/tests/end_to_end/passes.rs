//! Staff passes: the link, its button in a real browser, what its devices get, and what strangers get.

use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tests::browser::{Browser, keys};
use tests::client::Client;
use tests::reply::Reply;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::wait::{SOON, until_true};

through_both!(
    an_editor_presses_the_button_and_works_on_in_the_middle_of_an_attack,
    a_device_without_the_pass_pays_as_ever
);

fn stage(front: Front) -> Stage {
    let settings = Settings::new().set("challenge.count", 8).set("challenge.difficulty", 10_000);
    Stage::with_site(front, settings, |settings| settings.of_site("capacity_per_second", 200))
}

/// What the command says, which must succeed.
#[track_caller]
fn pass(stage: &Stage, arguments: &[&str]) -> String {
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    let output = stage.verifier.command(&[&["pass"], arguments, &["--config", &file]].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes a pass; what its link has behind the host.
fn link(stage: &Stage, name: &str) -> String {
    let told = pass(stage, &[name, "--hours", "12"]);
    let link = told.lines().next().unwrap();
    let target = link.strip_prefix(&format!("https://{HOST}")).unwrap_or_else(|| panic!("{link}"));
    assert!(target.starts_with("/.portcullis/pass#"), "{link}");
    target.to_owned()
}

fn secret(link: &str) -> &str {
    link.split_once('#').unwrap().1
}

/// What the button sends.
fn show(client: &Client, secret: &str, cookie: &str) -> Reply {
    let body = json!({ "secret": secret }).to_string();
    client.request("POST", "/.portcullis/pass").cookie(cookie).body("application/json", body).send()
}

fn cookie_by(client: &Client, secret: &str) -> String {
    let reply = show(client, secret, "");
    reply.expect_status(200);
    reply.clearance().unwrap()
}

fn an_editor_presses_the_button_and_works_on_in_the_middle_of_an_attack(front: Front) {
    let stage = stage(front);
    let link = link(&stage, "ada");
    let browser = Browser::start();
    browser.open(&stage.url(&link));
    browser.wait(SOON, "the button", "return document.documentElement.dataset.state === 'ready'");
    assert_eq!(stage.relay.count("POST /.portcullis/pass"), 0, "nothing happens before it is pressed");
    browser.click("#action");
    browser.wait(SOON, "the pass", "return document.documentElement.dataset.state === 'done'");
    let text = browser.script("return document.querySelector('[role=status]').textContent").to_string();
    assert!(text.contains("12 more hours"), "{text}");
    assert_eq!(browser.script("return document.activeElement.id"), json!("title"), "the reader hears what happened");
    assert!(!browser.url().contains('#'), "the secret is gone from the address: {}", browser.url());
    let complaints: Vec<String> = browser.log();
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(browser.notes("violation"), Vec::<String>::new());

    browser.click("#open");
    assert_eq!(browser.wait_for_origin(SOON), "/");
    // An editor's hour of heartbeats, at once: autosave, pictures, pages.
    let beat = "return Promise.all(Array.from({length: 40}, (_, i) => fetch('/beat/' + i, {method: i % 2 ? 'POST' : 'GET'})\
                .then((answer) => answer.status))).then((all) => all.join())";
    let statuses = browser.script(beat);
    assert_eq!(statuses, json!(vec!["200"; 40].join(",")));
    assert_eq!(stage.relay.count("POST /.portcullis/verify"), 0, "no work was asked");
    assert_eq!(browser.notes("lane"), Vec::<String>::new());
    let asked = stage.relay.requests();
    assert!(asked.iter().any(|line| line == "GET /.portcullis/pass"), "{asked:?}");
    assert!(!asked.iter().any(|line| line.contains(secret(&link))), "no address ever had it: {asked:?}");
    assert!(!stage.verifier.log().contains(secret(&link)));
}

fn a_device_without_the_pass_pays_as_ever(front: Front) {
    let stage = stage(front);
    let client = stage.client();
    let link = link(&stage, "ada");
    client.get("/").expect(429, "challenge_required");
    let page = client.navigate("/.portcullis/pass");
    page.expect_status(200);
    assert_eq!(page.header("x-robots-tag"), Some("noindex"));
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(page.clearance(), None, "the page alone gives nothing");
    let cookie = cookie_by(&client, secret(&link));
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    client.get("/").expect(429, "challenge_required");
    // Beyond the rate of the pass, and beyond its clearance, it pays as everybody does.
    let used_up = (0..2_000).any(|_| client.request("GET", "/").cookie(&cookie).send().status == 429);
    assert!(used_up, "the slice and the clearance have an end");
    until_true(SOON, "the slice to fill again", || client.request("GET", "/").cookie(&cookie).send().status == 200);
}

#[test]
fn the_page_says_what_is_missing() {
    let stage = stage(Front::Proxy);
    let browser = Browser::start();
    browser.open(&stage.url("/.portcullis/pass"));
    browser.wait(SOON, "the page to look", "return document.documentElement.dataset.state === 'incomplete'");
    assert_eq!(browser.script("return getComputedStyle(document.getElementById('action')).display"), json!("none"));
    // A link opened in its place is looked at, though the page stays.
    browser.script("location.hash = 'A'.repeat(43)");
    browser.wait(SOON, "the button", "return document.documentElement.dataset.state === 'ready'");
    browser.click("#action");
    browser.wait(SOON, "the refusal", "return document.documentElement.dataset.state === 'failed'");
    let text = browser.script("return document.querySelector('[role=status]').textContent").to_string();
    assert!(text.contains("ask for a new one"), "{text}");
    let html = stage.client().navigate("/.portcullis/pass").text();
    let noscript = html.split("<noscript>").nth(1).and_then(|rest| rest.split("</noscript>").next()).unwrap();
    assert!(noscript.contains("JavaScript") && noscript.contains("behind the #"), "{noscript}");
}

/// What the page shows, and the words of a language that it should.
const SHOWN: &str = "const text = (id) => document.getElementById(id).textContent; const page = document.documentElement; \
     return [page.lang, page.dir, document.title, ...['title', 'lead', 'action', 'open', 'status'].map(text)]";

fn words(tag: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../www/languages/{tag}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn the_page_says_everything_in_the_language_that_is_chosen_on_it_before_and_after() {
    let stage = stage(Front::Proxy);
    let link = link(&stage, "ada");
    let browser = Browser::start();
    browser.open(&stage.url(&link));
    browser.wait(SOON, "the button", "return document.documentElement.dataset.state === 'ready'");
    let request = browser.script("return document.body.dataset.requestId").as_str().unwrap().to_owned();
    browser.click("#language");
    browser.wait(SOON, "the list", "return document.activeElement.matches('select#language')");
    // As a person types ahead in a list.
    browser.press("עב");
    browser.press(keys::ENTER);
    browser.wait(SOON, "Hebrew", "return document.documentElement.lang === 'he'");
    let he = words("he");
    let expected =
        json!(["he", "rtl", he["pass_title"], he["pass_title"], he["pass_lead"], he["pass_use"], he["pass_open"], ""]);
    assert_eq!(browser.script(SHOWN), expected);
    let said = browser.script("return document.getElementById('request').textContent");
    assert_eq!(said, json!(he["request"].as_str().unwrap().replace("{id}", &request)));

    browser.click("#action");
    browser.wait(SOON, "the pass", "return document.documentElement.dataset.state === 'done'");
    let lasts = he["pass_hours"].as_str().unwrap().replace("{n}", "12");
    assert_eq!(browser.script("return document.getElementById('status').textContent"), json!(lasts));
    browser.script("document.getElementById('language').focus()");
    browser.press("Deu");
    browser.press(keys::ENTER);
    browser.wait(SOON, "German", "return document.documentElement.lang === 'de'");
    let de = words("de");
    let lasts = de["pass_hours"].as_str().unwrap().replace("{n}", "12");
    let expected = json!([
        "de",
        "ltr",
        de["pass_title"],
        de["pass_title_done"],
        de["pass_lead"],
        de["pass_use"],
        de["pass_open"],
        lasts
    ]);
    assert_eq!(browser.script(SHOWN), expected, "what was done is not undone");
    assert_eq!(browser.notes("violation"), Vec::<String>::new());

    browser.open(&stage.url("/.portcullis/pass"));
    browser.wait(SOON, "German again", "return document.documentElement.lang === 'de'");
    let status = browser.script("return document.getElementById('status').textContent");
    assert_eq!(status, de["pass_incomplete"]);
}

#[test]
fn three_devices_and_no_more_and_each_may_come_again() {
    let stage = stage(Front::Proxy);
    let client = stage.client();
    let link = link(&stage, "ada");
    let cookies: Vec<String> = (0..3).map(|_| cookie_by(&client, secret(&link))).collect();
    show(&client, secret(&link), "").expect(409, "too_many_devices");
    let again = show(&client, secret(&link), &cookies[1]);
    again.expect_status(200);
    assert_eq!(again.clearance().as_deref(), Some(cookies[1].as_str()));
    assert!(pass(&stage, &["--list"]).contains("ada: site main, 12 h 00 min left, devices 3"));
}

#[test]
fn guesses_lock_nobody_out_and_are_logged_once_a_second() {
    let stage = stage(Front::Proxy);
    let client = stage.client();
    let link = link(&stage, "ada");
    for guess in 0..200_u8 {
        let reply = show(&client, &BASE64URL_NOPAD.encode(&[guess; 32]), "");
        reply.expect(403, "unknown_pass");
        assert_eq!(reply.header("set-cookie"), None);
    }
    cookie_by(&client, secret(&link));
    let lines = stage.verifier.log().lines().filter(|line| line.contains("the secret of no pass")).count();
    assert!((1..=100).contains(&lines), "{lines}");
}

#[test]
fn what_is_not_the_buttons_is_refused() {
    let stage = stage(Front::Proxy);
    let client = stage.client();
    let link = link(&stage, "ada");
    let good = json!({ "secret": secret(&link) }).to_string();
    let post = |headers: &[(&str, &str)], kind: &str, body: &str| {
        let request = client.request("POST", "/.portcullis/pass");
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).body(kind, body).send()
    };
    let json = "application/json";
    post(&[("Origin", "http://evil.test")], json, &good).expect(403, "cross_site");
    post(&[("Sec-Fetch-Site", "cross-site")], json, &good).expect(403, "cross_site");
    post(&[], "application/x-www-form-urlencoded", &format!("secret={}", secret(&link))).expect(415, "malformed");
    post(&[], "text/plain", &good).expect(415, "malformed");
    for body in ["", "[]", "{}", "{\"secret\":\"AAAA\"}", &format!("{{\"secret\":\"{}\"}}", "A".repeat(2_000))] {
        post(&[], json, body).expect(400, "malformed");
    }
    client.request("PUT", "/.portcullis/pass").send().expect(405, "method");
    assert_eq!(stage.verifier.admin().request("GET", "/passes").try_send().unwrap().json()["passes"][0]["devices"], 0);
}

#[test]
fn a_revoked_pass_ends_at_once_and_for_good() {
    let mut stage = stage(Front::Proxy);
    let client = stage.client();
    let link = link(&stage, "ada");
    let cookie = cookie_by(&client, secret(&link));
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    assert!(pass(&stage, &["--revoke", "ada"]).contains("is revoked"));
    client.request("GET", "/").cookie(&cookie).send().expect(429, "challenge_required");
    show(&client, secret(&link), &cookie).expect(403, "unknown_pass");
    assert_eq!(pass(&stage, &["--list"]), "no passes");
    stage.verifier.crash_and_restart();
    show(&client, secret(&link), &cookie).expect(403, "unknown_pass");
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    for arguments in [
        &["pass", "--revoke", "ada"][..],
        &["pass", "ada", "--hours", "25"],
        &["pass", "ada", "--hours", "0"],
        &["pass", ""],
        &["pass", "ada", "--site", "nowhere"],
        &["pass"],
        &["pass", "ada", "--list"],
    ] {
        let refused = stage.verifier.command(&[arguments, &["--config", &file]].concat());
        assert!(!refused.status.success() && !refused.stderr.is_empty(), "{arguments:?}: {refused:?}");
    }
}

#[test]
fn a_pass_outlasts_stop_and_crash() {
    let mut stage = stage(Front::Proxy);
    let client = stage.client();
    let link = link(&stage, "ada");
    let cookie = cookie_by(&client, secret(&link));
    assert!(stage.verifier.restart().success());
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    stage.verifier.crash_and_restart();
    client.request("GET", "/").cookie(&cookie).send().expect(429, "challenge_required");
    let again = show(&client, secret(&link), &cookie);
    assert_eq!(again.clearance().as_deref(), Some(cookie.as_str()), "the same device, not another one: {again:?}");
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let file = std::fs::read_to_string(stage.verifier.directory().join("state/passes")).unwrap();
    assert!(!file.contains(secret(&link)) && !file.contains(cookie.split_once('=').unwrap().1), "{file}");
}

#[test]
fn an_idle_gate_gives_it_for_later_and_nothing_else() {
    let settings = Settings::new().set("mode", "auto");
    let stage = Stage::with_site(Front::Proxy, settings, |settings| settings.of_site("capacity_per_second", 200));
    let client = stage.client();
    let link = link(&stage, "ada");
    let cookie = cookie_by(&client, secret(&link));
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let admin = stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    let on = admin.request("POST", "/mode").body("application/json", "{\"mode\":\"on\"}").try_send().unwrap();
    assert_eq!(on.status, 200);
    client.get("/").expect(429, "challenge_required");
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
}

#[test]
fn only_the_operator_makes_lists_and_revokes_passes() {
    let stage = stage(Front::Proxy);
    let (stranger, public) = (stage.verifier.admin(), stage.client());
    let body = "{\"name\":\"eve\",\"hours\":12}";
    for (client, target) in [(&stranger, "/passes"), (&stranger, "/passes/revoke")] {
        let reply = client.request("POST", target).body("application/json", body).try_send().unwrap();
        assert_eq!(reply.status, 401, "{target}");
    }
    public.get("/passes").expect(429, "challenge_required");
    public.get("/.portcullis/passes").expect(404, "not_found");
    assert_eq!(pass(&stage, &["--list"]), "no passes");
    let admin = stranger.with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    for body in ["", "{}", "{\"name\":\"eve\"}", "{\"name\":\"eve\",\"hours\":12,\"rate\":9}"] {
        let reply = admin.request("POST", "/passes").body("application/json", body).try_send().unwrap();
        assert_eq!(reply.status, 400, "{body}");
    }
    let made = admin.request("POST", "/passes").body("application/json", body).try_send().unwrap();
    assert_eq!((made.status, made.json()["kept"].clone()), (200, json!(true)), "{}", made.text());
    let listed = stranger.request("GET", "/passes").try_send().unwrap().text();
    let path = made.json()["path"].as_str().unwrap().to_owned();
    assert!(listed.contains("eve") && !listed.contains(secret(&path)), "{listed}");
}
