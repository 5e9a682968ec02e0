//! Which pages may ask: those of the same site, for a form those of its key, and nobody else (PROTOCOL §4).

use super::body::AnswerBody;
use super::original::{Visitor, host_of};
use crate::config::Site;
use crate::gate::site_keys::{SiteKey, SiteKeys};
use hyper::Response;
use hyper::header::{HeaderMap, HeaderValue};

/// Characters of a host name.
const HOST_CHARS_MAX: usize = 253;

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
    readable(headers, origin);
    headers.insert("access-control-allow-credentials", HeaderValue::from_static("true"));
}

/// Lets a page of a key's hosts read an answer, without its cookies.
pub(super) fn allow_form(response: &mut Response<AnswerBody>, key: &SiteKey, visitor: &Visitor, request: &HeaderMap) {
    let Some(origin) = request.get("origin") else { return };
    if form_host(key, visitor, request).is_some() {
        readable(response.headers_mut(), origin);
    }
}

fn readable(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert("access-control-allow-origin", origin.clone());
    headers.insert(
        "access-control-expose-headers",
        HeaderValue::from_static("Portcullis-Challenge, Portcullis-Gate, Retry-After"),
    );
}

/// The host of the page that asks for a token: what its `Origin` says, and without one that of the endpoint itself; `None`
/// where the key is not for pages of that host. In lower case, without port.
pub(super) fn form_host(key: &SiteKey, visitor: &Visitor, request: &HeaderMap) -> Option<String> {
    let mut origins = request.get_all("origin").into_iter();
    let (authority, is_own) = match (origins.next(), origins.next()) {
        (None, _) => (visitor.authority.as_str(), true),
        (Some(origin), None) => {
            let origin = origin.to_str().ok()?;
            (origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))?, is_own(visitor, origin))
        }
        _ => return None,
    };
    let host = host_of(authority);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'[' | b']' | b':');
    let fits = (1..=HOST_CHARS_MAX).contains(&host.len()) && host.bytes().all(plain);
    // A key for no host in particular is for the pages beside its endpoints.
    let is_named = if key.hosts.is_empty() { is_own } else { key.names(host) };
    (fits && is_named).then(|| host.to_ascii_lowercase())
}

/// Answers a preflight for one of our endpoints. Which key a page will name nobody knows yet.
pub(super) fn allow_preflight(
    response: &mut Response<AnswerBody>,
    (site, site_keys): (&Site, &SiteKeys),
    visitor: &Visitor,
    request: &HeaderMap,
) {
    for key in site_keys.of(site) {
        allow_form(response, key, visitor, request);
    }
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
    is_own(visitor, origin) || (matches!(scheme, "http" | "https") && site.names(host_of(authority)))
}

/// Whether `origin` is the request's own scheme, host and port.
fn is_own(visitor: &Visitor, origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let bare = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase();
    scheme == visitor.scheme.name() && bare(authority) == bare(&visitor.authority)
}

#[cfg(test)]
mod tests {
    use super::super::original::Scheme;
    use super::*;
    use crate::config::{Config, Host};
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

    fn key(hosts: &[&str]) -> SiteKey {
        let hosts = hosts.iter().map(|name| match name.strip_prefix('*') {
            Some(suffix) => Host::Below(suffix.to_owned()),
            None => Host::Exact((*name).to_owned()),
        });
        let hosts = hosts.collect();
        SiteKey { key: "contact".to_owned(), site: 1, hosts, digests: Vec::new(), test: None, place: 0 }
    }

    fn host_for(key: &SiteKey, origins: &[&str]) -> Option<String> {
        let authority = "gate.example:8080".to_owned();
        let visitor = Visitor { address: [127, 0, 0, 1].into(), scheme: Scheme::Http, authority };
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append("origin", origin.parse().expect("a value"));
        }
        form_host(key, &visitor, &headers)
    }

    #[test]
    fn a_token_names_the_host_of_a_page_that_the_key_is_for() {
        let listed = key(&["shop.example", "*.shop.example"]);
        let host = |origin: &str| host_for(&listed, &[origin]);
        assert_eq!(host("https://SHOP.example").as_deref(), Some("shop.example"));
        assert_eq!(host("http://a.shop.example:8443").as_deref(), Some("a.shop.example"));
        for other in [
            "null",
            "https://gate.example:8080",
            "https://evil.example",
            "file://shop.example",
            "shop.example",
            "https://shop.example.evil.example",
            "https://\"<b>.shop.example",
            "https://",
        ] {
            assert_eq!(host(other), None, "{other}");
        }
        let long = format!("https://{}.shop.example", "a".repeat(250));
        assert_eq!(host(&long), None);
        assert_eq!(host_for(&listed, &["https://shop.example", "https://shop.example"]), None);
        assert_eq!(host_for(&listed, &[]), None, "the endpoint's own host is not listed");
    }

    #[test]
    fn a_key_for_no_host_in_particular_is_for_pages_beside_the_endpoints() {
        let own = key(&[]);
        assert_eq!(host_for(&own, &[]).as_deref(), Some("gate.example"));
        assert_eq!(host_for(&own, &["http://gate.example:8080"]).as_deref(), Some("gate.example"));
        for other in ["https://gate.example:8080", "http://gate.example", "http://other.example:8080", "null"] {
            assert_eq!(host_for(&own, &[other]), None, "{other}");
        }
    }
}
