//! What work buys: the arithmetic of PROTOCOL §3 as pure functions.
//!
//! Prices and work are in attempts of `sha256`. Credits are rounded down, charges up.

mod asked;
mod bought;
mod budget;

pub use asked::{asked, ceiling};
pub use bought::{Bought, Sale, table_price};
pub use budget::{
    ASSET_WINDOW_SECONDS, GRACE_SECONDS, asset_charge, charge, counted_cost, overdraft, ratio_hundredths, reserve,
};
