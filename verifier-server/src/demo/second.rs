//! A second of the demo's attack: what was seen, and its line.

use super::lines::clock;
use super::visitors::Visited;
use std::time::Duration;

/// What the gate does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing is asked.
    #[default]
    Open,
    /// Only networks that ask for more than their share are asked to work.
    Partly,
    /// Everybody is asked to work.
    Down,
    /// The same, waiting whether the overload comes back.
    Holds,
}

impl Gate {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Partly => "partly",
            Self::Down => "down",
            Self::Holds => "holds",
        }
    }
}

/// What the gate does now, and why.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Now {
    pub(super) gate: Gate,
    /// Attempts for a full clearance.
    pub(super) price: u64,
    /// How long it stays down if nothing comes back.
    pub(super) hold_left: Duration,
}

/// What a second brought.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Second {
    /// How long it really was.
    pub(super) elapsed: Duration,
    /// Requests of everybody.
    pub(super) asked: u64,
    /// Those of them that were answered with a challenge.
    pub(super) challenged: u64,
    /// What visitors got.
    pub(super) visited: Visited,
    /// How long the site took for a page in the mean; `None` if it did none.
    pub(super) site_delay: Option<Duration>,
}

/// The line of a second.
pub(super) fn row(at: Duration, now: Now, second: &Second) -> String {
    let a_second = |count: f64| format!("{:.0}", count / second.elapsed.as_secs_f64().max(0.001));
    let delay = second.site_delay.map_or_else(|| "-".to_owned(), |delay| format!("{:.2} s", delay.as_secs_f64()));
    format!(
        "{:>4}  {:<6} {:>3} requests, {:>3} puzzles, {:>2} pages read, price {}, site {delay}",
        clock(at),
        now.gate.name(),
        a_second(crate::load::float(second.asked)),
        a_second(crate::load::float(second.challenged)),
        a_second(f64::from(second.visited.pages)),
        now.price,
    )
}
