//! Whom the verifier believes about a request, and what it would take for the client's address.

use crate::config::{Beside, Config};
use crate::http::believed_address;
use std::net::IpAddr;

/// Addresses for the example: two that stand in no configuration (RFC 5737).
const FARTHER: &str = "198.51.100.7";
const NEARER: &str = "203.0.113.9";

/// One sentence about the source of the address, one with an example, and one about announced connections.
pub(super) fn lines(config: &Config) -> Vec<String> {
    let proxies = proxies(config);
    let mut lines = vec![match &config.beside {
        None => "the client's address is that of the connection; every forwarding header is ignored".to_owned(),
        Some(beside @ Beside::Nginx) => format!(
            "the client's address is what nginx at {proxies} sets in {}; from anybody else, that of the connection",
            spelled(beside)
        ),
        Some(beside) => format!(
            "the client's address is the first from the right in {} that is not one of {proxies}; from anybody else, that \
             of the connection",
            spelled(beside)
        ),
    }];
    lines.extend(config.beside.as_ref().and_then(|beside| example(config, beside)));
    if !config.listen_proxy_protocol.is_empty() {
        let listeners: Vec<String> = config.listen_proxy_protocol.iter().map(ToString::to_string).collect();
        let announcer = match config.trusted_proxies.as_slice() {
            [] => "whoever may open the unix socket".to_owned(),
            _ => format!("one of {proxies}"),
        };
        lines.push(format!(
            "on {} the connection is that of the client whom {announcer} announces by the PROXY protocol; everybody else's \
             connection is closed",
            listeners.join(" and ")
        ));
    }
    lines
}

fn example(config: &Config, beside: &Beside) -> Option<String> {
    let (peer, from) = match config.trusted_proxies.iter().map(ipnet::IpNet::addr).next() {
        Some(address) => (Some(address), address.to_string()),
        None => (None, "the unix socket".to_owned()),
    };
    let of = |said: &str| believed_address(config, peer, said).map(|address: IpAddr| address.to_string());
    let chain = format!("{FARTHER}, {NEARER}");
    let (said, taken) = match beside {
        Beside::Nginx => (NEARER, of(NEARER)?),
        _ => (chain.as_str(), of(&chain)?),
    };
    let header = spelled(beside);
    Some(format!("for example `{header}: {said}` from {from} makes {taken} the client"))
}

fn proxies(config: &Config) -> String {
    /// Networks that are listed by name; of a longer list the number is told.
    const LISTED_MAX: usize = 8;
    let trusted = &config.trusted_proxies;
    let mut listed: Vec<String> = trusted.iter().take(LISTED_MAX).map(ToString::to_string).collect();
    if trusted.len() > LISTED_MAX {
        listed.push(format!("{} more networks", trusted.len() - LISTED_MAX));
    }
    if config.listen.iter().any(|listen| matches!(listen, crate::config::Listen::Unix(_))) {
        listed.push("the unix socket".to_owned());
    }
    listed.join(", ")
}

/// The address header as people write it, where we know how.
fn spelled(beside: &Beside) -> String {
    match beside.address_header().as_str() {
        "x-real-ip" => "X-Real-IP".to_owned(),
        "x-forwarded-for" => "X-Forwarded-For".to_owned(),
        other => other.to_owned(),
    }
}
