//! What `check` costs the server it runs on, against a server that only speaks HTTP.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::thread::CpuSet;
use tempfile::TempDir;
use tests::client::Client;
use tests::process::Process;
use tests::settings::Settings;
use tests::verifier::Verifier;
use tests::wait::{SOON, until_true};
use tests::{ports, visitor};

use crate::clock::process_cpu;
use crate::load::{CONNECTIONS, Load};
use crate::priority::{stay_on, two_cores};
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

/// Questions in a round, to each server.
const PER_ROUND: u32 = 60_000;
/// Questions before anything is measured.
const BEFOREHAND: u32 = 20_000;
/// The most that a clearance can hold; a run spends less.
const CREDITS: u32 = 1_000_000;
const HOST: &str = "portcullis.test";
/// What a web server says of each request.
const VISITOR: [(&str, &str); 4] = [
    ("X-Real-IP", "203.0.113.7"),
    ("X-Original-Proto", "http"),
    ("X-Original-Method", "GET"),
    ("X-Original-URI", "/articles/2026/a-page?from=front"),
];

/// Measures both servers, once at leisure and once saturated.
pub(crate) fn measure() -> anyhow::Result<Table> {
    let [first, last] = two_cores()?;
    let mut rows = Vec::new();
    for (how, servers) in [("a core of its own", first), ("busy", last)] {
        let [check, hyper] = in_turns(&servers, &last)?;
        let row = |name: &str, value: &Sample, aim| Row {
            name: format!("{name}; {how}"),
            value: value.clone(),
            ratio: Some(value.over(&hyper)),
            aim,
        };
        rows.push(row("`check`, paid for", &check, Some(Aim::RatioAtMost(1.3))));
        rows.push(row("yardstick: hyper, always 204", &hyper, None));
    }
    Ok(Table {
        title: "Server CPU per check".to_owned(),
        method: format!(
            "`GET /.portcullis-beside/check` with a clearance that pays, over {CONNECTIONS} kept connections on loopback, \
             {PER_ROUND} a round to each server in turn, every one with a request id of its own and charged; user and \
             system time of the server's process. Both get the same bytes, a browser's headers and those of the nginx \
             recipe. With a core of its own the server is woken for each request; *busy* it shares one with whoever \
             asks, and finds several waiting each time it runs."
        ),
        unit: "µs CPU",
        ratio: Some("× bare hyper"),
        rows,
    })
}

/// Microseconds of CPU a request: of the verifier and of the yardstick, both on the core `servers`, asked from `asking`.
fn in_turns(servers: &CpuSet, asking: &CpuSet) -> anyhow::Result<[Sample; 2]> {
    stay_on(servers)?;
    let verifier = verifier();
    let (client, cookie) = clearance(&verifier);
    let directory = TempDir::with_prefix("portcullis-bench-")?;
    let (bare, bare_port) = bare(&directory)?;
    stay_on(asking)?;

    let head = head(&cookie);
    let mut subjects = [Load::open(verifier.port, &head, 204)?, Load::open(bare_port, &head, 204)?];
    let ids = [verifier.id(), bare.id()];
    let before = credits(&client, &cookie)?;
    let mut asked = [0; 2];
    for (load, asked) in subjects.iter_mut().zip(&mut asked) {
        *asked += load.ask(BEFOREHAND)?;
    }
    let mut samples: [Sample; 2] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let subject = (turn + round) % 2;
            let begun = process_cpu(ids[subject])?;
            let questions = subjects[subject].ask(PER_ROUND)?;
            let used = process_cpu(ids[subject])?.saturating_sub(begun);
            samples[subject].add(microseconds(used) / f64::from(questions));
            asked[subject] += questions;
        }
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    let [checks, _] = asked.map(f64::from);
    let charged = before - credits(&client, &cookie)?;
    ensure!((charged - checks).abs() < 1.0, "{checks} checks cost {charged} credits, but each is to be charged");
    Ok(samples)
}

fn verifier() -> Verifier {
    let settings = Settings::new()
        .set("beside", "nginx")
        .set("trusted_proxies", vec!["127.0.0.1/32"])
        .set("clearance.credits", i64::from(CREDITS))
        .site("main", &[HOST], None);
    Verifier::start(settings)
}

/// A client as the web server lets it through, and the cookie it bought.
fn clearance(verifier: &Verifier) -> (Client, String) {
    let client = VISITOR.iter().fold(verifier.client(HOST), |client, (name, value)| client.with(name, value));
    let client = client.with("X-Request-ID", "bench");
    let cookie = visitor::buy(&client);
    (client, cookie)
}

fn credits(client: &Client, cookie: &str) -> anyhow::Result<f64> {
    visitor::credits(client, cookie, "").context("the clearance is spent")
}

/// The yardstick, beside this very program.
pub(crate) fn bare(directory: &TempDir) -> anyhow::Result<(Process, u16)> {
    let program = std::env::current_exe()?.with_file_name("bare-hyper");
    let port = ports::free();
    let process = Process::start(Command::new(program).arg(port.to_string()), &directory.path().join("bare-hyper.log"));
    let client = Client::new(port, "127.0.0.1");
    until_true(SOON, "the yardstick to listen", || client.connect().is_ok());
    Ok((process, port))
}

/// What nginx asks for a page view.
fn head(cookie: &str) -> String {
    let family = VISITOR.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    format!(
        "GET /.portcullis-beside/check HTTP/1.1\r\nHost: {HOST}\r\n{family}X-Request-ID: {{id}}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
         Accept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, deflate\r\n\
         Upgrade-Insecure-Requests: 1\r\nCookie: {cookie}\r\n\r\n"
    )
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
