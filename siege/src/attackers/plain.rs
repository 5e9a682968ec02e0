//! A flood that runs no script: whatever comes back, it asks for the next page.

use std::sync::Arc;

use super::Attacking;
use crate::arena::{Arena, Flood, page};
use crate::client::Ask;

/// Four times what the site can do, from a hundred networks.
pub fn plain(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { arena.flood(&Flood::from(100, 800), |number| Ask::get(page(number))).await })
}
