//! `cargo xtask test`: every check there is, cheap ones first, stopping at the first that fails.

use std::process::Command;
use std::time::Instant;

use crate::assets::{self, solver};
use crate::steps::{cargo, run, step, workspace};
use crate::{dependencies, dist, setup};

/// Runs everything.
pub(crate) fn everything() -> anyhow::Result<()> {
    let began = Instant::now();
    step("What the tests need on this machine", setup::everything)?;
    step("Formatting", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    step("Dependencies: licences, sources, bans", dependencies::check)?;
    step("Vectors, by the implementation in Python", || {
        let vectors = ["tests/python/portcullis_client.py", "check", "docs/vectors.json"];
        run(Command::new("python3").current_dir(workspace()).args(vectors))
    })?;
    step("Assets", assets::build)?;
    step("Types in the page's scripts", scripts)?;
    step("Lints", lints)?;
    step("Documentation", || {
        run(cargo(&["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("Package, from a quick build", dist::package_for_tests)?;
    step("Tests", tests)?;
    step("Image, and the binary for another kind of machine, from quick builds", dist::try_quick_builds)?;
    println!("==> all passed in {:.0} s", began.elapsed().as_secs_f32());
    Ok(())
}

fn scripts() -> anyhow::Result<()> {
    let www = workspace().join("www");
    run(Command::new("npm").current_dir(&www).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    run(Command::new("npx").current_dir(&www).args(["--no-install", "tsc", "-p", "."]))
}

fn lints() -> anyhow::Result<()> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    for build in solver::Build::ALL {
        run(solver::cargo_for(build, &["clippy", "--quiet"]).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// The end-to-end tests start the binary as an operator would, so all is built first and they are told where it is. What this
/// program is built of was built for it alone, with features of its own, and is not built again with everything else. Whoever
/// waits an hour is told of every test that fails, and not of the first.
fn tests() -> anyhow::Result<()> {
    let folder = workspace().join("target");
    let test = |which: &[&str]| {
        let mut command = cargo(&["test"]);
        command.args(which).arg("--target-dir").arg(&folder).env("PORTCULLIS_BINARY", folder.join("debug/portcullis"));
        command
    };
    run(&mut test(&["--workspace", "--exclude", "xtask", "--no-run"]))?;
    run(&mut test(&["--workspace", "--exclude", "xtask", "--no-fail-fast"]))?;
    run(&mut test(&["--package", "xtask"]))
}
