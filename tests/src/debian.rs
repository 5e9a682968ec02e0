//! A Debian of its own: a root that `cargo xtask test` had debootstrap make, booted with its own systemd by `systemd-nspawn`.
//!
//! What happens in it is in memory only and gone at the end. Its network is a loopback of its own, so its ports are everybody's
//! ports, and no other test's.

use std::env;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::process::Process;
use crate::wait::{until, until_true};

/// A start of a whole system on a busy machine.
const BOOT: Duration = Duration::from_secs(90);

/// The bits of the rights to change the root and to mount (capabilities(7)).
const CAP_SYS_CHROOT: u32 = 18;
const CAP_SYS_ADMIN: u32 = 21;

/// `systemd-nspawn` asks the system in it by this signal to stop.
const STOP: Signal = Signal::TERM;

/// A booted system.
#[derive(Debug)]
pub struct Debian {
    process: Process,
    directory: TempDir,
    /// The process id, out here, of the systemd in there.
    leader: u32,
}

/// Whether this process may mount: as anybody but root it may not, nor as root in many containers.
pub fn may_mount() -> bool {
    is_root_with(CAP_SYS_ADMIN)
}

/// Whether this process may give a program another root.
pub fn may_chroot() -> bool {
    is_root_with(CAP_SYS_CHROOT)
}

fn is_root_with(right: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default();
    rustix::process::geteuid().is_root() && bits >> right & 1 == 1
}

/// Whether this process may boot one: who may not mount may not. The tests that need it say so and end.
pub fn possible() -> bool {
    let possible = may_mount();
    if !possible {
        eprintln!(
            "NOT RUN: only root that may mount can boot a system of its own; run `cargo xtask test` as root for it"
        );
    }
    possible
}

/// The package under test: `PORTCULLIS_PACKAGE`, or what `cargo xtask test` made for the tests.
pub fn package() -> PathBuf {
    if let Some(path) = env::var_os("PORTCULLIS_PACKAGE") {
        return PathBuf::from(path);
    }
    let folder = workspace().join("target/distribution/quick");
    let mut files = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let found = files.find(|path| path.extension().is_some_and(|ending| ending == "deb"));
    found.unwrap_or_else(|| panic!("no package in {}; run: cargo xtask package", folder.display()))
}

impl Debian {
    /// Starts one and waits until everything that starts with it has started.
    pub fn boot() -> Self {
        let directory = TempDir::with_prefix("portcullis-debian-").unwrap();
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--boot", "--volatile=overlay", "--private-network", "--register=no", "--keep-unit"]);
        // As a machine has it by default; what runs the tests may allow less.
        command.arg("--rlimit=RLIMIT_NOFILE=524288:524288");
        command.args(["--settings=no", "--link-journal=no", "--console=pipe", "--hostname=bare"]);
        // Its name would be that of the root's folder, which several use at once.
        command.arg(format!("--machine=portcullis-{}", directory.path().file_name().unwrap().display()));
        command.arg(format!("--directory={}", workspace().join("target/tools/debian").display()));
        let mut process = Process::start(&mut command, &directory.path().join("console.log"));
        let leader = until(BOOT, "a systemd in the new root", || {
            assert!(process.exited().is_none(), "systemd-nspawn ended: {}", process.output());
            descendants(process.id()).into_iter().find(|id| name(*id) == "systemd")
        });
        let debian = Self { process, directory, leader };
        until_true(BOOT, "the system to have started", || {
            let state = debian.command("systemctl is-system-running").output().unwrap();
            matches!(String::from_utf8_lossy(&state.stdout).trim(), "running" | "degraded")
        });
        debian
    }

    /// A shell in it with these lines, as root.
    pub fn command(&self, lines: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.leader.to_string());
        command.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wdns=/root", "--"]);
        command.args(["/usr/bin/env", "--ignore-environment", "HOME=/root", "LANG=C.UTF-8"]);
        command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["DEBIAN_FRONTEND=noninteractive", "/bin/sh", "-c", lines]);
        command
    }

    /// Runs lines in it, which may fail.
    pub fn try_run(&self, lines: &str) -> Output {
        self.command(lines).output().unwrap()
    }

    /// Runs lines in it to their good end; gives what they printed, errors included.
    #[track_caller]
    pub fn run(&self, lines: &str) -> String {
        let output = self.try_run(lines);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {lines}\n{said}\n{}", output.status, self.journal());
        said
    }

    /// The end of its journal.
    pub fn journal(&self) -> String {
        let lines = self.try_run("journalctl --no-pager --lines 60");
        String::from_utf8_lossy(&lines.stdout).into_owned()
    }

    /// A path of its, as it is called out here.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.leader))
    }

    /// Writes a file in it.
    pub fn write(&self, inside: &str, text: impl AsRef<[u8]>) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }

    /// Runs `work` on a thread in its network: what connects there, and from the threads it starts, reaches its ports.
    pub fn in_its_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.leader)).unwrap();
        thread::scope(|scope| {
            let there = scope.spawn(|| {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            there.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
        })
    }

    /// Its folder out here, for what a test wants to keep while it runs.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- its journal ---\n{}", self.journal());
        }
        if self.process.exited().is_none() {
            // So it unmounts what it mounted; whoever does not listen is killed with the rest of the group.
            self.process.signal(STOP);
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.process.wait(BOOT)));
        }
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Everything that a process has started, and what that has started.
fn descendants(id: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|id| id.parse().ok());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

fn name(id: u32) -> String {
    fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default().trim().to_owned()
}
