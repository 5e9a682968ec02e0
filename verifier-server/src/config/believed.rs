//! Whom the verifier believes about a request: `beside`, `client_address_header`, `trusted_proxies` and the listeners on
//! which a load balancer announces its clients.

use super::document::{Lined, Section};
use super::{Beside, Listen, ranges, read};
use crate::network_lists;
use hyper::header::HeaderName;
use ipnet::IpNet;
use std::path::Path;

/// Trusted networks in all: each request's address is compared with them one by one.
const TRUSTED_NETWORKS_MAX: usize = 1_024;

/// `listen_proxy_protocol`: where each connection begins with a header of the PROXY protocol.
pub(super) fn announced(root: &mut Section<'_, '_>) -> Vec<Listen> {
    let texts = root.strings("listen_proxy_protocol", "10.0.0.1:8081").unwrap_or_default();
    texts.iter().filter_map(|text| read::listener(text, root)).collect()
}

/// The one configured source of the client's address, and who may name it.
pub(super) fn whom(
    root: &mut Section<'_, '_>,
    folder: &Path,
    listen: &[Listen],
    announced: &[Listen],
    warnings: &mut Vec<String>,
) -> (Option<Beside>, Vec<IpNet>) {
    let beside = beside(root);
    if beside.is_none() && listen.iter().any(|listen| matches!(listen, Listen::Unix(_))) {
        let remedy = "write whose headers tell it, for example beside = \"nginx\" or beside = \"proxy\", or listen on an address";
        root.problem(1, "a unix socket does not tell the client's address", remedy);
    }
    let written = trusted_networks(root, folder);
    let named = parsed(written.nets.as_deref(), root);
    let needed = beside.is_some() || !announced.is_empty();
    if let (false, Some(line)) = (needed, written.line) {
        let remedy = "remove it, or write beside = \"nginx\" or beside = \"proxy\"";
        root.problem(line, "`trusted_proxies` has no effect without `beside`", remedy);
        return (None, Vec::new());
    }
    let mut trusted = match (named, needed) {
        (Some(nets), _) => nets,
        // Who may open the unix socket is believed anyway, and nobody else connects.
        (None, true) if listen.iter().chain(announced).all(|listen| matches!(listen, Listen::Unix(_))) => Vec::new(),
        (None, true) if written.files.is_empty() => {
            ["127.0.0.1/32", "::1/128"].iter().filter_map(|net| net.parse().ok()).collect()
        }
        (None, _) => Vec::new(),
    };
    trusted.extend(written.files);
    if trusted.len() > TRUSTED_NETWORKS_MAX {
        let message = format!("{} networks are trusted, more than {TRUSTED_NETWORKS_MAX}", trusted.len());
        root.problem(written.line.unwrap_or(1), message, "name fewer, larger networks");
    }
    warnings.extend(doubts(beside.as_ref(), listen, announced, &trusted));
    (beside, trusted)
}

/// `beside` and `client_address_header`.
fn beside(root: &mut Section<'_, '_>) -> Option<Beside> {
    let header = root.string("client_address_header", "X-Forwarded-For");
    let name = header.as_ref().map_or(Ok(HeaderName::from_static("x-forwarded-for")), |header| header.value.parse());
    if let (Some(header), Err(_)) = (&header, &name) {
        root.problem(header.line, format!("`{}` is not a header name", header.value), "write it like X-Forwarded-For");
    }
    let name = name.unwrap_or(HeaderName::from_static("x-forwarded-for"));
    let beside = root.choice("beside", &["nginx", "caddy", "traefik", "envoy", "proxy"], |text| match text {
        "nginx" => Some(Beside::Nginx),
        "caddy" => Some(Beside::Caddy),
        "traefik" => Some(Beside::Traefik),
        "envoy" => Some(Beside::Envoy),
        "proxy" => Some(Beside::Proxy { client_address_header: name.clone() }),
        _ => None,
    });
    if let Some(header) = &header
        && !matches!(beside, Some(Beside::Proxy { .. }))
    {
        root.problem(header.line, "`client_address_header` needs beside = \"proxy\"", "remove it, or name the proxy");
    }
    beside
}

/// What the file names as trusted.
struct Written {
    /// The line of the first key that names any.
    line: Option<usize>,
    nets: Option<Vec<Lined<String>>>,
    /// The networks of all files.
    files: Vec<IpNet>,
}

fn trusted_networks(root: &mut Section<'_, '_>, folder: &Path) -> Written {
    let nets = root.strings("trusted_proxies", "127.0.0.1/32");
    let files = root.strings("trusted_proxies_file", "cdn-ranges.txt").unwrap_or_default();
    let line = nets.iter().flatten().chain(&files).map(|text| text.line).min().or(nets.as_ref().map(|_| 1));
    let mut found = Vec::new();
    for file in &files {
        let path = folder.join(&file.value);
        root.names_file(&path);
        match ranges::read(&path) {
            Ok(nets) => found.extend(nets),
            Err(error) => {
                let message = format!("the file `{}` cannot be used: {error}", file.value);
                root.problem(file.line, message, error.remedy());
            }
        }
    }
    Written { line, nets, files: found }
}

fn parsed(nets: Option<&[Lined<String>]>, root: &Section<'_, '_>) -> Option<Vec<IpNet>> {
    Some(nets?.iter().filter_map(|text| network(text, root)).collect())
}

fn network(text: &Lined<String>, root: &Section<'_, '_>) -> Option<IpNet> {
    let net = network_lists::parse(&text.value);
    if net.is_none() {
        root.problem(
            text.line,
            format!("`{}` is not a network", text.value),
            "write it like 10.0.0.0/8 or 2001:db8::/32",
        );
    }
    net
}

/// Where a request would be given the address of a proxy, or whatever address it claims.
fn doubts(beside: Option<&Beside>, listen: &[Listen], announced: &[Listen], trusted: &[IpNet]) -> Vec<String> {
    let mut doubts = Vec::new();
    let loopback = |listen: &Listen| matches!(listen, Listen::Tcp(address) if address.ip().is_loopback());
    if beside.is_none() && !listen.is_empty() && listen.iter().all(loopback) {
        doubts.push(
            "every listener is on loopback and `beside` is left out: a request is given the address of the program on this \
             machine that connects, the same for all visitors. If that is a web server, name it: beside = \"nginx\", \
             \"caddy\", \"traefik\", \"envoy\" or, where it passes the requests themselves on, \"proxy\""
                .to_owned(),
        );
    }
    doubts.extend(trusted.iter().filter(|net| net.prefix_len() == 0).map(|net| {
        format!("`trusted_proxies` has {net}: everybody is believed, so a visitor is who he says he is; name your proxies only")
    }));
    let reachable = |listen: &Listen| matches!(listen, Listen::Tcp(address) if !address.ip().is_loopback());
    let own = |net: &IpNet| net.addr().is_loopback();
    if !announced.is_empty() && announced.iter().all(reachable) && trusted.iter().all(own) {
        doubts.push(
            "nobody but this machine is in `trusted_proxies`, and `listen_proxy_protocol` closes every connection from \
             elsewhere: name the load balancer's address there"
                .to_owned(),
        );
    }
    doubts
}
