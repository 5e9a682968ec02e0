//! What stays open between a client and the origin: a WebSocket, an event stream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::client::{Client, Request};
use crate::reply::Reply;

/// A request for the origin's WebSocket (RFC 6455 §1.3, with the key of its example).
pub fn websocket_request<'a>(client: &'a Client, cookie: &str) -> Request<'a> {
    client
        .request("GET", "/socket")
        .cookie(cookie)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// An open WebSocket with the head that opened it, or the answer in its place.
pub fn websocket(client: &Client, cookie: &str) -> Result<(BufReader<TcpStream>, Reply), Reply> {
    let (connection, head) = asked(client, &websocket_request(client, cookie));
    if head.status == 101 { Ok((connection, head)) } else { Err(head) }
}

/// Messages come back over a WebSocket as they went.
#[track_caller]
pub fn echoes(connection: &mut BufReader<TcpStream>) {
    for message in [&b"\x81\x05hello"[..], &[0x82; 900]] {
        connection.get_mut().write_all(message).unwrap();
        let mut echo = vec![0; message.len()];
        connection.read_exact(&mut echo).unwrap();
        assert_eq!(echo, message);
    }
}

/// An event stream whose first event has come, or the answer in its place.
pub fn events(client: &Client, cookie: &str) -> Result<BufReader<TcpStream>, Reply> {
    let request = client.request("GET", "/events").cookie(cookie).header("Accept", "text/event-stream");
    let (mut connection, head) = asked(client, &request);
    if head.status != 200 {
        return Err(head);
    }
    assert_eq!(head.header("content-type"), Some("text/event-stream"), "{head:?}");
    let mut line = String::new();
    while !line.starts_with("data: first") {
        line.clear();
        assert!(connection.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
    Ok(connection)
}

/// A connection and the head of what was answered on it.
fn asked(client: &Client, request: &Request<'_>) -> (BufReader<TcpStream>, Reply) {
    let mut connection = client.connect().unwrap();
    connection.get_mut().write_all(&request.bytes()).unwrap();
    let head = Reply::read(&mut connection, true).unwrap();
    (connection, head)
}
