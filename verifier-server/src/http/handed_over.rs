//! Listeners that systemd opened and hands over (`sd_listen_fds(3)`): they stay open while the verifier is started again.

use super::listener::Listener;
use crate::config::Listen;
use listenfd::ListenFd;
use socket2::SockRef;
use std::os::fd::AsFd;
use std::{io, net, os::unix};

/// Sockets that are looked at, at the most: more is no unit of ours.
const SOCKETS_MAX: usize = 64;

/// Why what was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// It is no listener.
    #[error(
        "socket {number} of those that systemd hands over is no listener: {reason}\n    \
         name only ListenStream= in the socket unit"
    )]
    NoListener {
        /// Which one, from 1.
        number: usize,
        /// Why not.
        reason: io::Error,
    },
    /// There are too many.
    #[error("systemd hands over {0} sockets, and at most {SOCKETS_MAX} are taken")]
    TooMany(usize),
}

/// Listeners that were handed over and wait to be taken.
#[derive(Debug, Default)]
pub struct HandedOver(Vec<(Listen, Socket)>);

#[derive(Debug)]
enum Socket {
    Tcp(net::TcpListener),
    Unix(unix::net::UnixListener),
}

impl HandedOver {
    /// What the environment says (`LISTEN_FDS`, `LISTEN_PID`); nothing where nobody hands anything over.
    ///
    /// # Errors
    /// See [`HandOverError`].
    pub fn from_environment() -> Result<Self, HandOverError> {
        let mut passed = ListenFd::from_env();
        if passed.len() > SOCKETS_MAX {
            return Err(HandOverError::TooMany(passed.len()));
        }
        let sockets = 0..passed.len();
        sockets
            .map(|index| listener(&mut passed, index))
            .enumerate()
            .map(|(index, socket)| socket.map_err(|reason| HandOverError::NoListener { number: index + 1, reason }))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The one that listens where the configuration says.
    ///
    /// # Errors
    /// If the runtime does not take it.
    pub fn take(&mut self, listen: &Listen) -> io::Result<Option<Listener>> {
        let Some(index) = self.0.iter().position(|(address, _)| address == listen) else { return Ok(None) };
        let (address, socket) = self.0.swap_remove(index);
        Ok(Some(match (socket, address) {
            (Socket::Tcp(listener), _) => Listener::Tcp(tokio::net::TcpListener::from_std(listener)?),
            (Socket::Unix(listener), address) => {
                Listener::HandedOver(tokio::net::UnixListener::from_std(listener)?, address)
            }
        }))
    }

    /// Those that nobody took: whoever connects there waits in vain.
    pub fn left(&self) -> impl Iterator<Item = &Listen> {
        self.0.iter().map(|(address, _)| address)
    }
}

fn listener(passed: &mut ListenFd, index: usize) -> io::Result<(Listen, Socket)> {
    if let Ok(Some(listener)) = passed.take_unix_listener(index) {
        listens(&listener)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let path = address.as_pathname().ok_or_else(|| io::Error::other("it has no path"))?;
        return Ok((Listen::Unix(path.to_owned()), Socket::Unix(listener)));
    }
    let listener = passed.take_tcp_listener(index)?.ok_or(io::ErrorKind::NotFound)?;
    listens(&listener)?;
    listener.set_nonblocking(true)?;
    Ok((Listen::Tcp(listener.local_addr()?), Socket::Tcp(listener)))
}

/// A socket of the right kind that is connected, or bound and nothing more, accepts nobody.
fn listens(socket: &impl AsFd) -> io::Result<()> {
    if SockRef::from(socket).is_listener()? { Ok(()) } else { Err(io::Error::other("it does not listen")) }
}
