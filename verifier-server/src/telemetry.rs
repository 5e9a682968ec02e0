//! What is counted and what is logged.

mod logs;
mod metrics;
mod process_metrics;
mod request_metrics;
mod site_metrics;

pub use logs::{Sampled, start_logging};
pub use metrics::{LogLine, Metrics};
