//! A web server for the page of the solver's measurement: a fixed set of files on 127.0.0.1.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Longest request head that is read.
const HEAD_BYTES_MAX: u64 = 16 * 1024;

/// What is served, by its path.
#[derive(Default)]
pub(crate) struct Files {
    files: BTreeMap<String, File>,
}

struct File {
    content_type: String,
    content: Vec<u8>,
    gzip: bool,
}

impl Files {
    pub(crate) fn add(&mut self, path: &str, content_type: &str, content: impl Into<Vec<u8>>) {
        let file = File { content_type: content_type.to_owned(), content: content.into(), gzip: false };
        self.files.insert(path.to_owned(), file);
    }

    /// The same, compressed already.
    pub(crate) fn add_gzip(&mut self, path: &str, content_type: &str, content: impl Into<Vec<u8>>) {
        let file = File { content_type: content_type.to_owned(), content: content.into(), gzip: true };
        self.files.insert(path.to_owned(), file);
    }

    /// Serves the files until the process ends, and gives the address.
    pub(crate) fn serve(self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let files = Arc::new(self);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let files = Arc::clone(&files);
                // A browser that goes away in the middle is no failure of the measurement.
                thread::spawn(move || files.answer(stream));
            }
        });
        Ok(address)
    }

    /// Answers one request of a connection.
    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(io::Read::take(stream, HEAD_BYTES_MAX));
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        let mut stream = reader.into_inner().into_inner();
        let path = first.split(' ').nth(1).unwrap_or_default();
        let Some(File { content_type, content, gzip }) = self.files.get(path) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        // A worker's script is the page's own, which has just been loaded; of a module nothing has been.
        let cache = if content_type.starts_with("text/javascript") {
            "public, max-age=31536000, immutable"
        } else {
            "no-store"
        };
        let encoding = if *gzip { "Content-Encoding: gzip\r\n" } else { "" };
        let length = content.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{encoding}\
             Cache-Control: {cache}\r\nConnection: close\r\n\r\n"
        );
        // In one piece, so that none waits for the other to be acknowledged.
        stream.write_all(&[head.as_bytes(), content].concat())
    }
}
