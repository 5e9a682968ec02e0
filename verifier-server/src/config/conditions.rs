//! When a rule matches: `path`, `host`, `method`, `header`, `network`, `verified_bot`.

use super::bots::Bots;
use super::document::{Lined, Section};
use super::sites::Host;
use crate::gate::crawlers::CrawlerNames;
use crate::gate::policy::{Conditions, HeaderCondition, HeaderValueIs, Networks, PolicyBuilder};
use crate::network_lists::{self, NETWORKS_MAX};
use hyper::Method;
use hyper::header::HeaderName;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Expressions of all rules together, at the most.
const EXPRESSIONS_MAX: usize = 500;
/// Bytes that one expression may take when it is ready to be looked for.
const EXPRESSION_BYTES_MAX: usize = 256 * 1024;
/// What a rule needs one of.
const KEYS: [&str; 7] = ["path", "host", "method", "header", "network", "network_file", "verified_bot"];
const HEADER_EXAMPLE: &str = "a table, for example header = { name = \"User-Agent\", matches = \"(?i)bot\" }";

/// What the conditions of all rules share.
pub(super) struct Shared<'a> {
    /// Where relative paths begin.
    folder: &'a Path,
    /// The crawlers that are known, by name.
    bots: Bots,
    files: HashMap<PathBuf, Arc<Networks>>,
    networks: usize,
    expressions: usize,
}

impl<'a> Shared<'a> {
    pub(super) fn new(folder: &'a Path, bots: Bots) -> Self {
        Self { folder, bots, files: HashMap::new(), networks: 0, expressions: 0 }
    }
}

/// Reads the conditions of one rule.
pub(super) fn read(section: &mut Section<'_, '_>, shared: &mut Shared<'_>) -> Conditions {
    if !KEYS.iter().any(|key| section.has(key)) {
        let message = format!("a rule without {} matches nothing", KEYS.map(|key| format!("`{key}`")).join(", "));
        section.problem(section.line, message, "write path = \"/**\" for every path");
    }
    let (paths, hosts, methods, headers) = (paths(section), hosts(section), methods(section), headers(section, shared));
    let (networks, crawlers) = senders(section, shared);
    Conditions { paths, hosts, methods, headers, networks, crawlers, without_query: false }
}

/// The strings of a condition: one that lists none would match nothing.
fn listed(section: &mut Section<'_, '_>, key: &'static str, example: &str) -> Vec<Lined<String>> {
    let found = section.strings(key, example);
    if found.as_ref().is_some_and(Vec::is_empty) {
        let remedy = format!("write {key} = \"{example}\", or leave it out");
        section.problem(section.line, format!("an empty `{key}` matches nothing"), remedy);
    }
    found.unwrap_or_default()
}

fn paths(section: &mut Section<'_, '_>) -> Vec<String> {
    let mut paths = Vec::new();
    for Lined { line, value } in listed(section, "path", "/static/**") {
        if !value.starts_with('/') {
            let message = format!("the path `{value}` does not begin with a slash");
            section.problem(line, message, format!("write \"/{value}\""));
        } else if let Err(why) = PolicyBuilder::check_path(&value) {
            section.problem(line, format!("the path `{value}` is not a pattern: {why}"), "use * and **");
        } else {
            paths.push(value);
        }
    }
    paths
}

fn hosts(section: &mut Section<'_, '_>) -> Vec<Host> {
    let mut hosts = Vec::new();
    for Lined { line, value } in listed(section, "host", "example.org") {
        match Host::parse(&value) {
            Some(host) => hosts.push(host),
            None => section.problem(
                line,
                format!("`{value}` is not a host name"),
                "write it without scheme, port and path: \"example.org\" or \"*.example.org\"",
            ),
        }
    }
    hosts
}

fn methods(section: &mut Section<'_, '_>) -> Vec<String> {
    let mut methods = Vec::new();
    for Lined { line, value } in listed(section, "method", "POST") {
        let capitals = value.to_ascii_uppercase();
        if Method::from_bytes(value.as_bytes()).is_err() || capitals != value {
            section.problem(line, format!("`{value}` is not a method"), format!("write it in capitals: {capitals}"));
        }
        methods.push(capitals);
    }
    methods
}

fn headers(section: &mut Section<'_, '_>, shared: &mut Shared<'_>) -> Vec<HeaderCondition> {
    section.tables("header", HEADER_EXAMPLE).into_iter().filter_map(|table| header(table, shared)).collect()
}

fn header(mut table: Section<'_, '_>, shared: &mut Shared<'_>) -> Option<HeaderCondition> {
    let line = table.line;
    let name = table.string("name", "User-Agent");
    if name.is_none() {
        table.problem(line, "a header without its name", format!("write {HEADER_EXAMPLE}"));
    }
    let name = name.and_then(|name| {
        let parsed = HeaderName::from_bytes(name.value.as_bytes()).ok();
        if parsed.is_none() {
            table.problem(name.line, format!("`{}` is not a header name", name.value), "write it like User-Agent");
        }
        parsed
    });
    let value = match (table.string("is", "1"), table.string("matches", "(?i)bot")) {
        (None, None) => Some(HeaderValueIs::Present),
        (Some(is), None) => Some(HeaderValueIs::Exactly(is.value)),
        (None, Some(pattern)) => expression(&table, &pattern, shared).map(HeaderValueIs::Like),
        (Some(is), Some(_)) => {
            table.problem(is.line, "a header has both `is` and `matches`", "keep one of them");
            None
        }
    };
    table.finish();
    Some(HeaderCondition { name: name?, value: value? })
}

fn expression(table: &Section<'_, '_>, text: &Lined<String>, shared: &mut Shared<'_>) -> Option<Regex> {
    shared.expressions += 1;
    if shared.expressions == EXPRESSIONS_MAX + 1 {
        let message = format!("more than {EXPRESSIONS_MAX} headers have a `matches`");
        table.problem(text.line, message, "put several into one expression: (one|two)");
    }
    match RegexBuilder::new(&text.value).size_limit(EXPRESSION_BYTES_MAX).dfa_size_limit(EXPRESSION_BYTES_MAX).build() {
        Ok(expression) => Some(expression),
        Err(why) => {
            let why = why.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let message = format!("`{}` is not an expression that can be used: {why}", text.value);
            table.problem(text.line, message, "see https://docs.rs/regex for the syntax");
            None
        }
    }
}

/// Whom a rule is for: any of these networks, or the names of any of these crawlers.
type Senders = (Vec<Arc<Networks>>, Vec<Arc<CrawlerNames>>);

fn senders(section: &mut Section<'_, '_>, shared: &mut Shared<'_>) -> Senders {
    let (mut sets, mut crawlers) = (Vec::new(), Vec::new());
    let mut nets = Vec::new();
    for Lined { line, value } in listed(section, "network", "203.0.113.0/24") {
        match network_lists::parse(&value) {
            Some(net) if value.contains('/') && net.to_string() != value && value.parse() != Ok(net) => {
                let message = format!("`{value}` has bits beyond its length");
                section.problem(line, message, format!("write \"{net}\""));
            }
            Some(net) => nets.push(net),
            None => {
                let remedy = "write it like 203.0.113.0/24 or 2001:db8::/32";
                section.problem(line, format!("`{value}` is not a network"), remedy);
            }
        }
    }
    if !nets.is_empty() {
        shared.networks += nets.len();
        let told = match nets.as_slice() {
            [first, second, third, _, rest @ ..] if !rest.is_empty() => {
                format!("{first}, {second}, {third} and {} more", rest.len() + 1)
            }
            few => few.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        sets.push(Arc::new(Networks::new(told, nets)));
    }
    for file in listed(section, "network_file", "blocked.txt") {
        sets.extend(network_file(section, &file, shared));
    }
    for bot in listed(section, "verified_bot", "googlebot") {
        if let Some(known) = shared.bots.get(&bot.value) {
            sets.extend(known.networks.clone());
            crawlers.extend(known.names.clone());
        } else {
            let message = format!("no crawler is called `{}`", bot.value);
            let remedy = format!("write a [[bot]] with name = \"{}\" and its `ranges` or `domains`", bot.value);
            section.problem(bot.line, message, remedy);
        }
    }
    if shared.networks > NETWORKS_MAX {
        section.problem(section.line, format!("the rules name more than {NETWORKS_MAX} networks"), "name wider ones");
        shared.networks = 0;
    }
    (sets, crawlers)
}

/// The networks of a file, read once however many rules name it.
fn network_file(section: &Section<'_, '_>, file: &Lined<String>, shared: &mut Shared<'_>) -> Option<Arc<Networks>> {
    let path = shared.folder.join(&file.value);
    if let Some(known) = shared.files.get(&path) {
        return Some(Arc::clone(known));
    }
    section.names_file(&path);
    match network_lists::text(&path).and_then(|text| network_lists::networks(&text)) {
        Ok(nets) if nets.is_empty() => {
            let message = format!("the list {} names no network", path.display());
            section.problem(file.line, message, "write one a line, or leave `network_file` out");
            None
        }
        Ok(nets) => {
            shared.networks += nets.len();
            let told = format!("the {} networks of {}", nets.len(), path.display());
            let networks = Arc::new(Networks::new(told, nets));
            shared.files.insert(path, Arc::clone(&networks));
            Some(networks)
        }
        Err(why) => {
            let message = format!("the list {} cannot be used: {why}", path.display());
            section.problem(file.line, message, "write one network a line; what follows # is a comment");
            None
        }
    }
}
