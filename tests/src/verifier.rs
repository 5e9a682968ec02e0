//! The real binary, on a directory of its own, under a configuration written by the test.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::settings::Settings;
use crate::wait::{SOON, until, until_true};

/// The binary under test: `PORTCULLIS_BINARY`, or what lies in the workspace's target folder.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("PORTCULLIS_BINARY") {
        return PathBuf::from(path);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    ["target/debug/portcullis", "target/release/portcullis"]
        .iter()
        .map(|path| workspace.join(path))
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!("no binary to test; run: cargo run -p xtask -- assets && cargo build -p verifier-server")
        })
}

/// The same source as another version, whose pages, scripts and styles have other hashes in their names: `PORTCULLIS_ANOTHER`, or
/// what `cargo xtask test` made for the package.
pub fn another_binary() -> PathBuf {
    if let Some(path) = env::var_os("PORTCULLIS_ANOTHER") {
        return PathBuf::from(path);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = format!("target/distribution/build/{}-unknown-linux-musl/quick/portcullis", env::consts::ARCH);
    let path = workspace.join(path);
    assert!(path.exists(), "no other version at {}; run: cargo xtask package", path.display());
    path
}

/// As a unit starts a program with a socket that systemd holds: it comes as file 3, and the process is named that it is for.
const HANDS_OVER: &str = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";

/// A listening socket on this port of loopback, held by the test as systemd holds that of a unit: while nobody takes what
/// comes, it waits there.
pub fn held_socket(port: u16) -> Arc<TcpListener> {
    let socket = TcpListener::bind(("127.0.0.1", port)).unwrap();
    // As many as systemd lets wait; the standard library lets fewer.
    rustix::net::listen(&socket, 4_096).unwrap();
    Arc::new(socket)
}

/// Where a verifier runs: what its unit would give it.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// Its group, which owns its socket; left out: that of the tests.
    pub group: Option<u32>,
    /// Its environment besides.
    pub environment: Vec<(String, String)>,
    /// The socket that it takes over instead of opening one.
    pub socket: Option<Arc<TcpListener>>,
    /// What it runs; left out: the binary under test.
    pub binary: Option<PathBuf>,
    /// The command that becomes it, in its folder; left out: it is started as it is.
    pub through: Vec<String>,
}

impl Unit {
    /// Started by this command, which takes the program and its arguments as further ones.
    pub fn through(words: &[&str]) -> Self {
        Self { through: words.iter().map(|word| (*word).to_owned()).collect(), ..Self::default() }
    }

    /// Started by these lines of a shell, in which `"$@"` is the program and its arguments.
    pub fn through_shell(lines: &str) -> Self {
        Self::through(&["bash", "-c", lines, "bash"])
    }

    /// For whom permissions of files count: root without the right to pass them over.
    pub fn without_rights() -> Self {
        if rustix::process::geteuid().is_root() {
            return Self::through(&["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]);
        }
        Self::default()
    }
}

/// A verifier with its ports and its directory; killed on drop.
#[derive(Debug)]
pub struct Verifier {
    process: Process,
    settings: Settings,
    unit: Unit,
    directory: TempDir,
    /// Where visitors and web servers talk to it.
    pub port: u16,
    /// Where its administrator does.
    pub admin_port: u16,
}

impl Verifier {
    /// Writes the configuration, starts it and waits until it answers.
    pub fn start(settings: Settings) -> Self {
        Self::start_on(settings, ports::free())
    }

    /// The same on a given port.
    pub fn start_on(settings: Settings, port: u16) -> Self {
        Self::start_in(Unit::default(), settings, port)
    }

    /// The same in a unit.
    pub fn start_in(unit: Unit, settings: Settings, port: u16) -> Self {
        let directory = TempDir::with_prefix("portcullis-test-").unwrap();
        let admin_port = settings.port_of("admin").unwrap_or_else(ports::free);
        let settings = complete(settings, directory.path(), port, admin_port);
        let process = launch(directory.path(), &settings, &unit);
        let mut verifier = Self { process, settings, unit, directory, port, admin_port };
        verifier.wait_until_ready();
        verifier
    }

    /// Its folder: configuration, secret, state, output.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// A client of it that asks for `host`.
    pub fn client(&self, host: &str) -> Client {
        Client::new(self.port, host)
    }

    /// A client of its admin listener, without the token.
    pub fn admin(&self) -> Client {
        Client::new(self.admin_port, "127.0.0.1")
    }

    /// The token of its admin listener.
    pub fn admin_token(&self) -> String {
        fs::read_to_string(self.directory().join("admin-token")).unwrap().trim().to_owned()
    }

    /// Runs another subcommand of the binary on the same configuration file.
    pub fn command(&self, arguments: &[&str]) -> Output {
        Command::new(binary()).args(arguments).current_dir(self.directory()).output().unwrap()
    }

    /// Changes keys of the configuration, sends SIGHUP, and waits until `applied` says so.
    pub fn reload(&mut self, changes: &[(&str, toml::Value)], applied: impl FnMut() -> bool) {
        for (key, value) in changes {
            self.settings.put(key, value.clone());
        }
        self.rewrite(&self.settings.text());
        self.process.signal(Signal::HUP);
        until_true(SOON, "the new configuration to apply", applied);
    }

    /// Changes the price for everybody; returns once challenges ask it.
    pub fn reprice(&mut self, host: &str, difficulty: u32) {
        // From a network where nobody buys: a multiplier would be asked too.
        let client = self.client(host).in_network(255, 0);
        self.reload(&[("challenge.difficulty", difficulty.into())], || {
            crate::visitor::ask(&client, "")["difficulty"] == serde_json::json!(difficulty)
        });
    }

    /// Writes other text into the configuration file.
    pub fn rewrite(&self, text: &str) {
        fs::write(self.directory().join("portcullis.toml"), text).unwrap();
    }

    /// Asks it to read its configuration again.
    pub fn hang_up(&self) {
        self.process.signal(Signal::HUP);
    }

    /// `kill -9`, then a start on the same directory.
    pub fn crash_and_restart(&mut self) {
        self.process.kill();
        self.relaunch();
    }

    /// `kill -9`.
    pub fn crash(&mut self) {
        self.process.kill();
    }

    /// Has the system allow it so much of something from now on: `nofile`, `300`.
    pub fn limit(&self, of: &str, most: &str) {
        let mut command = Command::new("prlimit");
        // What it may ask for stays.
        command.arg("--pid").arg(self.id().to_string()).arg(format!("--{of}={most}:"));
        let limited = command.output().unwrap();
        assert!(limited.status.success(), "{limited:?}");
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.exited().is_some()
    }

    /// The number that the next file it opens will have.
    pub fn next_file(&self) -> usize {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap();
        let open: BTreeSet<usize> =
            folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        (0..=open.len()).find(|number| !open.contains(number)).unwrap()
    }

    /// A path as it sees it, where something is mounted for it alone.
    pub fn seen(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.id(), path.display()))
    }

    /// SIGSTOP: it hangs.
    pub fn hang(&self) {
        self.process.stop();
    }

    /// SIGCONT: it hangs no longer.
    pub fn go_on(&self) {
        self.process.signal(Signal::CONT);
    }

    /// The sockets that it has open, as the kernel numbers them.
    pub fn sockets(&self) -> BTreeSet<PathBuf> {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap();
        let targets = folder.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).collect()
    }

    /// A start on the same directory after its end.
    pub fn start_again(&mut self) {
        self.relaunch();
    }

    /// The same in another unit.
    pub fn start_again_in(&mut self, unit: Unit) {
        self.unit = unit;
        self.relaunch();
    }

    /// SIGTERM, a clean end, then a start on the same directory.
    pub fn restart(&mut self) -> ExitStatus {
        self.terminate();
        let status = self.wait_for_end();
        self.relaunch();
        status
    }

    /// The same with the binary under test, whatever ran before.
    pub fn upgrade(&mut self) -> ExitStatus {
        self.unit.binary = None;
        self.restart()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for the end of the process.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        self.process.wait(SOON)
    }

    fn relaunch(&mut self) {
        self.process = launch(self.directory.path(), &self.settings, &self.unit);
        self.wait_until_ready();
    }

    fn wait_until_ready(&mut self) {
        let admin = self.admin();
        until(SOON, "the verifier to start", || {
            if let Some(status) = self.process.exited() {
                panic!("the verifier ended with {status}: {}", self.process.output());
            }
            admin.request("GET", "/healthz").try_send().ok().filter(|reply| reply.status == 200)
        });
    }

    /// A line of `/proc/PID/status` in KiB, such as `VmRSS` and `VmHWM`.
    pub fn memory_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Adds what belongs to the place: listeners, secret, token, state. A test may have set a value itself.
fn complete(settings: Settings, directory: &Path, port: u16, admin_port: u16) -> Settings {
    let given = settings.text().parse::<toml::Table>().unwrap();
    let path = |name: &str| directory.join(name).display().to_string();
    let place = [
        ("listen", format!("127.0.0.1:{port}")),
        ("admin", format!("127.0.0.1:{admin_port}")),
        ("secret_file", path("portcullis.secret")),
        ("admin_token_file", path("admin-token")),
        ("state_dir", path("state")),
        // Empty: the pressure of the machine that the tests run on is nobody's attack.
        ("pressure_dir", path("pressure")),
    ];
    for folder in ["state", "pressure"] {
        fs::create_dir_all(directory.join(folder)).unwrap();
    }
    place
        .into_iter()
        .filter(|(key, _)| !given.contains_key(*key))
        .fold(settings, |settings, (key, value)| settings.set(key, value))
}

fn launch(directory: &Path, settings: &Settings, unit: &Unit) -> Process {
    let file = directory.join("portcullis.toml");
    fs::write(&file, settings.text()).unwrap();
    let program = unit.binary.clone().unwrap_or_else(binary);
    let mut words: Vec<OsString> = unit.through.iter().map(OsString::from).collect();
    let stdin = match &unit.socket {
        None => Stdio::null(),
        Some(socket) => {
            words.extend(["sh", "-c", HANDS_OVER].map(OsString::from));
            OwnedFd::from(socket.try_clone().unwrap()).into()
        }
    };
    words.push(program.into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("serve").arg("--config").arg(&file).current_dir(directory);
    command.envs(unit.environment.iter().map(|(name, value)| (name, value)));
    if let Some(group) = unit.group {
        std::os::unix::process::CommandExt::gid(&mut command, group);
    }
    Process::start_with(&mut command, stdin, &directory.join("verifier.log"))
}
