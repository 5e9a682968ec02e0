//! Silent sockets up to the limit of connections, from the network that most visitors share.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use super::Attacking;
use crate::arena::Arena;
use crate::client::connect;
use crate::networks;

/// Whatever is closed is opened again, at most once in so long.
const PAUSE: Duration = Duration::from_millis(500);

/// Half as many again as there may be.
pub fn silence(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let mut held = JoinSet::new();
        for _ in 0..arena.connections_max + arena.connections_max / 2 {
            let arena = Arc::clone(&arena);
            held.spawn(async move {
                loop {
                    arena.tally.sent();
                    match connect(networks::CARRIER, arena.to.address).await {
                        Ok(mut stream) => {
                            let _ = stream.read(&mut [0; 16]).await;
                            arena.tally.note("closed");
                        }
                        Err(_) => arena.tally.note("not connected"),
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        while held.join_next().await.is_some() {}
    })
}
