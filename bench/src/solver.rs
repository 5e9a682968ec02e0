//! The solver's speed: each lane in each engine, solvers of other projects beside it, and the attacker's native lanes.

use std::collections::HashMap;
use std::thread::available_parallelism;

use anyhow::Context as _;
use solver_native::Lane as Native;
use tests::browser::{Browser, Traits};
use tests::engine::Engine;

use crate::native;
use crate::page::{Lane, PEERS, Page, STARTS, WARM_UP_MS, WINDOW_MS};
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

/// What is measured, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Lane(Lane),
    AllCores,
    Peer(&'static str),
    FirstHash,
    EmptyWorker,
    Native(Native),
    NativeAllCores,
}

const CAP: Subject = Subject::Peer(PEERS[0]);
const WEB_CRYPTO: Subject = Subject::Peer(PEERS[3]);
const PLAIN_NATIVE: Subject = Subject::Native(Native::Sha2Crate);

/// All that was measured in one engine, and beside it in the same rounds.
struct Measured {
    engine: Engine,
    version: String,
    samples: HashMap<Subject, Sample>,
}

impl Measured {
    fn of(&self, subject: Subject) -> Sample {
        self.samples.get(&subject).cloned().unwrap_or_default()
    }

    fn ratio(&self, subject: Subject, to: Subject) -> Sample {
        self.of(subject).over(&self.of(to))
    }
}

/// Measures every engine, and gives its tables and the browsers' versions.
pub(crate) fn measure() -> anyhow::Result<(Vec<Table>, String)> {
    let cores = available_parallelism().context("the number of cores")?.get();
    let best = Native::best();
    let mut all = Vec::new();
    for engine in Engine::ALL {
        eprintln!("  {}", engine.name());
        all.push(measure_in(engine, cores, best)?);
    }
    let mut tables: Vec<_> = all.iter().map(|measured| rates(measured, cores)).collect();
    tables.push(attackers(&all[0], best, cores));
    tables.push(ratios(&all, best, cores));
    tables.push(first_hashes(&all));
    let versions: Vec<_> =
        all.iter().map(|measured| format!("{} {}", measured.engine.name(), measured.version)).collect();
    Ok((tables, versions.join(", ")))
}

fn measure_in(engine: Engine, cores: usize, best: Native) -> anyhow::Result<Measured> {
    let browser = Browser::of(engine, Traits::default());
    let page = Page::open(&browser)?;
    page.prove()?;
    let lanes = Lane::ALL.map(Subject::Lane);
    let peers = PEERS.map(Subject::Peer);
    let natives = Native::available().into_iter().map(Subject::Native);
    let others = [Subject::AllCores, Subject::NativeAllCores, Subject::EmptyWorker, Subject::FirstHash];
    let subjects: Vec<_> = lanes.into_iter().chain(peers).chain(others).chain(natives).collect();
    let mut samples = HashMap::<_, Sample>::new();
    for round in 0..ROUNDS {
        // Each round begins with another one, so that none always comes first or last.
        for place in 0..subjects.len() {
            let subject = subjects[(place + round) % subjects.len()];
            samples.entry(subject).or_default().add(value(&page, engine, subject, cores, best)?);
        }
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    Ok(Measured { engine, version: browser.version(), samples })
}

/// Millions of attempts a second.
fn value(page: &Page<'_>, engine: Engine, subject: Subject, cores: usize, best: Native) -> anyhow::Result<f64> {
    match subject {
        Subject::Lane(lane) => page.rate(lane, 1),
        Subject::AllCores => page.rate(picked(engine), cores),
        Subject::Peer(peer) => page.peer_rate(peer),
        Subject::Native(lane) => Ok(native::rate(lane)),
        Subject::NativeAllCores => Ok(native::rate_of_all(best, cores)),
        Subject::FirstHash => page.first_hash(picked(engine)),
        Subject::EmptyWorker => page.empty_worker(),
    }
}

/// The lane that the page begins with, here where `WebKit` runs on x86 (see `www/src/pool.js`).
fn picked(engine: Engine) -> Lane {
    if engine == Engine::WebKitGtk { Lane::SCALAR } else { Lane::SIMD }
}

/// One engine's lanes against the solvers of other projects.
fn rates(measured: &Measured, cores: usize) -> Table {
    let aim = match measured.engine {
        Engine::Chromium => 4.5,
        Engine::Firefox => 3.5,
        Engine::WebKitGtk => 2.5,
    };
    let row = |name: String, subject: Subject, aim| Row {
        name,
        value: measured.of(subject),
        ratio: Some(measured.ratio(subject, CAP)),
        aim,
    };
    let picked = picked(measured.engine);
    let mut rows = Vec::new();
    for lane in Lane::ALL {
        let (name, aim) = if lane == picked {
            (format!("{}: what the page picks", lane.name), Some(Aim::RatioAtLeast(aim)))
        } else {
            (lane.name.to_owned(), None)
        };
        rows.push(row(name, Subject::Lane(lane), aim));
    }
    rows.push(row(format!("{}, {cores} workers", picked.name), Subject::AllCores, None));
    rows.extend(PEERS.into_iter().map(|peer| row(peer.into(), Subject::Peer(peer), None)));
    Table {
        title: format!("Solver in {}", measured.engine.name()),
        method: format!(
            "One worker unless said otherwise, {WARM_UP_MS} ms to warm up, then {WINDOW_MS} ms. Our lanes: the published \
             script as a worker, with the published wasm, at a difficulty nobody meets; attempts as it reports them. \
             The sha2 crate runs in the same worker, in the place of a lane. Other projects' solvers are the files of \
             their npm packages, asked as their own pages ask them, each answer checked."
        ),
        unit: "MH/s",
        ratio: Some("× @cap.js/wasm"),
        rows,
    }
}

/// The native lanes, measured between those of the first engine.
fn attackers(measured: &Measured, best: Native, cores: usize) -> Table {
    let mut rows = Vec::new();
    for lane in Native::available() {
        let subject = Subject::Native(lane);
        let aim = (lane == best && subject != PLAIN_NATIVE).then_some(Aim::RatioAtLeast(1.5));
        rows.push(Row {
            name: format!("{lane:?}"),
            value: measured.of(subject),
            ratio: Some(measured.ratio(subject, PLAIN_NATIVE)),
            aim,
        });
    }
    rows.push(Row {
        name: format!("{best:?}, {cores} threads"),
        value: measured.of(Subject::NativeAllCores),
        ratio: Some(measured.ratio(Subject::NativeAllCores, PLAIN_NATIVE)),
        aim: None,
    });
    let missing: Vec<_> =
        Native::ALL.into_iter().filter(|lane| !lane.is_available()).map(|lane| format!("{lane:?}")).collect();
    let missing = if missing.is_empty() {
        "This processor has them all".to_owned()
    } else {
        format!("Not measured, because this processor lacks them: {}", missing.join(", "))
    };
    Table {
        title: "Attacker: native lanes".to_owned(),
        method: format!(
            "The crate `solver-native`, one thread by its CPU time, between the rounds of the first browser. {missing}. \
             The ratio is to the plain stream of the sha2 crate, with SHA instructions where the processor has them."
        ),
        unit: "MH/s",
        ratio: Some("× sha2 crate"),
        rows,
    }
}

/// What the whole system is worth: how far apart attacker and visitor are.
fn ratios(all: &[Measured], best: Native, cores: usize) -> Table {
    let row = |name: String, value: Sample, aim| Row { name, value, ratio: None, aim };
    let native = Subject::Native(best);
    let mut rows = Vec::new();
    for measured in all {
        let engine = measured.engine.name();
        let chromium = measured.engine == Engine::Chromium;
        let scales = measured.engine != Engine::WebKitGtk;
        let lane = picked(measured.engine);
        let (visitor, lane) = (Subject::Lane(lane), lane.name);
        rows.extend([
            row(
                format!("{engine}: {lane} ÷ awaited `crypto.subtle.digest`"),
                measured.ratio(visitor, WEB_CRYPTO),
                chromium.then_some(Aim::AtLeast(100.0)),
            ),
            row(
                format!("{engine}: {lane} ÷ native plain stream"),
                measured.ratio(visitor, PLAIN_NATIVE),
                chromium.then_some(Aim::AtLeast(0.75)),
            ),
            row(
                format!("{engine}: {cores} workers ÷ one"),
                measured.ratio(Subject::AllCores, visitor),
                (scales && cores == 2).then_some(Aim::AtLeast(1.85)),
            ),
            row(
                format!("{best:?}, one thread ÷ {engine} {lane}, one worker"),
                measured.ratio(native, visitor),
                chromium.then_some(Aim::AtMost(5.0)),
            ),
            row(
                format!("{best:?}, {cores} threads ÷ {engine} {lane}, {cores} workers"),
                measured.ratio(Subject::NativeAllCores, Subject::AllCores),
                None,
            ),
        ]);
    }
    Table {
        title: "Attacker ÷ visitor".to_owned(),
        method: "Ratios of the figures above, taken round by round: native lanes are measured in the rounds of every \
                 browser."
            .to_owned(),
        unit: "ratio",
        ratio: None,
        rows,
    }
}

/// How soon the first worker is at work.
fn first_hashes(all: &[Measured]) -> Table {
    let mut rows = Vec::new();
    for measured in all {
        let engine = measured.engine.name();
        let row = |name: String, subject, aim| Row {
            name,
            value: measured.of(subject),
            ratio: Some(measured.ratio(subject, Subject::EmptyWorker)),
            aim,
        };
        rows.push(row(format!("{engine}: first hash"), Subject::FirstHash, Some(Aim::RatioAtMost(1.3))));
        rows.push(row(format!("{engine}: empty worker"), Subject::EmptyWorker, None));
    }
    Table {
        title: "First hash".to_owned(),
        method: format!(
            "From the creation of the first worker to its first report of attempts, {STARTS} times a round. The page \
             fetches the module while the worker starts, and the worker compiles it. The yardstick is a worker of three \
             lines that gets a module of one empty function in the same way, and calls it."
        ),
        unit: "ms",
        ratio: Some("× empty worker"),
        rows,
    }
}
