//! What it costs to know who asks most, while nobody asks twice: a flood of distinct networks, paths and user agents.

use std::hint::black_box;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use puzzle::{ClientNetwork, UnixSeconds};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tests::client::Client;
use tests::settings::Settings;
use tests::verifier::Verifier;
use tests::wait::until_due;
use verifier_server::gate::Decision;
use verifier_server::gate::networks::HashKey;
use verifier_server::gate::top::{Asked, Top};

use crate::clock::thread_cpu;
use crate::load::{CONNECTIONS, expect};
use crate::priority::{stay_on, two_cores};
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

/// What comes in a second, each with a network, a path and a user agent of its own.
const PER_SECOND: u32 = 20_000;
/// How long it comes in a round, and before anything is measured from one network, in seconds.
const SECONDS: u32 = 3;
const BEFOREHAND_SECONDS: u32 = 2;
/// What is counted in a round without a verifier around it.
const COUNTED: u32 = 200_000;
/// Who asks again and again meanwhile: each so many times as often as the first, once in so many requests.
const HEAVY: u32 = 5;
const HEAVY_EVERY: u32 = 200;
/// How often `GET /status` is asked for meanwhile.
const STATUS_EVERY: Duration = Duration::from_millis(50);
const HOST: &str = "portcullis.test";
/// What the tables may add to the memory of the verifier, in MiB, and how long a status may take, in milliseconds.
const AIM_MIB: f64 = 8.0;
const AIM_STATUS_MS: f64 = 200.0;

/// Measures the tables alone, and a verifier in such a flood.
pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    Ok(vec![alone(), flooded()?])
}

/// The tables alone.
fn alone() -> Table {
    let top = Top::new(HashKey::of_process());
    let [mut distinct, mut same, mut yardstick]: [Sample; 3] = Default::default();
    for round in 0..ROUNDS {
        let first = u32::try_from(round).unwrap_or_default() * COUNTED;
        distinct.add(microseconds(|number| count(&top, first + number)));
        same.add(microseconds(|_| count(&top, 1)));
        yardstick.add(microseconds(|number| {
            black_box(Sha256::digest([number.to_be_bytes(); 11].as_flattened()));
        }));
    }
    let row = |name: &str, value: &Sample| Row {
        name: name.to_owned(),
        value: value.clone(),
        ratio: Some(value.over(&yardstick)),
        aim: None,
    };
    Table {
        title: "Who asks most: to count a request".to_owned(),
        method: format!(
            "`Top::met` in one thread, by that thread's CPU time, {COUNTED} requests a round; each is counted by network, path \
             and user agent. The ratio is how many digests of 44 bytes by the sha2 crate that is worth."
        ),
        unit: "µs a request",
        ratio: Some("digests"),
        rows: vec![
            row("each of a network, path and user agent of its own", &distinct),
            row("all of one", &same),
            row("yardstick: `Sha256::digest` of 44 bytes", &yardstick),
        ],
    }
}

fn microseconds(mut act: impl FnMut(u32)) -> f64 {
    let begun = thread_cpu();
    (0..COUNTED).for_each(&mut act);
    thread_cpu().saturating_sub(begun).as_secs_f64() * 1e6 / f64::from(COUNTED)
}

fn count(top: &Top, number: u32) {
    let (path, agent) = (format!("/articles/{number}"), format!("Mozilla/5.0 ({number})"));
    let network = ClientNetwork::of(IpAddr::V4(address(number)));
    let asked = Asked { site: 1, network, target: &path, user_agent: agent.as_bytes() };
    top.met(black_box(&asked), Decision::Challenged, UnixSeconds(1_800_000_000 + number / PER_SECOND));
}

/// An address in a /24 that no other number has.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits((number.wrapping_mul(0x009e_3779) << 8) | 9)
}

/// A verifier in mode `on` that is asked by a web server for a flood.
fn flooded() -> anyhow::Result<Table> {
    let [server, asking] = two_cores()?;
    stay_on(&server)?;
    let settings = Settings::new().set("beside", "nginx").set("trusted_proxies", vec!["127.0.0.1/32"]);
    let verifier = Verifier::start(settings.site("main", &[HOST], None));
    stay_on(&asking)?;
    let mut flood = Flood::open(verifier.port)?;
    flood.run(BEFOREHAND_SECONDS, |_| 1)?;
    let before = verifier.memory_kib("VmRSS");
    let [mut rates, mut statuses, mut memory]: [Sample; 3] = Default::default();
    let mut distinct = 0;
    for round in 0..ROUNDS {
        let over = AtomicBool::new(false);
        let admin = verifier.admin();
        let (rate, times) = thread::scope(|scope| -> anyhow::Result<_> {
            let asked = scope.spawn(|| status_times(&admin, &over));
            let rate = flood.run(SECONDS, |number| {
                let heavy = (1..=HEAVY).find(|heavy| number % HEAVY_EVERY < heavy * (heavy + 1) / 2);
                heavy.unwrap_or_else(|| {
                    distinct += 1;
                    HEAVY + distinct
                })
            });
            over.store(true, Ordering::Relaxed);
            let times = asked.join().map_err(|_| anyhow::anyhow!("no status"))?;
            Ok((rate?, times))
        })?;
        rates.add(rate);
        statuses.add(percentile_95(times));
        memory.add((kib(verifier.memory_kib("VmRSS")) - kib(before)) / 1024.0);
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    heavy_are_listed(&verifier.admin().request("GET", "/status").try_send()?.json())?;
    let row = |name: &str, value: Sample, aim| Row { name: name.to_owned(), value, ratio: None, aim };
    Ok(Table {
        title: format!("A flood of {PER_SECOND} distinct networks, paths and user agents a second"),
        method: format!(
            "`GET /.portcullis-beside/check` from a web server for as many visitors, {SECONDS} s a round in mode `on`, over \
             {CONNECTIONS} connections on loopback; the verifier has a core of its own. Of {HEAVY_EVERY} requests one to \
             five come from each of five networks, whose names have to stand among the first ten. Memory is what is resident, less what \
             it was after {BEFOREHAND_SECONDS} s of the same from one network, with whatever else a request touches. `GET /status` \
             is asked for every {} ms meanwhile: the 95th percentile of each round.",
            STATUS_EVERY.as_millis()
        ),
        unit: "as the row says",
        ratio: None,
        rows: vec![
            row("requests a second", rates, None),
            row("memory added, MiB", memory, Some(Aim::AtMost(AIM_MIB))),
            row("`GET /status`, ms", statuses, Some(Aim::AtMost(AIM_STATUS_MS))),
        ],
    })
}

/// Every one of the heavy networks, paths and user agents is among the first ten.
fn heavy_are_listed(status: &Value) -> anyhow::Result<()> {
    for heavy in 1..=HEAVY {
        let network = ClientNetwork::of(IpAddr::V4(address(heavy))).to_string();
        for (kind, name) in
            [("networks", network), ("paths", format!("/articles/{heavy}")), ("user_agents", format!("agent {heavy}"))]
        {
            let listed = status["top"][kind].as_array().context("a list")?;
            ensure!(listed.iter().any(|one| one["name"] == name.as_str()), "{name} is not among {listed:?}");
        }
    }
    Ok(())
}

/// How long each answer took until `over`, in milliseconds.
fn status_times(admin: &Client, over: &AtomicBool) -> Vec<f64> {
    let mut times = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if admin.request("GET", "/status").try_send().is_ok_and(|reply| reply.status == 200) {
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        until_due(begun + STATUS_EVERY);
    }
    times
}

fn percentile_95(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 95 / 100).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "a few mebibytes")]
fn kib(count: u64) -> f64 {
    count as f64
}

/// Connections of one web server.
struct Flood {
    connections: Vec<TcpStream>,
    asked: u32,
}

impl Flood {
    fn open(port: u16) -> anyhow::Result<Self> {
        let connect = || {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            Ok::<_, std::io::Error>(stream)
        };
        let connections = (0..CONNECTIONS).map(|_| connect()).collect::<Result<_, _>>()?;
        Ok(Self { connections, asked: 0 })
    }

    /// Asks for so many seconds, no faster than it should; each request for the visitor that `who` names. How many a second.
    fn run(&mut self, seconds: u32, mut who: impl FnMut(u32) -> u32) -> anyhow::Result<f64> {
        let (begun, most) = (Instant::now(), PER_SECOND * seconds);
        let mut asked = 0;
        while asked < most && begun.elapsed() < Duration::from_secs(u64::from(seconds)) {
            until_due(begun + Duration::from_secs_f64(f64::from(asked) / f64::from(PER_SECOND)));
            for stream in &mut self.connections {
                self.asked += 1;
                let visitor = who(self.asked);
                let request = format!(
                    "GET /.portcullis-beside/check HTTP/1.1\r\nHost: {HOST}\r\nX-Real-IP: {}\r\nX-Original-Proto: http\r\n\
                     X-Original-Method: GET\r\nX-Original-URI: /articles/{visitor}\r\nX-Request-ID: {:032x}\r\n\
                     User-Agent: agent {visitor}\r\nAccept: text/html\r\n\r\n",
                    address(visitor),
                    self.asked
                );
                stream.write_all(request.as_bytes())?;
                asked += 1;
            }
            for stream in &mut self.connections {
                expect(stream, 401)?;
            }
        }
        Ok(f64::from(asked) / begun.elapsed().as_secs_f64())
    }
}
