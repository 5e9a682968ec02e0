//! The one address of a site: who comes by another host or scheme is sent there before the gate is asked, so that a typed
//! bare name costs one solution and not two.

use super::answer::bare;
use super::body::AnswerBody;
use super::original::{Scheme, Visitor};
use crate::config::{Canonical, Config};
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};

/// Where certificate authorities look for their tokens, over plain HTTP and on every name (RFC 8555 §8.3): whoever wants a
/// certificate for the canonical address must be able to answer before it has one.
const ACME_PATH: &str = "/.well-known/acme-challenge/";

/// The redirect of a request that came by another address than its site's own; `target` is its path and query as sent.
pub(super) fn redirect(config: &Config, visitor: &Visitor, target: &str) -> Option<Response<AnswerBody>> {
    let canonical = config.site_of(visitor.host())?.canonical.as_ref()?;
    if is_there(canonical, visitor) || target.starts_with(ACME_PATH) {
        return None;
    }
    let mut response = bare(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(LOCATION, location(canonical, target)?);
    Some(response)
}

/// Ports are not compared: a web server that hands on its own would send visitors in circles.
fn is_there(canonical: &Canonical, visitor: &Visitor) -> bool {
    canonical.https == (visitor.scheme == Scheme::Https) && visitor.host().eq_ignore_ascii_case(&canonical.host)
}

/// The canonical address with this path and query, which stay as they are. `None` for what is no path, or has bytes that
/// no address has.
fn location(canonical: &Canonical, target: &str) -> Option<HeaderValue> {
    let fits = target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| HeaderValue::from_str(&format!("{}{target}", canonical.origin)).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn config(canonical: &str) -> Config {
        let text = format!(
            "beside = \"proxy\"\n[[site]]\nhosts = [\"example.org\", \"www.example.org\"]\norigin = \"http://127.0.0.1:1\"\n\
             canonical = \"{canonical}\""
        );
        Config::parse(&text, Path::new("test.toml")).expect("a configuration")
    }

    fn sent_to(canonical: &str, scheme: Scheme, authority: &str, target: &str) -> Option<String> {
        let visitor = Visitor { address: [192, 0, 2, 1].into(), scheme, authority: authority.to_owned() };
        let response = redirect(&config(canonical), &visitor, target)?;
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(response.headers()["cache-control"], "no-store", "it can be taken back");
        Some(response.headers()[LOCATION].to_str().expect("an address").to_owned())
    }

    const WWW: &str = "https://www.example.org";

    #[test]
    fn every_other_name_and_scheme_leads_there_with_path_and_query_as_sent() {
        for (scheme, authority) in [
            (Scheme::Http, "example.org"),
            (Scheme::Https, "example.org"),
            (Scheme::Http, "www.example.org"),
            (Scheme::Https, "www.example.org."),
            (Scheme::Https, "EXAMPLE.org:8443"),
        ] {
            let target = "/a%2F../b;c?x=%0d%0aSet-Cookie:y&u=http://evil.test/#f";
            let expected = Some(format!("{WWW}{target}"));
            assert_eq!(sent_to(WWW, scheme, authority, target), expected, "{scheme:?} {authority}");
        }
        assert_eq!(
            sent_to("http://Example.org:8080", Scheme::Http, "www.example.org", "/").as_deref(),
            Some("http://example.org:8080/")
        );
    }

    #[test]
    fn whoever_is_there_already_stays_whatever_the_port() {
        for authority in ["www.example.org", "WWW.example.org", "www.example.org:443", "www.example.org:8443"] {
            assert_eq!(sent_to(WWW, Scheme::Https, authority, "/"), None, "{authority}");
        }
    }

    #[test]
    fn no_spelling_leads_anywhere_else() {
        for target in
            ["//evil.test/", "/\\evil.test", "/@evil.test", "/.evil.test", "/%2F%2Fevil.test", "/:80@evil.test"]
        {
            let sent = sent_to(WWW, Scheme::Http, "example.org", target).expect("a redirect");
            assert_eq!(sent, format!("{WWW}{target}"));
        }
        for target in ["", "*", "@evil.test/", ".evil.test/", "http://evil.test/", "/a b", "/a\r\nb: c", "/a\tb", "/ü"]
        {
            assert_eq!(sent_to(WWW, Scheme::Http, "example.org", target), None, "{target:?}");
        }
        assert_eq!(sent_to(WWW, Scheme::Http, "evil.test", "/"), None, "an unknown host is nobody's");
    }

    #[test]
    fn tokens_of_certificate_authorities_are_answered_where_they_are_asked_for() {
        let token = "/.well-known/acme-challenge/x";
        assert_eq!(sent_to(WWW, Scheme::Http, "example.org", token), None);
        assert!(sent_to(WWW, Scheme::Http, "example.org", "/.well-known/acme-challenge").is_some());
        assert!(sent_to(WWW, Scheme::Http, "example.org", &format!("/x{token}")).is_some());
    }
}
