//! The web server's own log as a signal (DESIGN: signals): what became of the requests that a check has admitted.
//!
//! Beside a web server the verifier sees questions and no answers. The web server writes a line for each admitted request
//! once it has ended, and the line finds its check by the request id: what it tells of the origin then counts as an
//! answer that passed through the proxy would. Everything else about a request (its network, its path, what it costs) is
//! taken from the check; a line without one is nothing.

mod arrivals;
mod checks;
mod line;

pub use arrivals::{Arrivals, LogState};
pub use checks::{Came, Check, Checks};
pub use line::{LINE_BYTES_MAX, Line, OfUpstream};

use std::time::Duration;

/// A check whose line has not come after this time does not wait for it any more, and the line is missing.
pub const LINE_WITHIN: Duration = Duration::from_secs(30);
/// Above this part of missing lines, in the mean over client networks, the log tells too little to learn from.
pub const MISSING_SHARE_MAX: f64 = 0.05;
