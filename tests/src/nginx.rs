//! A real nginx under the very recipe of `deploy/nginx/`.
//!
//! `portcullis.conf` has one line to change, the verifier's address; the harness changes exactly that one.
//! `portcullis-server.conf` is included as it is, or with its fail-open line or its script tag uncommented.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::wait::{SOON, until_true};

const ADDRESS_LINE: &str = "server unix:/run/portcullis/portcullis.sock;";
const LOG_SOCKET: &str = "server=127.0.0.1:8081,";
const TAG_LINE: &str = "# sub_filter \"<head>\"";
const LOCATION_LINE: &str = "location ^~ /.portcullis/ {";
const TAG_MAP: [&str; 2] = ["<script src=\"/.portcullis/portcullis.js\"", "~^/\\.portcullis/ \"\";"];
const FAIL_OPEN_LINE: &str = "# error_page 502 503 504 = @portcullis_dead;";

/// What the operator's own `server { … }` says besides the include of the recipe.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// Lines of the server level and its locations.
    pub lines: String,
    /// Whether the recipe's fail-open line is in force.
    pub fail_open: bool,
    /// Whether the recipe's line for the script tag is in force.
    pub tag: bool,
    /// Another `base_path` than the usual one, with both slashes, written wherever the recipe says so.
    pub base_path: String,
    /// Where the log goes, `127.0.0.1:PORT` or `unix:PATH`; nowhere when empty, without `portcullis-log.conf`.
    pub log: String,
    /// Names of the server (`portcullis.test` when empty).
    pub names: String,
}

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    directory: TempDir,
    /// Where visitors connect.
    pub port: u16,
}

impl Nginx {
    /// In front of a site, beside the verifier on `verifier_port`. `ROOT` in the site's lines is [`Nginx::root`].
    pub fn start(verifier_port: u16, site: &Site) -> Self {
        let directory = TempDir::with_prefix("portcullis-nginx-").unwrap();
        let port = ports::free();
        let root = directory.path();
        // The workers are another user when this runs as root.
        fs::set_permissions(root, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir_all(root.join("site")).unwrap();
        let mut http = recipe("portcullis.conf");
        assert_eq!(http.matches(ADDRESS_LINE).count(), 1, "the recipe has one address line");
        if !site.base_path.is_empty() {
            http = TAG_MAP.iter().fold(http, |http, line| moved(&http, line, &site.base_path));
        }
        fs::write(
            root.join("portcullis.conf"),
            http.replace(ADDRESS_LINE, &format!("server 127.0.0.1:{verifier_port};")),
        )
        .unwrap();
        let mut server = recipe("portcullis-server.conf");
        if site.fail_open {
            assert_eq!(server.matches(FAIL_OPEN_LINE).count(), 1, "the recipe has one fail-open line");
            server = server.replace(FAIL_OPEN_LINE, FAIL_OPEN_LINE.trim_start_matches("# "));
        }
        if site.tag {
            assert_eq!(server.matches(TAG_LINE).count(), 1, "the recipe has one line for the script tag");
            server = server.replace(TAG_LINE, TAG_LINE.trim_start_matches("# "));
        }
        if !site.base_path.is_empty() {
            server = moved(&server, LOCATION_LINE, &site.base_path);
        }
        fs::write(root.join("portcullis-server.conf"), server).unwrap();
        if !site.log.is_empty() {
            let log = recipe("portcullis-log.conf");
            assert_eq!(log.matches(LOG_SOCKET).count(), 1, "the recipe names the log's socket once");
            fs::write(root.join("portcullis-log.conf"), log.replace(LOG_SOCKET, &format!("server={},", site.log)))
                .unwrap();
        }
        fs::write(root.join("nginx.conf"), wrapper(root, port, site)).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(root).arg("-e").arg(root.join("error.log")).arg("-c").arg(root.join("nginx.conf"));
        let process = Process::start(&mut command, &root.join("nginx.log"));
        let mut nginx = Self { process, directory, port };
        nginx.wait_until_ready();
        nginx
    }

    fn wait_until_ready(&mut self) {
        let client = Client::new(self.port, "portcullis.test");
        until_true(SOON, "nginx to listen", || {
            assert!(self.process.exited().is_none(), "nginx ended: {}", self.process.output());
            client.connect().is_ok()
        });
    }

    /// The folder of static files that a site may name as its root.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("site")
    }

    /// A client of it.
    pub fn client(&self, host: &str) -> Client {
        Client::new(self.port, host)
    }

    /// What it logged of requests for its operator, where a log goes to the verifier too.
    pub fn own_log(&self) -> String {
        fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default()
    }

    /// What it logged as errors.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.directory.path().join("error.log")).unwrap_or_default()
    }
}

/// The recipe with another base path in the one line that begins so; no regular expression has anything to say about it.
fn moved(recipe: &str, line: &str, base_path: &str) -> String {
    assert_eq!(recipe.matches(line).count(), 1, "the recipe has {line} once");
    recipe.replace(line, &line.replace("\\.", ".").replace("/.portcullis/", base_path))
}

fn recipe(file: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(workspace.join("deploy/nginx").join(file)).unwrap()
}

fn wrapper(root: &Path, port: u16, site: &Site) -> String {
    let directory = root.display();
    let names = if site.names.is_empty() { "portcullis.test" } else { &site.names };
    let lines = site.lines.replace("ROOT", &root.join("site").display().to_string());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {directory}/{name};\n"))
        .concat();
    // A log of the operator's own, which must go on beside ours.
    let own = root.join("access.log").display().to_string();
    let (access_log, log) = if site.log.is_empty() {
        ("off", String::new())
    } else {
        (own.as_str(), format!("include {directory}/portcullis-log.conf;\n"))
    };
    format!(
        "daemon off;\nworker_processes 1;\npid {directory}/nginx.pid;\nworker_rlimit_nofile 16384;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n{temporary}    access_log {access_log};\n    types {{ text/html html; text/plain txt; }}\n\
         include {directory}/portcullis.conf;\n{log}\
         server {{\n    listen 127.0.0.1:{port};\n    server_name {names};\n\
         include {directory}/portcullis-server.conf;\n{lines}\n}}\n}}\n"
    )
}
