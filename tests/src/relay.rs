//! A relay of bytes in front of a server that notes every request line passing through: what a browser really asked for.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::ports;

/// Listens on a port of its own and passes every byte on; lives as long as the process (its threads are idle by then).
#[derive(Debug, Clone)]
pub struct Relay {
    /// Where browsers connect.
    pub port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// In front of 127.0.0.1:`server`.
    pub fn start(server: u16) -> Self {
        let port = ports::free();
        let relay = Self { port, lines: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let lines = Arc::clone(&relay.lines);
        thread::spawn(move || {
            for visitor in listener.incoming().flatten() {
                let lines = Arc::clone(&lines);
                thread::spawn(move || pass(&visitor, server, &lines));
            }
        });
        relay
    }

    /// Every request line so far: `GET /path`.
    pub fn requests(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests so far began with this, such as `POST /.portcullis/verify`.
    pub fn count(&self, beginning: &str) -> usize {
        self.requests().iter().filter(|line| line.starts_with(beginning)).count()
    }
}

/// Both directions until either side ends.
fn pass(visitor: &TcpStream, server: u16, lines: &Arc<Mutex<Vec<String>>>) -> Option<()> {
    let server = TcpStream::connect(("127.0.0.1", server)).ok()?;
    let (back_from, back_to) = (server.try_clone().ok()?, visitor.try_clone().ok()?);
    let back = thread::spawn(move || copy(&back_from, &back_to, |_| ()));
    let mut rest = Vec::new();
    let _ = copy(visitor, &server, |bytes| note(&mut rest, bytes, lines));
    let _ = back.join();
    Some(())
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

fn note(rest: &mut Vec<u8>, bytes: &[u8], lines: &Mutex<Vec<String>>) {
    rest.extend_from_slice(bytes);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = rest.drain(..=end).collect::<Vec<_>>();
        let line = String::from_utf8_lossy(&line);
        if let Some((request, _)) = line.trim_end().rsplit_once(" HTTP/1.1") {
            // The end of a body may stand in front of the method: a JSON body ends with a brace.
            let request = request.rsplit('}').next().unwrap_or(request);
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(request.to_owned());
        }
    }
}
