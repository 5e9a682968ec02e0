//! The headers of each family (PROTOCOL §5): in which one a web server says what. Only the configured family is read.

use super::Beside;
use hyper::header::HeaderName;

/// Where a web server says whose request it is, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The client's address.
    pub address: HeaderName,
    /// `http` or `https`.
    pub scheme: HeaderName,
    /// Host and port; `None`: the request's own.
    pub host: Option<HeaderName>,
    /// The method asked about; `None`: the question's own.
    pub method: Option<HeaderName>,
    /// Path and query asked about; `None`: in the question's own path.
    pub target: Option<HeaderName>,
    /// The same for all questions about one request; `None`: it asks once.
    pub request_id: Option<HeaderName>,
}

impl Family {
    /// The family of a web server.
    #[must_use]
    pub fn of(beside: &Beside) -> Self {
        let address = beside.address_header();
        match beside {
            Beside::Nginx => Self {
                address,
                scheme: HeaderName::from_static("x-original-proto"),
                host: None,
                method: Some(HeaderName::from_static("x-original-method")),
                target: Some(HeaderName::from_static("x-original-uri")),
                request_id: Some(HeaderName::from_static("x-request-id")),
            },
            Beside::Caddy | Beside::Traefik => Self {
                address,
                scheme: HeaderName::from_static("x-forwarded-proto"),
                host: Some(HeaderName::from_static("x-forwarded-host")),
                method: Some(HeaderName::from_static("x-forwarded-method")),
                target: Some(HeaderName::from_static("x-forwarded-uri")),
                request_id: None,
            },
            Beside::Envoy | Beside::Proxy { .. } => Self {
                address,
                scheme: HeaderName::from_static("x-forwarded-proto"),
                host: None,
                method: None,
                target: None,
                request_id: None,
            },
        }
    }
}
