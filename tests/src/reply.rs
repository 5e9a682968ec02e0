//! An HTTP/1.1 answer as it came over the wire.

use std::io::{self, BufRead, Read as _};

use serde_json::Value;

/// Status, header lines in their order and spelling, and the whole body.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The first line without its line break.
    pub status_line: String,
    /// The status code.
    pub status: u16,
    /// Header lines: name as spelled, value trimmed.
    pub headers: Vec<(String, String)>,
    /// The body with any chunked framing taken off.
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads one answer; `bodyless` for answers to HEAD.
    pub fn read(from: &mut impl BufRead, bodyless: bool) -> io::Result<Self> {
        let status_line = read_line(from)?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(from)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut reply = Self { status_line, status, headers, body: Vec::new() };
        if !bodyless && status >= 200 && status != 204 && status != 304 {
            reply.body = reply.read_body(from)?;
        }
        Ok(reply)
    }

    fn read_body(&self, from: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            loop {
                let line = read_line(from)?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
                from.take(size).read_to_end(&mut body)?;
                let end = read_line(from)?;
                if size == 0 {
                    // Trailers end with an empty line as well.
                    let mut line = end;
                    while !line.is_empty() {
                        line = read_line(from)?;
                    }
                    return Ok(body);
                }
            }
        }
        match self.header("content-length") {
            Some(length) => {
                let length = length.parse::<u64>().map_err(io::Error::other)?;
                from.take(length).read_to_end(&mut body)?;
                if (body.len() as u64) < length {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body ends early"));
                }
            }
            None => {
                from.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    /// The first header of that name, any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every header of that name, any case.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = name.to_owned();
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The `code` of a problem document, empty for anything else.
    pub fn code(&self) -> String {
        if !self.header("content-type").is_some_and(|value| value.starts_with("application/problem+json")) {
            return String::new();
        }
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts a status and a problem code.
    #[track_caller]
    pub fn expect(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self:?} {}", self.text());
        self
    }

    /// Asserts a status.
    #[track_caller]
    pub fn expect_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?} {}", self.text());
        self
    }

    /// Whether the origin of these tests (see [`crate::origin`]) wrote it.
    pub fn is_from_origin(&self) -> bool {
        self.header("x-origin").is_some()
    }

    /// `name=value` of the clearance that it sets, if it sets one.
    pub fn clearance(&self) -> Option<String> {
        let cookie = self.all("set-cookie").find(|cookie| cookie.starts_with("portcullis="))?;
        cookie.split(';').next().map(str::to_owned)
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.take(256 * 1024).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ends within the head"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(io::Error::other)
}
