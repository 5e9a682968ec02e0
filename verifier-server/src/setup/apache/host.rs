//! One `VirtualHost`: whether it can stand behind the verifier as it is.

use super::super::plan::{ANY_HOST, Ask, GATED_ALREADY, Problem, Trust};
use super::config::{Configuration, Line, flat};
use super::front::SITE_FILE;
use crate::config::Listen;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// A `VirtualHost`.
#[derive(Debug)]
pub(super) struct Host<'c> {
    /// Its section.
    pub(super) line: &'c Line,
    /// `ServerName`, then each `ServerAlias`.
    pub(super) names: Vec<&'c str>,
    /// The sections around it.
    pub(super) around: Vec<&'c Line>,
}

/// What becomes of a `VirtualHost`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is gated.
    Gate,
    /// It stays as it is.
    LeftAlone(&'static str),
    /// Setup wrote it.
    Ours,
}

/// All of them, in their order.
pub(super) fn all<'c>(lines: &[&'c Line]) -> Vec<Host<'c>> {
    let mut hosts = Vec::new();
    gather(lines, &[], &mut hosts);
    hosts
}

fn gather<'c>(lines: &[&'c Line], around: &[&'c Line], hosts: &mut Vec<Host<'c>>) {
    for line in lines {
        let children = line.children();
        if line.name == "virtualhost" {
            let of = |name: &'static str| {
                children
                    .iter()
                    .filter(move |child| child.name == name)
                    .flat_map(|child| child.arguments.iter().map(String::as_str))
            };
            let names = of("servername").chain(of("serveralias")).collect();
            hosts.push(Host { line, names, around: around.to_vec() });
        } else if !children.is_empty() {
            gather(&children, &[around, &[line]].concat(), hosts);
        }
    }
}

pub(super) fn another_proxy(configuration: &Configuration, line: &Line) -> Problem {
    configuration.problem(
        line,
        "visitors come through another proxy here, whose word the front would have to believe",
        "by hand, follow deploy/apache and docs/OPERATING.md, \"Behind a CDN\"",
    )
}

impl<'c> Host<'c> {
    /// Its names as visitors ask for them.
    pub(super) fn plain_names(&self) -> impl Iterator<Item = &'c str> {
        self.names.iter().map(|name| {
            let name = name.split_once("://").map_or(*name, |(_, name)| name);
            name.split_once(':').map_or(name, |(name, _)| name)
        })
    }

    /// Its names, for people.
    pub(super) fn told(&self) -> String {
        if self.names.is_empty() { "(no name)".to_owned() } else { self.names.join(" ") }
    }

    pub(super) fn verdict(&self, chosen: &[String], port: Option<u16>) -> Verdict {
        let children = self.line.children();
        let includes = |name: &str| {
            children
                .iter()
                .any(|child| child.name == "include" && child.arguments.iter().any(|path| path.ends_with(name)))
        };
        if includes(SITE_FILE) && port.is_some_and(|port| self.line.arguments == [format!("127.0.0.1:{port}")]) {
            return Verdict::LeftAlone(GATED_ALREADY);
        }
        if children
            .iter()
            .any(|child| child.arguments.iter().any(|argument| argument.starts_with("balancer://portcullis")))
        {
            return Verdict::Ours;
        }
        if !chosen.is_empty()
            && !self.names.iter().any(|name| chosen.iter().any(|host| host.eq_ignore_ascii_case(name)))
        {
            return Verdict::LeftAlone("it was not chosen");
        }
        if super::reach::is_of_this_machine(&self.line.arguments) {
            return Verdict::LeftAlone("nobody but this machine reaches it");
        }
        if self.only_redirects(&children) {
            return Verdict::LeftAlone("it only redirects, which costs nothing");
        }
        Verdict::Gate
    }

    /// Whether everything is answered by a redirect: `Redirect … / …`, or a rule of certbot's for each of its names.
    fn only_redirects(&self, children: &[&Line]) -> bool {
        let redirects = |line: &&&Line| match line.name.as_str() {
            "redirectpermanent" | "redirecttemp" => line.arguments.first().is_some_and(|from| from == "/"),
            "redirect" => {
                let last = line.arguments.len().checked_sub(2).and_then(|from| line.arguments.get(from));
                last.is_some_and(|from| from == "/")
                    && line.arguments.first().is_none_or(|status| status != "gone" && status != "410")
            }
            _ => false,
        };
        if children.iter().any(|line| redirects(&line)) {
            return true;
        }
        let conditions =
            children.iter().filter(|line| line.name == "rewritecond").map(|line| line.arguments.as_slice());
        let named: Vec<&str> = conditions
            .clone()
            .filter(|arguments| arguments.first().is_some_and(|what| what == "%{SERVER_NAME}"))
            .filter_map(|arguments| arguments.get(1)?.strip_prefix('='))
            .collect();
        let rule = children.iter().any(|line| {
            line.name == "rewriterule"
                && line.arguments.first().is_some_and(|pattern| pattern == "^")
                && line.arguments.get(1).is_some_and(|to| to.starts_with("https://"))
                && line.arguments.get(2).is_some_and(|flags| flags.contains('R'))
        });
        rule && conditions.count() == named.len()
            && (named.is_empty() || (!self.names.is_empty() && self.names.iter().all(|name| named.contains(name))))
    }

    /// What belongs to whoever speaks to visitors: TLS, and the versions of HTTP. Only lines of the host itself and whole
    /// files of them.
    pub(super) fn for_the_front(&self) -> Vec<&'c Line> {
        let own = self.line.section.as_deref().unwrap_or_default().iter();
        own.filter(|line| {
            let included = flat(&line.included);
            let whole = included.iter().any(|line| is_of_tls(line))
                && included.iter().all(|line| is_of_tls(line) || is_neutral(line));
            is_of_tls(line) || line.name == "protocols" || whole
        })
        .collect()
    }

    /// What keeps it from standing behind the verifier as it is.
    pub(super) fn problems(&self, configuration: &Configuration) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(around) = self.around.iter().find(|around| around.name != "ifmodule") {
            problems.push(configuration.problem(
                around,
                format!("whether the VirtualHost inside `{}` counts is not known", around.text),
                "take it out of that section, or move the VirtualHost into a file of its own",
            ));
        }
        for include in self.line.section.as_deref().unwrap_or_default() {
            let included = flat(&include.included);
            let belongs_behind = |line: &&Line| !is_of_tls(line) && !is_neutral(line);
            if included.iter().any(|line| is_of_tls(line)) && included.iter().any(belongs_behind) {
                problems.push(configuration.problem(
                    include,
                    "this file has lines of TLS, which belong in front, and others, which belong behind",
                    "move the lines that begin with SSL into a file of their own, and include both",
                ));
            }
        }
        problems.extend(conditional_tls(self.line).into_iter().map(|line| {
            configuration.problem(
                line,
                "this line of TLS belongs in front, and whether it counts depends on the section around it",
                "take it out of that section",
            )
        }));
        problems.extend(asks_of_tls(&self.line.children()).into_iter().map(|line| asked_of_tls(configuration, line)));
        let of_tls = self.line.arguments.iter().any(|address| address.ends_with(":443"));
        if of_tls && self.trust(configuration) == Ok(Trust::Plain) {
            problems.push(configuration.problem(
                self.line,
                "it listens on port 443, and no line of its own says that it speaks TLS there",
                "write into it: SSLEngine on",
            ));
        }
        for line in self.line.below() {
            if line.name == "remoteipheader" {
                problems.push(another_proxy(configuration, line));
            }
            if line.name == "rewritecond" && line.arguments.first().is_some_and(|what| what.contains("%{HTTPS}")) {
                problems.push(configuration.problem(
                    line,
                    "behind the verifier TLS has ended: this would be true of nobody, or of everybody",
                    format!("write: {}", line.text.replace("%{HTTPS}", "%{HTTP:X-Forwarded-Proto}")
                        .replace(" off", " !https").replace(" on", " https").replace("!=on", "!https")),
                ));
            }
        }
        problems
    }

    /// How a visitor knows it.
    pub(super) fn trust(&self, configuration: &Configuration) -> Result<Trust, &'static str> {
        let below = self.line.children();
        let engine = below.iter().rfind(|line| line.name == "sslengine");
        if !engine.is_some_and(|line| line.arguments.first().is_some_and(|on| on.eq_ignore_ascii_case("on"))) {
            return Ok(Trust::Plain);
        }
        let file = below.iter().find(|line| line.name == "sslcertificatefile").and_then(|line| line.arguments.first());
        let folder = configuration.sources.path(0).parent().map(PathBuf::from).unwrap_or_default();
        file.map(|file| Trust::Certificate(folder.join(file))).ok_or("its certificate is not found")
    }

    /// The question for it, or why there is none.
    pub(super) fn ask(&self, configuration: &Configuration) -> Result<Ask, &'static str> {
        let trust = self.trust(configuration)?;
        let port = if trust == Trust::Plain { 80 } else { 443 };
        let written = self.line.arguments.first().map_or("*", String::as_str);
        let to = Listen::Tcp(address(written, port).ok_or("where it listens is not understood")?);
        let plain = self.names.iter().find(|name| !name.contains(['*', '?', ':', '$']));
        let host = plain.map_or_else(|| ANY_HOST.to_owned(), |name| (*name).to_owned());
        if plain.is_none() && !self.names.is_empty() {
            return Err("none of its names can be asked for");
        }
        Ok(Ask { to, host, trust, place: configuration.place(self.line) })
    }
}

fn is_of_tls(line: &Line) -> bool {
    line.name.starts_with("ssl") && line.section.is_none()
}

/// Whether it is as good in front as behind: certbot's file of TLS defines formats of logs as well.
pub(super) fn is_neutral(line: &Line) -> bool {
    line.name == "logformat"
}

/// What a section of paths asks of the TLS connection: a certificate of the visitor's, above all. Behind the verifier there is
/// none, and Apache would ask nothing there.
pub(super) fn asks_of_tls<'c>(lines: &[&'c Line]) -> Vec<&'c Line> {
    let asks = |line: &&Line| {
        let first = line.arguments.first().map(|first| first.to_ascii_lowercase()).unwrap_or_default();
        match line.name.as_str() {
            "sslverifyclient" => first != "none",
            "sslrequire" | "sslrequiressl" => true,
            "require" => first.starts_with("ssl") || line.arguments.get(1).is_some_and(|word| word.starts_with("ssl")),
            _ => false,
        }
    };
    let sections = lines.iter().filter(|line| line.section.is_some() && line.name != "virtualhost");
    sections.flat_map(|section| section.below()).filter(asks).collect()
}

pub(super) fn asked_of_tls(configuration: &Configuration, line: &Line) -> Problem {
    configuration.problem(
        line,
        "behind the verifier TLS has ended, and this would ask nothing of anybody there",
        "gate this site by hand, with these paths in front (deploy/apache), or the others alone: --site NAME",
    )
}

/// The lines of TLS in sections that count under a condition.
fn conditional_tls(section: &Line) -> Vec<&Line> {
    let conditions =
        section.children().into_iter().filter(|line| line.section.is_some() && line.name.starts_with("if"));
    conditions
        .flat_map(|condition| {
            let is_off = |line: &Line| {
                line.name == "sslengine" && line.arguments.first().is_some_and(|on| on.eq_ignore_ascii_case("off"))
            };
            let own = condition.children().into_iter().filter(move |line| is_of_tls(line) && !is_off(line));
            own.chain(conditional_tls(condition)).collect::<Vec<_>>()
        })
        .collect()
}

/// Where a connection from this machine finds it.
fn address(written: &str, port: u16) -> Option<SocketAddr> {
    let any = |port: u16| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match written.strip_prefix('*').or_else(|| written.strip_prefix("_default_")) {
        Some("" | ":*") => return any(port),
        Some(rest) => return any(rest.strip_prefix(':')?.parse().ok()?),
        None => {}
    }
    let with_port = |text: &str| {
        text.parse().ok().or_else(|| Some(SocketAddr::new(text.trim_matches(['[', ']']).parse().ok()?, port)))
    };
    let mut address: SocketAddr = with_port(written)?;
    if address.ip().is_unspecified() {
        let v4 = address.is_ipv4();
        address.set_ip(if v4 { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) });
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_where_it_listens_is_found_from_here() {
        for (written, found) in [
            ("*", "127.0.0.1:80"),
            ("*:8080", "127.0.0.1:8080"),
            ("_default_:443", "127.0.0.1:443"),
            ("192.0.2.1", "192.0.2.1:80"),
            ("[2001:db8::1]:81", "[2001:db8::1]:81"),
            ("[::]:81", "[::1]:81"),
        ] {
            assert_eq!(address(written, 80).map(|found| found.to_string()).as_deref(), Some(found), "{written}");
        }
    }
}
