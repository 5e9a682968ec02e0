//! Hoarders: buy at the floor, keep it, and spend everything in the same moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Attacking;
use super::solvers::{BURSTS, Buying, buy, spend_all};
use crate::arena::{Arena, Flood, addresses, page};
use crate::client::Ask;
use crate::scale::SLOWEST_PHONE;

/// What they hash with, in slowest phones.
const PHONES: f64 = 8.0;
const NETWORKS: u32 = 40;
/// How long they buy.
const HOARDING: Duration = Duration::from_secs(8);
/// Clearances at the most.
const HOARD_MAX: usize = 200;

/// A small flood keeps the gate down, so that something is for sale.
pub fn hoarders(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let flood = Flood::from(100, 300);
        tokio::join!(arena.flood(&flood, |number| Ask::get(page(number))), hoard(&arena));
    })
}

async fn hoard(arena: &Arc<Arena>) {
    let mut hoard = Vec::new();
    let until = arena.begun + HOARDING;
    for from in addresses(NETWORKS).into_iter().cycle() {
        if std::time::Instant::now() >= until || hoard.len() >= HOARD_MAX {
            break;
        }
        match buy(arena, from, PHONES * SLOWEST_PHONE).await {
            Buying::Bought(clearance) => {
                arena.tally.bought(&clearance, arena.elapsed_s());
                hoard.push((from, clearance));
            }
            Buying::NotNeeded | Buying::Failed => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    tokio::time::sleep_until(until.into()).await;
    arena.tally.note_many("hoarded clearances", hoard.len() as u64);
    let mut spending = JoinSet::new();
    for (from, clearance) in hoard {
        let arena = Arc::clone(arena);
        spending.spawn(async move {
            spend_all(&arena, from, Some(clearance.cookie), clearance.credits, BURSTS).await;
        });
    }
    while spending.join_next().await.is_some() {}
}
