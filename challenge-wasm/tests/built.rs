//! The two modules that browsers load, as `cargo xtask assets` left them, in an interpreter.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use wasmi::{Engine, Instance, Linker, Module, Store};
use wasmparser::{Operator, Parser, Payload};

const BUILDS: [&str; 2] = ["solver-scalar.wasm", "solver-simd.wasm"];

/// Attempts that a search is given: far more than any of the vectors needs, and the start is always near.
const ATTEMPTS: u32 = 20_000;

fn built(name: &str) -> Vec<u8> {
    const MISSING: &str = "run `cargo xtask assets` first";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/www");
    let manifest = fs::read_to_string(folder.join("manifest.txt")).expect(MISSING);
    let mut lines = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let line = lines.find(|line| line.first() == Some(&name)).expect(MISSING);
    fs::read(folder.join(line[1])).expect(MISSING)
}

struct Solver {
    store: Store<()>,
    instance: Instance,
}

impl Solver {
    fn load(name: &str) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, built(name)).expect("a module");
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("it needs no imports");
        Self { store, instance }
    }

    fn get(&mut self, name: &str) -> u32 {
        let function = self.instance.get_typed_func::<(), u32>(&self.store, name).expect("an export");
        function.call(&mut self.store, ()).expect("no trap")
    }

    fn set(&mut self, challenge: &[u8]) {
        let name = "set_challenge_word";
        let function = self.instance.get_typed_func::<(u32, u32), ()>(&self.store, name).expect("an export");
        for (index, word) in (0u32..).zip(challenge.chunks_exact(4)) {
            let word = u32::from_be_bytes(word.try_into().expect("four bytes"));
            function.call(&mut self.store, (index, word)).expect("no trap");
        }
        for beyond in [16, 17, u32::MAX] {
            function.call(&mut self.store, (beyond, 1)).expect("no trap");
        }
    }

    fn prepare(&mut self, sub_puzzle: u32) {
        let function = self.instance.get_typed_func::<u32, ()>(&self.store, "prepare").expect("an export");
        function.call(&mut self.store, sub_puzzle).expect("no trap");
    }

    fn run(&mut self, start: u64, attempts: u32) -> Option<u64> {
        let high = u32::try_from(start >> 32).expect("a half");
        let low = u32::try_from(start & 0xffff_ffff).expect("a half");
        let function = self.instance.get_typed_func::<(u32, u32, u32), i32>(&self.store, "run").expect("an export");
        match function.call(&mut self.store, (high, low, attempts)).expect("no trap") {
            0 => None,
            found => {
                assert_eq!(found, 1);
                Some(u64::from(self.get("found_high")) << 32 | u64::from(self.get("found_low")))
            }
        }
    }
}

fn solves(seed: &[u8], sub_puzzle: u32, nonce: u64, target: u64) -> bool {
    let message = [seed, &sub_puzzle.to_be_bytes(), &nonce.to_be_bytes()].concat();
    let digest = Sha256::digest(message);
    let (leading, _) = digest.split_first_chunk().expect("32 bytes");
    u64::from_be_bytes(*leading) <= target
}

#[test]
fn both_builds_find_the_first_solving_nonce_of_every_vector() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/vectors.json")).expect("the file is JSON");
    let vectors = file["pass"].as_array().expect("a list");
    assert!(vectors.len() >= 12);
    for name in BUILDS {
        let mut solver = Solver::load(name);
        for vector in vectors.iter().filter(|vector| vector["fields"]["algorithm"] == 1) {
            let hex = |value: &serde_json::Value| {
                HEXLOWER.decode(value.as_str().expect("a text").as_bytes()).expect("hexadecimal")
            };
            let number = |value| u64::from_be_bytes(hex(value).try_into().expect("eight bytes"));
            let challenge = |vector: &serde_json::Value| {
                let text = vector["challenge"].as_str().expect("a text");
                BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url")
            };
            let (challenge, seed, target) = (challenge(vector), hex(&vector["seed"]), number(&vector["target"]));
            solver.set(&challenge);
            assert_eq!(solver.get("count"), u32::from(challenge[3]));
            assert_eq!(solver.get("difficulty").to_be_bytes(), challenge[4..8]);
            for (sub_puzzle, nonce) in (0..).zip(vector["nonces"].as_array().expect("a list")) {
                let nonce = number(nonce);
                solver.prepare(sub_puzzle);
                for before in [0, 1, 2, 3, 57, 2000] {
                    let start = nonce.wrapping_sub(before);
                    let mut nonces = (0..=before).map(|step| start.wrapping_add(step));
                    let first = nonces.find(|nonce| solves(&seed, sub_puzzle, *nonce, target));
                    let place = format!("{name}: {} from {start:016x}", vector["name"]);
                    assert_eq!(solver.run(start, ATTEMPTS), first, "{place}");
                    let until = first.expect("the vector's nonce solves").wrapping_sub(start);
                    assert_eq!(solver.run(start, u32::try_from(until).expect("near")), None, "{place}");
                }
            }
        }
    }
}

#[test]
fn both_builds_go_on_where_the_high_word_changes() {
    for name in BUILDS {
        let mut solver = Solver::load(name);
        let challenge = [&[1, 1, 0, 1, 0, 0, 0, 9][..], &[0x5a; 56]].concat();
        solver.set(&challenge);
        solver.prepare(0);
        let seed = Sha256::digest(&challenge);
        for start in [(1_u64 << 32) - 31, (9 << 32) - 30, u64::MAX - 32] {
            let expected: Vec<u64> =
                (0..64).filter(|step| solves(&seed, 0, start.wrapping_add(*step), u64::MAX / 9)).collect();
            let mut found = Vec::new();
            let mut next = 0;
            while let Some(nonce) = solver.run(start.wrapping_add(next), u32::try_from(64 - next).expect("small")) {
                found.push(nonce.wrapping_sub(start));
                next = nonce.wrapping_sub(start) + 1;
            }
            assert_eq!(found, expected, "{name} from {start:016x}");
        }
    }
}

#[test]
fn nothing_a_page_could_send_traps() {
    const EDGES: [u32; 5] = [0, 1, 3, 0x8000_0000, u32::MAX];
    for name in BUILDS {
        let mut solver = Solver::load(name);
        // Before anything is set, and with a difficulty of 0.
        assert_eq!(solver.run(0, 0), None);
        for sub_puzzle in EDGES {
            solver.prepare(sub_puzzle);
            for high in EDGES {
                for low in EDGES {
                    let start = u64::from(high) << 32 | u64::from(low);
                    assert_eq!(solver.run(start, u32::MAX), Some(start), "{name}");
                    assert_eq!(solver.run(start, 0), None, "{name}");
                }
            }
        }
    }
}

/// A panic ends in `unreachable`, and where there is none, nothing can panic. Divisions are looked at in the source.
#[test]
fn both_builds_have_no_panic_path_and_only_integers_at_their_border() {
    for name in BUILDS {
        let module = built(name);
        let mut exports = BTreeSet::new();
        for payload in Parser::new(0).parse_all(&module) {
            let payload = payload.expect("a module");
            let of_no_use = match &payload {
                Payload::ImportSection(_) => Some("imports"),
                Payload::TableSection(_) => Some("a table"),
                Payload::CustomSection(section) => Some(section.name()),
                _ => None,
            };
            assert_eq!(of_no_use, None, "{name}");
            match payload {
                Payload::ExportSection(section) => {
                    exports.extend(section.into_iter().map(|export| export.expect("an export").name.to_owned()));
                }
                Payload::CodeSectionEntry(body) => {
                    let mut operators = body.get_operators_reader().expect("a body");
                    while !operators.eof() {
                        let operator = operators.read().expect("an operator");
                        assert!(!matches!(operator, Operator::Unreachable | Operator::MemoryGrow { .. }), "{name}");
                    }
                }
                _ => {}
            }
        }
        let expected = ["count", "difficulty", "found_high", "found_low", "prepare", "run", "set_challenge_word"];
        assert_eq!(exports, BTreeSet::from(expected.map(str::to_owned)), "{name}");
    }
}
