//! The original request: whose it is, and what it asked for, from the one configured source (PROTOCOL §5).
//!
//! Every other forwarding header is ignored, whoever the peer is: a web server passes on what a stranger sent.

use crate::config::{Beside, Config};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use ipnet::IpNet;
use puzzle::ClientNetwork;
use std::net::IpAddr;

/// The family of nginx.
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
static X_ORIGINAL_PROTO: HeaderName = HeaderName::from_static("x-original-proto");
static X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Of a proxy, beside the configured address header.
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// This address.
    Address(IpAddr),
    /// Whoever may open our unix socket.
    UnixSocket,
}

/// How the visitor reached the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(text))
    }
}

/// Whose a request is: what every endpoint needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    pub(super) scheme: Scheme,
    /// Host and port as asked for.
    pub(super) authority: String,
}

impl Visitor {
    pub(super) fn network(&self) -> ClientNetwork {
        ClientNetwork::of(self.address)
    }

    /// The host without port.
    pub(super) fn host(&self) -> &str {
        host_of(&self.authority)
    }
}

/// What a web server beside us says of the request that it asks about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'r> {
    pub(super) method: &'r str,
    pub(super) target: &'r str,
    pub(super) request_id: &'r str,
}

/// Why the original request cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    /// A header of the configured family is missing.
    #[error("the header {0} is missing")]
    Missing(String),
    /// It stands there more than once.
    #[error("the header {0} is there more than once")]
    Repeated(String),
    /// It cannot be read.
    #[error("the header {0} cannot be read")]
    Unreadable(String),
    /// Only a web server beside us may ask.
    #[error("the request does not come from a trusted web server")]
    Stranger,
}

/// Whether `peer` may speak for a client.
pub(super) fn trusts(config: &Config, peer: Peer) -> bool {
    match peer {
        Peer::UnixSocket => true,
        Peer::Address(address) => config.beside.is_some() && contains(&config.trusted_proxies, address),
    }
}

/// Whose the request is.
pub(super) fn visitor<B>(config: &Config, peer: Peer, request: &Request<B>) -> Result<Visitor, Unclear> {
    let authority = authority(request)?;
    let headers = request.headers();
    let (address_header, scheme_header) = match (&config.beside, peer) {
        (Some(beside), _) if trusts(config, peer) => match beside {
            Beside::Nginx => (&X_REAL_IP, &X_ORIGINAL_PROTO),
            Beside::Proxy { client_address_header } => (client_address_header, &X_FORWARDED_PROTO),
        },
        (_, Peer::Address(address)) => {
            return Ok(Visitor { address: address.to_canonical(), scheme: Scheme::Http, authority });
        }
        (_, Peer::UnixSocket) => return Err(Unclear::Stranger),
    };
    let address = address(headers, address_header, &config.trusted_proxies)?;
    let scheme = single(headers, scheme_header)?;
    let scheme = Scheme::parse(scheme).ok_or_else(|| Unclear::Unreadable(scheme_header.to_string()))?;
    Ok(Visitor { address, scheme, authority })
}

/// The request that nginx asks about.
pub(super) fn asked<'r>(config: &Config, peer: Peer, headers: &'r HeaderMap) -> Result<Asked<'r>, Unclear> {
    if config.beside != Some(Beside::Nginx) || !trusts(config, peer) {
        return Err(Unclear::Stranger);
    }
    Ok(Asked {
        method: single(headers, &X_ORIGINAL_METHOD)?,
        target: single(headers, &X_ORIGINAL_URI)?,
        request_id: single(headers, &X_REQUEST_ID)?,
    })
}

/// The host without its port.
pub(super) fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => {
            if host.contains(':') && !host.starts_with('[') { authority } else { host }
        }
        _ => authority,
    }
}

/// Host and port: of an absolute target or HTTP/2's `:authority`, else of the one `Host` header.
fn authority<B>(request: &Request<B>) -> Result<String, Unclear> {
    if let Some(authority) = Uri::authority(request.uri()) {
        let authority = authority.as_str();
        return Ok(authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned());
    }
    let host = single(request.headers(), &HOST)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if host.is_empty() || host.len() > 260 || !host.bytes().all(plain) {
        return Err(Unclear::Unreadable("Host".to_owned()));
    }
    Ok(host.to_owned())
}

/// The one value of a header.
fn single<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Result<&'r str, Unclear> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next().ok_or_else(|| Unclear::Missing(name.to_string()))?;
    if values.next().is_some() {
        return Err(Unclear::Repeated(name.to_string()));
    }
    value.to_str().map_err(|_| Unclear::Unreadable(name.to_string()))
}

/// The first address from the right that is not a trusted proxy's; where all are, the leftmost.
fn address(headers: &HeaderMap, name: &HeaderName, trusted: &[IpNet]) -> Result<IpAddr, Unclear> {
    let unreadable = || Unclear::Unreadable(name.to_string());
    let lines: Vec<&HeaderValue> = headers.get_all(name).into_iter().collect();
    let mut found = None;
    for line in lines.into_iter().rev() {
        for item in line.to_str().map_err(|_| unreadable())?.rsplit(',') {
            let address = parse_address(item.trim()).ok_or_else(unreadable)?;
            if !contains(trusted, address) {
                return Ok(address);
            }
            found = Some(address);
        }
    }
    found.ok_or_else(|| Unclear::Missing(name.to_string()))
}

/// An address, bare, or with a port as some proxies write it.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

fn contains(nets: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    nets.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const PROXY: Peer = Peer::Address(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    const STRANGER: Peer = Peer::Address(IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)));

    fn config(beside: &str) -> Config {
        let text = format!(
            "{beside}\ntrusted_proxies = [\"127.0.0.1/32\", \"10.0.0.0/8\"]\n[[site]]\norigin = \"http://127.0.0.1:1\""
        );
        Config::parse(&text, Path::new("test.toml")).expect("a configuration")
    }

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().header("host", "example.org:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    fn forwarded(addresses: &str) -> Result<IpAddr, Unclear> {
        let request = request(&[("x-forwarded-for", addresses), ("x-forwarded-proto", "https")]);
        visitor(&config("beside = \"proxy\""), PROXY, &request).map(|visitor| visitor.address)
    }

    #[test]
    fn the_address_is_the_first_from_the_right_that_no_trusted_proxy_has() {
        let address = |text: &str| Ok(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(forwarded("198.51.100.1, 203.0.113.9, 10.1.2.3"), address("203.0.113.9"));
        assert_eq!(forwarded("198.51.100.1, 203.0.113.9"), address("203.0.113.9"));
        assert_eq!(forwarded("10.0.0.1, 10.0.0.2"), address("10.0.0.1"));
        assert_eq!(forwarded("[2001:db8::1]:4711"), address("2001:db8::1"));
        assert_eq!(forwarded("::ffff:203.0.113.9"), address("203.0.113.9"));
        assert_eq!(forwarded("x, 203.0.113.9"), address("203.0.113.9"), "what lies left of it is not even read");
        assert!(forwarded("203.0.113.9, x").is_err());
        assert!(forwarded("").is_err());
    }

    #[test]
    fn lines_of_the_address_header_are_joined_in_order() {
        let request = request(&[
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-for", "203.0.113.9, 10.0.0.1"),
            ("x-forwarded-proto", "http"),
        ]);
        let visitor = visitor(&config("beside = \"proxy\""), PROXY, &request).expect("a visitor");
        assert_eq!(visitor.address, "203.0.113.9".parse::<IpAddr>().expect("an address"));
        assert_eq!((visitor.host(), visitor.scheme), ("example.org", Scheme::Http));
    }

    #[test]
    fn a_stranger_speaks_only_for_himself() {
        let headers = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-real-ip", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.1.1.1"),
        ];
        for beside in ["beside = \"proxy\"", "beside = \"nginx\""] {
            let visitor = visitor(&config(beside), STRANGER, &request(&headers)).expect("a visitor");
            assert_eq!((Peer::Address(visitor.address), visitor.scheme), (STRANGER, Scheme::Http));
        }
    }

    #[test]
    fn only_the_configured_family_is_read() {
        let both = request(&[
            ("x-real-ip", "203.0.113.1"),
            ("x-original-proto", "http"),
            ("x-forwarded-for", "203.0.113.2"),
            ("x-forwarded-proto", "https"),
        ]);
        let nginx = visitor(&config("beside = \"nginx\""), PROXY, &both).expect("a visitor");
        let proxy = visitor(&config("beside = \"proxy\""), PROXY, &both).expect("a visitor");
        assert_eq!(nginx.address.to_string(), "203.0.113.1");
        assert_eq!(proxy.address.to_string(), "203.0.113.2");
    }

    #[test]
    fn a_header_of_the_family_that_is_missing_or_repeated_makes_the_request_unclear() {
        let config = config("beside = \"nginx\"");
        let whole = [("x-original-method", "GET"), ("x-original-uri", "/a"), ("x-request-id", "r1")];
        assert!(asked(&config, PROXY, request(&whole).headers()).is_ok());
        assert_eq!(asked(&config, STRANGER, request(&whole).headers()).err(), Some(Unclear::Stranger));
        for left_out in 0..whole.len() {
            let mut headers = whole.to_vec();
            let (name, value) = headers.remove(left_out);
            assert_eq!(
                asked(&config, PROXY, request(&headers).headers()).err(),
                Some(Unclear::Missing(name.to_string()))
            );
            headers.extend([(name, value), (name, "other")]);
            assert_eq!(
                asked(&config, PROXY, request(&headers).headers()).err(),
                Some(Unclear::Repeated(name.to_string()))
            );
        }
        let twice = Request::builder().header("host", "a").header("host", "b").body(()).expect("a request");
        assert!(visitor(&config, STRANGER, &twice).is_err());
    }

    #[test]
    fn a_port_is_no_part_of_the_host() {
        for (authority, host) in
            [("a.org", "a.org"), ("a.org:80", "a.org"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a.org:", "a.org")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
