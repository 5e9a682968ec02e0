//! The solver's speed in a real browser: the worker that visitors run, on each of its lanes, one core.

use std::fs;

use anyhow::{Context as _, ensure};
use puzzle::{Difficulty, SubPuzzle, target};
use serde_json::{Value, json};
use tests::browser::Browser;

use crate::files::Files;
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};
use crate::workspace::{asset, assets, built};

/// By then every engine has compiled the hot loop with its best compiler.
const WARM_UP_MS: u32 = 700;
/// From the first report after the warm-up on.
const WINDOW_MS: u32 = 1_300;
/// Sub-puzzles of the challenge that a lane solves before it is measured, and their difficulty.
const PROOF_COUNT: u8 = 8;
const PROOF_DIFFICULTY: u32 = 2_000;

/// What the worker can run: its own lanes, by their place in the script's list, and the yardstick in the place of one.
const LANES: [Lane; 4] = [
    Lane { name: "simd", index: 0, module: None },
    Lane { name: "scalar", index: 1, module: None },
    Lane { name: "javascript", index: 2, module: None },
    Lane { name: "sha2 crate, scalar wasm", index: 1, module: Some("/sha2.wasm") },
];
const YARDSTICK: usize = 3;

struct Lane {
    name: &'static str,
    index: usize,
    module: Option<&'static str>,
}

/// A browser on the page of the measurement.
struct Bench<'a> {
    browser: &'a Browser,
    script: String,
}

/// Measures every lane in `browser`.
pub(crate) fn measure(browser: &Browser) -> anyhow::Result<Table> {
    let bench = Bench::open(browser)?;
    bench.prove()?;
    let mut samples: [Sample; LANES.len()] = Default::default();
    for round in 0..ROUNDS {
        // Each round begins with another lane, so that none always comes first or last.
        for place in 0..LANES.len() {
            let index = (place + round) % LANES.len();
            samples[index].add(bench.rate(&LANES[index])?);
        }
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    let aims = [Some(Aim::RatioAtLeast(2.5)), None, None, None];
    let rows = LANES.iter().zip(&samples).zip(aims).map(|((lane, value), aim)| Row {
        name: lane.name.to_owned(),
        value: value.clone(),
        ratio: value.over(&samples[YARDSTICK]),
        aim,
    });
    Ok(Table {
        title: "Solver, one worker",
        method: format!(
            "The published script as a worker, with the published wasm, at a difficulty nobody meets; attempts as it \
             reports them, from the first report after {WARM_UP_MS} ms on, for {WINDOW_MS} ms. The yardstick runs in \
             the same worker: one `Sha256::digest` of the 44 bytes an attempt, built under the same profile."
        ),
        unit: "MH/s",
        ratio: "× sha2 crate",
        rows: rows.collect(),
    })
}

impl<'a> Bench<'a> {
    fn open(browser: &'a Browser) -> anyhow::Result<Self> {
        let assets = assets()?;
        let mut files = Files::default();
        files.add("/", "text/html; charset=utf-8", include_str!("../page/index.html"));
        files.add("/measure.js", "text/javascript; charset=utf-8", include_str!("../page/measure.js"));
        for asset in &assets {
            let content = fs::read(built("www").join(&asset.served)).with_context(|| asset.served.clone())?;
            files.add(&format!("/assets/{}", asset.served), &asset.content_type, content);
        }
        let yardstick = built("bench/sha2.wasm");
        let content = fs::read(&yardstick).with_context(|| format!("cannot read {}", yardstick.display()))?;
        files.add("/sha2.wasm", "application/wasm", content);
        let address = files.serve()?;
        browser.open(&format!("http://{address}/"));
        Ok(Self { browser, script: format!("/assets/{}", asset(&assets, "gate.js")?.served) })
    }

    /// Every lane solves the same challenge with the same nonces, and `puzzle` agrees: what is measured is SHA-256.
    fn prove(&self) -> anyhow::Result<()> {
        let challenge = challenge(PROOF_COUNT, PROOF_DIFFICULTY);
        let difficulty = Difficulty::new(PROOF_DIFFICULTY).context("a difficulty is at least 1")?;
        let mut first = None;
        for lane in &LANES {
            let nonces = self.run("solve(job)", lane, &challenge);
            for (index, nonce) in (0..PROOF_COUNT).zip(nonces.as_array().into_iter().flatten()) {
                let word = |place: usize| nonce[place].as_u64().context("a nonce is two words");
                let leading = SubPuzzle::new(&challenge, index).attempt(word(0)? << 32 | word(1)?);
                ensure!(leading <= target(difficulty), "lane {}: nonce {nonce} of {index} does not solve", lane.name);
            }
            ensure!(nonces.as_array().is_some_and(|nonces| nonces.len() == usize::from(PROOF_COUNT)), "{nonces}");
            ensure!(*first.get_or_insert_with(|| nonces.clone()) == nonces, "lane {} found other nonces", lane.name);
        }
        Ok(())
    }

    /// Millions of attempts a second.
    fn rate(&self, lane: &Lane) -> anyhow::Result<f64> {
        // 64 sub-puzzles: should one be solved against all odds, the worker goes on.
        let result = self.run(&format!("rate(job, {WARM_UP_MS}, {WINDOW_MS})"), lane, &challenge(64, u32::MAX));
        let number = |place: usize| result[place].as_f64().with_context(|| format!("no figures: {result}"));
        Ok(number(0)? / number(1)? / 1_000.0)
    }

    fn run(&self, call: &str, lane: &Lane, challenge: &[u8; 64]) -> Value {
        let words: Vec<u32> = challenge.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        let job = json!({ "script": self.script, "lane": lane.index, "module": lane.module, "words": words });
        self.browser.script(&format!("const job = {job}; return {call};"))
    }
}

/// The bytes that a solver looks at, and something in the others.
fn challenge(count: u8, difficulty: u32) -> [u8; 64] {
    let mut challenge = [0x5a; 64];
    challenge[..4].copy_from_slice(&[1, 1, 0, count]);
    challenge[4..8].copy_from_slice(&difficulty.to_be_bytes());
    challenge
}
