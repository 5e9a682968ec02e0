//! Nothing grows for an unpaid request.

use std::thread;

use tests::client::Client;
use tests::settings::Settings;
use tests::stage::{Front, Stage};

const CONNECTIONS: usize = 4;

/// Fetches so many challenges over connections that are kept.
fn fetch(clients: &[Client], challenges: usize) {
    thread::scope(|scope| {
        for client in clients {
            scope.spawn(move || {
                for _ in 0..challenges / CONNECTIONS {
                    let reply = client.request("GET", "/.portcullis/challenge").try_send().unwrap();
                    assert_eq!(reply.status, 200);
                }
            });
        }
    });
}

#[test]
fn after_110_000_challenges_as_much_as_after_10_000() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("log", "warn"));
    let clients = (0..CONNECTIONS).map(|_| stage.client()).collect::<Vec<_>>();
    fetch(&clients, 10_000);
    let before = stage.verifier.memory_kib("VmRSS");
    fetch(&clients, 100_000);
    let after = stage.verifier.memory_kib("VmRSS");
    assert!(after <= before + 1024, "{before} KiB after 10,000 and {after} KiB after 110,000");
}

#[test]
fn after_many_refused_pages_and_bad_solutions_as_much_as_after_few() {
    let stage = Stage::new(Front::Proxy, Settings::new().set("log", "warn").set("challenge.difficulty", 1000));
    let client = stage.client();
    let refuse = |times: u32| {
        for number in 0..times {
            assert_eq!(client.request("GET", &format!("/{number}")).try_send().unwrap().status, 429);
            let forged = format!("{{\"challenge\":\"{}\",\"solution\":\"AAAAAAAAAAA\"}}", "A".repeat(86));
            let reply =
                client.request("POST", "/.portcullis/verify").body("application/json", forged).try_send().unwrap();
            assert_eq!(reply.status, 400);
        }
    };
    refuse(3_000);
    let before = stage.verifier.memory_kib("VmRSS");
    refuse(12_000);
    let after = stage.verifier.memory_kib("VmRSS");
    assert!(after <= before + 1024, "{before} KiB, then {after} KiB");
}
