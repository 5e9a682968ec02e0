//! A real php-fpm, with a folder and a socket of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::wait::{SOON, until_true};

/// A running php-fpm.
#[derive(Debug)]
pub struct Php {
    process: Process,
    directory: TempDir,
}

impl Php {
    /// Starts two workers.
    pub fn start() -> Self {
        let directory = TempDir::with_prefix("portcullis-php-").unwrap();
        let folder = directory.path().display().to_string();
        // Its workers are another user when this runs as root.
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let user = if rustix::process::geteuid().is_root() { "user = www-data\ngroup = www-data\n" } else { "" };
        let pool = format!(
            "[global]\npid = {folder}/php.pid\nerror_log = {folder}/php.log\ndaemonize = no\n[www]\n{user}listen = {folder}/php.sock\n\
             listen.mode = 0666\npm = static\npm.max_children = 2\n"
        );
        fs::write(directory.path().join("php-fpm.conf"), pool).unwrap();
        let mut command = Command::new(binary());
        command.args(["--nodaemonize", "--fpm-config"]).arg(directory.path().join("php-fpm.conf"));
        let process = Process::start(&mut command, &directory.path().join("output.log"));
        let mut php = Self { process, directory };
        let socket = php.socket();
        until_true(SOON, "php-fpm to listen", || {
            assert!(php.process.exited().is_none(), "php-fpm ended: {}", php.process.output());
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        php
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("php.sock")
    }

    /// A folder in which its scripts may write.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }
}

/// Debian names it by its version.
fn binary() -> PathBuf {
    let found = fs::read_dir("/usr/sbin").unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = found.filter(|path| path.display().to_string().starts_with("/usr/sbin/php-fpm")).collect();
    found.sort();
    found.pop().expect("php-fpm in /usr/sbin: cargo xtask test installs it")
}
