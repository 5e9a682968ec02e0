//! What setup would do: files, what it leaves alone and why, and where it asks afterwards whether the gate is in place.

use super::change::Change;
use crate::config::Listen;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// What is not understood, or could not be gated without opening or closing something: with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which file.
    pub(super) file: PathBuf,
    /// Which line, from 1.
    pub(super) line: usize,
    /// What is there.
    pub(super) what: String,
    /// What to write, and where.
    pub(super) paste: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}\n    {}", self.file.display(), self.line, self.what, self.paste)
    }
}

/// A question to the web server itself, which tells whether the gate is in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// Where it listens.
    pub(super) to: Listen,
    /// The host it is asked for.
    pub(super) host: String,
    /// How it is known.
    pub(super) trust: Trust,
    /// Where it stands in the configuration, for who reads of a failure.
    pub(super) place: String,
}

/// How a web server is known to be the one that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Plain HTTP.
    Plain,
    /// By the certificate that its configuration names.
    Certificate(PathBuf),
    /// By an authority that the system believes.
    System,
}

/// A name that nobody has, for servers that take any.
pub(super) const ANY_HOST: &str = "portcullis-test.invalid";

/// Why a server is left alone that an earlier run has gated.
pub(super) const GATED_ALREADY: &str = "it is gated already";

/// A plan.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Whether a server is gated afterwards.
    pub(super) gates: bool,
    /// The files that are written, in this order.
    pub(super) changes: Vec<Change>,
    /// What is gated, and what is left as it is, a line each.
    pub(super) lines: Vec<String>,
    /// What keeps it from being written.
    pub(super) problems: Vec<Problem>,
    /// What is asked afterwards.
    pub(super) asks: Vec<Ask>,
    /// The command that checks the web server's configuration.
    pub(super) check: Vec<String>,
    /// The command that has it read its configuration again.
    pub(super) reload: Vec<String>,
    /// What lets the web server's user reach the verifier, if it cannot.
    pub(super) remedy: String,
}

impl Plan {
    /// Notes a server that is gated, by its names and where it stands.
    pub(super) fn gated(&mut self, names: &str, place: &str) {
        self.gates = true;
        self.lines.push(format!("gated       {names} ({place})"));
    }

    /// Notes a server that stays as it is.
    pub(super) fn left_alone(&mut self, names: &str, place: &str, why: &str) {
        self.gates |= why == GATED_ALREADY;
        self.lines.push(format!("left alone  {names} ({place}): {why}"));
    }

    /// Notes what was asked for by names that nobody has: a slip must not look like success.
    pub(super) fn unknown_names<'n>(&mut self, main: &Path, chosen: &[String], names: impl Iterator<Item = &'n str>) {
        let names: Vec<&str> = names.collect::<BTreeSet<&str>>().into_iter().collect();
        let unknown = chosen.iter().filter(|host| !names.iter().any(|name| name.eq_ignore_ascii_case(host)));
        self.problems.extend(unknown.map(|host| Problem {
            file: main.to_owned(),
            line: 1,
            what: format!("there is no server with the name {host}"),
            paste: format!("--site takes one of: {}", names.join(" ")),
        }));
    }
}
