//! Where a server can be asked, once it is gated.

use super::super::plan::{ANY_HOST, Ask, Trust};
use super::config::{Configuration, Directive};
use super::server::Server;
use crate::config::Listen;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

const PORT: u16 = 80;

/// The question for a server, or why there is none.
pub(super) fn of(
    configuration: &Configuration,
    http: &Directive,
    server: &Server<'_>,
    all: &[Server<'_>],
) -> Result<Ask, &'static str> {
    if server.returns_at_root() {
        return Err("its `location /` answers by `return`");
    }
    let children = server.directive.children();
    let listens: Vec<&&Directive> = children.iter().filter(|child| child.name == "listen").collect();
    let has = |listen: &Directive, flag: &str| listen.arguments.iter().skip(1).any(|argument| argument == flag);
    let all_tls = children.iter().any(|child| child.name == "ssl" && child.told() == "on");
    let is_tls = |listen: &Directive| all_tls || has(listen, "ssl");
    let mut usable: Vec<&&&Directive> =
        listens.iter().filter(|listen| !has(listen, "proxy_protocol") && !has(listen, "quic")).collect();
    usable.sort_by_key(|listen| is_tls(listen));
    let place = configuration.place(server.directive);
    let Some(listen) = usable.first() else {
        if !listens.is_empty() {
            return Err("it only listens for a load balancer");
        }
        let to = Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        return Ok(Ask {
            to,
            host: host(server, true).ok_or("none of its names can be asked for")?,
            trust: Trust::Plain,
            place,
        });
    };
    let to = address(&listen.told()).ok_or("where it listens is not understood")?;
    let first_there = all.iter().find(|other| {
        other
            .directive
            .children()
            .iter()
            .any(|child| child.name == "listen" && child.arguments.first() == listen.arguments.first())
    });
    let is_default = has(listen, "default_server")
        || has(listen, "default")
        || first_there.is_some_and(|first| std::ptr::eq(first.directive, server.directive));
    let host = host(server, is_default).ok_or("none of its names can be asked for")?;
    let trust = if is_tls(listen) {
        certificate(configuration, http, &children).ok_or("its certificate is not found")?
    } else {
        Trust::Plain
    };
    Ok(Ask { to, host, trust, place })
}

fn host(server: &Server<'_>, is_default: bool) -> Option<String> {
    let plain = |name: &&str| !name.contains('*') && !matches!(*name, "" | "_") && !name.starts_with(['~', '$']);
    if let Some(name) = server.names.iter().copied().find(plain) {
        return Some(name.trim_start_matches('.').to_owned());
    }
    if let Some(below) = server.names.iter().find_map(|name| name.strip_prefix("*.")) {
        return Some(format!("portcullis-test.{below}"));
    }
    is_default.then(|| ANY_HOST.to_owned())
}

/// Where a connection from this machine finds it.
fn address(listen: &str) -> Option<Listen> {
    let listen = listen.split(' ').next().unwrap_or_default();
    if let Some(path) = listen.strip_prefix("unix:") {
        return Some(Listen::Unix(PathBuf::from(path)));
    }
    if let Ok(port) = listen.parse() {
        return Some(Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }
    let with_port = if listen.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        listen.to_owned()
    } else {
        format!("{listen}:{PORT}")
    };
    let with_port = with_port.strip_prefix("*:").map_or(with_port.clone(), |port| format!("127.0.0.1:{port}"));
    let mut address = with_port.to_socket_addrs().ok()?.next()?;
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(std::net::Ipv6Addr::LOCALHOST) };
        address.set_ip(loopback);
    }
    Some(Listen::Tcp(address))
}

fn certificate(configuration: &Configuration, http: &Directive, children: &[&Directive]) -> Option<Trust> {
    let above = http.children();
    let found = children.iter().chain(&above).find(|child| child.name == "ssl_certificate")?;
    let main = configuration.sources.path(0).parent().unwrap_or(Path::new("/"));
    Some(Trust::Certificate(main.join(found.arguments.first()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_where_it_listens_is_found_from_here() {
        for (listen, found) in [
            ("80", "127.0.0.1:80"),
            ("*:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("192.0.2.1", "192.0.2.1:80"),
            ("[::]:443", "[::1]:443"),
            ("[2001:db8::1]", "[2001:db8::1]:80"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            assert_eq!(address(listen).map(|found| found.to_string()).as_deref(), Some(found), "{listen}");
        }
    }
}
