//! What browsers load, embedded: the solver, the script, the styles, with hashes in their names.

use super::body::AnswerBody;
use crate::config::Stylesheet;
use hyper::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use hyper::{Response, StatusCode};

/// One file in three encodings.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    content_type: &'static str,
    identity: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The template of the challenge page.
pub(super) const GATE_TEMPLATE: &str = GATE;
/// The template of the small challenge page.
pub(super) const GATE_SMALL_TEMPLATE: &str = GATE_SMALL;
/// The template of the page of a staff pass.
pub(super) const PASS_TEMPLATE: &str = PASS;
/// The template of every other page.
pub(super) const MESSAGE_TEMPLATE: &str = MESSAGE;

/// A worker has its own policy, from its own response: wasm compiles there whatever the site's policy says.
const SCRIPT_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; \
     require-trusted-types-for 'script'; trusted-types portcullis";

/// The asset called `name`, in the best encoding that the client takes.
pub(super) fn answer(name: &str, headers: &HeaderMap) -> Option<Response<AnswerBody>> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let (encoding, bytes) = if accepts(headers, "br") {
        (Some("br"), asset.brotli)
    } else if accepts(headers, "gzip") {
        (Some("gzip"), asset.gzip)
    } else {
        (None, asset.identity)
    };
    let mut response = kept_for_ever(asset.content_type, AnswerBody::bytes(bytes));
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(response)
}

/// A site's colours, which are too short to be compressed.
pub(super) fn stylesheet(stylesheet: &Stylesheet) -> Response<AnswerBody> {
    kept_for_ever("text/css; charset=utf-8", AnswerBody::bytes(stylesheet.css.clone()))
}

/// What has a hash of its content in its name.
fn kept_for_ever(content_type: &'static str, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers.insert("content-security-policy", HeaderValue::from_static(SCRIPT_POLICY));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Whether `Accept-Encoding` names `coding` without forbidding it (RFC 9110 §12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let forbidden = parts.any(|weight| weight.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)));
        named && !forbidden
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(list: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(list))])
    }

    #[test]
    fn encodings_are_chosen_as_the_client_takes_them() {
        assert!(accepts(&accepting("gzip, deflate, br"), "br"));
        assert!(accepts(&accepting("GZIP;q=0.5"), "gzip"));
        assert!(!accepts(&accepting("br;q=0, gzip"), "br"));
        assert!(!accepts(&accepting("brotli"), "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn every_asset_has_its_hash_in_its_name_and_three_encodings() {
        assert!(ASSETS.len() >= 4);
        for asset in ASSETS {
            let hash = asset.name.split('.').nth(1).unwrap_or_default();
            assert_eq!(hash.len(), 16, "{}", asset.name);
            assert!(
                asset.gzip.len() < asset.identity.len() && asset.brotli.len() <= asset.gzip.len(),
                "{}",
                asset.name
            );
        }
    }
}
