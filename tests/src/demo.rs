//! `portcullis demo` as somebody starts it.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::ports;
use crate::process::Process;
use crate::verifier::binary;
use crate::wait::{SOON, until, until_true};

/// A demo whose temporary folder is the test's own.
#[derive(Debug)]
pub struct Demo {
    process: Process,
    folder: TempDir,
    /// Where visitors connect.
    pub port: u16,
}

impl Demo {
    /// Starts it with these arguments on a port of its own.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let port = ports::free();
        let mut command = Command::new(binary());
        command.arg("demo").args(["--port", &port.to_string()]).args(arguments).env("TMPDIR", folder.path());
        let process = Process::start(&mut command, &folder.path().join("told"));
        Self { process, folder, port }
    }

    /// What it told so far.
    pub fn told(&self) -> String {
        self.process.output()
    }

    /// Waits until it has told this.
    pub fn tells(&mut self, what: &str) {
        self.tells_within(SOON, what);
    }

    /// The same, where it takes longer.
    pub fn tells_within(&mut self, limit: Duration, what: &str) {
        until_true(limit, what, || {
            if let Some(status) = self.process.exited() {
                panic!("it ended with {status} instead of telling {what}: {}", self.told());
            }
            // A line may break between any two words.
            in_one_line(&self.told()).contains(what)
        });
    }

    /// Folders that it made.
    pub fn left_over(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    }

    /// The port of its site, without the gate in front of it.
    pub fn site_port(&self) -> u16 {
        until(SOON, "the demo's configuration", || {
            let file = self.left_over().pop()?.join("portcullis.toml");
            let text = fs::read_to_string(file).ok()?;
            let config = text.parse::<toml::Table>().ok()?;
            config.get("site")?.get(0)?.get("origin")?.as_str()?.rsplit_once(':')?.1.parse().ok()
        })
    }

    /// Ctrl-C: it has to end by itself, soon, and leave nothing behind.
    pub fn interrupt(&mut self) {
        self.process.signal(Signal::INT);
        let status = self.process.wait(SOON);
        assert!(status.success(), "{status}: {}", self.told());
        assert_eq!(self.left_over(), Vec::<PathBuf>::new());
        assert!(TcpStream::connect(("127.0.0.1", self.port)).is_err(), "nobody listens any more");
        assert!(!self.told().contains("panicked"), "{}", self.told());
    }
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
