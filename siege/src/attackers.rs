//! The attackers, each in a file of its own. An attack goes on until its future is dropped.

mod allowed_paths;
mod bogus_solutions;
mod connections;
mod failing_url;
mod hoarders;
mod http2;
mod neighbour;
mod open_ended;
mod pages;
mod plain;
mod pulses;
mod quiet_site;
mod search;
mod sharing;
mod silence;
mod solvers;
mod spent;
mod trickle;

pub use allowed_paths::allowed_paths;
pub use bogus_solutions::{
    LIFETIME_SECONDS as BOGUS_LIFETIME_SECONDS, OTHER_HOST as BOGUS_OTHER_HOST, bogus_solutions,
};
pub use connections::slow_connections;
pub use failing_url::failing_url;
pub use hoarders::hoarders;
pub use http2::http2;
pub use neighbour::bad_neighbour;
pub use open_ended::open_ended;
pub use pages::challenge_pages;
pub use plain::plain;
pub use pulses::pulses;
pub use quiet_site::quiet_site;
pub use search::search;
pub use sharing::sharing;
pub use silence::silence;
pub use solvers::{
    AT_THE_CEILING, BELOW_THE_CEILING, fifty_networks, five_hundred_in_bursts, five_hundred_networks, one_address,
    strong,
};
pub use spent::spent;
pub use trickle::trickle;

use std::pin::Pin;
use std::sync::Arc;

use crate::arena::Arena;

/// An attack under way.
pub type Attacking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A way to attack.
pub type Attack = fn(Arc<Arena>) -> Attacking;
