//! The files of a release, tried: what cannot be used is not uploaded.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{Release, Target, image, package};
use crate::steps::{cargo, output_of, run, step, workspace};

/// End-to-end tests that each binary has to pass: a visit, TLS, both algorithms, sockets of systemd.
const TESTS: [&str; 4] = ["flow", "https", "hashwx", "activation"];

/// End-to-end tests that install the package.
const PACKAGE_TESTS: &str = "package";

/// Tries every file for these targets.
pub(crate) fn run_all(release: &Release, targets: &[Target], folder: &Path) -> anyhow::Result<()> {
    step("Checksums, as whoever downloads them checks", || {
        run(Command::new("sha256sum").current_dir(folder).args(["--check", "--strict", "--quiet", super::sums::FILE]))
    })?;
    for &target in targets {
        let name = target.name();
        let binary = folder.join(release.file(target, ""));
        step(&format!("End-to-end tests of the binary, {name}"), || end_to_end(&starter(target, &binary)?))?;
        step(&format!("The container image runs, {name}"), || in_a_container(release, target, folder))?;
        if target.emulator().is_none() {
            step(&format!("The package, installed and purged, {name}"), || {
                let package = folder.join(package::name(release, target));
                let mut tests = cargo(&["test", "--package", "tests", "--test", "end_to_end", "--", PACKAGE_TESTS]);
                run(tests.env("PORTCULLIS_PACKAGE", package).env("PORTCULLIS_BINARY", &binary))
            })?;
        }
    }
    Ok(())
}

/// What starts a binary here: itself, or a script that has the emulator run it.
fn starter(target: Target, binary: &Path) -> anyhow::Result<PathBuf> {
    let Some(emulator) = target.emulator() else { return Ok(binary.to_owned()) };
    let script = workspace().join(format!("target/distribution/portcullis-{}", target.name()));
    fs::write(&script, format!("#!/bin/sh\nexec {emulator} '{}' \"$@\"\n", binary.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

fn end_to_end(binary: &Path) -> anyhow::Result<()> {
    for filter in TESTS {
        let mut tests = cargo(&["test", "--package", "tests", "--test", "end_to_end", "--", filter]);
        run(tests.env("PORTCULLIS_BINARY", binary))?;
    }
    Ok(())
}

/// Loads the archive and runs its program as the image says, as its user; where the processor is another one only what the
/// archive says is looked at.
fn in_a_container(release: &Release, target: Target, folder: &Path) -> anyhow::Result<()> {
    let archive = format!("docker-archive:{}", folder.join(release.file(target, ".docker.tar")).display());
    let container = output_of(image::buildah().args(["from", "--arch", target.architecture(), &archive]))?;
    let container = container.trim();
    let tried = as_its_user(release, target, container);
    run(image::buildah().args(["rm", container]))?;
    tried
}

fn as_its_user(release: &Release, target: Target, container: &str) -> anyhow::Result<()> {
    let said = output_of(image::buildah().args(["inspect", "--type", "container", container]))?;
    let said: serde_json::Value = serde_json::from_str(&said).context("buildah inspect prints JSON")?;
    let config = &said["Docker"]["config"];
    ensure!(config["User"] == image::USER, "the image runs as {}", config["User"]);
    ensure!(config["Healthcheck"]["Test"][0] == "CMD", "the image has no health check: {config}");
    if target.emulator().is_some() {
        return Ok(());
    }
    let mut version = image::buildah();
    version.args(["run", "--isolation", "chroot", container, "--", "/usr/bin/portcullis", "--version"]);
    let version = output_of(&mut version)?;
    ensure!(version.trim() == format!("portcullis {}", release.version), "the image's program says {version}");
    Ok(())
}
