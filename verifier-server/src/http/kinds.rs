//! What kind of request one is, by its method and headers.

use hyper::Method;
use hyper::header::{ACCEPT, HeaderMap, HeaderName};

/// Whether a method changes nothing (RFC 9110 §9.2.1).
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a person goes to a page (PROTOCOL §6). Where a service worker of the site asks for it in the browser's place, Firefox
/// takes that for a request of the worker's own, which has the person's `Accept`.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    match headers.get(&SEC_FETCH_MODE) {
        None => wants_a_page(headers),
        Some(mode) => mode == "navigate" || (mode == "same-origin" && wants_a_page(headers)),
    }
}

fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepts_html =
        headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")));
    accepts_html && !["x-requested-with", "hx-request", "turbo-frame"].iter().any(|name| headers.contains_key(*name))
}

/// Whether a request is a CORS preflight.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key("origin")
        && headers.contains_key("access-control-request-method")
}
