//! What never ends: WebSockets and event streams that are kept, and long polls that are asked again and again.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::Attacking;
use crate::arena::{Arena, addresses};
use crate::client::{Ask, Sender, connect};

const SOCKETS: usize = 400;
const STREAMS: usize = 200;
const POLLS: usize = 200;
const NETWORKS: u32 = 40;
const PAUSE: Duration = Duration::from_secs(1);

/// All three at once.
pub fn open_ended(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let from = addresses(NETWORKS);
        let mut tasks = JoinSet::new();
        for number in 0..SOCKETS {
            let head = "GET /socket HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            tasks.spawn(keep(Arc::clone(&arena), from[number % from.len()], head, "socket"));
        }
        for number in 0..STREAMS {
            let head = "GET /events HTTP/1.1\r\nAccept: text/event-stream\r\n";
            tasks.spawn(keep(Arc::clone(&arena), from[number % from.len()], head, "event stream"));
        }
        for number in 0..POLLS {
            tasks.spawn(poll(Arc::clone(&arena), from[number % from.len()]));
        }
        while tasks.join_next().await.is_some() {}
    })
}

async fn keep(arena: Arc<Arena>, from: Ipv4Addr, head: &'static str, what: &'static str) {
    let fields = format!("Host: {}\r\n{}: {}\r\n\r\n", arena.to.host, Sender::HEADER, Sender::Attacker.name());
    loop {
        arena.tally.sent();
        if let Ok(mut stream) = connect(from, arena.to.address).await
            && stream.write_all(format!("{head}{fields}").as_bytes()).await.is_ok()
        {
            let mut bytes = [0; 4096];
            let mut first = true;
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                if first {
                    let status = String::from_utf8_lossy(&bytes[..count.min(12)]).into_owned();
                    arena.tally.note(&format!("{what} {}", status.trim_start_matches("HTTP/1.1 ")));
                    first = false;
                    if bytes.starts_with(b"HTTP/1.1 4") || bytes.starts_with(b"HTTP/1.1 5") {
                        break;
                    }
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn poll(arena: Arc<Arena>, from: Ipv4Addr) {
    let mut client = arena.client(from);
    loop {
        let _ = arena.send(&mut client, Ask::get("/poll/inbox"), Duration::from_secs(30)).await;
        tokio::time::sleep(PAUSE).await;
    }
}
