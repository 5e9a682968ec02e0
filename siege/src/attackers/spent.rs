//! One spent clearance, asked for page after page.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::Attacking;
use super::solvers::{BURSTS, Buying, buy, spend_all};
use crate::arena::{Arena, Flood, addresses, page};
use crate::client::Ask;
use crate::scale::SLOWEST_PHONE;

/// Requests a second with it, from one address.
const PER_SECOND: u32 = 1_500;

/// Asks until something is for sale, buys once, spends it, and goes on with it.
pub fn spent(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let cookie = Arc::new(RwLock::new(None::<String>));
        let read = Arc::clone(&cookie);
        let ask = move |number| {
            let cookie = read.read().unwrap_or_else(PoisonError::into_inner).clone();
            Ask::get(page(number)).paid_by(cookie.as_deref())
        };
        let flood = Flood::from(1, PER_SECOND);
        tokio::join!(arena.flood(&flood, ask), once(&arena, &cookie));
    })
}

async fn once(arena: &Arc<Arena>, kept: &RwLock<Option<String>>) {
    let buyer = addresses(1)[0];
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        if let Buying::Bought(clearance) = buy(arena, buyer, 4.0 * SLOWEST_PHONE).await {
            arena.tally.bought(&clearance, arena.elapsed_s());
            spend_all(arena, buyer, Some(clearance.cookie.clone()), clearance.credits, BURSTS).await;
            *kept.write().unwrap_or_else(PoisonError::into_inner) = Some(clearance.cookie);
            return;
        }
    }
}
