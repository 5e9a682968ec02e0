//! The recipe's files, as they are shipped, with what the verifier's configuration says in the lines that are to be changed.

use super::super::glob;
use super::super::journal::Journal;
use super::super::verifier::Verifier;
use super::config::{Configuration, Directive};
use crate::config::LogSocket;
use std::path::{Path, PathBuf};

const HTTP: &str = include_str!("../../../../deploy/nginx/portcullis.conf");
const LOG: &str = include_str!("../../../../deploy/nginx/portcullis-log.conf");
const SERVER: &str = include_str!("../../../../deploy/nginx/portcullis-server.conf");
const MAIN: &str = include_str!("../../../../deploy/nginx/nginx.conf");

/// The line to change in [`HTTP`].
const SOCKET: &str = "server unix:/run/portcullis/portcullis.sock;";
/// What is to be changed in [`LOG`].
const LOG_SOCKET: &str = "server=127.0.0.1:8081,";
/// The browser's endpoints, in [`HTTP`] and [`SERVER`].
const BASE_PATH: &str = "/.portcullis/";

/// What the http level includes.
const HTTP_FILE: &str = "portcullis.conf";
const LOG_FILE: &str = "portcullis-log.conf";
/// What a gated server includes.
pub(super) const SERVER_FILE: &str = "portcullis-server.conf";

/// Where the files go.
#[derive(Debug)]
pub(super) struct Places {
    /// At the http level.
    http: PathBuf,
    /// At the http level, for the log.
    log_file: PathBuf,
    /// Whether the log is told.
    pub(super) log: bool,
    /// At the server level.
    pub(super) server: PathBuf,
    /// Whether the first two have to be included.
    to_include: [bool; 2],
}

impl Places {
    /// Where an earlier run has put them, they are.
    pub(super) fn of(configuration: &Configuration, http: &Directive, folder: &Path, journal: &Journal) -> Self {
        let ready = folder_for_http(configuration, http, folder);
        let made = journal.made().find(|made| made.ends_with(HTTP_FILE) && made.exists()).and_then(Path::parent);
        let is_ready = match (made, &ready) {
            (Some(made), Some(ready)) => made == ready,
            (Some(_), None) => false,
            (None, ready) => ready.is_some(),
        };
        let into = made.map(Path::to_owned).or(ready).unwrap_or_else(|| folder.to_owned());
        let [http, log_file] = [HTTP_FILE, LOG_FILE].map(|name| into.join(name));
        let to_include = [&http, &log_file].map(|file| !is_ready && !journal.has_made(file));
        Self { http, log_file, log: false, server: folder.join(SERVER_FILE), to_include }
    }

    /// The lines that the http level needs, where it does not include them by itself.
    pub(super) fn http_lines(&self) -> Option<String> {
        let [http, log] = self.to_include;
        let files = [(http, &self.http), (log && self.log, &self.log_file)];
        let missing = files.into_iter().filter(|(missing, _)| *missing);
        let lines: Vec<String> = missing.map(|(_, path)| format!("\n    include {};", path.display())).collect();
        (!lines.is_empty()).then(|| lines.concat())
    }

    /// Each file with what is in it.
    pub(super) fn texts(&self, verifier: &Verifier) -> Vec<(PathBuf, String)> {
        let to = match &verifier.listen {
            crate::config::Listen::Tcp(address) => format!("server {address};"),
            crate::config::Listen::Unix(path) => format!("server unix:{};", path.display()),
        };
        // Also where it stands in a regular expression.
        let base_path = &verifier.config.base_path;
        let base =
            |text: &str| text.replace(BASE_PATH, base_path).replace("/\\.portcullis/", &regex::escape(base_path));
        let mut texts =
            vec![(self.http.clone(), base(&HTTP.replace(SOCKET, &to))), (self.server.clone(), base(SERVER))];
        if let Some(socket) = verifier.config.access_log.first().filter(|_| self.log) {
            texts.push((self.log_file.clone(), LOG.replace(LOG_SOCKET, &format!("server={},", log_server(socket)))));
        }
        texts
    }
}

/// A folder that nginx includes at the http level before any server, and in which there is none.
fn folder_for_http(configuration: &Configuration, http: &Directive, folder: &Path) -> Option<PathBuf> {
    let children = http.children();
    let server_folders: Vec<&Path> = children
        .iter()
        .filter(|child| child.name == "server")
        .filter_map(|server| configuration.sources.path(server.file).parent())
        .collect();
    let before = children.iter().take_while(|child| child.name != "server");
    before.filter(|child| child.name == "include").find_map(|include| {
        let pattern = folder.join(include.arguments.first()?);
        let into = pattern.parent()?.to_owned();
        let fits = glob::finds(&pattern, "portcullis.conf")
            && pattern.extension().is_some_and(|extension| extension == "conf");
        (fits
            && into.is_dir()
            && !glob::is_plain(&pattern.display().to_string())
            && !server_folders.contains(&into.as_path()))
        .then_some(into)
    })
}

/// The line that tells the verifier of a request, for where an `access_log` of its own stands.
pub(super) fn log_line(socket: &LogSocket) -> String {
    let line = LOG.lines().find(|line| line.starts_with("access_log ")).unwrap_or_default();
    line.replace(LOG_SOCKET, &format!("server={},", log_server(socket)))
}

fn log_server(socket: &LogSocket) -> String {
    match socket {
        LogSocket::Udp(address) => address.to_string(),
        LogSocket::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// `worker_connections` of the recipe.
pub(super) fn worker_connections() -> u32 {
    number("worker_connections ")
}

/// `worker_rlimit_nofile` of the recipe.
pub(super) fn worker_files() -> u32 {
    number("worker_rlimit_nofile ")
}

fn number(name: &str) -> u32 {
    let line = MAIN.lines().find_map(|line| line.trim().strip_prefix(name));
    line.and_then(|rest| rest.trim_end_matches(';').parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_in_the_recipe_is_there_to_be_changed() {
        assert_eq!(HTTP.matches(SOCKET).count(), 1);
        assert_eq!(LOG.matches(LOG_SOCKET).count(), 1);
        assert_eq!((worker_connections(), worker_files()), (16_384, 65_536));
        let line = log_line(&LogSocket::Unix(PathBuf::from("/run/a.sock")));
        assert_eq!(
            line,
            "access_log syslog:server=unix:/run/a.sock,nohostname,tag=portcullis portcullis if=$portcullis_admitted;"
        );
        assert!(SERVER.contains("location ^~ /.portcullis/ {") && HTTP.contains("src=\"/.portcullis/portcullis.js\""));
    }
}
