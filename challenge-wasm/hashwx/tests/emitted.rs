//! The emitted modules in an interpreter of wasm, held to the interpreter of programs.

use proptest::prelude::{ProptestConfig, any, proptest};
use puzzle::hashwx::Instance;
use wasmi::{Config, Engine, Linker, Module, Store, TypedFunc};
use wasmparser::{Operator, Parser, Payload};

struct Emitted {
    store: Store<()>,
    run: TypedFunc<(u32, u32, u32), u32>,
}

impl Emitted {
    fn new(instance: &Instance, target: u64) -> Self {
        let engine = Engine::new(&first_version());
        let module = Module::new(&engine, hashwx_wasm::module(instance, target)).expect("a module");
        let mut store = Store::new(&engine, ());
        let built = Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("it needs no imports");
        let run = built.get_typed_func(&store, "run").expect("an export");
        Self { store, run }
    }

    /// The first nonce that meets the target, counted from `start`.
    fn run(&mut self, start: u64, attempts: u32) -> Option<u64> {
        let words = (u32::try_from(start >> 32).expect("a half"), u32::try_from(start & 0xffff_ffff).expect("a half"));
        let left = self.run.call(&mut self.store, (words.0, words.1, attempts)).expect("no trap");
        (left > 0).then(|| u64::from(attempts - left))
    }
}

/// The first version of WebAssembly without its floats, and nothing after it.
fn first_version() -> Config {
    let mut config = Config::default();
    config.wasm_mutable_global(false).wasm_sign_extension(false).wasm_saturating_float_to_int(false);
    config.wasm_multi_value(false).wasm_multi_memory(false).wasm_bulk_memory(false).wasm_reference_types(false);
    config.wasm_tail_call(false).wasm_extended_const(false).wasm_custom_page_sizes(false).floats(false);
    config
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_module_finds_the_nonces_that_the_interpreter_finds(seed in any::<[u8; 32]>(), start in any::<u64>()) {
        let instance = Instance::new(&seed);
        let hashes: Vec<u64> = (0..6).map(|step| instance.hash(start.wrapping_add(step))).collect();
        // With every hash as the target, the first nonce that is at most that is found, and so each one's exact value.
        for target in hashes.iter().flat_map(|hash| [*hash, hash.wrapping_sub(1)]) {
            let first = (0..).zip(&hashes).find(|(_, hash)| **hash <= target).map(|(step, _)| step);
            assert_eq!(Emitted::new(&instance, target).run(start, 6), first, "target {target:016x}");
        }
    }
}

#[test]
fn a_module_is_what_every_browser_with_wasm_can_compile() {
    for number in 0..64_u8 {
        let module = hashwx_wasm::module(&Instance::new(&[number; 32]), u64::MAX / 1000);
        assert!(module.len() < 16 * 1024, "{} bytes", module.len());
        Module::new(&Engine::new(&first_version()), &module).expect("valid");
        let mut loops = 0;
        for payload in Parser::new(0).parse_all(&module) {
            if let Payload::CodeSectionEntry(body) = payload.expect("well-formed") {
                let operators = body.get_operators_reader().expect("operators");
                loops += operators.into_iter().filter(|operator| matches!(operator, Ok(Operator::Loop { .. }))).count();
            }
        }
        assert_eq!(loops, 1 + 2 + 2 * 32, "nonces, two phases, every program in both");
    }
}

#[test]
fn a_search_goes_on_where_the_low_word_is_full() {
    let instance = Instance::new(&[9; 32]);
    let start = (3 << 32) - 2;
    let hash = instance.hash(start + 3);
    let expected = (0..4).find(|step| instance.hash(start + step) <= hash);
    assert_eq!(Emitted::new(&instance, hash).run(start, 4), expected);
}
