//! Rules made by hand: deny or challenge a network or a path.

use super::{BY_HAND_MINUTES_MAX, after};
use crate::config::Site;
use crate::gate::policy::{Action, Conditions, Networks, Policy, PolicyBuilder, Route, Subject};
use ipnet::IpNet;
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Rules made by hand at the same time.
pub const HAND_RULES_MAX: usize = 100;
/// From this number on rules are made by hand: the configuration never has so many.
pub const HAND_RULE_NUMBER_FIRST: u32 = 1 << 30;
/// Characters of a path pattern.
const PATH_CHARS_MAX: usize = 256;
/// The widest networks that one rule may name, by the bits of their prefixes: wider ones are a slip, and turn everybody away.
const PREFIX_BITS_MIN: (u8, u8) = (8, 16);

/// What such a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HandAction {
    /// Asks for work at all times.
    Challenge,
    /// Refuses.
    Deny,
}

/// A rule as the operator asks for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHandRule {
    /// What it does.
    pub action: HandAction,
    /// The networks that it is about, as a prefix or an address; left out: all.
    pub network: Option<String>,
    /// The paths that it is about, as a pattern; left out: all.
    pub path: Option<String>,
    /// The site that it is about; left out: all.
    pub site: Option<String>,
    /// How long it lasts.
    pub minutes: u32,
}

/// Why no rule was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandRuleError {
    /// It is about nothing.
    #[error("a rule names a `network` or a `path`, or both")]
    Nothing,
    /// The network is none.
    #[error("`{0}` is no network: write it like 203.0.113.0/24")]
    Network(String),
    /// The network is too wide.
    #[error("a rule names a network of /{} or narrower, /{} of IPv6", PREFIX_BITS_MIN.0, PREFIX_BITS_MIN.1)]
    TooWide,
    /// The path is no pattern.
    #[error("`{0}` is no path: write it like /login or /search/**, at most {PATH_CHARS_MAX} characters")]
    Path(String),
    /// The path is every path.
    #[error("a rule for every path of everybody closes the site: set the mode instead")]
    EveryPath,
    /// It would last too long, or not at all.
    #[error("a rule lasts 1 to {BY_HAND_MINUTES_MAX} minutes")]
    Minutes,
    /// There are too many.
    #[error(
        "there are {HAND_RULES_MAX} rules made by hand already; take one away first, or write them into the configuration"
    )]
    TooMany,
}

/// A rule made by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandRule {
    pub(super) number: u32,
    pub(super) action: HandAction,
    pub(super) network: Option<IpNet>,
    pub(super) path: Option<String>,
    pub(super) site: Option<String>,
    pub(super) expires_at: UnixSeconds,
}

/// A rule made by hand, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HandRuleReport {
    /// By which it is taken away.
    pub number: u32,
    /// What it does.
    pub action: HandAction,
    /// The networks that it is about.
    pub network: Option<String>,
    /// The paths that it is about.
    pub path: Option<String>,
    /// The site that it is about.
    pub site: Option<String>,
    /// How many seconds it still lasts.
    pub expires_in: u32,
}

impl std::fmt::Display for HandRuleReport {
    /// `deny /search from 203.0.113.0/24 on main, 60 min left`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.action == HandAction::Deny { "deny" } else { "challenge" })?;
        formatter.write_str(&self.path.as_ref().map_or_else(|| " every path".to_owned(), |path| format!(" {path}")))?;
        if let Some(network) = &self.network {
            write!(formatter, " from {network}")?;
        }
        if let Some(site) = &self.site {
            write!(formatter, " on {site}")?;
        }
        write!(formatter, ", {} min left", self.expires_in.div_ceil(60))
    }
}

impl HandRule {
    pub(super) fn new(new: &NewHandRule, number: u32, now: UnixSeconds) -> Result<Self, HandRuleError> {
        if !(1..=BY_HAND_MINUTES_MAX).contains(&new.minutes) {
            return Err(HandRuleError::Minutes);
        }
        let network = new.network.as_deref().map(network).transpose()?;
        let path = new.path.clone();
        if let Some(path) = &path {
            let is_sound = path.starts_with('/') && path.chars().count() <= PATH_CHARS_MAX;
            if !is_sound || PolicyBuilder::check_path(path).is_err() {
                return Err(HandRuleError::Path(path.chars().take(PATH_CHARS_MAX).collect()));
            }
            let is_every = path.trim_start_matches('/').chars().all(|letter| letter == '*' || letter == '/');
            if network.is_none() && path.len() > 1 && is_every {
                return Err(HandRuleError::EveryPath);
            }
        }
        if network.is_none() && path.is_none() {
            return Err(HandRuleError::Nothing);
        }
        let expires_at = after(now, new.minutes);
        Ok(Self { number, action: new.action, network, path, site: new.site.clone(), expires_at })
    }

    /// Whether it is about the same, whatever it does and for how long.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.network, &self.path, &self.site) == (other.network, &other.path, &other.site)
    }

    pub(super) fn report(&self, now: UnixSeconds) -> HandRuleReport {
        HandRuleReport {
            number: self.number - HAND_RULE_NUMBER_FIRST,
            action: self.action,
            network: self.network.map(|network| network.to_string()),
            path: self.path.clone(),
            site: self.site.clone(),
            expires_in: self.expires_at.since(now),
        }
    }

    fn conditions(&self) -> Conditions {
        let networks = self.network.iter().map(|net| Arc::new(Networks::new(net.to_string(), vec![*net])));
        Conditions { paths: self.path.iter().cloned().collect(), networks: networks.collect(), ..Conditions::default() }
    }
}

/// A network as people write it, without what stands beside its prefix. IPv4 in the form of IPv6 is IPv4.
fn network(text: &str) -> Result<IpNet, HandRuleError> {
    let bad = || HandRuleError::Network(text.chars().take(64).collect());
    let network = match text.parse::<IpNet>() {
        Ok(network) => network.trunc(),
        Err(_) => IpNet::from(text.parse::<std::net::IpAddr>().map_err(|_| bad())?.to_canonical()),
    };
    let least = if matches!(network, IpNet::V4(_)) { PREFIX_BITS_MIN.0 } else { PREFIX_BITS_MIN.1 };
    if network.prefix_len() < least { Err(HandRuleError::TooWide) } else { Ok(network) }
}

/// Rules made by hand, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Compiled(Vec<OfSite>);

/// Those of a site, or those of all.
#[derive(Debug)]
struct OfSite {
    mark: Option<u16>,
    policy: Policy,
    /// Their numbers, in the order of the policy.
    numbers: Vec<u32>,
}

impl Compiled {
    pub(super) fn new(rules: &[HandRule]) -> Self {
        let mut sites: Vec<Option<&String>> = rules.iter().map(|rule| rule.site.as_ref()).collect();
        sites.sort();
        sites.dedup();
        Self(sites.into_iter().filter_map(|site| OfSite::new(site, rules)).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The route, or what a rule made by hand makes of it where that asks for more.
    pub(super) fn raise(&self, route: Route, mark: u16, subject: &Subject<'_>) -> Route {
        let mut raised = route;
        for of_site in self.0.iter().filter(|of_site| of_site.mark.is_none_or(|of| of == mark)) {
            let by_hand = of_site.policy.route(subject);
            let number = by_hand.rule.and_then(|number| of_site.numbers.get(usize::try_from(number).ok()?)).copied();
            if number.is_some() && by_hand.action > raised.action {
                raised = Route { action: by_hand.action, reserve: None, rule: number, ..raised };
            }
        }
        raised
    }
}

impl OfSite {
    fn new(site: Option<&String>, rules: &[HandRule]) -> Option<Self> {
        let mut of_site: Vec<&HandRule> = rules.iter().filter(|rule| rule.site.as_ref() == site).collect();
        // The first that matches decides: what refuses stands before what asks for work.
        of_site.sort_by_key(|rule| rule.action == HandAction::Challenge);
        let (mut builder, mut numbers) = (PolicyBuilder::default(), Vec::new());
        for rule in of_site {
            let action = if rule.action == HandAction::Deny { Action::Deny } else { Action::Challenge };
            // Its pattern was tried when the rule was made.
            if builder.add(None, rule.conditions(), Route { action, ..Route::DEFAULT }, false).is_ok() {
                numbers.push(rule.number);
            }
        }
        let policy = builder.build().ok().filter(|_| !numbers.is_empty())?;
        Some(Self { mark: site.map(|name| Site::mark_of(name)), policy, numbers })
    }
}
