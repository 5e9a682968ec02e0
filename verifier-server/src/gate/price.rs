//! The price of a site by the load on it (DESIGN: the price): a pure controller, stepped once a second.
//!
//! It decides when the gate goes down and when it lets go, and what a full clearance costs meanwhile. It divides what is
//! paid by the site's *capacity*, never by what was handled, and asks nothing while there is no overload.

mod controller;
mod saved;

pub use controller::{Controller, Overload, State, Terms};
pub use saved::{ModeByHand, SavedPrices, SavedSite};

/// More than this part of the client networks getting errors is overload: the site itself is down.
pub const FAILING_SHARE: f64 = 0.5;
