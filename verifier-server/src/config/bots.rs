//! `[[bot]]`: crawlers, known by the address ranges that their operators publish, or by the names of their addresses.

use super::document::{Lined, Section};
use crate::bot_ranges::{Ranges, RangesError};
use crate::gate::crawlers::{CrawlerList, CrawlerNames, is_domain};
use crate::gate::policy::Networks;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Crawlers at the most.
const BOTS_MAX: usize = 64;
/// Domains of one crawler.
const DOMAINS_MAX: usize = 16;
/// Characters of what a crawler calls itself.
const USER_AGENT_CHARS: std::ops::RangeInclusive<usize> = 3..=64;
/// Name servers at the most.
const NAME_SERVERS_MAX: usize = 8;
const DNS_PORT: u16 = 53;

/// How a crawler is known: by either of both.
#[derive(Clone, Debug)]
pub(super) struct Bot {
    /// Its networks.
    pub(super) networks: Option<Arc<Networks>>,
    /// Its names.
    pub(super) names: Option<Arc<CrawlerNames>>,
}

/// All crawlers, by name.
pub(super) type Bots = HashMap<String, Bot>;

/// Reads all crawlers, those that are known by names once more by themselves.
pub(super) fn read_all(root: &mut Section<'_, '_>, folder: &Path) -> (Bots, CrawlerList) {
    let mut bots = Bots::new();
    let sections = root.sections("bot");
    if sections.len() > BOTS_MAX {
        let message = format!("{} crawlers are more than {BOTS_MAX}", sections.len());
        root.problem(1, message, "put the files of several into one: `ranges` takes a list");
    }
    let mut by_name = Vec::new();
    for section in sections.into_iter().take(BOTS_MAX) {
        let line = section.line;
        let Some((name, bot)) = read(section, folder) else { continue };
        by_name.extend(bot.names.clone());
        if bots.insert(name.clone(), bot).is_some() {
            root.problem(line, format!("two crawlers are called `{name}`"), "give each its own `name`");
        }
    }
    let list = CrawlerList::new(by_name);
    if list.is_none() {
        root.problem(1, "what crawlers call themselves is too much to be looked for", "write shorter `user_agent`s");
    }
    (bots, list.unwrap_or_default())
}

fn read(mut section: Section<'_, '_>, folder: &Path) -> Option<(String, Bot)> {
    let line = section.line;
    let name = section.string("name", "googlebot").map(|name| name.value);
    let name = name.filter(|name| (1..=64).contains(&name.len()) && !name.chars().any(char::is_control));
    if name.is_none() {
        let remedy = "write 1 to 64 characters: name = \"googlebot\"";
        section.problem(line, "a crawler without a usable `name`", remedy);
    }
    let files = section.strings("ranges", "googlebot.json").unwrap_or_default();
    let domains = section.strings("domains", "googlebot.com").unwrap_or_default();
    if files.is_empty() && domains.is_empty() {
        section.problem(
            line,
            "a crawler without `ranges` and `domains`",
            "name the file with its ranges, ranges = \"googlebot.json\", or where it publishes none the domains of its \
             addresses' names: domains = [\"googlebot.com\"]",
        );
    }
    let ranges: Vec<Ranges> = files.iter().filter_map(|file| of_file(&section, file, folder)).collect();
    let names = names(&mut section, name.as_deref().unwrap_or_default(), &domains);
    section.finish();
    let name = name?;
    let told: Vec<String> = ranges.iter().map(|ranges| format!("{} of {}", ranges.source, ranges.date)).collect();
    let nets: Vec<_> = ranges.into_iter().flat_map(|ranges| ranges.nets).collect();
    let told = format!("the {} networks of the crawler `{name}` ({})", nets.len(), told.join(", "));
    let networks = (!files.is_empty()).then(|| Arc::new(Networks::new(told, nets)));
    Some((name, Bot { networks, names }))
}

/// By which names a crawler is known, if it is known by any.
fn names(section: &mut Section<'_, '_>, name: &str, domains: &[Lined<String>]) -> Option<Arc<CrawlerNames>> {
    let user_agent = section.string("user_agent", "Googlebot");
    if let (Some(user_agent), []) = (&user_agent, domains) {
        let remedy = "leave it out: anybody can write it, and it only says whose name is worth asking for";
        section.problem(user_agent.line, "a `user_agent` without `domains` says nothing", remedy);
    }
    let first = domains.first()?;
    if domains.len() > DOMAINS_MAX {
        let message = format!("{} domains of a crawler are more than {DOMAINS_MAX}", domains.len());
        section.problem(first.line, message, "a domain stands for all names below it");
    }
    for domain in domains.iter().filter(|domain| !is_domain(&domain.value)) {
        let message = format!("`{}` is not the domain of a crawler's addresses", domain.value);
        let remedy = "write it in small letters, without a star or a dot at its ends: \"googlebot.com\"";
        section.problem(domain.line, message, remedy);
    }
    let line = user_agent.as_ref().map_or(first.line, |user_agent| user_agent.line);
    let user_agent = user_agent.map_or_else(|| name.to_owned(), |user_agent| user_agent.value);
    let plain = |char: char| char.is_ascii_graphic() || char == ' ';
    let fits = USER_AGENT_CHARS.contains(&user_agent.len()) && user_agent.chars().all(plain);
    if !name.is_empty() && !fits {
        let message = format!("`{user_agent}` is not what a crawler calls itself in its User-Agent");
        section.problem(line, message, "write 3 to 64 characters of it: user_agent = \"Googlebot\"");
    }
    let domains = domains.iter().map(|domain| domain.value.clone()).collect();
    Some(Arc::new(CrawlerNames { name: name.to_owned(), domains, user_agent }))
}

/// `name_servers`: who is asked for names; none for those of the system.
pub(super) fn name_servers(root: &mut Section<'_, '_>) -> Vec<SocketAddr> {
    let servers = root.strings("name_servers", "192.0.2.53").unwrap_or_default();
    if let Some(first) = servers.first().filter(|_| servers.len() > NAME_SERVERS_MAX) {
        root.problem(first.line, format!("more than {NAME_SERVERS_MAX} name servers"), "two are enough");
    }
    let mut addresses = Vec::new();
    for Lined { line, value } in servers {
        let address: Option<IpAddr> = value.parse().ok();
        match value.parse().ok().or_else(|| Some(SocketAddr::new(address?, DNS_PORT))) {
            Some(server) => addresses.push(server),
            None => root.problem(
                line,
                format!("`{value}` is not the address of a name server"),
                "write \"192.0.2.53\", or with a port \"127.0.0.1:5353\"",
            ),
        }
    }
    addresses
}

fn of_file(section: &Section<'_, '_>, file: &Lined<String>, folder: &Path) -> Option<Ranges> {
    let path = folder.join(&file.value);
    section.names_file(&path);
    let why = match Ranges::read(&path) {
        Ok(ranges) => return Some(ranges),
        Err(why) => why,
    };
    let message = format!("the ranges in {} cannot be used: {why}", path.display());
    let download = format!("curl -fsSL URL | portcullis bots refresh {} --source URL", path.display());
    let remedy = match why {
        RangesError::NoSource | RangesError::NoDate => {
            format!("a list names where it comes from, and when; let it be written by: {download}")
        }
        _ => format!("have it written by: {download}"),
    };
    section.problem(file.line, message, remedy);
    None
}
