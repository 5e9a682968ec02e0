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
    assert!(asked(&config, PROXY, &request(&whole), "").is_ok());
    assert_eq!(asked(&config, STRANGER, &request(&whole), "").err(), Some(Unclear::Stranger));
    for left_out in 0..whole.len() {
        let mut headers = whole.to_vec();
        let (name, value) = headers.remove(left_out);
        assert_eq!(asked(&config, PROXY, &request(&headers), "").err(), Some(Unclear::Missing(name.to_string())));
        headers.extend([(name, value), (name, "other")]);
        assert_eq!(asked(&config, PROXY, &request(&headers), "").err(), Some(Unclear::Repeated(name.to_string())));
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

#[test]
fn each_family_is_whole_and_no_other_is_read() {
    let all = [
        ("x-real-ip", "203.0.113.1"),
        ("x-original-proto", "http"),
        ("x-original-method", "PUT"),
        ("x-original-uri", "/nginx"),
        ("x-request-id", "r1"),
        ("x-forwarded-for", "203.0.113.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "forwarded.org"),
        ("x-forwarded-method", "PATCH"),
        ("x-forwarded-uri", "/forwarded"),
    ];
    let read = |beside: &str, lines: &[(&str, &str)]| {
        let (config, request) = (config(&format!("beside = \"{beside}\"")), request(lines));
        let visitor = visitor(&config, PROXY, &request)?;
        let asked = asked(&config, PROXY, &request, "/own")?;
        let facts = [visitor.authority.as_str(), asked.method, asked.target, asked.request_id].map(str::to_owned);
        Ok::<_, Unclear>((visitor.address.to_string(), visitor.scheme, facts))
    };
    let facts = |host: &str, method: &str, target: &str, id: &str| [host, method, target, id].map(str::to_owned);
    let nginx = ("203.0.113.1".to_owned(), Scheme::Http, facts("example.org:8080", "PUT", "/nginx", "r1"));
    let caddy = ("203.0.113.2".to_owned(), Scheme::Https, facts("forwarded.org", "PATCH", "/forwarded", ""));
    let envoy = ("203.0.113.2".to_owned(), Scheme::Https, facts("example.org:8080", "GET", "/own", ""));
    let needed = |beside: &str| -> &[usize] {
        match beside {
            "nginx" => &[0, 1, 2, 3, 4],
            "envoy" => &[5, 6],
            _ => &[5, 6, 7, 8, 9],
        }
    };
    for (beside, expected) in [("nginx", nginx), ("caddy", caddy.clone()), ("traefik", caddy), ("envoy", envoy)] {
        assert_eq!(read(beside, &all), Ok(expected.clone()), "{beside}");
        for index in 0..all.len() {
            let mut less = all.to_vec();
            let (name, value) = less.remove(index);
            let missing = read(beside, &less);
            let twice = read(beside, &[&all[..], &[(name, value)]].concat());
            if needed(beside).contains(&index) {
                assert_eq!(missing, Err(Unclear::Missing(name.to_owned())), "{beside}");
                // Lines of the address header are joined; there is no other joining.
                let joined = name == "x-real-ip" || name == "x-forwarded-for";
                assert_eq!(twice.is_ok(), joined, "{beside} {name}");
            } else {
                assert_eq!((missing, twice), (Ok(expected.clone()), Ok(expected.clone())), "{beside} {name}");
            }
        }
    }
    assert!(read("proxy", &all).is_err(), "it asks nothing");
}

#[test]
fn who_was_announced_speaks_for_himself_unless_he_is_trusted() {
    let config = config("beside = \"proxy\"\nlisten_proxy_protocol = \"127.0.0.1:1\"");
    let headers = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "http")];
    let of = |address: [u8; 4], scheme| {
        let visitor = visitor(&config, Peer::Announced(address.into(), scheme), &request(&headers)).expect("a visitor");
        (visitor.address.to_string(), visitor.scheme)
    };
    assert_eq!(of([203, 0, 113, 7], Scheme::Https), ("203.0.113.7".to_owned(), Scheme::Https));
    assert_eq!(
        of([10, 0, 0, 7], Scheme::Https),
        ("198.51.100.1".to_owned(), Scheme::Http),
        "a CDN behind a load balancer"
    );
}
