//! An origin that sends prepared bytes and keeps the bytes it got: for claims about what passes unchanged.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::ports;

/// Answers every request head with the same bytes and closes.
#[derive(Debug, Clone)]
pub struct RawOrigin {
    /// Where it listens.
    pub port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl RawOrigin {
    /// Listens; each connection gets `answer` once its head is complete. An empty answer: it never answers.
    pub fn start(answer: &str) -> Self {
        let port = ports::free();
        let origin = Self { port, heads: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (heads, answer) = (Arc::clone(&origin.heads), answer.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heads, answer) = (Arc::clone(&heads), answer.clone());
                thread::spawn(move || serve(stream, &answer, &heads));
            }
        });
        origin
    }

    /// Its address as the configuration names it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The request heads it got, as bytes read as text.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream, answer: &str, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(String::from_utf8_lossy(&head).into_owned());
    if answer.is_empty() {
        // Reads until the other side gives up.
        while stream.read(&mut byte).unwrap_or(0) > 0 {}
        return;
    }
    let _ = stream.write_all(answer.as_bytes());
    // A connection closed in the moment in which it is chosen for the next request would answer that with nothing.
    let whole = answer.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        head.to_ascii_lowercase().contains(&format!("content-length: {}\r\n", body.len()))
            || head.to_ascii_lowercase().ends_with(&format!("content-length: {}", body.len()))
    });
    if whole {
        serve(stream, answer, heads);
    }
}
