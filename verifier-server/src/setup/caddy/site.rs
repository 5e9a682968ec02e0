//! One site of a Caddyfile: what of it answers, and can be moved behind the gate.

use super::super::plan::{ANY_HOST, Ask, GATED_ALREADY, Problem, Trust};
use super::config::{Configuration, Line};
use crate::config::Listen;
use std::net::{Ipv4Addr, SocketAddr};

/// Directives that answer nothing and have to stay outside of every `route`.
const OUTSIDE: [&str; 4] = ["bind", "handle_errors", "log", "tls"];
/// Snippets inside snippets.
const DEPTH_MAX: usize = 8;

/// A site.
pub(super) struct Site<'c> {
    line: &'c Line,
}

/// What becomes of a site.
#[derive(Debug)]
pub(super) enum Verdict<'c> {
    /// These lines go behind the gate.
    Gate(Vec<&'c Line>),
    /// It stays as it is.
    LeftAlone(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It belongs to the site itself.
    Outside,
    /// It answers, or changes what is answered.
    Answers,
}

/// A line at the top that is a site: neither the global options, nor a snippet, nor an import.
pub(super) fn of(line: &Line) -> Option<Site<'_>> {
    let name = line.name();
    (!name.is_empty() && !name.starts_with('(') && name != "import").then_some(Site { line })
}

impl<'c> Site<'c> {
    /// The hosts of its addresses; an address of a port alone has an empty one.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &'c str> {
        self.line.words.iter().map(|address| host_of(address))
    }

    pub(super) fn verdict(&self, configuration: &Configuration, chosen: &[String]) -> Result<Verdict<'c>, Problem> {
        let is_chosen = |name: &str| chosen.iter().any(|host| host.eq_ignore_ascii_case(name));
        if !chosen.is_empty() && !self.hosts().any(is_chosen) {
            return Ok(Verdict::LeftAlone("it was not chosen"));
        }
        if self.line.block.is_none() {
            return Err(configuration.problem(
                self.line,
                "a site without braces cannot be told from what follows",
                "write braces around what belongs to it: example.org { … }",
            ));
        }
        let lines = self.line.children();
        let ours = |line: &Line| line.words == ["import", "portcullis"];
        let gated = |line: &Line| ours(line) || (line.name() == "route" && line.children().first().is_some_and(ours));
        if lines.iter().any(gated) {
            return Ok(Verdict::LeftAlone(GATED_ALREADY));
        }
        let mut answers: Vec<&Line> = Vec::new();
        let mut ended = false;
        for line in lines {
            match kind(configuration, line, 0)? {
                Kind::Outside => ended = !answers.is_empty(),
                Kind::Answers if ended => {
                    return Err(configuration.problem(
                        line,
                        "what answers stands before and behind a line that belongs to the site itself",
                        format!("move {} to the beginning or the end of the site", OUTSIDE.join(", ")),
                    ));
                }
                Kind::Answers => answers.push(line),
            }
        }
        if answers.is_empty() {
            return Ok(Verdict::LeftAlone("nothing in it answers"));
        }
        if answers
            .iter()
            .all(|line| line.name() == "redir" && !line.words.iter().any(|word| word.starts_with(['@', '/'])))
        {
            return Ok(Verdict::LeftAlone("it only redirects, which costs nothing"));
        }
        Ok(Verdict::Gate(answers))
    }

    /// The question for it, or why there is none.
    pub(super) fn ask(&self, configuration: &Configuration) -> Result<Ask, &'static str> {
        let address = self.line.words.first().map(String::as_str).unwrap_or_default();
        if address.contains(['{', '*']) {
            return Err("its address is a pattern");
        }
        let (host, port) = (host_of(address), port_of(address));
        let plain =
            address.starts_with("http://") || matches!(port, Some(80)) || (host.is_empty() && port != Some(443));
        let own = self.line.children().iter().find(|line| line.name() == "tls" && line.words.len() == 3);
        let internal = self.line.children().iter().any(|line| line.name() == "tls" && line.words.len() == 2);
        let trust = match own {
            _ if plain => Trust::Plain,
            Some(files) => Trust::Certificate(files.words[1].clone().into()),
            None if internal => return Err("its certificate is of an authority that the system does not know"),
            None => Trust::System,
        };
        let bound = self
            .line
            .children()
            .iter()
            .find(|line| line.name() == "bind")
            .and_then(|line| line.words.get(1)?.parse().ok());
        let to = (bound.unwrap_or(Ipv4Addr::LOCALHOST), port.unwrap_or(if plain { 80 } else { 443 }));
        let host = if host.is_empty() { ANY_HOST.to_owned() } else { host.to_owned() };
        Ok(Ask { to: Listen::Tcp(SocketAddr::from(to)), host, trust, place: configuration.place(self.line) })
    }
}

/// What a line is; that of an `import` is what all lines of the snippet are.
fn kind(configuration: &Configuration, line: &Line, depth: usize) -> Result<Kind, Problem> {
    if line.name() == "handle_errors" && line.children().iter().any(reaches_the_site) {
        return Err(configuration.problem(
            line,
            "a verifier that is dead or slow is an error too: these lines would then let every request reach the site",
            "answer errors with `respond` or files, or gate this site by hand, where `portcullis_open` is the choice to do so",
        ));
    }
    if line.name() != "import" {
        return Ok(if OUTSIDE.contains(&line.name()) { Kind::Outside } else { Kind::Answers });
    }
    let name = line.words.get(1).map(String::as_str).unwrap_or_default();
    let Some(lines) = configuration.snippet(name).filter(|_| depth < DEPTH_MAX) else {
        return Err(configuration.problem(
            line,
            format!("`import {name}` is no snippet of these files, and what it brings is not known"),
            "write a snippet, (name) { … }, or the lines themselves",
        ));
    };
    let kinds = lines.iter().map(|line| kind(configuration, line, depth + 1)).collect::<Result<Vec<_>, _>>()?;
    match kinds.as_slice() {
        [first, rest @ ..] if rest.iter().all(|kind| kind == first) => Ok(*first),
        [] => Ok(Kind::Outside),
        _ => Err(configuration.problem(
            line,
            format!("the snippet `{name}` has lines that answer, and lines that belong to the site itself"),
            format!("move {} into a snippet of their own", OUTSIDE.join(", ")),
        )),
    }
}

/// Whether a line hands requests to the site's application, or may.
fn reaches_the_site(line: &Line) -> bool {
    matches!(line.name(), "reverse_proxy" | "php_fastcgi" | "import" | "invoke")
        || line.children().iter().any(reaches_the_site)
}

fn without_scheme(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn host_of(address: &str) -> &str {
    let rest = without_scheme(address);
    match rest.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => rest,
    }
}

fn port_of(address: &str) -> Option<u16> {
    without_scheme(address).rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (address, host, port) in [
            ("example.org", "example.org", None),
            ("http://a.test:8080", "a.test", Some(8080)),
            (":80", "", Some(80)),
            ("https://a.test/path", "a.test", None),
        ] {
            assert_eq!((host_of(address), port_of(address)), (host, port), "{address}");
        }
    }
}
