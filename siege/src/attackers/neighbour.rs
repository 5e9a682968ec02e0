//! One bad neighbour: a strong machine behind the office's own address.

use std::sync::Arc;

use super::{Attacking, solvers};
use crate::arena::Arena;
use crate::networks;

/// As strong as [`solvers::BELOW_THE_CEILING`], from the network that fifty visitors share.
pub fn bad_neighbour(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        solvers::attack(&arena, vec![networks::OFFICE], solvers::BELOW_THE_CEILING, solvers::BURSTS).await;
    })
}
