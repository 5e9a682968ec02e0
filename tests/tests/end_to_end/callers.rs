//! Programs that come regularly while the gate is idle, and what the operator is told when they are turned away.

use serde_json::{Value, json};
use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::wait::{SOON, until_true};

through_both!(a_callback_of_ten_days_is_named_with_a_rule_that_lets_it_pass);

/// Comes as a payment service does.
fn call(client: &Client, path: &str) -> u16 {
    client.request("POST", path).header("User-Agent", "Pay/1").body("application/json", "{}").send().status
}

fn callers(stage: &Stage) -> Vec<Value> {
    let status = stage.verifier.admin().request("GET", "/status").try_send().unwrap().json();
    status["sites"][0]["callers"].as_array().unwrap().clone()
}

fn status(stage: &Stage, arguments: &[&str]) -> String {
    let file = stage.verifier.directory().join("portcullis.toml").display().to_string();
    let output = stage.verifier.command(&[&["status", "--config", &file], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// As if what came today had come on so many days before as well, and first on the earliest of them.
fn age(stage: &mut Stage, path: &str, days: u32) {
    assert!(stage.verifier.restart().success());
    let file = stage.verifier.directory().join("state/callers");
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for caller in kept["callers"].as_array_mut().unwrap() {
        if caller["path"] == json!(path) {
            let seconds = |key: &str| caller[key].as_u64().unwrap() - 86_400;
            let (last, since) = (seconds("last_seen"), seconds("last_day_since"));
            caller["last_seen"] = json!(last);
            caller["last_day_since"] = json!(since);
            caller["first_seen"] = json!(since - u64::from(days - 1) * 86_400);
            caller["days"] = json!((1_u32 << days) - 1);
        }
    }
    std::fs::write(&file, kept.to_string()).unwrap();
    stage.verifier.crash_and_restart();
}

fn post(stage: &Stage, target: &str, body: &Value) {
    let admin = stage.verifier.admin().with("Authorization", &format!("Bearer {}", stage.verifier.admin_token()));
    let reply = admin.request("POST", target).body("application/json", body.to_string()).try_send().unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn set_mode(stage: &Stage, mode: &str) {
    post(stage, "/mode", &json!({ "mode": mode }));
}

fn a_callback_of_ten_days_is_named_with_a_rule_that_lets_it_pass(front: Front) {
    let mut stage = Stage::new(front, Settings::new().set("mode", "auto"));
    let client = stage.client();
    until_true(SOON, "callers to be heard", || {
        assert_eq!((call(&client, "/hook?id=1"), call(&client, "/young")), (200, 200));
        let kept = std::fs::read_to_string(stage.verifier.directory().join("state/callers")).is_ok();
        kept || stage.verifier.admin().request("GET", "/status").try_send().unwrap().json()["uptime_seconds"]
            != json!(0)
    });
    assert_eq!(call(&client, "/hook?id=1"), 200);
    assert_eq!(call(&client, "/young"), 200);
    client.navigate("/page").expect_status(200);
    client.request("GET", "/part.js").header("Accept-Language", "de").send().expect_status(200);
    assert_eq!(callers(&stage), Vec::<Value>::new(), "what came just now may be the attack");
    age(&mut stage, "/hook", 10);
    age(&mut stage, "/young", 6);

    let dry = status(&stage, &["--dry-run"]);
    assert!(dry.contains("would be turned away") && dry.contains("POST /hook from 127.0.0.0/24"), "{dry}");
    assert!(!status(&stage, &[]).contains("/hook"), "unasked it is told only while the gate is down");
    let listed = callers(&stage);
    let paths: Vec<&str> = listed.iter().filter_map(|caller| caller["path"].as_str()).collect();
    assert_eq!(paths, ["/hook", "/young"], "{listed:?}");
    assert_eq!(listed[1]["rule"], Value::Null, "six days are too few");

    // A rule made by hand turns it away with the gate open, and no rule to paste would help.
    post(&stage, "/rules", &json!({"action": "deny", "network": "127.0.0.0/24", "path": "/hook", "minutes": 5}));
    let denied = &callers(&stage)[0];
    assert_eq!((&denied["path"], &denied["rule"]), (&json!("/hook"), &Value::Null), "{denied}");
    assert!(denied["by_hand"].as_str().unwrap().starts_with("deny /hook from 127.0.0.0/24"), "{denied}");
    let told = status(&stage, &[]);
    assert!(told.contains("made by hand turns these programs away now") && !told.contains("/young"), "{told}");
    post(&stage, "/rules/revoke", &json!({"number": 0}));
    assert_eq!(callers(&stage), listed);

    set_mode(&stage, "on");
    assert_eq!(call(&client, "/hook"), 429);
    until_true(SOON, "the log to name it", || {
        stage.verifier.log().contains("turned away from now on: POST /hook from 127.0.0.0/24")
    });
    assert!(status(&stage, &[]).contains("these programs are turned away"));

    let rule = listed[0]["rule"].as_str().unwrap();
    let file = stage.verifier.directory().join("portcullis.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    stage.verifier.rewrite(&format!("{text}\n{rule}"));
    stage.verifier.hang_up();
    until_true(SOON, "the rule to let it pass", || call(&client, "/hook?id=2") == 200);
    assert_eq!(call(&client, "/other"), 429, "nothing else from there");
    client.get("/hook").expect(429, "challenge_required");
    assert!(!callers(&stage).iter().any(|caller| caller["path"] == json!("/hook")));
}
