//! A flood of challenge pages and challenges: what issuing costs.

use std::sync::Arc;

use super::Attacking;
use crate::arena::{Arena, Flood, page};
use crate::client::Ask;
use crate::shop;

/// Navigations, the challenge endpoint and the question whether a navigation would pass, in turn.
pub fn challenge_pages(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let ask = |number: u64| match number % 4 {
            0 => Ask::get(shop::endpoint("challenge", &page(number))),
            1 => Ask::get(shop::endpoint("clearance", &page(number))),
            _ => Ask::get(page(number)).navigating(),
        };
        arena.flood(&Flood::from(100, 800), ask).await;
    })
}
