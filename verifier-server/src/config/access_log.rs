//! `access_log`: where the web server beside us sends the lines of its log.

use super::Beside;
use super::document::{Lined, Section};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where lines come, each in a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSocket {
    /// A port of loopback.
    Udp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for LogSocket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Udp(address) => write!(formatter, "udp:{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

const EXAMPLE: &str = "127.0.0.1:8081";
/// Sockets at the most.
const SOCKETS_MAX: usize = 8;

/// Reads all of them; empty where the log is not told.
pub(super) fn read(root: &mut Section<'_, '_>, beside: Option<&Beside>) -> Vec<LogSocket> {
    let Some(texts) = root.strings("access_log", EXAMPLE) else { return Vec::new() };
    let line = texts.first().map_or(1, |text| text.line);
    if texts.len() > SOCKETS_MAX {
        root.problem(line, format!("more than {SOCKETS_MAX} sockets for the log"), "one is enough for any web server");
    }
    if matches!(beside, None | Some(Beside::Proxy { .. })) && !texts.is_empty() {
        let remedy = "remove it: as a proxy the verifier sees every answer itself; or write beside = \"nginx\"";
        root.problem(line, "`access_log` is for a web server that asks about each request", remedy);
    }
    texts.iter().filter_map(|text| socket(text, root)).collect()
}

fn socket(text: &Lined<String>, root: &Section<'_, '_>) -> Option<LogSocket> {
    if let Some(path) = text.value.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Some(LogSocket::Unix(PathBuf::from(path)));
    }
    let address = text.value.parse::<SocketAddr>().ok();
    let own = address.filter(|address| address.ip().is_loopback());
    if own.is_none() {
        let message = match address {
            Some(_) => format!("`{}` is not on loopback, and anybody who reaches it could write there", text.value),
            None => format!("`{}` is not where a log can be sent", text.value),
        };
        root.problem(text.line, message, format!("write \"{EXAMPLE}\", or \"unix:/run/portcullis/access.sock\""));
    }
    own.map(LogSocket::Udp)
}
