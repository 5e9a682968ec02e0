//! `portcullis setup`: what is put into a web server's configuration is seen to work, and comes out again byte for byte.

mod apache;
mod caddy;
mod failures;
mod nginx;

use std::process::Output;

pub(crate) use nginx::DEBIAN_MAIN;

use tests::machine::{Files, Machine};
use tests::wait::{SOON, until_true};

/// What a command said, and that it succeeded.
#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command said when it failed.
#[track_caller]
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", told(output));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Shown, applied, seen at each of `hosts`, and taken out again.
#[track_caller]
fn comes_and_goes(machine: &Machine, hosts: &[&str]) {
    let before = machine.files();
    let shown = said(&machine.setup(&[]));
    assert_eq!(machine.files(), before, "to show it changes nothing");
    assert!(shown.contains("@@ ") && shown.contains("--apply"), "{shown}");
    for host in hosts {
        let reply = machine.client(host).request("GET", "/portcullis-test").try_send().unwrap();
        assert_ne!(reply.status, 429, "{host}: {reply:?}");
    }
    let applied = said(&machine.setup(&["--apply"]));
    assert!(applied.contains("The gate is in place"), "{applied}");
    for host in hosts {
        answers(machine, host, "GET", "/portcullis-test", 429);
        answers(machine, host, "POST", "/portcullis-test/x.php", 429);
        answers(machine, host, "GET", "/", 200);
    }
    let again = said(&machine.setup(&["--apply"]));
    assert!(again.contains("there already"), "{again}");
    assert!(machine.verifier.command(&["mode", "on"]).status.success());
    for host in hosts {
        machine.client(host).request("GET", "/").send().expect_status(429);
    }
    said(&machine.setup(&["--remove"]));
    same(machine, &before);
    for host in hosts {
        answers(machine, host, "GET", "/", 200);
    }
    let nothing = refused(&machine.setup(&["--remove"]));
    assert!(nothing.contains("nothing was set up"), "{nothing}");
}

/// Applied to the one server that there is, seen there, and taken out again.
#[track_caller]
fn shows_in_one_server(machine: &Machine) {
    let before = machine.files();
    let applied = said(&machine.setup(&["--apply"]));
    assert!(applied.contains("1 of 1 servers asked show it"), "{applied}");
    said(&machine.setup(&["--remove"]));
    same(machine, &before);
}

/// Answers with this status soon: a worker with the configuration before may still take a connection after a reload.
#[track_caller]
fn answers(machine: &Machine, host: &str, method: &str, path: &str, status: u16) {
    until_true(SOON, &format!("{method} {host}{path} to answer {status}"), || {
        machine.client(host).request(method, path).try_send().is_ok_and(|reply| reply.status == status)
    });
}

/// Refused with these words, and nothing is changed.
#[track_caller]
fn is_refused(machine: &Machine, words: &[&str]) {
    let before = machine.files();
    let why = refused(&machine.setup(&["--apply"]));
    for word in words {
        assert!(why.contains(word), "{word}: {why}");
    }
    same(machine, &before);
}

#[track_caller]
fn same(machine: &Machine, before: &Files) {
    let now = machine.files();
    let names: Vec<_> = now.keys().collect();
    assert_eq!(names, before.keys().collect::<Vec<_>>());
    for (path, found) in &now {
        assert_eq!(found, &before[path], "{}", path.display());
    }
}
