//! A solution is worth one clearance, whoever sends it how often.

use std::collections::HashSet;
use std::thread;

use serde_json::json;
use tests::settings::Settings;
use tests::stage::{Front, HOST, Stage};
use tests::visitor::{challenge, credits, redeem, verify};

#[test]
fn the_same_solution_from_64_threads_is_one_clearance_with_one_budget() {
    let settings = Settings::new().set("clearance.credits", 23).set("challenge.difficulty", 1000);
    let stage = Stage::new(Front::Proxy, settings);
    let client = stage.client();
    let challenge = challenge(&client, "");
    let solution = challenge.solve();
    let cookies = thread::scope(|scope| {
        let senders = (0..64).map(|_| {
            let (client, solution) = (client.clone(), &solution);
            scope.spawn(move || {
                let reply = verify(&client, "", &challenge, solution);
                reply.expect_status(200);
                assert_eq!(reply.json()["credits"].as_f64(), Some(23.0), "{}", reply.text());
                reply.clearance().unwrap()
            })
        });
        let senders = senders.collect::<Vec<_>>();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect::<HashSet<_>>()
    });
    assert_eq!(cookies.len(), 1, "one clearance");
    let cookie = cookies.into_iter().next().unwrap();
    // Spent from many sides at once it is still 20 requests: 23 less the reserve of 2.3.
    let admitted: usize = thread::scope(|scope| {
        let clicks = (0..8).map(|_| {
            let (client, cookie) = (client.clone(), &cookie);
            scope.spawn(move || {
                (0..8).filter(|_| client.request("GET", "/").cookie(cookie).send().status == 200).count()
            })
        });
        let clicks = clicks.collect::<Vec<_>>();
        clicks.into_iter().map(|click| click.join().unwrap()).sum()
    });
    assert_eq!(admitted, 20);
    assert_eq!(stage.origin.seen().len(), 20);
    verify(&client, "", &challenge, &solution).expect(409, "used");
}

#[test]
fn a_solution_sent_again_gives_what_is_left() {
    let stage = Stage::new(Front::Proxy, Settings::new());
    let client = stage.client();
    let challenge = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &challenge);
    for _ in 0..3 {
        client.request("GET", "/").cookie(&cookie).send().expect_status(200);
    }
    let (again, left) = redeem(&client, "", &challenge);
    assert_eq!((again, left), (cookie, 97.0));
}

#[test]
fn a_risen_price_changes_nothing_about_what_was_redeemed() {
    let mut stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 10));
    let client = stage.client();
    let challenge = challenge(&client, "");
    let (cookie, _) = redeem(&client, "", &challenge);
    stage.verifier.reprice(HOST, 300);
    let (again, left) = redeem(&client, "", &challenge);
    assert_eq!((again, left), (cookie, 100.0), "the same clearance, though the work would now be outpriced");
}

#[test]
fn a_failure_takes_nothing_from_the_clearance_one_holds() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 100));
    let client = stage.client();
    let (cookie, _) = redeem(&client, "", &challenge(&client, ""));
    let with_cookie = client.with("Cookie", &cookie);
    let other = challenge(&client, "");
    let reply = verify(&with_cookie, "", &other, &other.miss());
    reply.expect(403, "unsolved");
    assert_eq!(reply.all("set-cookie").count(), 0);
    assert_eq!(credits(&client, &cookie, "/"), Some(100.0));
}

#[test]
fn strangers_and_their_failures_move_no_price() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("challenge.difficulty", 100));
    let client = stage.client();
    for _ in 0..300 {
        let offered = challenge(&client, "");
        verify(&client, "", &offered, &offered.miss()).expect(403, "unsolved");
    }
    assert_eq!(challenge(&client, "").work(), 100);
    let (_, bought) = redeem(&client, "", &challenge(&client, ""));
    assert_eq!(json!(bought), json!(100.0));
}
