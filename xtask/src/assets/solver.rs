//! The solver: built twice from one source, and its glue to JavaScript. The yardstick of the measurements goes the same way.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use walrus::{ModuleConfig, RawCustomSection};
use wasm_bindgen_cli_support::Bindgen;

use super::shrink;
use crate::steps::{cargo, output_of, run, workspace};

/// The target the solver is built for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The section in which a module lists the optional features of wasm that it uses.
const FEATURES: &str = "target_features";

/// Both builds, and the one script that loads either.
pub(crate) struct Solver {
    pub(crate) scalar: Vec<u8>,
    pub(crate) simd: Vec<u8>,
    /// An ES module as wasm-bindgen wrote it.
    pub(crate) glue: String,
}

/// One source, two builds, and what they are measured against.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// One nonce a step, for browsers without vectors in wasm.
    Scalar,
    /// Four nonces a step.
    Simd,
    /// The second algorithm: it writes modules.
    HashWx,
    /// The sha2 crate behind the solver's border: only `cargo xtask bench` asks for it.
    Yardstick,
}

impl Build {
    pub(crate) const ALL: [Self; 4] = [Self::Scalar, Self::Simd, Self::HashWx, Self::Yardstick];

    fn package(self) -> &'static str {
        match self {
            Self::Scalar | Self::Simd => "challenge-wasm",
            Self::HashWx => "hashwx-wasm",
            Self::Yardstick => "sha2-wasm",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Simd => "simd",
            Self::HashWx => "hashwx",
            Self::Yardstick => "yardstick",
        }
    }

    /// In the form of `CARGO_ENCODED_RUSTFLAGS`. A stack of 16 KiB instead of 1 MiB: every worker has its own.
    fn flags(self) -> &'static str {
        match self {
            Self::Scalar | Self::HashWx | Self::Yardstick => "-Clink-arg=-zstack-size=16384",
            Self::Simd => "-Clink-arg=-zstack-size=16384\u{1f}-Ctarget-feature=+simd128",
        }
    }

    fn folder(self) -> PathBuf {
        workspace().join("target").join(format!("solver-{}", self.name()))
    }
}

/// Builds the solver with and without simd128.
pub(crate) fn build() -> anyhow::Result<Solver> {
    need_wasm_target()?;
    let (scalar, scalar_glue) = bind(&compile(Build::Scalar)?)?;
    let (simd, simd_glue) = bind(&compile(Build::Simd)?)?;
    ensure!(scalar_glue == simd_glue, "the two builds of the solver need different glue, but one is served for both");
    Ok(Solver { scalar, simd, glue: simd_glue })
}

/// Builds the solver of `hashwx`: its module, and its glue.
pub(crate) fn build_hashwx() -> anyhow::Result<(Vec<u8>, String)> {
    need_wasm_target()?;
    bind(&compile(Build::HashWx)?)
}

/// Builds the yardstick: a module that the solver's worker runs as if it were the solver.
pub(crate) fn build_yardstick() -> anyhow::Result<Vec<u8>> {
    need_wasm_target()?;
    let (yardstick, glue) = bind(&compile(Build::Yardstick)?)?;
    let (_, solver_glue) = bind(&compile(Build::Scalar)?)?;
    let same = shrink::script(&glue)? == shrink::script(&solver_glue)?;
    ensure!(same, "the yardstick needs other glue than the solver, but one worker runs both");
    Ok(yardstick)
}

/// A cargo command on the crate of one build, each in a folder of its own, so that they do not undo each
/// other's work. `RUSTFLAGS` of the environment are meant for the machine this runs on; the solver must not depend on them.
pub(crate) fn cargo_for(build: Build, command: &[&str]) -> Command {
    let mut command = cargo(command);
    command.args(["--package", build.package(), "--lib", "--profile", "wasm", "--target", WASM_TARGET]);
    command.arg("--target-dir").arg(build.folder());
    command.env("CARGO_ENCODED_RUSTFLAGS", build.flags()).env_remove("RUSTFLAGS");
    command
}

/// Installs the compiler's support for wasm if it is not there.
pub(crate) fn need_wasm_target() -> anyhow::Result<()> {
    need_target(WASM_TARGET)
}

/// Installs the compiler's support for a target if it is not there.
pub(crate) fn need_target(target: &str) -> anyhow::Result<()> {
    let libraries = output_of(
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).current_dir(workspace()).args([
            "--print",
            "target-libdir",
            "--target",
            target,
        ]),
    )?;
    if fs::exists(libraries.trim())? {
        return Ok(());
    }
    println!("    the compiler lacks {target}: installing it with rustup");
    run(Command::new("rustup").current_dir(workspace()).args(["target", "add", target]))
}

fn compile(build: Build) -> anyhow::Result<Vec<u8>> {
    println!("    {}, {}: cargo build for {WASM_TARGET}", build.package(), build.name());
    run(cargo_for(build, &["rustc", "--quiet"]).args(["--crate-type", "cdylib"]))?;
    let file = format!("wasm/{}.wasm", build.package().replace('-', "_"));
    let file = build.folder().join(WASM_TARGET).join(file);
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
    module.customs.remove_raw(FEATURES);
    walrus::passes::gc::run(module);
    ensure!(module.imports.iter().next().is_none(), "the solver imports something from JavaScript: integers only");
    Ok((module.emit_wasm(), glue))
}

/// Says that the module uses no optional feature of wasm, whatever the standard library was compiled with. One of those is
/// reference types, for which wasm-bindgen would add a table and an import that a border of integers never uses and that
/// older browsers lack.
fn without_features(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    const EMPTY_LIST: u8 = 0;
    let mut module = ModuleConfig::new().strict_validate(false).parse(module)?;
    module.customs.remove_raw(FEATURES);
    module.customs.add(RawCustomSection { name: FEATURES.to_owned(), data: vec![EMPTY_LIST] });
    Ok(module.emit_wasm())
}
