//! Inflating the price of a site that has nothing to do.

use std::sync::Arc;
use std::time::Duration;

use super::{Attacking, solvers};
use crate::arena::{Arena, Flood, addresses, page};
use crate::client::Ask;

/// Seconds of flood that put the gate down.
const OPENING: Duration = Duration::from_secs(3);
/// What pays afterwards, in slowest phones: not enough to be an overload.
const PHONES: f64 = 0.5;

/// A short flood, and then few buyers who spend as they come, to make others pay more.
pub fn quiet_site(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let flood = Flood::from(100, 800);
        let _ = tokio::time::timeout(OPENING, arena.flood(&flood, |number| Ask::get(page(number)))).await;
        solvers::attack(&arena, addresses(10), PHONES, solvers::STEADY).await;
    })
}
