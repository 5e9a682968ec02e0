//! A flood on the controller's own period: a second on, a second off.

use std::sync::Arc;
use std::time::Duration;

use super::Attacking;
use crate::arena::{Arena, Flood, page};
use crate::client::Ask;

const PULSE: Duration = Duration::from_secs(1);

/// On average twice what the site can do.
pub fn pulses(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let flood = Flood::from(100, 800);
        loop {
            let _ = tokio::time::timeout(PULSE, arena.flood(&flood, |number| Ask::get(page(number)))).await;
            tokio::time::sleep(PULSE).await;
        }
    })
}
