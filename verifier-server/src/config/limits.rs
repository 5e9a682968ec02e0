//! Every limit that has a name, with its unit last.

use super::document::Section;
use std::time::Duration;

/// `[limits]`: what bounds connections, heads, bodies and waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open client connections; at the limit the most wasteful one is closed.
    pub max_connections: usize,
    /// Bytes of a request's head.
    pub max_head_bytes: u32,
    /// Header lines of a request.
    pub max_headers: usize,
    /// From the connection, or the first byte of a further request, to the end of the head.
    pub head_timeout: Duration,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long a request's body may stand still.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub write_timeout: Duration,
    /// How long the connection to the origin may take.
    pub origin_connect_timeout: Duration,
    /// How long the origin may take to its answer's head.
    pub origin_timeout: Duration,
    /// How long open requests may go on after SIGTERM.
    pub drain: Duration,
}

impl Limits {
    /// Bytes of a `verify` body: 694 characters of solution, 86 of challenge, and room.
    pub const VERIFY_BODY_BYTES_MAX: usize = 8 * 1024;
    /// How long a `verify` body may take in all.
    pub const VERIFY_BODY_TIMEOUT: Duration = Duration::from_secs(10);
    /// Requests at once on one HTTP/2 connection.
    pub const H2_STREAMS_MAX: u32 = 64;
    /// Challenge pages a second to one client network before it gets the small one.
    pub const PAGES_PER_SECOND_MAX: u32 = 10;
    /// Characters of a `for` parameter.
    pub const TARGET_CHARS_MAX: usize = 8 * 1024;

    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let mut number = |key, range, default| section.integer(key, range).map_or(default, |found| found.value);
        let max_connections = number("max_connections", 1..=1_000_000, 10_000);
        let max_head_bytes = number("max_head_bytes", 8_192..=1_048_576, 32_768);
        let max_headers = number("max_headers", 10..=1_000, 100);
        let mut seconds = |key, default| Duration::from_secs(number(key, 1..=86_400, default));
        let limits = Self {
            max_connections: usize::try_from(max_connections).unwrap_or(usize::MAX),
            max_head_bytes: u32::try_from(max_head_bytes).unwrap_or(u32::MAX),
            max_headers: usize::try_from(max_headers).unwrap_or(usize::MAX),
            head_timeout: seconds("head_timeout_seconds", 10),
            idle_timeout: seconds("idle_timeout_seconds", 60),
            body_timeout: seconds("body_timeout_seconds", 30),
            write_timeout: seconds("write_timeout_seconds", 60),
            origin_connect_timeout: seconds("origin_connect_timeout_seconds", 5),
            origin_timeout: seconds("origin_timeout_seconds", 60),
            drain: seconds("drain_seconds", 10),
        };
        section.finish();
        limits
    }
}
