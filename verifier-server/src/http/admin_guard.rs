//! Who may ask the admin listener for what: the guards of PROTOCOL §9, on every request.

use super::admin_dashboard;
use super::original::{Peer, host_of};
use crate::secret::AdminTokens;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

/// Why a request is refused: the status, and what to do about it.
pub(super) type Refused = (StatusCode, &'static str);

/// The admin listener's guard.
pub(super) struct Guard {
    /// Host names beyond loopback that may name this listener.
    pub(super) hosts: Vec<String>,
}

impl Guard {
    /// Whether a request may be answered. Writes need one of `tokens`, and so does everything from beyond loopback.
    pub(super) fn admits(
        &self,
        tokens: &AdminTokens,
        peer: Peer,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(), Refused> {
        let mut hosts = headers.get_all(HOST).into_iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
        if hosts.next().is_some() || !self.is_ours(host_of(host)) {
            return Err((
                StatusCode::FORBIDDEN,
                "this host name is not one of the admin listener's: see `admin_hosts`",
            ));
        }
        let own_origin = |origin: &HeaderValue| {
            let origin = origin.to_str().unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, authority)| authority == host)
        };
        let foreign_site = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
        if foreign_site || !headers.get_all("origin").iter().all(own_origin) {
            return Err((StatusCode::FORBIDDEN, "pages of other sites may not ask here"));
        }
        let (near, socket) = match peer {
            Peer::UnixSocket => (true, true),
            Peer::Address(address) | Peer::Announced(address, _) => (address.is_loopback(), false),
        };
        let writes = !matches!(*method, Method::GET | Method::HEAD);
        // The files of the dashboard are the same at everybody's and tell nothing; the page asks for the token itself.
        let tells_nothing = path == "/healthz" || path.starts_with(admin_dashboard::FILES);
        let needs_token = (writes && !socket) || (!near && !tells_nothing);
        if needs_token && !has_token(tokens, headers) {
            return Err((StatusCode::UNAUTHORIZED, "send the token in `admin_token_file` as Authorization: Bearer …"));
        }
        let json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if writes && json.split(';').next().unwrap_or_default().trim() != "application/json" {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json"));
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        loopback
            || host.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    }
}

fn has_token(tokens: &AdminTokens, headers: &HeaderMap) -> bool {
    let sent = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    tokens.have(sent.strip_prefix(b"Bearer ").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, ORIGIN};
    use std::net::IpAddr;

    fn status(peer: &str, method: &Method, path: &str, headers: &[(HeaderName, &'static str)]) -> u16 {
        let guard = Guard { hosts: vec!["gate.example".to_owned()] };
        let mut map = HeaderMap::from_iter([(HOST, HeaderValue::from_static("gate.example:9090"))]);
        map.extend(headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
        let peer = peer.parse::<IpAddr>().map_or(Peer::UnixSocket, Peer::Address);
        guard
            .admits(&AdminTokens::of(&["0123456789abcdef"]), peer, method, path, &map)
            .map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn from_beyond_loopback_only_health_and_the_files_that_tell_nothing_need_no_token() {
        let with_token = [(AUTHORIZATION, "Bearer 0123456789abcdef")];
        let reads = ["/", "/events", "/status", "/metrics", "/explain", "/attacks/1/report", "/passes", "/nothing"];
        for path in reads {
            assert_eq!(status("203.0.113.9", &Method::GET, path, &[]), 401, "{path}");
            assert_eq!(status("203.0.113.9", &Method::GET, path, &with_token), 200, "{path}");
            assert_eq!(status("::1", &Method::GET, path, &[]), 200, "{path}");
            assert_eq!(status("the socket", &Method::GET, path, &[]), 200, "{path}");
        }
        for path in ["/healthz", "/dashboard/dashboard.js"] {
            assert_eq!(status("203.0.113.9", &Method::GET, path, &[]), 200, "{path}");
            assert_eq!(status("203.0.113.9", &Method::POST, path, &[]), 401, "{path}");
        }
    }

    #[test]
    fn a_page_of_another_site_gets_nothing_from_anywhere_with_or_without_the_token() {
        for (name, value) in [
            (ORIGIN, "http://evil.example"),
            (ORIGIN, "null"),
            (ORIGIN, "http://gate.example:8080"),
            (HeaderName::from_static("sec-fetch-site"), "cross-site"),
            (HeaderName::from_static("sec-fetch-site"), "same-site"),
        ] {
            for path in ["/", "/events", "/attacks/1/report", "/dashboard/dashboard.js", "/healthz"] {
                let headers = [(name.clone(), value), (AUTHORIZATION, "Bearer 0123456789abcdef")];
                assert_eq!(status("127.0.0.1", &Method::GET, path, &headers), 403, "{value} {path}");
            }
        }
    }
}
