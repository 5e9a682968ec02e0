//! One web server's worth of questions: keep-alive connections, each with at most one question open.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Connections a web server keeps open here, and questions open at a time.
pub(crate) const CONNECTIONS: usize = 16;
/// Hexadecimal digits of a request id, as many as nginx's have.
const ID_DIGITS: usize = 32;
const ANSWER_BYTES_MAX: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections to one server.
pub(crate) struct Load {
    connections: Vec<TcpStream>,
    request: Vec<u8>,
    /// Where in the request its id stands.
    id_at: usize,
    next_id: u64,
}

impl Load {
    /// Opens the connections. `head` is a whole request in which `{id}` stands for an id that is new each time.
    pub(crate) fn open(port: u16, head: &str) -> anyhow::Result<Self> {
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
        Ok(Self { connections, request, id_at, next_id: 1 })
    }

    /// Asks at least this many times; how often it asked. Every answer must be a 204.
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
                expect_no_content(stream)?;
            }
        }
        Ok(asked)
    }
}

fn expect_no_content(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut answer = [0; ANSWER_BYTES_MAX];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut answer[length..])?;
        if read == 0 {
            bail!("the server closed the connection after: {}", String::from_utf8_lossy(&answer[..length]));
        }
        length += read;
    }
    if !answer.starts_with(b"HTTP/1.1 204 ") {
        bail!("not a 204: {}", String::from_utf8_lossy(&answer[..length]));
    }
    Ok(())
}
