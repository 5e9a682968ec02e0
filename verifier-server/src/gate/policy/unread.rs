//! What a path is asked for that is too long to be read in every way: it may be any path, so it pays for the dearest of the
//! rules that hold for the rest of its request.

use super::conditions::Compiled;
use super::index::{Index, PolicyError};
use super::request::Reading;
use super::{Action, Conditions, Networks, Route, Rule};
use crate::config::Host;
use ipnet::IpNet;
use std::collections::HashMap;
use std::sync::Arc;

/// Groups of rules that nothing tells apart before each is looked at, at the most: so many a request may have to go through,
/// with each of its methods.
const GROUPS_ALIKE_MAX: usize = 64;

/// Rules with the same conditions besides their paths, each group as one rule for every path.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub(super) groups: Vec<Rule>,
    index: Index,
}

/// Which conditions of rules are looked at. One that is not holds for every request: that only makes dearer.
#[derive(Clone, Copy)]
enum Detail {
    All,
    HostsAndNetworks,
    Nothing,
}

impl Unread {
    /// Groups the rules: by all of their conditions, and where too many groups would be alike by fewer of them.
    pub(super) fn new(rules: &[Rule]) -> Result<Self, PolicyError> {
        let mut detail = Detail::All;
        loop {
            let groups = grouped(rules, detail);
            let keys = vec![Vec::new(); groups.len()];
            let index = Index::new(&groups, &keys, |_| true, GROUPS_ALIKE_MAX);
            detail = match (index, detail) {
                (Ok(index), _) => return Ok(Self { groups, index }),
                (Err(PolicyError::Alike(_)), Detail::All) => Detail::HostsAndNetworks,
                (Err(PolicyError::Alike(_)), Detail::HostsAndNetworks) => Detail::Nothing,
                (Err(error), _) => return Err(error),
            };
        }
    }

    /// The dearest of what the rules ask that hold for a request with that method, whatever their paths.
    pub(super) fn route(&self, reading: &Reading<'_>) -> Route {
        let mut route = Route::DEFAULT;
        self.index.candidates(reading, |numbers| {
            for number in numbers {
                let group = usize::try_from(*number).ok().and_then(|number| self.groups.get(number));
                if let Some(group) = group.filter(|group| group.matches(reading)) {
                    route = route.dearest(group.route);
                }
            }
        });
        route
    }
}

/// By what rules are put into one group.
#[derive(PartialEq, Eq, Hash)]
struct GroupKey {
    hosts: Vec<Host>,
    methods: Vec<String>,
    headers: Vec<String>,
    /// By number: see [`NumberedNetworks`].
    networks: Vec<usize>,
    crawlers: Vec<String>,
    without_query: bool,
    /// What is not known of a request counts otherwise for a rule that refuses.
    denies: bool,
}

fn grouped(rules: &[Rule], detail: Detail) -> Vec<Rule> {
    let mut groups: Vec<(Conditions, Route)> = Vec::new();
    let mut numbers: HashMap<GroupKey, usize> = HashMap::new();
    let mut numbered = NumberedNetworks::default();
    // What asks for no more makes nothing dearer.
    for rule in rules.iter().filter(|rule| rule.route.is_strict()) {
        let conditions = detail.of(&rule.conditions);
        let sets = rule.conditions.networks.iter().take(conditions.networks.len());
        let key = GroupKey {
            hosts: conditions.hosts.clone(),
            methods: conditions.methods.clone(),
            headers: conditions.headers.iter().map(ToString::to_string).collect(),
            networks: sets.map(|networks| numbered.number(networks)).collect(),
            crawlers: conditions.crawlers.iter().map(|crawler| crawler.name.clone()).collect(),
            without_query: conditions.without_query,
            denies: rule.route.action == Action::Deny,
        };
        let number = *numbers.entry(key).or_insert_with(|| {
            groups.push((conditions, Route::DEFAULT));
            groups.len() - 1
        });
        let route = &mut groups[number].1;
        *route = route.dearest(rule.route);
    }
    let as_rule = |(conditions, route): (Conditions, Route)| {
        let compiled = Compiled::new(&conditions, None);
        Rule { name: None, conditions, route, built_in: false, labelled: false, compiled }
    };
    groups.into_iter().map(as_rule).collect()
}

impl Detail {
    /// What is looked at of a rule's conditions; never at its paths.
    fn of(self, conditions: &Conditions) -> Conditions {
        let Conditions { hosts, methods, headers, networks, crawlers, without_query, .. } = conditions.clone();
        match self {
            Self::All => Conditions { paths: Vec::new(), hosts, methods, headers, networks, crawlers, without_query },
            Self::HostsAndNetworks => Conditions { hosts, networks, crawlers, ..Conditions::default() },
            Self::Nothing => Conditions::default(),
        }
    }
}

/// Sets of networks, each with a number: many rules share one, and it may be large.
#[derive(Default)]
struct NumberedNetworks<'r> {
    by_set: HashMap<*const Networks, usize>,
    by_nets: HashMap<&'r [IpNet], usize>,
}

impl<'r> NumberedNetworks<'r> {
    fn number(&mut self, networks: &'r Arc<Networks>) -> usize {
        let Self { by_set, by_nets } = self;
        *by_set.entry(Arc::as_ptr(networks)).or_insert_with(|| {
            let next = by_nets.len();
            *by_nets.entry(&networks.nets).or_insert(next)
        })
    }
}
