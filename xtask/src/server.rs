//! The release build of the server, and the demonstration that runs it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use crate::assets;
use crate::steps::{cargo, run, step, workspace};

/// Leaves `target/release/portcullis` with everything that browsers load inside.
pub(crate) fn build() -> anyhow::Result<()> {
    step("Assets", assets::build)?;
    step("Server, release build", || {
        let mut command = cargo(&["build", "--release", "--package", "verifier-server", "--bin", "portcullis"]);
        run(command.arg("--target-dir").arg(workspace().join("target")))
    })?;
    println!("    {}", binary().display());
    Ok(())
}

/// Runs the demonstration until it is interrupted.
pub(crate) fn demo(arguments: &[OsString]) -> anyhow::Result<()> {
    println!("A small site with the verifier in front of it. First both are built, which takes some minutes once.");
    build()?;
    println!("==> Demonstration (Ctrl-C ends it)");
    // It takes this process's place, so that Ctrl-C reaches it alone and its end is the end of this.
    let error = Command::new(binary()).arg("demo").args(arguments).exec();
    Err(error).with_context(|| format!("{} does not start", binary().display()))
}

pub(crate) fn binary() -> PathBuf {
    workspace().join("target/release/portcullis")
}
