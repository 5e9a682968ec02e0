//! How long the rules take to decide: the index beside a look at one rule after the other, and the worst requests beside a
//! plain one, in turns.

use std::hint::black_box;
use std::net::IpAddr;
use std::path::Path;

use anyhow::ensure;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use verifier_server::config::Config;
use verifier_server::gate::policy::{Policy, Route, Subject};
use verifier_server::gate::target::Target;

use crate::clock::thread_cpu;
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

const RULES: u32 = 10_000;
const NETWORKS: u32 = 50_000;
/// Rules whose patterns begin alike: as many as there may be.
const ALIKE: u32 = 500;
/// Decisions a round by the index, and by looking at every rule.
const DECISIONS: u32 = 200_000;
const SCANS: u32 = 2_000;
/// What the index may take, in microseconds.
const AIM_MICROSECONDS: f64 = 5.0;

/// A request to decide about, and the rule that has to decide, counted from 0.
struct Asked {
    name: &'static str,
    targets: Vec<String>,
    address: IpAddr,
    headers: HeaderMap,
    rule: Option<u32>,
}

/// Measures every kind of request.
pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    let config = Config::parse(&configuration(), Path::new("policy.toml"))?;
    let policy = &config.policy;
    let elsewhere = IpAddr::from([192, 0, 2, 7]);
    let spread = |name: fn(u32) -> String| (0..1_000).map(|number| name(number * 7 % 3_000)).collect();
    let plain = |name, targets| Asked { name, targets, address: elsewhere, headers: HeaderMap::new(), rule: None };
    let kinds = [
        plain("under no rule", spread(|n| format!("/articles/{n}/a-page"))),
        Asked {
            address: network(NETWORKS - 1),
            rule: Some(0),
            ..plain("from the last of the networks of one rule", spread(|n| format!("/articles/{n}/a-page")))
        },
        Asked { rule: Some(RULES - 1), ..plain("under the last rule", vec![format!("/last/{}/x", RULES - 1)]) },
        Asked {
            rule: Some(3 * RULES / 10 + ALIKE - 1),
            ..plain(
                "under one of five hundred patterns that begin alike",
                vec![format!("/shop/{}-shoes/sale", ALIKE - 1)],
            )
        },
    ];
    let odd_target = || vec![format!("/articles/{}%41", "%61/../b;x//".repeat(84))];
    let odd = [
        plain("a path of 1 KiB that has to be read in every way", odd_target()),
        Asked {
            headers: worst_headers(),
            ..plain("the same with three headers that name other methods, and a line for an expression", odd_target())
        },
        Asked {
            headers: worst_headers(),
            rule: Some(2),
            ..plain("a longer path, which is read in no way, with the same headers", vec!["/a//".repeat(7_000)])
        },
    ];
    let mut odd_samples = odd.each_ref().map(|_| Sample::default());
    let mut samples: Vec<(Sample, Sample)> = kinds.iter().map(|_| Default::default()).collect();
    for round in 0..ROUNDS {
        for (asked, (index, scan)) in kinds.iter().zip(&mut samples) {
            index.add(microseconds(policy, asked, DECISIONS, Policy::route)?);
            scan.add(microseconds(policy, asked, SCANS, Policy::route_by_scan)?);
        }
        for (asked, sample) in odd.iter().zip(&mut odd_samples) {
            sample.add(microseconds(policy, asked, SCANS, Policy::route)?);
        }
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    let plain = samples[0].0.clone();
    let odd_rows = odd.iter().zip(odd_samples).map(|(asked, value)| {
        let ratio = Some(value.over(&plain));
        Row { name: asked.name.to_owned(), value, ratio, aim: None }
    });
    let odd_rows = odd_rows.collect();
    let rows = kinds.iter().zip(samples).flat_map(|(asked, (index, scan))| {
        let ratio = Some(scan.over(&index));
        let scanned =
            Row { name: format!("{}, one rule after the other", asked.name), value: scan, ratio: None, aim: None };
        let aim = Some(Aim::AtMost(AIM_MICROSECONDS));
        [Row { name: asked.name.to_owned(), value: index, ratio, aim }, with_ratio_of_one(scanned)]
    });
    let decided = Table {
        title: format!("Decisions of {RULES} rules and {NETWORKS} networks, one core"),
        method: format!(
            "`Target::parse` and `Policy::route` in one thread, by that thread's CPU time: {DECISIONS} decisions a round, and {SCANS} by holding the \
             same requests against one rule after the other. The rules: one that refuses {NETWORKS} networks, and rules by \
             folder, host, method and path, pattern and network. Each request has to be decided by the rule that is meant. \
             The ratio is how many times longer the look at every rule takes."
        ),
        unit: "µs a decision",
        ratio: Some("scan ÷ index"),
        rows: rows.collect(),
    };
    let odd = Table {
        title: "The requests that are dearest to decide about, under the same rules".to_owned(),
        method: format!(
            "As above, {SCANS} decisions a round. The headers: three that name another method, each a list of all methods that \
             rules name, and 16 KiB for a rule whose expression is looked for in them. The ratio is how many times longer \
             than a request under no rule it takes."
        ),
        unit: "µs a decision",
        ratio: Some("÷ plain"),
        rows: odd_rows,
    };
    Ok(vec![decided, odd])
}

/// Headers by which a request is held against the rules as often as it can be, and against an expression for long.
fn worst_headers() -> HeaderMap {
    let methods = HeaderValue::from_static("PUT, PATCH, DELETE, POST, HEAD, OTHER");
    let line = HeaderValue::from_str(&"a spide b crawle ".repeat(1_000)).unwrap_or_else(|_| methods.clone());
    let overrides = ["x-http-method-override", "x-http-method", "x-method-override"].map(HeaderName::from_static);
    overrides.into_iter().map(|name| (name, methods.clone())).chain([(hyper::header::USER_AGENT, line)]).collect()
}

fn with_ratio_of_one(row: Row) -> Row {
    Row { ratio: Some(row.value.over(&row.value)), ..row }
}

/// Decides `times` about the targets in turn; microseconds for each.
fn microseconds(
    policy: &Policy,
    asked: &Asked,
    times: u32,
    decide: impl Fn(&Policy, &Subject<'_>) -> Route,
) -> anyhow::Result<f64> {
    let mut otherwise = 0_u32;
    let begun = thread_cpu();
    for (target, _) in asked.targets.iter().cycle().zip(0..times) {
        let target = Target::parse(black_box(target));
        let subject = Subject {
            target: &target,
            has_query: false,
            host: "www.example.org",
            address: asked.address,
            crawler: None,
            method: Some("GET"),
            headers: Some(&asked.headers),
        };
        otherwise += u32::from(black_box(decide(policy, black_box(&subject))).rule != asked.rule);
    }
    let elapsed = thread_cpu().saturating_sub(begun);
    ensure!(otherwise == 0, "{}: {otherwise} were decided by another rule than {:?}", asked.name, asked.rule);
    Ok(elapsed.as_secs_f64() * 1e6 / f64::from(times))
}

/// A /24 of 11.0.0.0/8 or above.
fn network(number: u32) -> IpAddr {
    IpAddr::from(((11 << 24) + (number << 8) + 9).to_be_bytes())
}

/// One rule with all the networks, then one for some methods with an expression, then six kinds of rules.
fn configuration() -> String {
    use std::fmt::Write as _;
    let mut text =
        "default_rules = false\n[[site]]\norigin = \"http://127.0.0.1:1\"\n[[rule]]\nnetwork = [\n".to_owned();
    for number in 0..NETWORKS {
        let _ = writeln!(text, "\"{}/32\",", network(number));
    }
    text.push_str("]\naction = \"deny\"\n");
    for number in 1..RULES {
        let rule = match (number * 10 / RULES, number % (RULES / 10)) {
            (0, 1) => "path = \"/**\"\nmethod = [\"PUT\", \"PATCH\", \"DELETE\"]\ncost = 3\n\
                       header = { name = \"User-Agent\", matches = \"(?i)bot|crawler|spider\" }"
                .to_owned(),
            (0..=2, _) => format!("path = \"/folder-{number}/**\"\ncost = 2"),
            (3, number) if number < ALIKE => format!("path = \"/shop/{number}-*/sale\"\ncost = 2"),
            (4, _) => format!("host = \"shop-{number}.example.org\"\npath = \"/**\"\nmin_price = 5000"),
            (5, _) => format!("path = \"/page-{number}\"\nmethod = \"POST\"\naction = \"challenge\""),
            (6, _) => format!("network = \"2001:db8:{number:x}::/48\"\npath = \"/**\"\naction = \"deny\""),
            (_, _) => format!("path = [\"/last/{number}/**\", \"/last-{number}.html\"]\nasset = true"),
        };
        let _ = writeln!(text, "[[rule]]\n{rule}");
    }
    text
}
