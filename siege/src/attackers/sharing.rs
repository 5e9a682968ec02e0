//! One clearance, used from many addresses.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::Attacking;
use super::solvers::{Buying, buy};
use crate::arena::{Arena, Flood, addresses, page};
use crate::client::Ask;
use crate::scale::SLOWEST_PHONE;

/// One visitor's machine buys; a new one whenever the last is spent.
const PHONES: f64 = 4.0;
const NETWORKS: u32 = 200;

/// Two hundred networks ask with the same cookie.
pub fn sharing(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let shared = Arc::new(RwLock::new(None::<String>));
        let read = Arc::clone(&shared);
        let flood = Flood::from(NETWORKS, 600);
        let ask = move |number| {
            let cookie = read.read().unwrap_or_else(PoisonError::into_inner).clone();
            Ask::get(page(number)).paid_by(cookie.as_deref())
        };
        tokio::join!(arena.flood(&flood, ask), supply(&arena, &shared));
    })
}

async fn supply(arena: &Arc<Arena>, shared: &RwLock<Option<String>>) {
    let buyer = addresses(1)[0];
    loop {
        let spent = {
            let cookie = shared.read().unwrap_or_else(PoisonError::into_inner).clone();
            let mut client = arena.client(buyer);
            !crate::shop::is_open(&mut client, "/page/1", cookie.as_deref()).await.unwrap_or(false)
        };
        if spent && let Buying::Bought(clearance) = buy(arena, buyer, PHONES * SLOWEST_PHONE).await {
            arena.tally.bought(&clearance, arena.elapsed_s());
            *shared.write().unwrap_or_else(PoisonError::into_inner) = Some(clearance.cookie);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
