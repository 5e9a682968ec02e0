//! Which rules may match at all: found by path, network or host, whichever sets a rule most apart.

use super::Rule;
use super::networks::NetworkMap;
use super::paths::{Key, PathMap, PatternError};
use super::request::Reading;
use crate::config::Host;
use ipnet::IpNet;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Rules that nothing tells apart before each is looked at, at the most: so many a request may have to go through.
pub const RULES_ALIKE_MAX: usize = 500;

/// Why rules cannot be used together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Their patterns cannot.
    #[error("{0}")]
    Pattern(#[from] PatternError),
    /// Too many of them are alike.
    #[error(
        "{0} rules have the same path, network or host, or none, and each request would have to be held against all of \
         them; {RULES_ALIKE_MAX} may be so alike"
    )]
    Alike(usize),
}

/// Numbers of rules, each list in order.
#[derive(Debug, Default)]
pub(super) struct Index {
    paths: PathMap<u32>,
    networks: NetworkMap<u32>,
    exact_hosts: HashMap<String, Vec<u32>>,
    /// `.example.org` for every host below it.
    hosts_below: HashMap<String, Vec<u32>>,
    others: Vec<u32>,
}

/// By what a rule is found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Path,
    Network,
    Host,
    Nothing,
}

impl Index {
    /// An index of those rules that `include` wants, of which `alike_max` may be alike; `keys` are the ways to look for the
    /// paths of each.
    pub(super) fn new(
        rules: &[Rule],
        keys: &[Vec<Key>],
        include: impl Fn(&Rule) -> bool,
        alike_max: usize,
    ) -> Result<Self, PolicyError> {
        let numbered = || (0_u32..).zip(rules.iter().zip(keys)).filter(|(_, (rule, _))| include(rule));
        // A crawler that is known by its names comes from anywhere.
        let all_nets = |rule: &Rule| -> Vec<IpNet> {
            let by_name = !rule.conditions.crawlers.is_empty();
            let networks = if by_name { &[][..] } else { &rule.conditions.networks };
            networks.iter().flat_map(|networks| networks.nets.iter().copied()).collect()
        };
        let (mut by_path, mut by_net, mut by_host) = (Crowds::default(), Crowds::default(), Crowds::default());
        for (_, (rule, keys)) in numbered() {
            by_path.add(places(keys));
            by_net.add(all_nets(rule));
            by_host.add(&rule.conditions.hosts);
        }
        let (mut paths, mut networks, mut index) = (Vec::new(), Vec::new(), Self::default());
        let mut most_alike = 0;
        for (number, (rule, keys)) in numbered() {
            let nets = all_nets(rule);
            let choices = [
                (by_path.most(places(keys).into_iter()), By::Path),
                (by_net.most(nets.iter().copied()), By::Network),
                (by_host.most(rule.conditions.hosts.iter()), By::Host),
            ];
            let choice = choices.into_iter().filter_map(|(crowd, by)| Some((crowd?, by))).min();
            let (crowd, by) = choice.unwrap_or((0, By::Nothing));
            most_alike = most_alike.max(crowd);
            match by {
                By::Path => paths.extend(keys.iter().map(|key| (key, number))),
                By::Network => networks.extend(nets.into_iter().map(|net| (net, number))),
                By::Host => index.add_hosts(&rule.conditions.hosts, number),
                By::Nothing => index.others.push(number),
            }
        }
        most_alike = most_alike.max(index.others.len());
        if most_alike > alike_max {
            return Err(PolicyError::Alike(most_alike));
        }
        index.paths = PathMap::new(paths)?;
        index.networks = NetworkMap::new(networks);
        Ok(index)
    }

    fn add_hosts(&mut self, hosts: &[Host], number: u32) {
        for host in hosts {
            let (map, name) = match host {
                Host::Exact(name) => (&mut self.exact_hosts, name),
                Host::Below(suffix) => (&mut self.hosts_below, suffix),
            };
            map.entry(name.clone()).or_default().push(number);
        }
    }

    /// Calls `see` with the numbers of the rules that may match, list by list, each in order.
    pub(super) fn candidates(&self, reading: &Reading<'_>, mut see: impl FnMut(&[u32])) {
        self.paths.matching(reading.path, &mut see);
        if let Some(program) = reading.program {
            self.paths.matching(program, &mut see);
        }
        self.networks.around(reading.request.subject.address).for_each(&mut see);
        if let Some(numbers) = self.exact_hosts.get(&*reading.request.host) {
            see(numbers);
        }
        if !self.hosts_below.is_empty() {
            let host = &*reading.request.host;
            let suffixes = host.match_indices('.').map(|(dot, _)| &host[dot..]);
            suffixes.filter_map(|suffix| self.hosts_below.get(suffix)).for_each(|numbers| see(numbers));
        }
        see(&self.others);
    }
}

/// The places of a rule, each once, however many of its keys are there.
fn places(keys: &[Key]) -> HashSet<(u8, &str)> {
    keys.iter().map(Key::place).collect()
}

/// How many rules stand in each place.
struct Crowds<K>(HashMap<K, usize>);

impl<K> Default for Crowds<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Crowds<K> {
    /// One more rule in each of these places.
    fn add(&mut self, places: impl IntoIterator<Item = K>) {
        for place in places {
            *self.0.entry(place).or_default() += 1;
        }
    }

    /// The most in any of these places; `None` without places.
    fn most(&self, places: impl Iterator<Item = K>) -> Option<usize> {
        places.filter_map(|place| self.0.get(&place).copied()).max()
    }
}
