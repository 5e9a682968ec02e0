//! The dashboard's page and its files, embedded: the same for everybody, without a word of what the verifier does.

use super::admin_events::AdminBody;
use super::assets;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};

/// Where its files are.
pub(super) const FILES: &str = "/dashboard/";

/// Nothing from anywhere else, nothing inline, and no string becomes code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The page. `allowed`: whoever asks may read; else it says that it needs the token, and asks for it.
pub(super) fn page(allowed: bool) -> Response<AdminBody> {
    let mut response = Response::new(AdminBody::whole(assets::DASHBOARD_TEMPLATE));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    if !allowed {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    guarded(response)
}

/// A file of the page: script or style.
pub(super) fn file(path: &str, headers: &HeaderMap) -> Option<Response<AdminBody>> {
    let encoded = assets::of_dashboard(path.strip_prefix(FILES)?, headers)?;
    let mut response = Response::new(AdminBody::whole(encoded.bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(encoded.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoded.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(guarded(response))
}

fn guarded(mut response: Response<AdminBody>) -> Response<AdminBody> {
    let headers = response.headers_mut();
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}
