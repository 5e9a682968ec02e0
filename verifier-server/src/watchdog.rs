//! What systemd is told over its socket: that we are ready, that we stop, and as long as we serve, that we do (`sd_notify(3)`).

use crate::http::Server;
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Times that we tell within the time after which systemd ends us.
const TIMES_WITHIN: u32 = 4;

/// The socket of whoever started us, if it listens for one.
#[derive(Debug)]
pub struct Starter {
    socket: Option<UnixDatagram>,
    /// After how long without a word it ends us.
    patience: Option<Duration>,
}

impl Starter {
    /// What the environment says.
    #[must_use]
    pub fn from_environment() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|path| match connect(&path) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!("NOTIFY_SOCKET cannot be used: {error}");
                None
            }
        });
        let number = |name| env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let patience = number("WATCHDOG_USEC").filter(|microseconds| ours && *microseconds > 0);
        Self { socket, patience: patience.map(Duration::from_micros) }
    }

    /// We listen.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// We end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Tells that we serve, again and again, for as long as it is so.
    pub async fn watch(&self, server: &Server) {
        let Some(patience) = self.patience.filter(|_| self.socket.is_some()) else {
            return std::future::pending().await;
        };
        let pause = patience / TIMES_WITHIN;
        loop {
            if tokio::time::timeout(pause, server.serves()).await == Ok(true) {
                self.tell("WATCHDOG=1");
            } else {
                tracing::error!(
                    "the verifier does not answer itself; after {} s of that it is ended",
                    patience.as_secs()
                );
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn tell(&self, word: &str) {
        if let Some(socket) = &self.socket {
            // Nobody there, or its buffer is full: the next word may get through.
            let _ = socket.send(word.as_bytes());
        }
    }
}

fn connect(path: &OsString) -> io::Result<UnixDatagram> {
    let bytes = path.as_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
