//! The headers of a forwarded request and of its answer: hop-by-hop ones out, forwarding ones rewritten, the rest as
//! it came.

use super::clearances;
use super::original::Visitor;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

/// Headers between two neighbours (RFC 9110 §7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "upgrade",
];

/// Headers by which strangers claim addresses, hosts, targets or ids; those that begin with `x-forward` or
/// `x-original` besides, and with `_` in the place of `-`.
const FORWARDING: [&str; 25] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-originating-ip",
    "x-host",
    "x-http-host-override",
    "x-rewrite-url",
    "x-request-id",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "x-envoy-external-address",
    "x-envoy-original-path",
    "client-ip",
    "proxy-client-ip",
    "wl-proxy-client-ip",
    "x-scheme",
    "x-url-scheme",
    "fly-client-ip",
    "do-connecting-ip",
    "x-azure-clientip",
];

/// Makes a client's headers those of our own request to the origin. `upgrade` keeps what asks for another protocol.
pub(super) fn to_origin(headers: &mut HeaderMap, visitor: &Visitor, request_id: &str, upgrade: bool) {
    let asked_upgrade = headers.get(UPGRADE).cloned().filter(|_| upgrade);
    let takes_trailers = headers.get_all(TE).iter().any(|value| {
        value.to_str().is_ok_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case("trailers")))
    });
    without_hop_by_hop(headers);
    headers.remove(TE);
    headers.remove(TRANSFER_ENCODING);
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_forwarding(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
    clearances::strip(headers);
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(HOST, &visitor.authority);
    let address = visitor.address.to_string();
    set(HeaderName::from_static("x-forwarded-for"), &address);
    set(HeaderName::from_static("x-real-ip"), &address);
    set(HeaderName::from_static("x-forwarded-proto"), visitor.scheme.name());
    set(HeaderName::from_static("x-forwarded-host"), &visitor.authority);
    set(HeaderName::from_static("x-request-id"), request_id);
    if takes_trailers {
        set(TE, "trailers");
        set(CONNECTION, "te");
    }
    if let Some(protocol) = asked_upgrade {
        headers.insert(UPGRADE, protocol);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Makes an origin's headers those of our answer. `upgrade` keeps what names the other protocol.
pub(super) fn to_client(headers: &mut HeaderMap, upgrade: bool) {
    let upgraded = headers.get(UPGRADE).cloned().filter(|_| upgrade);
    without_hop_by_hop(headers);
    headers.remove(TRANSFER_ENCODING);
    if let Some(protocol) = upgraded {
        headers.insert(UPGRADE, protocol);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

fn without_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn is_forwarding(name: &str) -> bool {
    // CGI and its kin know no difference between `_` and `-`.
    let name = name.replace('_', "-");
    name.starts_with("x-forward") || name.starts_with("x-original") || FORWARDING.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::original::Scheme;
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn forwarded(lines: &[(&'static str, &'static str)], upgrade: bool) -> HeaderMap {
        let visitor =
            Visitor { address: [203, 0, 113, 9].into(), scheme: Scheme::Https, authority: "example.org".to_owned() };
        let mut headers = headers(lines);
        to_origin(&mut headers, &visitor, "id1", upgrade);
        headers
    }

    #[test]
    fn every_claim_of_a_stranger_is_replaced_or_dropped() {
        let sent = forwarded(
            &[
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-anything", "1"),
                ("x_forwarded_for", "1.1.1.1"),
                ("x_real_ip", "1.1.1.1"),
                ("client-ip", "1.1.1.1"),
                ("x-original-uri", "/admin"),
                ("x-real-ip", "1.1.1.1"),
                ("forwarded", "for=1.1.1.1"),
                ("true-client-ip", "1.1.1.1"),
                ("cf-connecting-ip", "1.1.1.1"),
                ("x-request-id", "mine"),
                ("portcullis-clearance", "secret"),
                ("cookie", "portcullis=secret; a=1"),
                ("accept", "text/html"),
            ],
            false,
        );
        let expected = headers(&[
            ("host", "example.org"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-real-ip", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "example.org"),
            ("x-request-id", "id1"),
            ("cookie", "a=1"),
            ("accept", "text/html"),
        ]);
        assert_eq!(sent, expected);
    }

    #[test]
    fn hop_by_hop_headers_end_here_and_upgrades_go_on() {
        let lines = [
            ("connection", "keep-alive, x-secret, upgrade"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("upgrade", "websocket"),
            ("te", "trailers, gzip"),
        ];
        let plain = forwarded(&lines, false);
        assert!(!plain.contains_key("x-secret") && !plain.contains_key("upgrade") && !plain.contains_key("keep-alive"));
        assert_eq!(
            (&plain["te"], &plain["connection"]),
            (&HeaderValue::from_static("trailers"), &HeaderValue::from_static("te"))
        );
        let upgrade = forwarded(&lines, true);
        assert_eq!(
            (&upgrade["upgrade"], &upgrade["connection"]),
            (&HeaderValue::from_static("websocket"), &HeaderValue::from_static("upgrade"))
        );
    }
}
