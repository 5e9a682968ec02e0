//! A plain HTTP/1.1 client over a socket: every header is what the test wrote, in that order, and nothing else.

use std::fmt::Write as _;
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net;

use crate::etiquette;
use crate::reply::Reply;

/// How long one read may take: longer than any timeout that a test configures.
const READ_LIMIT: Duration = Duration::from_mins(1);

/// A client of one server; keeps its connection alive and opens a new one when the server closed it.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    /// Where its connections come from; left out: the system chooses.
    source: Option<Ipv4Addr>,
    host: String,
    headers: Vec<(String, String)>,
    connection: Mutex<Option<BufReader<TcpStream>>>,
}

impl Clone for Client {
    /// The same settings with a connection of its own.
    fn clone(&self) -> Self {
        Self {
            server: self.server,
            source: self.source,
            host: self.host.clone(),
            headers: self.headers.clone(),
            connection: Mutex::new(None),
        }
    }
}

impl Client {
    /// A client of 127.0.0.1:`port` that asks for `host` (without a port: it is added).
    pub fn new(port: u16, host: &str) -> Self {
        Self {
            server: SocketAddr::from(([127, 0, 0, 1], port)),
            source: None,
            host: format!("{host}:{port}"),
            headers: Vec::new(),
            connection: Mutex::new(None),
        }
    }

    /// The value of its `Host` header.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A client that sends one more header with each request.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// A client whose connections come from 127.`second`.`third`.1: each `third` is a /24 of its own, each `second` a /16.
    pub fn in_network(&self, second: u8, third: u8) -> Self {
        Self { source: Some(Ipv4Addr::new(127, second, third, 1)), ..self.clone() }
    }

    /// A client with another `Host`, on the same server.
    pub fn for_host(&self, host: &str) -> Self {
        let mut client = self.clone();
        client.host = format!("{host}:{}", self.server.port());
        client
    }

    /// `GET target` as a program asks, and its answer.
    pub fn get(&self, target: &str) -> Reply {
        self.request("GET", target).send()
    }

    /// `GET target` as a browser's address bar asks on plain HTTP.
    pub fn navigate(&self, target: &str) -> Reply {
        self.request("GET", target).header("Accept", "text/html,*/*;q=0.8").send()
    }

    /// A request to be completed.
    pub fn request(&self, method: &str, target: &str) -> Request<'_> {
        Request { client: self, method: method.into(), target: target.into(), headers: Vec::new(), body: None }
    }

    /// Sends bytes as they are on a connection of their own and reads one answer.
    pub fn send_raw(&self, bytes: &[u8]) -> io::Result<Reply> {
        let mut connection = self.connect()?;
        connection.get_mut().write_all(bytes)?;
        Reply::read(&mut connection, false)
    }

    /// A new connection of its own.
    pub fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = match self.source {
            None => TcpStream::connect(self.server)?,
            Some(source) => connect_from(source, self.server)?,
        };
        stream.set_read_timeout(Some(READ_LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

/// A connection from an address of our choice, which the standard library cannot make.
fn connect_from(source: Ipv4Addr, server: SocketAddr) -> io::Result<TcpStream> {
    // A browser that another test starts meanwhile must not hold it open.
    let flags = net::SocketFlags::CLOEXEC;
    let socket = net::socket_with(net::AddressFamily::INET, net::SocketType::STREAM, flags, None)?;
    net::bind(&socket, &SocketAddr::from((source, 0)))?;
    net::connect(&socket, &server)?;
    Ok(TcpStream::from(socket))
}

/// A request on its way.
#[derive(Debug)]
pub struct Request<'a> {
    client: &'a Client,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request<'_> {
    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a `Cookie` line when there is something to put in it.
    pub fn cookie(self, cookie: &str) -> Self {
        if cookie.is_empty() { self } else { self.header("Cookie", cookie) }
    }

    /// Adds a body with its content type.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("Content-Type", content_type)
    }

    /// The bytes that go over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.client.host);
        for (name, value) in self.client.headers.iter().chain(&self.headers) {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if let Some(body) = &self.body {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    /// Sends it and reads the answer; an answer of the gate must keep the gate's manners.
    #[track_caller]
    pub fn send(self) -> Reply {
        let reply = self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target));
        etiquette::check(&self.method, &self.target, &reply);
        reply
    }

    /// Sends it and reads the answer, whatever comes.
    pub fn try_send(&self) -> io::Result<Reply> {
        let bytes = self.bytes();
        let mut slot = self.client.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // A kept connection may have been closed while nobody looked: once, a new one is tried.
        if let Some(connection) = slot.take()
            && let Ok(reply) = self.exchange(connection, &bytes, &mut slot)
        {
            return Ok(reply);
        }
        self.exchange(self.client.connect()?, &bytes, &mut slot)
    }

    fn exchange(
        &self,
        mut connection: BufReader<TcpStream>,
        bytes: &[u8],
        slot: &mut Option<BufReader<TcpStream>>,
    ) -> io::Result<Reply> {
        connection.get_mut().write_all(bytes)?;
        let reply = Reply::read(&mut connection, self.method == "HEAD")?;
        let closes = reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let framed = reply.header("content-length").is_some()
            || reply.header("transfer-encoding").is_some()
            || matches!(reply.status, 204 | 304)
            || self.method == "HEAD";
        if !closes && framed {
            *slot = Some(connection);
        }
        Ok(reply)
    }
}
