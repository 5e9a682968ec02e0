//! What the site has, and what it costs.

/// Pages that it has.
pub const PAGES: u32 = 50;

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A page.
    Page,
    /// A part of one.
    Asset,
    /// Twenty times as dear as a page.
    Search,
    /// Answers 500.
    Broken,
    /// A large body.
    Download,
    /// Takes a body.
    Upload,
    /// What a payment provider calls.
    Callback,
    /// Open to everybody by rule.
    Feed,
    /// An echo.
    WebSocket,
    /// An event a second.
    Events,
    /// An answer that comes late and holds a worker meanwhile.
    Poll,
}

impl Route {
    /// The kind of a path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        match path.split('/').nth(1).unwrap_or_default() {
            "static" => Self::Asset,
            "search" => Self::Search,
            "broken" => Self::Broken,
            "download" => Self::Download,
            "upload" => Self::Upload,
            "pay" => Self::Callback,
            "feed" => Self::Feed,
            "socket" => Self::WebSocket,
            "events" => Self::Events,
            "poll" => Self::Poll,
            _ => Self::Page,
        }
    }

    /// How much of a page's service time it takes.
    #[must_use]
    pub const fn cost(self) -> f64 {
        match self {
            Self::Asset | Self::Broken => 0.1,
            Self::Search => 20.0,
            Self::WebSocket | Self::Events => 0.0,
            _ => 1.0,
        }
    }
}
