//! The log: what it says of failures, in which form, and how little of visitors.

use serde_json::{Value, json};
use tests::ports;
use tests::settings::Settings;
use tests::stage::{Front, Stage};
use tests::verifier::Verifier;
use tests::visitor::{challenge, verify};
use tests::wait::{SOON, until};

/// Posts what is no solution, so often; the ids that the client is told.
fn refused(stage: &Stage, times: usize) -> Vec<String> {
    let client = stage.client();
    let challenge = challenge(&client, "");
    let ids = (0..times).map(|_| {
        let reply = verify(&client, "", &challenge, &[0; 3]);
        assert!(reply.status >= 400, "{reply:?}");
        reply.json()["request_id"].as_str().unwrap().to_owned()
    });
    ids.collect()
}

#[test]
fn a_failure_is_found_in_the_log_by_the_id_that_the_visitor_sees() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let [id] = &refused(&stage, 1)[..] else { panic!("one id") };
    let line = until(SOON, "the line", || {
        stage.verifier.log().lines().find(|line| line.contains(id.as_str())).map(str::to_owned)
    });
    assert!(line.contains("a solution was refused") && line.contains("127.0.0.0/24"), "{line}");
    assert!(!line.contains("127.0.0.1"), "{line}");
}

#[test]
fn as_json_every_line_is_an_object_and_a_flood_is_a_line_a_second_with_its_count() {
    const TIMES: usize = 200;
    let stage = Stage::new(Front::Proxy, Settings::new().set("log_format", "json"));
    refused(&stage, TIMES);
    let log = stage.verifier.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let refusals: Vec<&Value> = lines.iter().filter(|line| line["code"].is_string()).collect();
    assert!(!refusals.is_empty() && refusals.len() < TIMES / 4, "{log}");
    let left_out: u64 = refusals.iter().map(|line| line["left_out"].as_u64().unwrap()).sum();
    assert!(refusals.len() + usize::try_from(left_out).unwrap() <= TIMES, "{log}");
    for line in refusals {
        assert_eq!((line["site"].as_str(), line["level"].as_str()), (Some("main"), Some("INFO")), "{line}");
        assert!(line["request_id"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    let counted = metrics.lines().filter(|line| line.starts_with("portcullis_site_refusals_total"));
    let counted: usize = counted.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(counted, TIMES);
}

#[test]
fn a_request_whose_origin_is_gone_has_the_same_id_on_the_page_and_in_the_log() {
    let gone = format!("http://127.0.0.1:{}", ports::free());
    let settings = Settings::new().set("mode", "off").site("main", &[], Some(&gone));
    let verifier = Verifier::start(settings);
    let reply = verifier.client("portcullis.test").get("/");
    assert_eq!(reply.status, 502, "{reply:?}");
    let line = until(SOON, "the line", || {
        let log = verifier.log();
        log.lines().find(|line| line.contains("the origin did not answer")).map(str::to_owned)
    });
    let id = line.split("request_id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(id.len() == 16 && reply.text().contains(&id), "{line}\n{}", reply.text());
}

#[test]
fn the_origin_gets_an_id_of_ours() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("mode", "off"));
    stage.client().with("X-Request-Id", "strangers-word").get("/").expect_status(200);
    let id = stage.origin.last().header("x-request-id");
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}

/// The lines about requests with this message.
fn lines(stage: &Stage, message: &str) -> Vec<Value> {
    let log = stage.verifier.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"] == message).collect()
}

#[test]
fn each_class_of_decision_has_its_line_and_a_flood_of_it_is_counted_exactly() {
    const TIMES: u64 = 300;
    let rule = "path = \"/private\"\naction = \"deny\"";
    let stage = Stage::new(Front::Proxy, Settings::new().set("log_format", "json").set("log", "debug").rule(rule));
    let client = stage.client();
    for _ in 0..TIMES {
        client.get("/").expect_status(429);
    }
    client.get("/private").expect_status(403);
    let cookie = tests::visitor::buy(&client);
    client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    let challenged = until(SOON, "the line", || {
        let lines = lines(&stage, "a request was asked for work");
        (!lines.is_empty()).then_some(lines)
    });
    let left_out: u64 = challenged.iter().map(|line| line["left_out"].as_u64().unwrap()).sum();
    assert!(challenged.len() as u64 + left_out <= TIMES && challenged.len() < 60, "{challenged:?}");
    let [denied] = &lines(&stage, "a request was refused by a rule")[..] else { panic!("{}", stage.verifier.log()) };
    assert_eq!(denied["rule"], "rule 1", "{denied}");
    assert_eq!(lines(&stage, "a request was paid for").len(), 1);
    for line in challenged.iter().chain([denied]) {
        assert_eq!(
            (&line["network"], &line["site"], &line["address"]),
            (&json!("127.0.0.0/24"), &json!("main"), &Value::Null)
        );
        assert_eq!(line["request_id"].as_str().map(str::len), Some(16), "{line}");
    }
    let metrics = stage.verifier.admin().request("GET", "/metrics").try_send().unwrap().text();
    assert!(metrics.contains(&format!("portcullis_requests_total{{decision=\"challenged\"}} {TIMES}\n")), "{metrics}");
}

#[test]
fn whole_addresses_are_in_the_log_only_where_the_operator_asks_for_them() {
    for (privacy, is_there) in [("network", false), ("address", true)] {
        let settings = Settings::new().set("privacy", privacy).set("log", "debug");
        let stage = Stage::new(Front::Proxy, settings);
        let client = stage.client().in_network(77, 1);
        client.get("/").expect_status(429);
        refused(&stage, 1);
        let challenge = challenge(&client, "");
        assert!(verify(&client, "", &challenge, &[0; 3]).status >= 400);
        until(SOON, "the line", || stage.verifier.log().contains("a solution was refused").then_some(()));
        let log = stage.verifier.log();
        assert!(log.contains("127.77.1.0/24"), "{log}");
        assert_eq!(log.contains("127.77.1.1"), is_there, "{log}");
    }
}
