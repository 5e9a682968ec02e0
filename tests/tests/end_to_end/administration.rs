//! The admin listener and its guards (PROTOCOL §9).

use serde_json::json;
use tests::client::Client;
use tests::origin::Origin;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::verifier::Verifier;
use tests::visitor::{ask, buy};

fn stage() -> Stage {
    Stage::new(Front::Proxy, Settings::new())
}

fn set_mode(client: &Client, mode: &str) -> u16 {
    let body = json!({"mode": mode}).to_string();
    client.request("POST", "/mode").body("application/json", body).try_send().unwrap().status
}

fn get(client: &Client, target: &str) -> u16 {
    client.request("GET", target).try_send().unwrap().status
}

fn bearer(stage: &Stage) -> Client {
    stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()))
}

fn gate_is_on(stage: &Stage) -> bool {
    ask(&stage.client(), "")["needed"] == json!(true)
}

#[test]
fn a_mode_is_set_with_the_token() {
    let stage = stage();
    let admin = bearer(&stage);
    assert!(gate_is_on(&stage));
    assert_eq!(set_mode(&admin, "off") / 100, 2);
    assert!(!gate_is_on(&stage));
    stage.client().get("/").expect_status(200);
    assert_eq!(set_mode(&admin, "on") / 100, 2);
    assert!(gate_is_on(&stage));
    assert_eq!(set_mode(&admin, "sometimes") / 100, 4);
    assert!(gate_is_on(&stage));
}

#[test]
fn a_write_without_the_token_changes_nothing() {
    let stage = stage();
    let admin = stage.verifier.admin();
    for client in [
        admin.clone(),
        admin.with("Authorization", "Bearer wrong"),
        admin.with("Authorization", "Bearer "),
        admin.with("Authorization", &format!("Bearer {}x", stage.verifier.admin_token())),
        admin.with("Authorization", &format!("Basic {}", stage.verifier.admin_token())),
    ] {
        assert!(matches!(set_mode(&client, "off"), 401 | 403));
        let reload = client.request("POST", "/reload").body("application/json", "{}").try_send().unwrap();
        assert!(matches!(reload.status, 401 | 403));
    }
    assert!(gate_is_on(&stage));
}

#[test]
fn a_web_page_cannot_write_nor_read() {
    let stage = stage();
    let admin = bearer(&stage);
    for (name, value) in [
        ("Origin", "http://evil.test"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let client = admin.with(name, value);
        assert!((400..500).contains(&set_mode(&client, "off")), "{name}: {value}");
        assert!((400..500).contains(&get(&client, "/status")), "{name}: {value}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let reply = admin.request("POST", "/mode").body(content_type, "{\"mode\":\"off\"}").try_send().unwrap();
        assert_eq!(reply.status, 415, "{content_type}");
    }
    assert!(gate_is_on(&stage));
}

#[test]
fn a_name_that_was_rebound_reaches_nothing() {
    let stage = stage();
    let admin = bearer(&stage);
    for host in ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "portcullis.test"] {
        let client = admin.for_host(host);
        assert!((400..500).contains(&get(&client, "/status")), "{host}");
        assert!((400..500).contains(&set_mode(&client, "off")), "{host}");
    }
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        assert_eq!(get(&admin.for_host(host), "/status"), 200, "{host}");
    }
    assert!(gate_is_on(&stage));
}

#[test]
fn reads_tell_the_state_without_a_token_on_loopback() {
    let stage = stage();
    let admin = stage.verifier.admin();
    assert_eq!(get(&admin, "/healthz"), 200);
    let status = admin.request("GET", "/status").try_send().unwrap();
    assert_eq!(status.json()["mode"], json!("on"), "{}", status.text());
    buy(&stage.client());
    let metrics = admin.request("GET", "/metrics").try_send().unwrap();
    assert!(metrics.text().contains("# TYPE portcullis_"), "{}", metrics.text());
    assert_eq!(get(&admin, "/nothing"), 404);
    assert!((400..500).contains(&get(&admin, "/mode")));
}

#[test]
fn the_public_listener_has_no_administration() {
    let stage = stage();
    let public = stage.client();
    let health = public.get("/healthz");
    assert!(health.is_from_origin(), "it is the site's own: {health:?}");
    for target in ["/metrics", "/status", "/.portcullis/status", "/.portcullis/mode"] {
        let reply = public.get(target);
        assert!(matches!(reply.status, 404 | 429), "{target}: {reply:?}");
    }
    // And the admin listener serves no site.
    assert_eq!(get(&stage.verifier.admin(), "/.portcullis/challenge"), 404);
}

#[test]
fn the_command_line_talks_to_it() {
    let stage = stage();
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    let off = stage.verifier.command(&["mode", "off", "--config", &file]);
    assert!(off.status.success(), "{off:?}");
    assert!(!gate_is_on(&stage));
    let status = stage.verifier.command(&["status", "--config", &file]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("off"), "{status:?}");
    assert!(stage.verifier.command(&["mode", "on", "--config", &file]).status.success());
    assert!(gate_is_on(&stage));
    assert!(!stage.verifier.command(&["mode", "sideways", "--config", &file]).status.success());
}

#[test]
fn one_site_can_have_a_mode_of_its_own_by_hand() {
    let origin = Origin::start("main");
    let state = tempfile::tempdir().unwrap();
    let settings = Settings::new()
        .set("mode", "auto")
        .set("state_dir", state.path().display().to_string())
        .site("shop", &["shop.test"], Some(&origin.url()))
        .site("blog", &["blog.test"], Some(&origin.url()))
        .of_site("mode", "on");
    let mut verifier = Verifier::start(settings);
    let statuses = |verifier: &Verifier| ["shop.test", "blog.test"].map(|host| verifier.client(host).get("/").status);
    let mode = |verifier: &Verifier, arguments: &[&str]| {
        let output = verifier.command(&[&["mode"], arguments].concat());
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    assert_eq!(statuses(&verifier), [200, 429]);
    let (done, told) = mode(&verifier, &["on", "--site", "shop"]);
    assert!(done && told.contains("shop: mode on set by hand"), "{told}");
    assert!(mode(&verifier, &["off", "--site", "blog"]).0);
    assert_eq!(statuses(&verifier), [429, 200]);
    assert!(verifier.restart().success());
    assert_eq!(statuses(&verifier), [429, 200], "it outlasts a restart");
    let (done, told) = mode(&verifier, &["on", "--site", "nowhere"]);
    assert!(!done && told.contains("no site is called `nowhere`"), "{told}");
    // Off is off for all, and what is set for all ends what was set for one.
    assert!(mode(&verifier, &["off"]).0);
    assert_eq!(statuses(&verifier), [200, 200]);
    let (done, told) = mode(&verifier, &["on", "--site", "shop"]);
    assert!(!done && told.contains("everything is off"), "{told}");
    assert!(mode(&verifier, &["auto"]).0);
    assert_eq!(statuses(&verifier), [200, 429]);
}

#[test]
fn a_reload_can_be_asked_for() {
    let stage = stage();
    let file = stage.verifier.directory().join("portcullis.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("difficulty = 1", "difficulty = 9")).unwrap();
    let reload = bearer(&stage).request("POST", "/reload").body("application/json", "{}").try_send().unwrap();
    assert_eq!(reload.status / 100, 2, "{reload:?}");
    assert_eq!(ask(&stage.client(), "")["difficulty"], json!(9));
    std::fs::write(&file, "mode = 3").unwrap();
    let refused = bearer(&stage).request("POST", "/reload").body("application/json", "{}").try_send().unwrap();
    assert!(refused.status >= 400, "{refused:?}");
    assert_eq!(ask(&stage.client(), "")["difficulty"], json!(9));
}
