//! What rules look at in a request.

use crate::gate::target::Target;
use hyper::HeaderMap;
use std::net::IpAddr;

/// By which headers some applications take another method than the request's: a rule on methods holds for each of them.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
/// Methods in them that are looked at. Whoever writes more of them has written all that rules name.
const OVERRIDES_MAX: usize = 32;

/// Stands for every method that no rule names.
const OTHER_METHOD: &str = "OTHER";

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
    /// The name of that address, where it is confirmed and a crawler's.
    pub crawler: Option<&'a str>,
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

    /// The methods that the request may have in the eyes of an application, beside its own: each item of each line, as some
    /// take the first and others the last. Those that no rule has `named` are all alike: one stands for them, so that nobody
    /// makes many of them.
    pub(super) fn overriding_methods<'m>(&self, named: &'m [String]) -> Vec<&'m str>
    where
        'a: 'm,
    {
        let Some(headers) = self.headers else { return Vec::new() };
        let (mut methods, mut has_other): (Vec<&str>, bool) = (Vec::new(), false);
        let lines = METHOD_OVERRIDES.into_iter().flat_map(|name| headers.get_all(name));
        let items = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim);
        for (count, method) in items.enumerate() {
            if count == OVERRIDES_MAX {
                return named.iter().map(String::as_str).chain(["HEAD", OTHER_METHOD]).collect();
            }
            let is = |name: &str| name.eq_ignore_ascii_case(method);
            let is_named = is("HEAD") || named.iter().any(|name| is(name));
            let is_new = if is_named { !methods.iter().any(|known| is(known)) } else { !has_other };
            if is_new && !method.is_empty() && Some(method) != self.method {
                has_other |= !is_named;
                methods.push(method);
            }
        }
        methods
    }
}
