//! What is counted and what is logged.

mod crawler_metrics;
mod logs;
mod metrics;
mod process_metrics;
mod request_metrics;
mod seconds;
mod site_metrics;

pub use crawler_metrics::Lookup;
pub use logs::{Sampled, start_logging};
pub use metrics::{LogLine, Metrics};
pub use seconds::{Gauges, Process, SECONDS_KEPT_MAX, SITES_WITH_CURVES_MAX, Seconds};
