//! What may be blocked after an attack, and what must not: a network in which somebody paid, or that the site knows, is never
//! in a list, whatever else came from it.

use crate::attack_keeper::{is_private, is_trusted};
use crate::timeline::{Attack, Source, Spared};
use ipnet::IpNet;

/// Requests that must have been turned away: who looks at a page a few times and leaves is no indicator.
pub const TURNED_AWAY_LEAST: u64 = 30;

/// What may be blocked, and what is spared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicators<'a> {
    /// Client networks that only attacked, as far as was seen.
    pub networks: Vec<&'a Source>,
    /// What programs called themselves of which none paid, while others did.
    pub user_agents: Vec<&'a Source>,
    /// Paths for which nobody paid, while others were paid for.
    pub paths: Vec<&'a Source>,
    /// Networks that would be among them, and why they are not.
    pub spared: Vec<(&'a Source, Spared)>,
}

impl<'a> Indicators<'a> {
    /// Those of an attack. `trusted`: what the configuration trusts now, which may be more than it did then.
    #[must_use]
    pub fn of(attack: &'a Attack, trusted: &[IpNet]) -> Self {
        let sources = &attack.sources;
        let (mut networks, mut spared) = (Vec::new(), Vec::new());
        for source in sources.networks.iter().filter(|source| attacked(source)) {
            match why_spared(source, trusted) {
                None => networks.push(source),
                Some(why) => spared.push((source, why)),
            }
        }
        // Where nobody paid at all, nothing tells what an attack asked for from what visitors do.
        let tells = attack.counts.paid > 0;
        let unpaid = |sources: &'a [Source]| {
            let is_one = |source: &&Source| tells && attacked(source) && source.paid == 0 && !source.name.is_empty();
            sources.iter().filter(is_one).collect()
        };
        Self { networks, user_agents: unpaid(&sources.user_agents), paths: unpaid(&sources.paths), spared }
    }

    /// The networks to block, as networks.
    pub fn nets(&self) -> impl Iterator<Item = IpNet> {
        self.networks.iter().filter_map(|source| source.name.parse().ok())
    }
}

/// Whether it asked often and was turned away more often than not.
const fn attacked(source: &Source) -> bool {
    source.turned_away >= TURNED_AWAY_LEAST && source.turned_away * 2 >= source.requests
}

/// What is no network is spared as well: nothing but networks of ours may get into a list.
fn why_spared(source: &Source, trusted: &[IpNet]) -> Option<Spared> {
    if source.paid > 0 {
        return Some(Spared::Paid);
    }
    let Ok(net) = source.name.parse::<IpNet>() else { return Some(Spared::Private) };
    let now = if is_trusted(trusted, net) { Some(Spared::Trusted) } else { is_private(net).then_some(Spared::Private) };
    source.spared.or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{attack, source};

    fn names<'a>(sources: &'a [&Source]) -> Vec<&'a str> {
        sources.iter().map(|source| source.name.as_str()).collect()
    }

    #[test]
    fn who_paid_is_known_or_trusted_is_in_no_list() {
        let mut attack = attack();
        let spared = |name: &str, why| Source { spared: Some(why), ..source(name, 100, 100, 0) };
        attack.sources.networks = vec![
            source("198.51.100.0/24", 100, 90, 0),
            source("2001:db8:0:100::/56", 100, 90, 0),
            source("203.0.113.0/24", 100, 99, 1),
            spared("192.0.2.0/24", Spared::Paid),
            spared("198.18.0.0/24", Spared::Usual),
            spared("198.18.1.0/24", Spared::Trusted),
            source("198.18.2.0/24", 100, 100, 0),
            source("127.0.0.0/24", 100, 100, 0),
            source("10.0.0.0/24", 100, 100, 0),
            source("::/56", 100, 100, 0),
            source("203.0.113.7 drop; }", 100, 100, 0),
        ];
        let trusted = ["198.18.2.9/32".parse().expect("a network")];
        let indicators = Indicators::of(&attack, &trusted);
        assert_eq!(names(&indicators.networks), ["198.51.100.0/24", "2001:db8:0:100::/56"]);
        assert_eq!(indicators.spared.len(), 9);
        assert!(indicators.spared.contains(&(&attack.sources.networks[6], Spared::Trusted)));
    }

    #[test]
    fn who_asked_a_few_times_or_mostly_passed_is_no_indicator() {
        let mut attack = attack();
        attack.sources.networks = vec![
            source("198.51.100.0/24", 29, 29, 0),
            source("203.0.113.0/24", 100, 49, 0),
            source("192.0.2.0/24", 60, 30, 0),
        ];
        assert_eq!(names(&Indicators::of(&attack, &[]).networks), ["192.0.2.0/24"]);
    }

    #[test]
    fn what_visitors_use_too_is_no_indicator() {
        let mut attack = attack();
        attack.sources.user_agents =
            vec![source("Mozilla/5.0", 1_000, 900, 3), source("flood/1.0", 100, 100, 0), source("", 100, 100, 0)];
        attack.sources.paths = vec![source("/", 1_000, 900, 3), source("/xmlrpc.php", 100, 100, 0)];
        let indicators = Indicators::of(&attack, &[]);
        assert_eq!(names(&indicators.user_agents), ["flood/1.0"]);
        assert_eq!(names(&indicators.paths), ["/xmlrpc.php"]);
        attack.counts.paid = 0;
        let nobody_paid = Indicators::of(&attack, &[]);
        assert_eq!((nobody_paid.user_agents.len(), nobody_paid.paths.len()), (0, 0));
    }
}
