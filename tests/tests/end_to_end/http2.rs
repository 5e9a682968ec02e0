//! The same gate over HTTP/2 in cleartext with prior knowledge.

use tests::h2::exchange;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{buy, credits};

#[test]
fn the_gate_stands_and_a_clearance_passes() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let cookie = buy(&client);
    let html = ("accept", "text/html");
    let answers = exchange(
        stage.verifier.port,
        HOST,
        &[
            ("GET", "/page/1", &[html]),
            ("GET", "/page/2", &[html, ("cookie", &cookie)]),
            // HTTP/2 clients may send each cookie as a field of its own (RFC 9113 §8.2.3).
            ("GET", "/page/3", &[html, ("cookie", "a=1"), ("cookie", &cookie), ("cookie", "b=2")]),
            ("GET", "/.portcullis/challenge", &[]),
        ],
    );
    let statuses = answers.iter().map(|(status, ..)| *status).collect::<Vec<_>>();
    assert_eq!(statuses, [429, 200, 200, 200], "{answers:?}");
    assert!(answers[0].1.contains_key("portcullis-challenge"));
    for (status, headers, _) in &answers {
        let hop = ["connection", "keep-alive", "transfer-encoding", "upgrade"];
        assert!(hop.iter().all(|name| !headers.contains_key(*name)), "{status}: {headers:?}");
    }
    assert_eq!(credits(&client, &cookie, "/"), Some(98.0));
    let third = stage.origin.seen().into_iter().find(|seen| seen.target == "/page/3").unwrap();
    let own = third.header("cookie");
    assert!(own.contains("a=1") && own.contains("b=2") && !own.contains("portcullis"), "{own}");
    assert_eq!(third.header("host"), format!("{HOST}:{}", stage.verifier.port));
}

#[test]
fn many_requests_at_once_are_charged_one_by_one() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("clearance.credits", 23));
    let cookie = buy(&stage.client());
    let headers = [("cookie", cookie.as_str())];
    let requests = vec![("GET", "/page/1", &headers[..]); 50];
    let answers = exchange(stage.verifier.port, HOST, &requests);
    assert_eq!(answers.iter().filter(|(status, ..)| *status == 200).count(), 20);
    assert_eq!(answers.iter().filter(|(status, ..)| *status == 429).count(), 30);
}

#[test]
fn a_host_beside_the_authority_borrows_nothing() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let cookie = buy(&stage.client());
    let answers = exchange(
        stage.verifier.port,
        "other.test",
        &[("GET", "/", &[("host", HOST), ("cookie", &cookie)]), ("GET", "/", &[])],
    );
    for (status, ..) in answers {
        assert!(matches!(status, 400 | 421), "{status}");
    }
    assert_eq!(stage.origin.seen().len(), 0);
}
