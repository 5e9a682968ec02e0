//! Who reaches a `VirtualHost`. Behind the verifier all of them listen at one address: whoever reaches one in front reaches every
//! one by its name.

use super::super::plan::Problem;
use super::config::Configuration;
use super::host::{Host, Verdict};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Addresses as they are written, with ports.
type Addresses = BTreeSet<(String, u16)>;

/// Ports that everybody may reach.
const WEB: [u16; 2] = [80, 443];

/// What keeps these hosts from standing behind one verifier: some are reached by everybody, or at another address, and others are not.
pub(super) fn differs(configuration: &Configuration, gated: &[&Host<'_>], all: &[Host<'_>]) -> Option<Problem> {
    let before = all.iter().filter(|host| host.verdict(&[], None) == Verdict::Ours);
    let hosts: Vec<&Host<'_>> = gated.iter().copied().chain(before).collect();
    let (first, rest) = hosts.split_first()?;
    if hosts.iter().all(|host| is_public(&host.line.arguments)) {
        return None;
    }
    let other = rest.iter().find(|host| reached(&host.line.arguments) != reached(&first.line.arguments))?;
    Some(configuration.problem(
        first.line,
        format!(
            "{} listens at {}, and {} at {}: behind the verifier whoever reaches one of them would reach the other",
            first.told(),
            first.line.arguments.join(" "),
            other.told(),
            other.line.arguments.join(" ")
        ),
        "gate those alone that everybody may reach: portcullis setup apache --apply --site NAME",
    ))
}

/// The same for what the same people reach: whoever reaches one port of the web at an address reaches the other one.
fn reached(written: &[String]) -> Addresses {
    addresses(written).into_iter().map(|(host, port)| (host, if WEB.contains(&port) { WEB[0] } else { port })).collect()
}

/// Whether nobody else reaches it.
pub(super) fn is_of_this_machine(written: &[String]) -> bool {
    !written.is_empty()
        && addresses(written).iter().all(|(host, _)| {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        })
}

/// Whether everybody reaches it, as far as its addresses tell.
fn is_public(written: &[String]) -> bool {
    addresses(written).iter().any(|(host, port)| {
        WEB.contains(port)
            && (host == "*" || host.parse::<IpAddr>().is_ok_and(|address| is_global(address.to_canonical())))
    })
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared)
        }
        IpAddr::V6(v6) => v6.is_unspecified() || v6.segments()[0] & 0xe000 == 0x2000,
    }
}

/// `*` for every way to write that it is any; port 80 where none is written.
fn addresses(written: &[String]) -> Addresses {
    let address = |text: &String| {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return (any_or(address.ip()), address.port());
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return (any_or(address), 80);
        }
        let (host, port) = text.rsplit_once(':').unwrap_or((text, "80"));
        let host = if host == "_default_" { "*" } else { host };
        // A port that is none, such as `*`, is a different one from all others.
        (host.to_ascii_lowercase(), port.parse().unwrap_or(0))
    };
    written.iter().map(address).collect()
}

fn any_or(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => "*".to_owned(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => "*".to_owned(),
        address => address.to_canonical().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn who_reaches_an_address_is_told_from_it() {
        for public in [
            "*:80",
            "_default_:443",
            "*",
            "198.51.100.7:443",
            "0.0.0.0:80",
            "[::]:443",
            "[2001:db8::1]:80",
            "10.0.0.1:80 *:80",
        ] {
            assert!(is_public(&written(public)) && !is_of_this_machine(&written(public)), "{public}");
        }
        for inside in [
            "*:8080",
            "10.0.0.1:80",
            "192.168.1.1:443",
            "100.64.0.1:80",
            "[fd00::1]:80",
            "[fe80::1]:443",
            "intern.test:80",
            "*:*",
        ] {
            assert!(!is_public(&written(inside)) && !is_of_this_machine(&written(inside)), "{inside}");
        }
        assert_eq!(reached(&written("10.0.0.5:443")), reached(&written("10.0.0.5:80")), "by the same people");
        assert_ne!(reached(&written("10.0.0.5:8080")), reached(&written("10.0.0.5:80")));
        for own in ["127.0.0.1:80", "127.0.0.1:8080 [::1]:8080", "localhost:80"] {
            assert!(is_of_this_machine(&written(own)) && !is_public(&written(own)), "{own}");
        }
    }
}
