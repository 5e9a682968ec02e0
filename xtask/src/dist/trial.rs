//! The files of a release, tried: what cannot be used is not uploaded.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{Release, Target, image, package};
use crate::steps::{cargo, output_of, run, step, workspace};

/// End-to-end tests that each binary has to pass: a visit, TLS, both algorithms, sockets of systemd.
const TESTS: [&str; 4] = ["flow", "https", "hashwx", "activation"];

/// Those of them that a quick build, which is slow, passes under an emulator in time.
pub(crate) const QUICK_TESTS: [&str; 1] = ["flow"];

/// How long the verifier in a container has to become healthy.
const HEALTHY_WITHIN: Duration = Duration::from_secs(30);

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
        step(&format!("End-to-end tests of the binary, {name}"), || end_to_end(&starter(target, &binary)?, &TESTS))?;
        step(&format!("The container image runs, {name}"), || {
            in_a_container(release, target, folder, &release.version)
        })?;
        if target.emulator().is_none() {
            step(&format!("The package, installed and purged, {name}"), || {
                let package = folder.join(package::name(release, target));
                run(tests(PACKAGE_TESTS).env("PORTCULLIS_PACKAGE", package).env("PORTCULLIS_BINARY", &binary))
            })?;
        }
    }
    Ok(())
}

/// What starts a binary here: itself, or a script that has the emulator run it.
pub(crate) fn starter(target: Target, binary: &Path) -> anyhow::Result<PathBuf> {
    let Some(emulator) = target.emulator() else { return Ok(binary.to_owned()) };
    let script = workspace().join(format!("target/distribution/portcullis-{}", target.name()));
    fs::write(&script, format!("#!/bin/sh\nexec {emulator} '{}' \"$@\"\n", binary.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

/// Runs the end-to-end tests with these words in their names with another binary than the one they come with.
pub(crate) fn end_to_end(binary: &Path, filters: &[&str]) -> anyhow::Result<()> {
    filters.iter().try_for_each(|filter| run(tests(filter).env("PORTCULLIS_BINARY", binary)))
}

/// The same packages as `cargo xtask test` names: with others cargo would build everything again with other features.
fn tests(filter: &str) -> Command {
    let mut command = cargo(&["test", "--workspace", "--exclude", "xtask", "--test", "end_to_end", "--target-dir"]);
    command.arg(workspace().join("target")).args(["--", filter]);
    command
}

/// Loads the archive and runs its program as the image says, as its user; where the processor is another one only what the
/// archive says is looked at. `version` is what the program has to say of itself.
pub(crate) fn in_a_container(release: &Release, target: Target, folder: &Path, version: &str) -> anyhow::Result<()> {
    let archive = format!("docker-archive:{}", folder.join(release.file(target, ".docker.tar")).display());
    let container = output_of(image::buildah().args(["from", "--arch", target.architecture(), &archive]))?;
    let container = container.trim();
    let tried = as_its_user(target, container, version);
    run(image::buildah().args(["rm", container]))?;
    tried
}

fn as_its_user(target: Target, container: &str, version: &str) -> anyhow::Result<()> {
    let said = output_of(image::buildah().args(["inspect", "--type", "container", container]))?;
    let said: serde_json::Value = serde_json::from_str(&said).context("buildah inspect prints JSON")?;
    let config = &said["Docker"]["config"];
    ensure!(config["User"] == image::USER, "the image runs as {}", config["User"]);
    let check = words(&config["Healthcheck"]["Test"])?;
    let [form, check @ ..] = &check[..] else { bail!("the image has no health check: {config}") };
    ensure!(form == "CMD", "there is no shell in the image for its health check: {config}");
    if target.emulator().is_some() {
        return Ok(());
    }
    let said = output_of(&mut inside(container, &["/usr/bin/portcullis".to_owned(), "--version".to_owned()]))?;
    ensure!(said.trim() == format!("portcullis {version}"), "the image's program says {said}");
    let start = [words(&config["Entrypoint"])?, words(&config["Cmd"])?].concat();
    serves(container, &start, check)
}

/// Starts the image with a configuration as an operator mounts one, and asks its health check.
fn serves(container: &str, start: &[String], check: &[String]) -> anyhow::Result<()> {
    // A container that is run so has this machine's network: the ports are two that nobody has.
    let ports = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [visitors, operator] = [ports[0].local_addr()?, ports[1].local_addr()?];
    drop(ports);
    let configuration = workspace().join("target/distribution/image/portcullis.toml");
    // What OPERATING says of a container.
    let state = "state_dir = \"/var/lib/portcullis\"\nsecret_file = \"/var/lib/portcullis/secret\"";
    let site = "[[site]]\norigin = \"http://127.0.0.1:9\"";
    let text = format!("listen = \"{visitors}\"\nadmin = \"{operator}\"\n{state}\n{site}\n");
    fs::write(&configuration, text)?;
    run(image::buildah().args(["copy", container]).arg(&configuration).arg(image::CONFIGURATION))?;
    ensure!(
        output_of(&mut inside(container, check)).is_err(),
        "the health check of a container that does not run passes"
    );
    let running = Running(inside(container, start).process_group(0).spawn().context("cannot start: buildah run")?);
    // Each question takes as long as a container takes to start.
    let began = Instant::now();
    while let Err(error) = output_of(&mut inside(container, check)) {
        ensure!(began.elapsed() < HEALTHY_WITHIN, "the image does not become healthy: {error}");
    }
    println!("    healthy after {:.1} s", began.elapsed().as_secs_f32());
    drop(running);
    Ok(())
}

/// A program in a container, with everything that runs it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

fn inside(container: &str, command: &[String]) -> Command {
    let mut run = image::buildah();
    run.args(["run", "--isolation", "chroot", container, "--"]).args(command);
    run
}

fn words(list: &serde_json::Value) -> anyhow::Result<Vec<String>> {
    serde_json::from_value(list.clone()).with_context(|| format!("not a list of words: {list}"))
}
