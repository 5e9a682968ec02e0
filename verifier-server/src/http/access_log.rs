//! Where the web server beside us sends the lines of its log, and what is made of them.
//!
//! Whoever may write there can say what became of requests whose id he knows, and of no other: a unix socket is open to its
//! owner and group, a port to this machine.

use super::service::Verifier;
use crate::clock;
use crate::config::{Config, LogSocket};
use crate::gate::{Decision, Met, RequestFacts};
use crate::load::Amount;
use crate::load::access_log::{Came, Check, LINE_BYTES_MAX, Line};
use crate::telemetry::LogLine;
use socket2::SockRef;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{UdpSocket, UnixDatagram};

/// What tells the web server that a line is waited for.
pub(super) const ADMITTED_HEADER: &str = "portcullis-admitted";
/// Bytes of lines that wait in the system to be read, if it allows so much.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How long the loop waits after an error.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket for the log that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot come to {socket}: {reason}")]
pub struct LogBindError {
    socket: LogSocket,
    reason: io::Error,
}

/// A bound socket. A unix socket is removed when it is dropped.
#[derive(Debug)]
pub enum LogReceiver {
    /// On a port of loopback.
    Udp(UdpSocket),
    /// On a unix socket at this path.
    Unix(UnixDatagram, PathBuf),
}

impl LogReceiver {
    /// Binds.
    ///
    /// # Errors
    /// If the port is taken, or the path is not a socket that nobody listens on.
    pub async fn bind(socket: &LogSocket) -> Result<Self, LogBindError> {
        let bound = match socket {
            LogSocket::Udp(address) => UdpSocket::bind(address).await.map(|udp| {
                // With the system's own size lines are lost sooner, and counted as missing.
                let _ = SockRef::from(&udp).set_recv_buffer_size(WAITING_BYTES);
                Self::Udp(udp)
            }),
            LogSocket::Unix(path) => bind_unix(path).map(|unix| Self::Unix(unix, path.clone())),
        };
        bound.map_err(|reason| LogBindError { socket: socket.clone(), reason })
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp(udp) => udp.recv(buffer).await,
            Self::Unix(unix, _) => unix.recv(buffer).await,
        }
    }
}

impl Drop for LogReceiver {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Whoever starts next removes what a crash left; this only tidies up.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Binds a unix socket, in the place of one that a crash left behind. Owner and group may write.
fn bind_unix(path: &Path) -> io::Result<UnixDatagram> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the path is there already and is not a socket"));
        }
        if UnixDatagram::unbound()?.connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program listens there"));
        }
        std::fs::remove_file(path)?;
    }
    let unix = UnixDatagram::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(unix)
}

/// Reads lines until the process ends.
pub async fn receive(verifier: Arc<Verifier>, receiver: LogReceiver) {
    // One byte more than a line may have: a longer one is told from one that just fits.
    let mut buffer = [0; LINE_BYTES_MAX + 1];
    loop {
        match receiver.receive(&mut buffer).await {
            Ok(bytes) => verifier.logged(&buffer[..bytes]),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

impl Verifier {
    /// Remembers a request that a check has admitted, until its line comes. Says whether a line is waited for.
    pub(super) fn waits_for_line(&self, config: &Config, facts: &RequestFacts<'_>, met: &Met) -> bool {
        let admitted = matches!(met.decision, Decision::Free | Decision::Unpaid | Decision::Reserved | Decision::Paid);
        let Some(repeat) = facts.repeat.filter(|_| admitted && !config.access_log.is_empty()) else { return false };
        let load = self.gate.load_of(facts.site);
        let place = load.place_of(repeat.target.split(['?', '#']).next().unwrap_or_default());
        let check = Check { site: facts.site.mark, load, network: facts.network, place, cost: Amount::of(met.cost) };
        self.awaited_lines.admitted(repeat.request_id, check, self.started.elapsed());
        true
    }

    /// A line of the web server's log.
    fn logged(&self, datagram: &[u8]) {
        let Some(line) = Line::parse(datagram) else {
            self.metrics.log_line(LogLine::Unreadable);
            if let Some(left_out) = self.log_line_log.turn() {
                tracing::warn!(
                    left_out,
                    "a line of the web server's log cannot be read: is its log_format that of deploy/nginx/portcullis-log.conf?"
                );
            }
            return;
        };
        self.metrics.log_line(match self.awaited_lines.came(&line, self.started.elapsed(), clock::now()) {
            Came::Counted { site, delay, failed } => {
                if let Some(site) = self.config.load().sites.iter().find(|of| of.mark == site) {
                    self.metrics.origin_answered(&site.name, delay, failed);
                }
                LogLine::Counted
            }
            Came::Ignored => LogLine::Ignored,
            Came::Late => LogLine::Late,
            Came::Unmatched => LogLine::Unmatched,
        });
    }

    /// Once a second, before the controllers step: who waits at the origins, and whose lines are missing.
    pub(crate) fn take_in_log(&self, config: &Config) {
        if config.access_log.is_empty() {
            return;
        }
        let loads: Vec<_> = config.sites.iter().map(|site| (self.gate.load_of(site), &site.name)).collect();
        for (load, _) in &loads {
            load.arrivals.next_second();
        }
        self.awaited_lines.look(self.started.elapsed());
        let unreliable = loads.iter().find(|(load, _)| load.arrivals.state().is_some_and(|state| !state.is_reliable()));
        let before = self.log_unreliable.swap(unreliable.is_some(), Ordering::Relaxed);
        match unreliable {
            Some((_, site)) if !before => tracing::warn!(
                site = site.as_str(),
                "more than one in twenty lines of the web server's log does not come: what the site can do is not learned \
                 from it until they do; see `Beside nginx` in docs/OPERATING.md"
            ),
            None if before => tracing::info!("the lines of the web server's log come again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_takes_the_place_of_one_that_a_crash_left_and_of_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.sock");
        let socket = LogSocket::Unix(path.clone());
        drop(std::os::unix::net::UnixDatagram::bind(&path).expect("left behind"));
        let bound = LogReceiver::bind(&socket).await.expect("bound");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o660);
        assert!(LogReceiver::bind(&socket).await.is_err(), "somebody listens there");
        drop(bound);
        assert!(!path.exists());
        std::fs::write(&path, "a file").expect("written");
        assert!(LogReceiver::bind(&socket).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("still there"), "a file");
    }
}
