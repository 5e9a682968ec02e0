//! What rules look at in a request.

use crate::gate::target::Target;
use hyper::HeaderMap;
use std::net::IpAddr;

/// By which headers some applications take another method than the request's: a rule on methods holds for each of them.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// A request, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its path, normalised.
    pub target: &'a Target<'a>,
    /// Whether its target has a query.
    pub has_query: bool,
    /// The host it is for, without its port.
    pub host: &'a str,
    /// Where it comes from.
    pub address: IpAddr,
    /// Its method; `None` where only a target is asked about.
    pub method: Option<&'a str>,
    /// Its headers; `None` where only a target is asked about.
    pub headers: Option<&'a HeaderMap>,
}

impl<'a> Subject<'a> {
    /// The host in small letters and without the dots at its end.
    pub(super) fn plain_host(&self) -> std::borrow::Cow<'a, str> {
        let host = self.host.trim_end_matches('.');
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) { host.to_ascii_lowercase().into() } else { host.into() }
    }

    /// The methods that the request may have in the eyes of an application, beside its own.
    pub(super) fn overriding_methods(&self) -> impl Iterator<Item = &'a str> {
        let headers = self.headers;
        let lines = METHOD_OVERRIDES.into_iter().filter_map(move |name| headers?.get(name)?.to_str().ok());
        lines.map(str::trim)
    }
}
