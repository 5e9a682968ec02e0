//! A flood of the site's dearest route.

use std::sync::Arc;

use super::Attacking;
use crate::arena::{Arena, Flood};
use crate::client::Ask;

/// Few requests, each twenty times as dear as a page: four times what the site can do.
pub fn search(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { arena.flood(&Flood::from(40, 40), |number| Ask::get(format!("/search?q={number}"))).await })
}
