//! The solver: built twice from one source, and its glue to JavaScript.

use std::fs;

use anyhow::{Context as _, ensure};
use walrus::{ModuleConfig, RawCustomSection};
use wasm_bindgen_cli_support::Bindgen;

use crate::steps::{cargo, output_of, run, workspace};

/// The target the solver is built for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Both builds, and the one script that loads either.
pub(crate) struct Solver {
    pub(crate) scalar: Vec<u8>,
    pub(crate) simd: Vec<u8>,
    /// An ES module as wasm-bindgen wrote it.
    pub(crate) glue: String,
}

/// Builds the solver with and without simd128.
pub(crate) fn build() -> anyhow::Result<Solver> {
    need_wasm_target()?;
    let (scalar, scalar_glue) = bind(&compile("scalar", "")?)?;
    let (simd, simd_glue) = bind(&compile("simd", "\u{1f}-Ctarget-feature=+simd128")?)?;
    ensure!(scalar_glue == simd_glue, "the two builds of the solver need different glue, but one is served for both");
    Ok(Solver { scalar, simd, glue: simd_glue })
}

/// Installs the compiler's support for wasm if it is not there.
pub(crate) fn need_wasm_target() -> anyhow::Result<()> {
    let libraries = output_of(
        std::process::Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .current_dir(workspace())
            .args(["--print", "target-libdir", "--target", WASM_TARGET]),
    )?;
    if fs::exists(libraries.trim())? {
        return Ok(());
    }
    println!("    the compiler lacks {WASM_TARGET}: installing it with rustup");
    run(std::process::Command::new("rustup").current_dir(workspace()).args(["target", "add", WASM_TARGET]))
}

/// Compiles the solver crate into a folder of its own, so that the two builds do not undo each other's work.
///
/// `RUSTFLAGS` of the environment are meant for the machine this runs on; the solver must not depend on them.
fn compile(name: &str, flags: &str) -> anyhow::Result<Vec<u8>> {
    println!("    the {name} solver: cargo build for {WASM_TARGET}");
    let folder = workspace().join("target").join(format!("solver-{name}"));
    let mut command = cargo(&["rustc", "--quiet", "--package", "challenge-wasm", "--lib"]);
    command.args(["--crate-type", "cdylib", "--profile", "wasm", "--target", WASM_TARGET, "--target-dir"]).arg(&folder);
    // A stack of 16 KiB instead of 1 MiB: every worker has its own.
    let flags = format!("-Clink-arg=-zstack-size=16384{flags}");
    command.env("CARGO_ENCODED_RUSTFLAGS", flags).env_remove("RUSTFLAGS");
    run(&mut command)?;
    let file = folder.join(WASM_TARGET).join("wasm/challenge_wasm.wasm");
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// Runs wasm-bindgen: the finished module and its glue.
fn bind(module: &[u8]) -> anyhow::Result<(Vec<u8>, String)> {
    let mut output = Bindgen::new()
        .input_bytes("solver", without_features(module)?)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    let glue = output.js().to_owned();
    let module = output.wasm_mut();
    // wasm-bindgen's own switches for modules that panic, and the memory: nothing in the glue asks for them.
    for unused in ["__abort_handler", "__instance_terminated", "memory"] {
        module.exports.remove(unused)?;
    }
    walrus::passes::gc::run(module);
    ensure!(module.imports.iter().next().is_none(), "the solver imports something from JavaScript: integers only");
    Ok((module.emit_wasm(), glue))
}

/// Says that the module uses no optional feature of wasm, whatever the standard library was compiled with. One of those is
/// reference types, for which wasm-bindgen would add a table and an import that a border of integers never uses and that
/// older browsers lack.
fn without_features(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    const SECTION: &str = "target_features";
    const EMPTY_LIST: u8 = 0;
    let mut module = ModuleConfig::new().strict_validate(false).parse(module)?;
    module.customs.remove_raw(SECTION);
    module.customs.add(RawCustomSection { name: SECTION.to_owned(), data: vec![EMPTY_LIST] });
    Ok(module.emit_wasm())
}
