//! The page of the solver's measurement, in a real browser: the worker that visitors run, and what it is held against.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use puzzle::{Difficulty, NONCES_PER_INSTANCE, SubPuzzle, instance_of, target};
use serde_json::{Value, json};
use tests::browser::Browser;

use crate::files::Files;
use crate::workspace::{asset, assets, built};

/// By then every engine has compiled the hot loop with its best compiler.
pub(crate) const WARM_UP_MS: u32 = 700;
/// From the first report after the warm-up on.
pub(crate) const WINDOW_MS: u32 = 900;
/// Starts of a worker in a round, one after the other: browsers round their clocks.
pub(crate) const STARTS: u32 = 20;
/// Sub-puzzles of the challenge that a lane solves before it is measured, and their difficulty.
const PROOF_COUNT: u8 = 8;
const PROOF_DIFFICULTY: u32 = 2_000;

/// What the worker can run: its own lanes, by their place in the script's list, and the yardstick in the place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    index: usize,
    module: Option<&'static str>,
}

impl Lane {
    pub(crate) const SIMD: Self = Self { name: "simd", index: 0, module: None };
    pub(crate) const SCALAR: Self = Self { name: "scalar", index: 1, module: None };
    pub(crate) const ALL: [Self; 4] = [
        Self::SIMD,
        Self::SCALAR,
        Self { name: "javascript", index: 2, module: None },
        Self { name: "sha2 crate, scalar wasm", index: 1, module: Some("/sha2.wasm") },
    ];
}

/// Solvers of other projects, and the loop that many of them are, by what the page calls them.
pub(crate) const PEERS: [&str; 4] =
    ["@cap.js/wasm", "@mcaptcha/pow-wasm", "friendly-pow, blake2b", "awaited `crypto.subtle.digest`"];

/// What the page loads of them, from their npm packages.
const PEER_FILES: [(&str, &str); 6] = [
    ("@cap.js/wasm/browser/cap_wasm.js", JAVASCRIPT),
    ("@cap.js/wasm/browser/cap_wasm_bg.wasm", WASM),
    ("@mcaptcha/pow-wasm/pow_wasm_bg.js", JAVASCRIPT),
    ("@mcaptcha/pow-wasm/pow_wasm_bg.wasm", WASM),
    ("friendly-pow/api/wasm.js", JAVASCRIPT),
    ("friendly-pow/wasm/optimized.wasm", WASM),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const WASM: &str = "application/wasm";

/// One function, `one`, that returns 1.
const EMPTY_MODULE: &[u8] =
    b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03one\0\0\x0a\x06\x01\x04\0\x41\x01\x0b";

/// A browser on the page of the measurement.
pub(crate) struct Page<'a> {
    browser: &'a Browser,
    script: String,
    hashwx_script: String,
    modules: [String; 2],
}

impl<'a> Page<'a> {
    pub(crate) fn open(browser: &'a Browser) -> anyhow::Result<Self> {
        let assets = assets()?;
        let mut files = Files::default();
        files.add("/", "text/html; charset=utf-8", include_str!("../page/index.html"));
        files.add("/measure.js", JAVASCRIPT, include_str!("../page/measure.js"));
        files.add("/peer.js", JAVASCRIPT, include_str!("../page/peer.js"));
        files.add("/empty.js", JAVASCRIPT, include_str!("../page/empty.js"));
        files.add("/empty.wasm", WASM, EMPTY_MODULE);
        for asset in &assets {
            let content = read(&built("www").join(format!("{}.gz", asset.served)))?;
            files.add_gzip(&format!("/assets/{}", asset.served), &asset.content_type, content);
        }
        files.add("/sha2.wasm", WASM, read(&built("bench/sha2.wasm"))?);
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node_modules");
        for (file, content_type) in PEER_FILES {
            files.add(&format!("/peers/{file}"), content_type, read(&packages.join(file))?);
        }
        // Imported without its extension.
        files.add("/peers/friendly-pow/loader", JAVASCRIPT, read(&packages.join("friendly-pow/loader.js"))?);
        let address = files.serve()?;
        browser.open(&format!("http://{address}/"));
        let served = |name| anyhow::Ok(format!("/assets/{}", asset(&assets, name)?.served));
        Ok(Self {
            browser,
            script: served("gate.js")?,
            hashwx_script: served("hashwx.js")?,
            modules: [served("solver-simd.wasm")?, served("solver-scalar.wasm")?],
        })
    }

    /// Every lane solves the same challenge with the same nonces, and `puzzle` agrees: what is measured is SHA-256.
    pub(crate) fn prove(&self) -> anyhow::Result<()> {
        let challenge = challenge(PROOF_COUNT, PROOF_DIFFICULTY);
        let difficulty = Difficulty::new(PROOF_DIFFICULTY).context("a difficulty is at least 1")?;
        let mut first = None;
        for lane in &Lane::ALL {
            let nonces = self.run("solve(job)", &self.job(*lane, &challenge));
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

    /// Millions of attempts a second of so many workers at once.
    pub(crate) fn rate(&self, lane: Lane, workers: usize) -> anyhow::Result<f64> {
        // 64 sub-puzzles: should one be solved against all odds, the worker goes on.
        let mut job = self.job(lane, &challenge(64, u32::MAX));
        job["workers"] = workers.into();
        number(&self.run(&format!("rate(job, {WARM_UP_MS}, {WINDOW_MS})"), &job)).map(|rate| rate / 1_000.0)
    }

    /// Thousands of attempts of `hashwx` a second of so many workers at once, under seeds that were never used before.
    pub(crate) fn hashwx_rate(&self, workers: usize) -> anyhow::Result<f64> {
        let mut job = self.hashwx_job(64, u32::MAX);
        job["workers"] = workers.into();
        number(&self.run(&format!("rate(job, {WARM_UP_MS}, {WINDOW_MS})"), &job))
    }

    /// The worker of `hashwx` solves a challenge, and `puzzle` agrees.
    pub(crate) fn prove_hashwx(&self) -> anyhow::Result<()> {
        const DIFFICULTY: u32 = 200;
        let job = self.hashwx_job(PROOF_COUNT, DIFFICULTY);
        let words: Vec<u32> = serde_json::from_value(job["words"].clone())?;
        let mut challenge = [0; 64];
        for (bytes, word) in challenge.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        let difficulty = Difficulty::new(DIFFICULTY).context("a difficulty is at least 1")?;
        let nonces = self.run("solve(job)", &job);
        let mut proved = 0;
        for (index, nonce) in (0..PROOF_COUNT).zip(nonces.as_array().into_iter().flatten()) {
            let word = |place: usize| nonce[place].as_u64().context("a nonce is two words");
            let nonce = word(0)? << 32 | word(1)?;
            let hash = instance_of(&challenge, index, nonce / NONCES_PER_INSTANCE).hash(nonce);
            ensure!(hash <= target(difficulty), "nonce {nonce} of {index} does not solve");
            proved += 1;
        }
        ensure!(proved == PROOF_COUNT, "{nonces}");
        Ok(())
    }

    fn hashwx_job(&self, count: u8, difficulty: u32) -> Value {
        let mut challenge = challenge(count, difficulty);
        challenge[1] = 2;
        let random = RandomState::new().hash_one(std::time::Instant::now());
        challenge[16..24].copy_from_slice(&random.to_be_bytes());
        let mut job = self.job(Lane::SIMD, &challenge);
        job["script"] = self.hashwx_script.as_str().into();
        job
    }

    /// The same of one of [`PEERS`].
    pub(crate) fn peer_rate(&self, peer: &str) -> anyhow::Result<f64> {
        number(&self.run(&format!("peerRate(job, {WARM_UP_MS}, {WINDOW_MS})"), &peer.into())).map(|rate| rate / 1_000.0)
    }

    /// Milliseconds from the creation of the first worker to its first report of attempts.
    pub(crate) fn first_hash(&self, lane: Lane) -> anyhow::Result<f64> {
        let mut job = self.job(lane, &challenge(64, u32::MAX));
        job["module"] = self.modules.get(lane.index).context("a lane of wasm")?.as_str().into();
        number(&self.run(&format!("firstHash(job, {STARTS})"), &job))
    }

    /// Milliseconds from the creation of a worker to its return from an empty wasm module.
    pub(crate) fn empty_worker(&self) -> anyhow::Result<f64> {
        number(&self.run(&format!("emptyWorker({STARTS})"), &Value::Null))
    }

    fn job(&self, lane: Lane, challenge: &[u8; 64]) -> Value {
        let words: Vec<u32> = challenge.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        json!({ "script": self.script, "lane": lane.index, "module": lane.module, "words": words })
    }

    fn run(&self, call: &str, job: &Value) -> Value {
        self.browser.script(&format!("const job = {job}; return {call};"))
    }
}

fn number(value: &Value) -> anyhow::Result<f64> {
    value.as_f64().with_context(|| format!("no figure: {value}"))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The bytes that a solver looks at, and something in the others.
fn challenge(count: u8, difficulty: u32) -> [u8; 64] {
    let mut challenge = [0x5a; 64];
    challenge[..4].copy_from_slice(&[1, 1, 0, count]);
    challenge[4..8].copy_from_slice(&difficulty.to_be_bytes());
    challenge
}
