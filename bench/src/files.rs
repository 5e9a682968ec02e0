//! A web server for the page of the solver's measurement: a fixed set of files on 127.0.0.1.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Longest request head that is read.
const HEAD_BYTES_MAX: u64 = 16 * 1024;

/// What is served: the path, its content type and the content.
#[derive(Default)]
pub(crate) struct Files {
    files: BTreeMap<String, (String, Vec<u8>)>,
}

impl Files {
    pub(crate) fn add(&mut self, path: &str, content_type: &str, content: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), (content_type.to_owned(), content.into()));
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
        let (status, content_type, content) = match self.files.get(path) {
            Some((content_type, content)) => ("200 OK", content_type.as_str(), content.as_slice()),
            None => ("404 Not Found", "text/plain", &b"not here"[..]),
        };
        let length = content.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )?;
        stream.write_all(content)
    }
}
