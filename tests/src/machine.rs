//! A machine as `portcullis setup` finds it: a web server of its own configuration, and the verifier beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::recipes::web_group;
use crate::settings::Settings;
use crate::verifier::{Unit, Verifier, binary};
use crate::wait::{SOON, until_true};

/// A path of the configuration, without what would change from test to test.
pub type Files = BTreeMap<PathBuf, Found>;

/// What is there: a link and where it leads, or a file with its mode and its bytes; a folder has none.
pub type Found = (Option<PathBuf>, u32, Vec<u8>);

/// A web server with the verifier beside it.
#[derive(Debug)]
pub struct Machine {
    /// The verifier.
    pub verifier: Verifier,
    server: &'static str,
    main: &'static str,
    process: Option<Process>,
    folder: TempDir,
    /// Where visitors connect.
    pub port: u16,
    /// A second port.
    pub other_port: u16,
}

impl Machine {
    /// `files` of a server's configuration, by their paths; one that leads elsewhere is written as `-> where`. `FOLDER`, `PORT` and
    /// `OTHER` in them are the machine's. The verifier has `settings`, and listens on a unix socket.
    pub fn new(server: &'static str, main: &'static str, settings: Settings, files: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("portcullis-machine-").unwrap();
        // Workers are another user when this runs as root.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let (port, other_port) = (ports::free(), ports::free());
        let socket = folder.path().join("portcullis.sock");
        let settings = settings
            .without("state_dir")
            .without("secret_file")
            .set("mode", "auto")
            .set("listen", format!("unix:{}", socket.display()));
        let unit = Unit { group: web_group(), ..Unit::default() };
        let verifier = Verifier::start_in(unit, settings, port);
        let machine = Self { verifier, server, main, process: None, folder, port, other_port };
        for (name, text) in files {
            let path = machine.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match text.strip_prefix("-> ") {
                Some(target) => symlink(machine.filled(target), &path).unwrap(),
                None => fs::write(&path, machine.filled(text)).unwrap(),
            }
        }
        machine
    }

    fn filled(&self, text: &str) -> String {
        let folder = self.folder.path().display().to_string();
        text.replace("FOLDER", &folder)
            .replace("OTHER", &self.other_port.to_string())
            .replace("PORT", &self.port.to_string())
    }

    /// A path of the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("etc").join(name)
    }

    /// Makes a key and a certificate of its own for `NAME.test`: `NAME.key` and `NAME.pem` in the configuration's folder.
    pub fn certify(&self, name: &str) {
        let request = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout {name}.key -out {name}.pem -subj /CN={name}.test"
        );
        let made = Command::new("openssl").args(request.split(' ')).current_dir(self.path("")).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    /// The machine's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the web server and waits until it answers on its first port.
    pub fn serving(mut self) -> Self {
        let main = self.path(self.main);
        let mut command = match self.server {
            "nginx" => {
                let mut command = Command::new("nginx");
                command.arg("-c").arg(main).args(["-g", "daemon off;"]);
                command
            }
            "apache" => {
                let mut command = Command::new("/usr/sbin/apache2");
                command.args(["-D", "FOREGROUND", "-f"]).arg(main);
                command
            }
            _ => {
                let mut command = Command::new("caddy");
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(main);
                command
            }
        };
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, self.folder.path());
        }
        let mut process = Process::start(&mut command, &self.folder.path().join("server.log"));
        let client = self.client("localhost");
        until_true(SOON, "the web server to listen", || {
            assert!(process.exited().is_none(), "it ended: {}", process.output());
            client.connect().is_ok()
        });
        self.process = Some(process);
        self
    }

    /// A client of the web server.
    pub fn client(&self, host: &str) -> Client {
        Client::new(self.port, host)
    }

    /// `portcullis setup` with these arguments, on this machine.
    pub fn setup(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("setup");
        if arguments.contains(&"--remove") {
            command.args(arguments);
        } else {
            command.arg(self.server).args(arguments).arg("--web-config").arg(self.path(self.main));
        }
        command.arg("--config").arg(self.verifier.directory().join("portcullis.toml"));
        for name in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(name, self.folder.path());
        }
        command
    }

    /// All that is in the configuration's folder, and the verifier's own configuration.
    pub fn files(&self) -> Files {
        let mut files = Files::new();
        gather(&self.path(""), &mut files);
        gather(&self.verifier.directory().join("portcullis.toml"), &mut files);
        files
    }
}

fn gather(path: &Path, files: &mut Files) {
    let found = fs::symlink_metadata(path).unwrap();
    if found.is_symlink() {
        files.insert(path.to_owned(), (Some(fs::read_link(path).unwrap()), 0, Vec::new()));
    } else if found.is_dir() {
        files.insert(path.to_owned(), (None, found.mode(), Vec::new()));
        for entry in fs::read_dir(path).unwrap() {
            gather(&entry.unwrap().path(), files);
        }
    } else {
        files.insert(path.to_owned(), (None, found.mode(), fs::read(path).unwrap()));
    }
}
