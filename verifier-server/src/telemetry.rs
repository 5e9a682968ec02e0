//! What is counted and what is logged.

mod logs;
mod metrics;
mod site_metrics;

pub use logs::{Sampled, start_logging};
pub use metrics::{LogLine, Metrics};
