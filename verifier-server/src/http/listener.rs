//! Where clients connect: an address or a unix socket.

use super::client_io::Stream;
use super::handed_over::HandedOver;
use super::original::Peer;
use crate::config::Listen;
use socket2::SockRef;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Bytes that wait in the system for a client to take them, at the most. Beyond what is on its way to the client nothing is
/// gained by more, and with megabytes there nobody would see how fast it takes them. The system says at half of it that
/// there is room again.
const UNSENT_BYTES_MAX: u32 = 32 * 1024;

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {reason}")]
pub struct BindError {
    listen: Listen,
    reason: String,
}

/// A bound listener. A unix socket is removed when it is dropped, unless somebody else made it.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a unix socket at this path.
    Unix(UnixListener, PathBuf),
    /// On a unix socket that whoever started us made, and keeps.
    HandedOver(UnixListener, Listen),
}

/// Where clients come in.
#[derive(Debug)]
pub struct Entrance {
    /// The listener.
    pub listener: Listener,
    /// Whether each connection begins with a header of the PROXY protocol.
    pub announced: bool,
}

impl Listener {
    /// Takes what was handed over for this place, and binds where there is nothing.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub async fn open(listen: &Listen, handed_over: &mut HandedOver) -> Result<Self, BindError> {
        match handed_over.take(listen) {
            Ok(Some(listener)) => Ok(listener),
            Ok(None) => Self::bind(listen).await,
            Err(error) => Err(BindError { listen: listen.clone(), reason: reason(&error) }),
        }
    }

    /// Binds.
    ///
    /// # Errors
    /// If the address is taken, not ours or not allowed; if the path is not a socket that nobody listens on.
    pub async fn bind(listen: &Listen) -> Result<Self, BindError> {
        let bound = match listen {
            Listen::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Listen::Unix(path) => bind_unix(path).await.map(|listener| Self::Unix(listener, path.clone())),
        };
        bound.map_err(|error| BindError { listen: listen.clone(), reason: reason(&error) })
    }

    /// The address it is bound to, for saying so.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string()),
            Self::Unix(_, path) => format!("unix:{}", path.display()),
            Self::HandedOver(_, listen) => listen.to_string(),
        }
    }

    /// The next client.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Without it answers only wait a little longer.
                let _ = stream.set_nodelay(true);
                let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
                Ok((Stream::Tcp(stream), Peer::Address(address.ip().to_canonical())))
            }
            Self::Unix(listener, _) | Self::HandedOver(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::UnixSocket))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Whoever starts next removes what a crash left; this only tidies up.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Binds a unix socket, in the place of one that a crash left behind. Owner and group may connect.
async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the path is there already and is not a socket"));
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; stop it, or change the configuration".to_owned(),
        io::ErrorKind::PermissionDenied => "not allowed; ports below 1024 need CAP_NET_BIND_SERVICE".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        _ => error.to_string(),
    }
}
