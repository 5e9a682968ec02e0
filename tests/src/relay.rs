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
    refused: Arc<Mutex<Option<&'static str>>>,
    slow: Arc<Mutex<Option<Slow>>>,
    wire: Arc<Mutex<Wire>>,
}

/// A path on which every request is delayed, and every connection carries so much.
#[derive(Debug, Clone, Copy)]
struct Slow {
    latency: Duration,
    bytes_per_second: u32,
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
        let relay = Self {
            port,
            lines: Arc::default(),
            held_up: Arc::default(),
            refused: Arc::default(),
            slow: Arc::default(),
            wire: Arc::default(),
        };
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

    /// From now on each request takes so much longer to get through, and each connection carries so much either way.
    pub fn slow_down(&self, latency: Duration, bytes_per_second: u32) {
        *self.slow.lock().unwrap_or_else(PoisonError::into_inner) = Some(Slow { latency, bytes_per_second });
    }

    fn slow(&self) -> Option<Slow> {
        *self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes as long as these bytes take.
    fn carry(&self, bytes: &[u8]) {
        if let Some(Slow { bytes_per_second, .. }) = self.slow() {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            until_due(Instant::now() + Duration::from_secs(1) * length / bytes_per_second);
        }
    }

    /// From now on a request that begins with this ends its connection, and is not answered.
    pub fn refuse(&self, beginning: &'static str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(beginning);
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
        let relay = self.clone();
        let back = thread::spawn(move || copy(&back_from, &back_to, |bytes| relay.carry(bytes)));
        let mut rest = Vec::new();
        let _ = copy(visitor, &server, |bytes| {
            self.carry(bytes);
            if self.note(&mut rest, bytes) {
                let _ = visitor.shutdown(Shutdown::Both);
            }
        });
        let _ = back.join();
        Some(())
    }

    /// Notes what passes; whether it is refused.
    fn note(&self, rest: &mut Vec<u8>, bytes: &[u8]) -> bool {
        let mut refused = false;
        rest.extend_from_slice(bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = rest.drain(..=end).collect::<Vec<_>>();
            let line = String::from_utf8_lossy(&line);
            let Some((request, _)) = line.trim_end().rsplit_once(" HTTP/1.1") else { continue };
            let request = without_body(request).to_owned();
            let beginning = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused |= beginning.is_some_and(|beginning| request.starts_with(beginning));
            let held_up = *self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
            let held_up = held_up.filter(|(beginning, _)| request.starts_with(beginning));
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            let late = held_up.map_or(Duration::ZERO, |(_, time)| time);
            until_due(Instant::now() + late + self.slow().map_or(Duration::ZERO, |slow| slow.latency));
        }
        refused
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
