//! `canonical` and `cookie_domain`: what a site's names have to do with each other.

use super::document::{Lined, Section};
use super::sites::Host;
use hyper::Uri;
use hyper::http::uri::Scheme;
use std::net::Ipv4Addr;

/// The one address under which a site wants to be visited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// Whether its scheme is `https`.
    pub https: bool,
    /// Its host, lower case, without port.
    pub host: String,
    /// Scheme, host and port as redirects name them.
    pub origin: String,
}

impl Canonical {
    /// Reads `canonical`; `hosts` are those of the site. `behind_tls`: whether anybody tells us that a visitor came by HTTPS.
    pub(super) fn read(section: &mut Section<'_, '_>, hosts: &[Host], behind_tls: bool) -> Option<Self> {
        let text = section.string("canonical", "https://www.example.org")?;
        let problem = |message: String, remedy: &str| section.problem(text.line, message, remedy);
        let Some(canonical) = Self::parse(&text.value) else {
            let message = format!("`canonical` = \"{}\" cannot be used", text.value);
            problem(message, "write scheme and host, without a path: \"https://www.example.org\"");
            return None;
        };
        if !hosts.is_empty() && !hosts.iter().any(|host| host.match_len(&canonical.host).is_some()) {
            let message = format!("`canonical` names {}, which is not one of the site's hosts", canonical.host);
            problem(message, "add it to `hosts`, or write one of them: else visitors are sent away");
        }
        if canonical.https && !behind_tls {
            let message = "`canonical` is https, and nobody tells the verifier who came by HTTPS".to_owned();
            problem(
                message,
                "write beside = \"proxy\" at the top and let TLS end there: else visitors go round in circles",
            );
        }
        Some(canonical)
    }

    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let fits = (https || uri.scheme() == Some(&Scheme::HTTP)) && uri.path() == "/" && uri.query().is_none();
        let authority = uri.authority().filter(|authority| fits && !authority.as_str().contains('@'))?;
        Host::parse(authority.host()).filter(|host| matches!(host, Host::Exact(_)))?;
        let host = authority.host().to_ascii_lowercase();
        let scheme = if https { "https" } else { "http" };
        Some(Self { https, host, origin: format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()) })
    }
}

/// Reads `cookie_domain`.
pub(super) fn cookie_domain(section: &mut Section<'_, '_>, hosts: &[Host]) -> Option<String> {
    let Lined { line, value } = section.string("cookie_domain", "example.org")?;
    let domain = value.to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label);
    if !is_domain || domain.parse::<Ipv4Addr>().is_ok() {
        let message = format!("`cookie_domain` = \"{value}\" is not a domain");
        section.problem(line, message, "write it like \"example.org\": what the site's hosts have in common");
        return None;
    }
    let below = format!(".{domain}");
    let outside = hosts.iter().map(ToString::to_string).find(|host| {
        let host = host.trim_start_matches('*');
        host != domain && !host.ends_with(&below)
    });
    if let Some(host) = outside {
        let message = format!("`cookie_domain` = \"{domain}\" does not cover the host `{host}`");
        section.problem(line, message, "move that host to a site of its own, or write a wider domain");
    } else if hosts.is_empty() {
        section.problem(line, "`cookie_domain` needs the site's `hosts`", "write `hosts`: they have to lie below it");
    }
    Some(domain)
}

/// What sharing the cookie means, for `check-config`.
pub(super) fn sharing_warning(site: &str, domain: &str) -> String {
    format!(
        "`cookie_domain` of `{site}`: browsers send its clearances to every host of {domain}, also to hosts that are not \
         behind this verifier. Whoever runs one of them can read and spend them, and can make a visitor's browser carry \
         others. Leave it out unless you run all of {domain}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_anything_but_scheme_and_authority_is_none() {
        let canonical = Canonical::parse("https://WWW.Example.org:8443").expect("an address");
        assert_eq!((canonical.https, canonical.host.as_str()), (true, "www.example.org"));
        assert_eq!(canonical.origin, "https://www.example.org:8443");
        for text in [
            "www.example.org",
            "ftp://a.org",
            "https://a.org/x",
            "https://a.org?x",
            "https://u@a.org",
            "https://*.a.org",
            "",
            "https://a.org/\r\nX: y",
            "//a.org",
            "https://",
        ] {
            assert_eq!(Canonical::parse(text), None, "{text}");
        }
    }
}
