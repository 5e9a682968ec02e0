//! Which answers of an origin say that their path is an asset.

use crate::gate::policy::{Route, Subject};
use crate::gate::target::Target;
use crate::gate::target::is_script;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, SET_COOKIE, VARY};
use hyper::{Response, StatusCode};

/// Media types of parts of pages. Videos and archives are none: they are asked for by themselves.
const STATIC_TYPES: [&str; 8] = [
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "application/wasm",
    "application/manifest+json",
    "application/font-woff",
    "application/vnd.ms-fontobject",
];
const STATIC_KINDS: [&str; 2] = ["image/", "font/"];

/// Whether a request may become an asset by its answer: no rule speaks of it, everybody reads its path in the same way, it
/// is for reading, and no program stands in its path. A program answers whatever follows its name, and makes anew what it
/// answers, whatever type that has.
pub(super) fn may_be_asset(subject: &Subject<'_>, route: &Route) -> bool {
    let Target::Plain(path) = subject.target else { return false };
    route.rule.is_none() && matches!(subject.method, Some("GET" | "HEAD")) && !path.split('/').any(is_script)
}

/// What an answer says of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It is a static part of pages.
    Asset,
    /// Nothing has changed: it is still what it was.
    Unchanged,
    /// Nothing.
    Nothing,
}

/// What an answer says. One that sets a cookie, depends on one, or must not be kept was made for one visitor.
pub(super) fn says<B>(response: &Response<B>) -> Says {
    let headers = response.headers();
    let personal = headers.contains_key(SET_COOKIE)
        || lists(headers, &CACHE_CONTROL, &["no-store", "private"])
        || lists(headers, &VARY, &["cookie", "authorization", "*"]);
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(|value| {
        let end = value.find(';').unwrap_or(value.len());
        value[..end].trim().to_ascii_lowercase()
    });
    let is_static =
        |name: &String| STATIC_TYPES.contains(&name.as_str()) || STATIC_KINDS.iter().any(|kind| name.starts_with(kind));
    match response.status() {
        _ if personal => Says::Nothing,
        StatusCode::NOT_MODIFIED if media_type.is_none() => Says::Unchanged,
        StatusCode::OK
        | StatusCode::NON_AUTHORITATIVE_INFORMATION
        | StatusCode::PARTIAL_CONTENT
        | StatusCode::NOT_MODIFIED
            if media_type.as_ref().is_some_and(is_static) =>
        {
            Says::Asset
        }
        _ => Says::Nothing,
    }
}

/// Whether a header lists any of these words.
fn lists(headers: &HeaderMap, name: &HeaderName, words: &[&str]) -> bool {
    headers.get_all(name).iter().any(|line| {
        let Ok(line) = line.to_str() else { return true };
        line.split(',').any(|item| {
            let word = item.split('=').next().unwrap_or_default().trim();
            words.iter().any(|known| known.eq_ignore_ascii_case(word))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says_of(status: u16, headers: &[(&str, &str)]) -> Says {
        let response = Response::builder().status(status);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        says(&response.body(()).expect("a response"))
    }

    #[test]
    fn only_an_answer_for_everybody_of_a_static_type_makes_an_asset() {
        let css = ("content-type", "text/css; charset=utf-8");
        assert_eq!(says_of(200, &[css]), Says::Asset);
        assert_eq!(says_of(206, &[("content-type", "IMAGE/PNG")]), Says::Asset);
        assert_eq!(says_of(304, &[css]), Says::Asset);
        assert_eq!(says_of(304, &[]), Says::Unchanged);
        for (status, headers) in [
            (404, vec![css]),
            (301, vec![css]),
            (500, vec![css]),
            (204, vec![css]),
            (200, vec![]),
            (200, vec![("content-type", "text/html")]),
            (200, vec![("content-type", "text/html; image/png")]),
            (200, vec![("content-type", "application/json")]),
            (200, vec![("content-type", "video/mp4")]),
            (200, vec![css, ("set-cookie", "a=1")]),
            (200, vec![css, ("cache-control", "max-age=5, Private")]),
            (200, vec![css, ("cache-control", "no-store")]),
            (200, vec![css, ("cache-control", "private=\"x\"")]),
            (200, vec![css, ("vary", "Accept-Encoding, Cookie")]),
            (304, vec![("set-cookie", "a=1")]),
        ] {
            assert_eq!(says_of(status, &headers), Says::Nothing, "{status} {headers:?}");
        }
        assert_eq!(says_of(200, &[css, ("cache-control", "public"), ("vary", "Accept-Encoding")]), Says::Asset);
    }

    #[test]
    fn no_path_with_a_program_in_it_becomes_an_asset() {
        let may = |target: &str, method| {
            let target = Target::parse(target);
            let subject = Subject {
                target: &target,
                has_query: false,
                host: "example.org",
                address: [203, 0, 113, 7].into(),
                crawler: None,
                method: Some(method),
                headers: None,
            };
            may_be_asset(&subject, &Route::DEFAULT)
        };
        assert!(may("/static/a.css", "GET") && may("/a", "HEAD"));
        for path in ["/index.php/x.css", "/image.php", "/a/b.ASPX/x/y.png", "/a//b.css", "/a.css;x", "/x/../a.css"] {
            assert!(!may(path, "GET"), "{path}");
        }
        assert!(!may("/static/a.css", "POST"));
    }
}
