//! A flood of one URL that answers 500: errors must not close the site for everybody.

use std::sync::Arc;

use super::Attacking;
use crate::arena::{Arena, Flood};
use crate::client::Ask;

/// Below what the site can do, from many networks.
pub fn failing_url(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { arena.flood(&Flood::from(60, 120), |_| Ask::get("/broken/report")).await })
}
