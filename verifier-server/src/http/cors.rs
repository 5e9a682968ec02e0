//! Which pages may ask: those of the same site, and nobody else (PROTOCOL §4).

use super::body::AnswerBody;
use super::original::{Visitor, host_of};
use crate::config::Site;
use hyper::Response;
use hyper::header::{HeaderMap, HeaderValue};

/// Where a request's page comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// No browser said.
    Unsaid,
    /// A page of this origin, or of a host of the same site.
    SameSite,
    /// A page of another site.
    CrossSite,
}

/// Where the page behind a request comes from.
pub(super) fn source(site: &Site, visitor: &Visitor, headers: &HeaderMap) -> Source {
    if headers.get("sec-fetch-site").is_some_and(|value| value == "cross-site") {
        return Source::CrossSite;
    }
    origin(site, visitor, headers)
}

/// What the `Origin` header alone says: hosts of one site may lie on different registrable domains, and then the browser
/// calls them cross-site.
fn origin(site: &Site, visitor: &Visitor, headers: &HeaderMap) -> Source {
    let mut origins = headers.get_all("origin").into_iter();
    match (origins.next(), origins.next()) {
        (None, _) => Source::Unsaid,
        (Some(origin), None) if origin.to_str().is_ok_and(|origin| is_same_site(site, visitor, origin)) => {
            Source::SameSite
        }
        _ => Source::CrossSite,
    }
}

/// Lets a page of the same site read an answer.
pub(super) fn allow(response: &mut Response<AnswerBody>, site: &Site, visitor: &Visitor, request: &HeaderMap) {
    let Some(origin) = request.get("origin") else { return };
    if self::origin(site, visitor, request) != Source::SameSite {
        return;
    }
    let headers = response.headers_mut();
    headers.insert("access-control-allow-origin", origin.clone());
    headers.insert("access-control-allow-credentials", HeaderValue::from_static("true"));
    headers.insert("access-control-expose-headers", HeaderValue::from_static("Portcullis-Challenge, Retry-After"));
}

/// Answers a preflight for one of our endpoints.
pub(super) fn allow_preflight(
    response: &mut Response<AnswerBody>,
    site: &Site,
    visitor: &Visitor,
    request: &HeaderMap,
) {
    allow(response, site, visitor, request);
    let headers = response.headers_mut();
    if headers.contains_key("access-control-allow-origin") {
        headers.insert("access-control-allow-methods", HeaderValue::from_static("GET, POST"));
        headers.insert("access-control-allow-headers", HeaderValue::from_static("Content-Type, Portcullis-Clearance"));
        headers.insert("access-control-max-age", HeaderValue::from_static("600"));
    }
}

/// Whether `origin` is the request's own, or its host belongs to the same site.
fn is_same_site(site: &Site, visitor: &Visitor, origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let bare = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase();
    let own = scheme == visitor.scheme.name() && bare(authority) == bare(&visitor.authority);
    own || (matches!(scheme, "http" | "https") && site.names(host_of(authority)))
}

#[cfg(test)]
mod tests {
    use super::super::original::Scheme;
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    fn site(hosts: &str) -> Site {
        let text = format!("[[site]]\n{hosts}\norigin = \"http://127.0.0.1:1\"");
        Config::parse(&text, Path::new("test.toml")).expect("a configuration").sites[0].clone()
    }

    fn from(site: &Site, origin: &str) -> Source {
        let visitor = Visitor {
            address: [127, 0, 0, 1].into(),
            scheme: Scheme::Http,
            authority: "www.example.org:8080".to_owned(),
        };
        source(
            site,
            &visitor,
            &HeaderMap::from_iter([("origin".parse().expect("a name"), origin.parse().expect("a value"))]),
        )
    }

    #[test]
    fn hosts_of_the_site_are_the_same_site() {
        let site = site("hosts = [\"www.example.org\", \"*.cdn.example.org\"]");
        for origin in [
            "http://www.example.org:8080",
            "https://www.example.org",
            "https://a.cdn.example.org:444",
            "http://WWW.example.org",
        ] {
            assert_eq!(from(&site, origin), Source::SameSite, "{origin}");
        }
        for origin in [
            "null",
            "https://example.org",
            "https://evil.org",
            "https://cdn.example.org",
            "file://www.example.org",
            "https://www.example.org.evil.org",
        ] {
            assert_eq!(from(&site, origin), Source::CrossSite, "{origin}");
        }
    }

    #[test]
    fn where_hosts_are_left_out_only_the_own_origin_is_the_same_site() {
        let site = site("");
        assert_eq!(from(&site, "http://www.example.org:8080"), Source::SameSite);
        for origin in ["https://www.example.org:8080", "http://www.example.org", "http://other.org:8080", "null"] {
            assert_eq!(from(&site, origin), Source::CrossSite, "{origin}");
        }
    }
}
