//! What is reported of an answer of the origin.

use super::Amount;
use crate::gate::networks::Nested;
use std::time::Duration;

/// How an answer of the origin came to a request, as whoever forwarded it reports it.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The client network that asked, and those around it.
    pub network: &'a Nested,
    /// The path that was asked for, without its query.
    pub path: &'a str,
    /// What the request cost by its route.
    pub cost: Amount,
    /// To the head of the answer, from the last part of the request that the client sent.
    pub delay: Duration,
    /// What kind of answer it was.
    pub outcome: Outcome,
}

/// What an answer of the origin says of how the origin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does what it is asked.
    Fine,
    /// Something went wrong: a 5xx.
    Error,
    /// There was no time or no place for the request: a 502, 503 or 504, or no answer.
    Swamped,
}

impl Outcome {
    /// What an answer with this status says; `None` where none came.
    #[must_use]
    pub const fn of(status: Option<u16>) -> Self {
        match status {
            Some(502..=504) | None => Self::Swamped,
            Some(..500) => Self::Fine,
            Some(_) => Self::Error,
        }
    }

    /// Whether the request was not served.
    #[must_use]
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::Fine)
    }
}

/// The place of a path in what is measured of a site: all that is remembered of it.
#[derive(Clone, Copy, Debug)]
pub struct PathPlace {
    pub(super) delays: u8,
    pub(super) segment: u8,
}

/// The same as [`Answered`], of a path that is known by its place only.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The client network that asked, and those around it.
    pub network: &'a Nested,
    /// The place of the path that was asked for.
    pub place: PathPlace,
    /// What the request cost by its route.
    pub cost: Amount,
    /// To the head of the answer.
    pub delay: Duration,
    /// What kind of answer it was.
    pub outcome: Outcome,
}
