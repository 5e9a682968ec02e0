//! The static binary: built with the compiler's own linker and C library, so that nothing of this machine gets into it.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::Target;
use crate::assets;
use crate::steps::{cargo, output_of, run, workspace};

/// What quick builds say that they are.
pub(crate) const ANOTHER_VERSION: &str = "0.0.0-another";

/// How much the compiler may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As it is shipped.
    Release,
    /// As soon as can be, for tests, and as another version: what browsers load has other names. The tests of an upgrade begin
    /// with it.
    Quick,
}

impl Build {
    fn profile(self) -> &'static str {
        match self {
            Self::Release => "dist",
            Self::Quick => "quick",
        }
    }
}

/// Builds the server for a target; gives the path of the binary.
pub(crate) fn build(target: Target, build: Build) -> anyhow::Result<PathBuf> {
    let profile = build.profile();
    let target_dir = workspace().join("target/distribution/build");
    let mut command = cargo(&["build", "--locked", "--package", "verifier-server", "--bin", "portcullis"]);
    command.args(["--profile", profile, "--target", target.triple(), "--target-dir"]).arg(&target_dir);
    command.env_remove("PORTCULLIS_WWW").env_remove("PORTCULLIS_VERSION");
    if build == Build::Quick {
        command.env("PORTCULLIS_WWW", assets::of_another_version()).env("PORTCULLIS_VERSION", ANOTHER_VERSION);
    }
    run(&mut with_flags(command, target)?)?;
    let binary = target_dir.join(target.triple()).join(profile).join("portcullis");
    ensure!(is_static(&binary)?, "{} is not static: it asks for a loader", binary.display());
    Ok(binary)
}

/// Whether a binary runs without any library of the system: a dynamic one names its loader in its program headers.
pub(crate) fn is_static(binary: &Path) -> anyhow::Result<bool> {
    let headers = output_of(Command::new("readelf").args(["--program-headers", "--wide"]).arg(binary))?;
    Ok(headers.contains(" LOAD ") && !headers.contains(" INTERP "))
}

/// The flags by which no path of this machine gets into the binary, and the compiler of the little C and assembler in `ring`.
fn with_flags(mut command: Command, target: Target) -> anyhow::Result<Command> {
    let mut flags = vec!["-Clinker=rust-lld".to_owned()];
    // Without any header of the system: `ring` knows how to do so, and clang's own for vectors only wants one for a function
    // that nobody calls, which its guard leaves out.
    let mut c_flags = format!("--target={} -nostdlibinc -DRING_CORE_NOSTDLIBINC=1 -D__MM_MALLOC_H", target.of_clang());
    for (here, everywhere) in places()? {
        flags.push(format!("--remap-path-prefix={here}={everywhere}"));
        write!(c_flags, " {}", quoted(&format!("-ffile-prefix-map={here}={everywhere}")))?;
    }
    let triple = target.triple().replace('-', "_");
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
    command.env(format!("CC_{triple}"), "clang").env(format!("CFLAGS_{triple}"), c_flags);
    // A folder may have a space in its name.
    command.env("CC_SHELL_ESCAPED_FLAGS", "1").env(format!("AR_{triple}"), "llvm-ar");
    Ok(command)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Folders of this machine, and what they are called in the binary.
fn places() -> anyhow::Result<Vec<(String, String)>> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let ask = |question: &[&str]| output_of(Command::new(&rustc).current_dir(workspace()).args(question));
    let version = ask(&["--version", "--verbose"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let sysroot = ask(&["--print", "sysroot"])?;
    let mut places = vec![
        (workspace().display().to_string(), "/portcullis".to_owned()),
        (format!("{}/lib/rustlib/src/rust", sysroot.trim()), format!("/rustc/{commit}")),
    ];
    // Each registry has a folder there, named after its address: where crates came from does not matter, their checksums do.
    let sources = cargo_home()?.join("registry/src");
    let entries = fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let mut registries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    registries.sort();
    places.extend(registries.iter().map(|folder| (folder.display().to_string(), "/crates".to_owned())));
    Ok(places)
}

/// Where cargo keeps what it fetched.
pub(crate) fn cargo_home() -> anyhow::Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")));
    home.context("neither CARGO_HOME nor HOME says where crates are")
}
