//! A relay of bytes in front of a server that notes every request line passing through: what a browser really asked for.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::ports;
use crate::wait::until_due;

/// Listens on a port of its own and passes every byte on; lives as long as the process (its threads are idle by then).
#[derive(Debug, Clone)]
pub struct Relay {
    /// Where browsers connect.
    pub port: u16,
    lines: Arc<Mutex<Vec<String>>>,
    held_up: Arc<Mutex<Option<(&'static str, Duration)>>>,
    wire: Arc<Mutex<Wire>>,
}

/// What a cut goes through.
#[derive(Debug, Default)]
struct Wire {
    is_cut: bool,
    visitors: Vec<TcpStream>,
}

impl Relay {
    /// In front of 127.0.0.1:`server`.
    pub fn start(server: u16) -> Self {
        let port = ports::free();
        let relay = Self { port, lines: Arc::default(), held_up: Arc::default(), wire: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let noted = relay.clone();
        let wire = Arc::clone(&relay.wire);
        thread::spawn(move || {
            for visitor in listener.incoming().flatten() {
                let mut wire = wire.lock().unwrap_or_else(PoisonError::into_inner);
                if wire.is_cut {
                    continue;
                }
                wire.visitors.extend(visitor.try_clone());
                drop(wire);
                let noted = noted.clone();
                thread::spawn(move || noted.pass(&visitor, server));
            }
        });
        relay
    }

    /// Cuts every connection, and takes none until [`Relay::mend`].
    pub fn cut(&self) {
        let mut wire = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        wire.is_cut = true;
        for visitor in wire.visitors.drain(..) {
            let _ = visitor.shutdown(Shutdown::Both);
        }
    }

    /// Connections come through again.
    pub fn mend(&self) {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).is_cut = false;
    }

    /// From now on requests that begin with this are on their way for so long.
    pub fn hold_up(&self, beginning: &'static str, time: Duration) {
        *self.held_up.lock().unwrap_or_else(PoisonError::into_inner) = Some((beginning, time));
    }

    /// Every request line so far: `GET /path`.
    pub fn requests(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests so far began with this, such as `POST /.portcullis/verify`.
    pub fn count(&self, beginning: &str) -> usize {
        self.requests().iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// Both directions until either side ends.
    fn pass(&self, visitor: &TcpStream, server: u16) -> Option<()> {
        let server = TcpStream::connect(("127.0.0.1", server)).ok()?;
        let (back_from, back_to) = (server.try_clone().ok()?, visitor.try_clone().ok()?);
        let back = thread::spawn(move || copy(&back_from, &back_to, |_| ()));
        let mut rest = Vec::new();
        let _ = copy(visitor, &server, |bytes| self.note(&mut rest, bytes));
        let _ = back.join();
        Some(())
    }

    fn note(&self, rest: &mut Vec<u8>, bytes: &[u8]) {
        rest.extend_from_slice(bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = rest.drain(..=end).collect::<Vec<_>>();
            let line = String::from_utf8_lossy(&line);
            let Some((request, _)) = line.trim_end().rsplit_once(" HTTP/1.1") else { continue };
            let request = without_body(request).to_owned();
            let held_up = *self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
            let held_up = held_up.filter(|(beginning, _)| request.starts_with(beginning));
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            if let Some((_, time)) = held_up {
                until_due(Instant::now() + time);
            }
        }
    }
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, mut seen: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        if read == 0 {
            return to.shutdown(Shutdown::Write);
        }
        seen(&buffer[..read]);
        if let Err(error) = to.write_all(&buffer[..read]) {
            // The other side is gone: the sender must notice.
            let _ = from.shutdown(Shutdown::Both);
            return Err(error);
        }
    }
}

/// A request line from its method on: the end of the body before it may stand in front of it.
fn without_body(line: &str) -> &str {
    const BEGINNINGS: [&str; 7] = ["GET /", "HEAD /", "POST /", "PUT /", "PATCH /", "DELETE /", "OPTIONS /"];
    let begins = BEGINNINGS.iter().filter_map(|beginning| line.rfind(beginning)).max();
    &line[begins.unwrap_or(0)..]
}
