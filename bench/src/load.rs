//! One web server's worth of questions: keep-alive connections, each with at most one question open.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Connections a web server keeps open here, and questions open at a time.
pub(crate) const CONNECTIONS: usize = 16;
/// Hexadecimal digits of a request id, as many as nginx's have.
const ID_DIGITS: usize = 32;
const ANSWER_BYTES_MAX: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections to one server.
pub(crate) struct Load {
    connections: Vec<TcpStream>,
    request: Vec<u8>,
    /// Where in the request its id stands.
    id_at: usize,
    next_id: u64,
    status: u16,
}

impl Load {
    /// Opens the connections. `head` is a whole request in which `{id}` stands for an id that is new each time, `status` that
    /// of every answer.
    pub(crate) fn open(port: u16, head: &str, status: u16) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connect = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok::<_, std::io::Error>(stream)
        };
        let connections = (0..CONNECTIONS).map(|_| connect()).collect::<Result<_, _>>()?;
        let id_at = head.find("{id}").context("the request has an id")?;
        let request = head.replace("{id}", &"0".repeat(ID_DIGITS)).into_bytes();
        Ok(Self { connections, request, id_at, next_id: 1, status })
    }

    /// Asks at least this many times; how often it asked. Every answer must have the status.
    pub(crate) fn ask(&mut self, times: u32) -> anyhow::Result<u32> {
        let mut asked = 0;
        while asked < times {
            for stream in &mut self.connections {
                let id = format!("{:0width$x}", self.next_id, width = ID_DIGITS);
                self.next_id += 1;
                self.request[self.id_at..self.id_at + ID_DIGITS].copy_from_slice(id.as_bytes());
                stream.write_all(&self.request)?;
                asked += 1;
            }
            for stream in &mut self.connections {
                expect(stream, self.status)?;
            }
        }
        Ok(asked)
    }
}

/// Reads an answer, which must have this status.
pub(crate) fn expect(stream: &mut TcpStream, status: u16) -> anyhow::Result<()> {
    let mut answer = [0; ANSWER_BYTES_MAX];
    let mut length = 0;
    let mut wanted = None;
    while wanted.is_none_or(|wanted| length < wanted) {
        let read = stream.read(&mut answer[length..])?;
        if read == 0 {
            bail!("the server closed the connection after: {}", String::from_utf8_lossy(&answer[..length]));
        }
        length += read;
        if wanted.is_none() {
            wanted = whole_length(&answer[..length])?;
        }
    }
    if !answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) {
        bail!("not a {status}: {}", String::from_utf8_lossy(&answer[..length]));
    }
    Ok(())
}

/// Bytes of head and body, once the head is there.
fn whole_length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    Ok(Some(head + 4 + body.map_or(Ok(0), |length| length.trim().parse::<usize>())?))
}
