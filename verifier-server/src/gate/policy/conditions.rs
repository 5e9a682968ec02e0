//! What a rule looks at in a request, and what of it strangers choose.

use super::networks::NetworkMap;
use super::paths::PathMap;
use super::request::Reading;
use super::{Action, Route, Subject};
use crate::config::Host;
use crate::gate::crawlers::CrawlerNames;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;
use regex::bytes::Regex;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Everything that must hold for a rule to match. What is left out always holds.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Any of these path patterns, as written.
    pub paths: Vec<String>,
    /// Any of these hosts.
    pub hosts: Vec<Host>,
    /// Any of these methods, in capitals.
    pub methods: Vec<String>,
    /// All of these headers.
    pub headers: Vec<HeaderCondition>,
    /// Any of these sets of networks,
    pub networks: Vec<Arc<Networks>>,
    /// or the names of any of these crawlers.
    pub crawlers: Vec<Arc<CrawlerNames>>,
    /// Whether the target has no query.
    pub without_query: bool,
}

impl Conditions {
    /// Whether the rule looks at what a stranger writes into headers, and at nothing that vouches for the sender.
    #[must_use]
    pub fn are_strangers_words(&self) -> bool {
        !self.headers.is_empty() && !self.say_who()
    }

    /// Whether the rule says who the sender is.
    #[must_use]
    pub const fn say_who(&self) -> bool {
        !self.networks.is_empty() || !self.crawlers.is_empty()
    }

    /// Whether a method, `None` where it is not known, is one that the rule is for.
    pub(super) fn hold_for_method(&self, route: &Route, method: Option<&str>) -> bool {
        let in_doubt = route.holds_in_doubt();
        let unknown = in_doubt && route.action != Action::Deny;
        self.methods.is_empty() || method.map_or(unknown, |method| names_method(&self.methods, method, in_doubt))
    }

    /// Whether the sender is one of those that the rule is for. Nobody is a crawler before its name is confirmed.
    fn are_for_sender(&self, subject: &Subject<'_>) -> bool {
        let named = |crawler: &Arc<CrawlerNames>| subject.crawler.is_some_and(|name| crawler.owns(name));
        !self.say_who()
            || self.networks.iter().any(|networks| networks.contains(subject.address))
            || self.crawlers.iter().any(named)
    }
}

impl std::fmt::Display for Conditions {
    /// `POST /search on example.org from 203.0.113.0/24`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        if !self.methods.is_empty() {
            parts.push(self.methods.join(" or "));
        }
        parts.push(if self.paths.is_empty() { "every path".to_owned() } else { self.paths.join(", ") });
        if self.without_query {
            parts.push("without a query".to_owned());
        }
        if !self.hosts.is_empty() {
            let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
            parts.push(format!("on {}", hosts.join(", ")));
        }
        if self.say_who() {
            let named = self.crawlers.iter().map(|crawler| {
                format!(
                    "addresses that are the crawler `{}` by a name under {}",
                    crawler.name,
                    crawler.domains.join(", ")
                )
            });
            let who: Vec<String> = self.networks.iter().map(|networks| networks.told.clone()).chain(named).collect();
            parts.push(format!("from {}", who.join(" or ")));
        }
        parts.extend(self.headers.iter().map(ToString::to_string));
        formatter.write_str(&parts.join(" "))
    }
}

/// A header as a rule looks at it.
#[derive(Clone, Debug)]
pub struct HeaderCondition {
    /// Its name.
    pub name: HeaderName,
    /// What one of its lines must be.
    pub value: HeaderValueIs,
}

/// What a header's line must be.
#[derive(Clone, Debug)]
pub enum HeaderValueIs {
    /// Anything.
    Present,
    /// These bytes.
    Exactly(String),
    /// This expression matches somewhere in it; the time it takes is linear in the line.
    Like(Regex),
}

impl HeaderCondition {
    fn holds(&self, headers: &HeaderMap) -> bool {
        headers.get_all(&self.name).iter().any(|line| match &self.value {
            HeaderValueIs::Present => true,
            HeaderValueIs::Exactly(value) => line.as_bytes() == value.as_bytes(),
            HeaderValueIs::Like(expression) => expression.is_match(line.as_bytes()),
        })
    }
}

impl std::fmt::Display for HeaderCondition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            HeaderValueIs::Present => write!(formatter, "with a header {}", self.name),
            HeaderValueIs::Exactly(value) => write!(formatter, "with {}: {value}", self.name),
            HeaderValueIs::Like(expression) => write!(formatter, "with {} like /{expression}/", self.name),
        }
    }
}

/// A set of networks, and what it is called when rules are explained.
#[derive(Debug)]
pub struct Networks {
    /// `203.0.113.0/24`, or where they come from.
    pub told: String,
    /// All of them.
    pub nets: Vec<IpNet>,
    map: NetworkMap<()>,
}

impl Networks {
    /// A set that is explained as `told`.
    #[must_use]
    pub fn new(told: String, nets: Vec<IpNet>) -> Self {
        let map = NetworkMap::new(nets.iter().map(|net| (*net, ())));
        Self { told, nets, map }
    }

    /// Whether an address lies in any of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.map.contains(address)
    }
}

/// Conditions, made ready for one rule.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    paths: Option<PathMap<()>>,
    exact_hosts: HashSet<String>,
    hosts_below: Vec<Host>,
}

impl Compiled {
    pub(super) fn new(conditions: &Conditions, paths: Option<PathMap<()>>) -> Self {
        let mut exact_hosts = HashSet::new();
        let mut hosts_below = Vec::new();
        for host in &conditions.hosts {
            match host {
                Host::Exact(name) => {
                    exact_hosts.insert(name.clone());
                }
                Host::Below(_) => hosts_below.push(host.clone()),
            }
        }
        Self { paths, exact_hosts, hosts_below }
    }

    /// Whether everything holds for one way to read a request. What is not known of it holds for a rule that asks for
    /// more work, and for no other.
    pub(super) fn hold(&self, conditions: &Conditions, route: &Route, reading: &Reading<'_>) -> bool {
        conditions.hold_for_method(route, reading.method) && self.hold_but_for_method(conditions, route, reading)
    }

    /// The same of all but the method: of a request that may have several, this is found out once.
    pub(super) fn hold_but_for_method(&self, conditions: &Conditions, route: &Route, reading: &Reading<'_>) -> bool {
        let subject = reading.request.subject;
        let in_doubt = route.holds_in_doubt();
        let unknown = in_doubt && route.action != Action::Deny;
        let any_host = conditions.hosts.is_empty();
        let is_for = |paths: &PathMap<()>| {
            paths.contains(reading.path) || (in_doubt && reading.program.is_some_and(|program| paths.contains(program)))
        };
        self.paths.as_ref().is_none_or(is_for)
            && (any_host
                || self.exact_hosts.contains(&*reading.request.host)
                || self.hosts_below.iter().any(|host| host.match_len(&reading.request.host).is_some()))
            && conditions.are_for_sender(subject)
            && (!conditions.without_query || !subject.has_query)
            && (conditions.headers.is_empty()
                || subject.headers.map_or(unknown, |headers| {
                    let all_hold = || conditions.headers.iter().all(|header| header.holds(headers));
                    reading.request.headers_hold(route.rule, all_hold)
                }))
    }
}

/// Whether a method is one of `methods`: HEAD is answered like GET. Case counts, but not for a rule that asks for more:
/// some applications ignore it.
fn names_method(methods: &[String], method: &str, any_case: bool) -> bool {
    let same = |name: &str| if any_case { name.eq_ignore_ascii_case(method) } else { name == method };
    let head = if any_case { method.eq_ignore_ascii_case("HEAD") } else { method == "HEAD" };
    methods.iter().any(|name| same(name) || (head && name == "GET"))
}
