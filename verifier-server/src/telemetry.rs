//! What is counted and what is logged.

mod logs;
mod metrics;

pub use logs::{Sampled, start_logging};
pub use metrics::Metrics;
