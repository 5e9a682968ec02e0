//! Who asked most during an attack, for what, as whom, and why things were refused: what the heavy hitters of its generations
//! come to together.

use crate::gate::top::{GENERATION_SECONDS, Heavy, TopReport};
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};

/// Sources of each kind that are kept of an attack.
pub const SOURCES_MAX: usize = 50;
/// Sources of each kind that are looked at in a generation: who is among the first of all is among these.
pub const SOURCES_LOOKED_AT: usize = 100;

/// Why a network is never in a list of those to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spared {
    /// Somebody there bought a clearance, or paid with one.
    Paid,
    /// The peacetime profile knows it.
    Usual,
    /// The configuration trusts it: a proxy, a known network, an allow rule, a crawler.
    Trusted,
    /// It belongs to nobody on the internet: loopback, private, link-local.
    Private,
}

impl Spared {
    /// In a word or two.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Usual => "usual visitor",
            Self::Trusted => "trusted",
            Self::Private => "not on the internet",
        }
    }
}

/// One that asked much. Its name may be a stranger's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is: a prefix, a path without query, a user agent, or a code.
    pub name: String,
    /// How many requests were counted: a little too low, never too high.
    pub requests: u64,
    /// How many of them were challenged, denied, or found no room.
    pub turned_away: u64,
    /// How many of them were paid for.
    pub paid: u64,
    /// Of a network: why it is in no list of those to be dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spared: Option<Spared>,
}

/// All kinds, those that were turned away most first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// From when on they were counted, in unix seconds: the generation in which the attack began.
    pub from: u32,
    /// Until when.
    pub to: u32,
    /// Client networks, as prefixes; on all sites together.
    pub networks: Vec<Source>,
    /// Paths of the site, without query.
    pub paths: Vec<Source>,
    /// What programs called themselves; on all sites together.
    pub user_agents: Vec<Source>,
    /// Why requests and solutions of the site were refused.
    pub reasons: Vec<Source>,
}

/// What the tables had of one generation.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its number.
    pub number: u32,
    /// The heaviest of it.
    pub top: TopReport,
    /// For each network of `top`, in its order, why it is spared.
    pub spared: Vec<Option<Spared>>,
}

/// How the sources of an attack come to be: generations that have ended, and the one that goes on.
#[derive(Clone, Debug)]
pub struct Gathering {
    site: u16,
    /// The generation that goes on.
    number: u32,
    ended: Sources,
    current: Sources,
}

impl Gathering {
    /// Begins with the generation of `began_at`; `process_began_at`: the tables know of nothing before.
    #[must_use]
    pub fn new(site: u16, began_at: UnixSeconds, process_began_at: UnixSeconds) -> Self {
        let number = began_at.0 / GENERATION_SECONDS;
        let from = (number * GENERATION_SECONDS).max(process_began_at.0);
        Self { site, number, ended: Sources { from, to: from, ..Sources::default() }, current: Sources::default() }
    }

    /// Goes on with what an earlier process had gathered; the tables of this one begin empty.
    #[must_use]
    pub fn resumed(site: u16, gathered: Sources, now: UnixSeconds) -> Self {
        Self { site, number: now.0 / GENERATION_SECONDS, ended: gathered, current: Sources::default() }
    }

    /// The generations that have to be looked at: the one that ended, where it did, and the one of `now`.
    #[must_use]
    pub const fn wanted(&self, now: UnixSeconds) -> (Option<u32>, u32) {
        let number = now.0 / GENERATION_SECONDS;
        (if self.number < number { Some(self.number) } else { None }, number)
    }

    /// Takes in what the tables have of a generation: an earlier one has ended, and what is known of it is final.
    pub fn take(&mut self, generation: &Generation, now: UnixSeconds) {
        let Generation { number, top, spared } = generation;
        let networks = top.networks.iter().zip(spared).map(|(heavy, spared)| source(heavy, *spared)).collect();
        let of_site = |heavies: &[Heavy]| {
            heavies.iter().filter(|heavy| heavy.site == self.site).map(|heavy| source(heavy, None)).collect()
        };
        let user_agents = top.user_agents.iter().map(|heavy| source(heavy, None)).collect();
        let (paths, reasons) = (of_site(&top.paths), of_site(&top.reasons));
        let taken = Sources { from: self.ended.from, to: now.0, networks, paths, user_agents, reasons };
        let now_number = now.0 / GENERATION_SECONDS;
        if *number < now_number {
            // The tables have forgotten it where a whole one has passed since, as when an attack comes back.
            let last = if *number + 1 == now_number { &taken } else { &self.current };
            self.ended = merged(&self.ended, last, SOURCES_LOOKED_AT);
            self.current = Sources::default();
            self.number = now_number;
        } else {
            self.number = *number;
            self.current = taken;
        }
    }

    /// What there is now.
    #[must_use]
    pub fn sources(&self) -> Sources {
        merged(&self.ended, &self.current, SOURCES_MAX)
    }
}

fn source(heavy: &Heavy, spared: Option<Spared>) -> Source {
    let Heavy { name, requests, turned_away, paid, .. } = heavy.clone();
    let spared = spared.or((paid > 0).then_some(Spared::Paid));
    Source { name, requests, turned_away, paid, spared }
}

fn merged(earlier: &Sources, later: &Sources, most: usize) -> Sources {
    let both = |of: fn(&Sources) -> &Vec<Source>| {
        let mut all = of(earlier).clone();
        for more in of(later) {
            match all.iter_mut().find(|known| known.name == more.name) {
                Some(known) => {
                    known.requests += more.requests;
                    known.turned_away += more.turned_away;
                    known.paid += more.paid;
                    // Who paid once stays one who paid; for the rest what was seen last counts.
                    known.spared = if known.spared == Some(Spared::Paid) { known.spared } else { more.spared };
                }
                None => all.push(more.clone()),
            }
        }
        all.sort_by(|a, b| {
            let weight = |source: &Source| (source.turned_away, source.requests);
            weight(b).cmp(&weight(a)).then_with(|| a.name.cmp(&b.name))
        });
        all.truncate(most);
        all
    };
    Sources {
        from: earlier.from,
        to: later.to.max(earlier.to),
        networks: both(|sources| &sources.networks),
        paths: both(|sources| &sources.paths),
        user_agents: both(|sources| &sources.user_agents),
        reasons: both(|sources| &sources.reasons),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: UnixSeconds = UnixSeconds(1_800_000_000);

    fn heavy(site: u16, name: &str, [requests, turned_away, paid]: [u64; 3]) -> Heavy {
        Heavy { site, name: name.to_owned(), requests, turned_away, paid }
    }

    fn generation(number: u32, networks: Vec<Heavy>, paths: Vec<Heavy>) -> Generation {
        let spared = vec![None; networks.len()];
        let top = TopReport { networks, paths, user_agents: Vec::new(), reasons: Vec::new() };
        Generation { number, top, spared }
    }

    #[test]
    fn generations_add_up_and_the_current_one_counts_once() {
        let first = BEGAN.0 / GENERATION_SECONDS;
        let mut gathering = Gathering::new(7, BEGAN, UnixSeconds(0));
        let now = BEGAN.plus(10);
        assert_eq!(gathering.wanted(now), (None, first));
        for counted in [[5, 4, 0], [9, 8, 0]] {
            gathering.take(&generation(first, vec![heavy(0, "a", counted)], Vec::new()), now);
        }
        assert_eq!(gathering.sources().networks[0].requests, 9, "looked at twice, counted once");
        let later = BEGAN.plus(GENERATION_SECONDS + 1);
        assert_eq!(gathering.wanted(later), (Some(first), first + 1));
        gathering.take(&generation(first, vec![heavy(0, "a", [10, 9, 1])], Vec::new()), later);
        gathering
            .take(&generation(first + 1, vec![heavy(0, "b", [3, 3, 0]), heavy(0, "a", [2, 2, 0])], Vec::new()), later);
        let networks = gathering.sources().networks;
        assert_eq!((networks[0].name.as_str(), networks[0].requests, networks[0].turned_away), ("a", 12, 11));
        assert_eq!(networks[0].spared, Some(Spared::Paid), "once is enough");
        assert_eq!((networks[1].name.as_str(), networks[1].spared), ("b", None));
        assert_eq!((gathering.sources().from, gathering.sources().to), (BEGAN.0, later.0));
    }

    #[test]
    fn who_was_turned_away_most_comes_first_and_no_more_than_so_many_are_kept() {
        let mut gathering = Gathering::new(7, BEGAN, UnixSeconds(0));
        let number = BEGAN.0 / GENERATION_SECONDS;
        let mut networks: Vec<Heavy> = (0..100).map(|n| heavy(0, &format!("n{n}"), [100, n, 0])).collect();
        networks.push(heavy(0, "busy but honest", [1_000, 0, 1_000]));
        gathering.take(&generation(number, networks, Vec::new()), BEGAN);
        let sources = gathering.sources();
        assert_eq!(sources.networks.len(), SOURCES_MAX);
        assert_eq!(sources.networks[0].name, "n99");
    }

    #[test]
    fn what_was_counted_before_a_pause_counts_once_and_is_not_lost() {
        let first = BEGAN.0 / GENERATION_SECONDS;
        let mut gathering = Gathering::new(7, BEGAN, UnixSeconds(0));
        gathering.take(&generation(first, vec![heavy(0, "a", [5, 5, 0])], Vec::new()), BEGAN.plus(10));
        // It comes back in the same generation, and then after the tables have forgotten that.
        gathering.take(&generation(first, vec![heavy(0, "a", [7, 7, 0])], Vec::new()), BEGAN.plus(200));
        assert_eq!(gathering.sources().networks[0].requests, 7);
        let later = BEGAN.plus(2 * GENERATION_SECONDS);
        gathering.take(&generation(first, Vec::new(), Vec::new()), later);
        gathering.take(&generation(first + 2, vec![heavy(0, "a", [3, 3, 0])], Vec::new()), later);
        assert_eq!(gathering.sources().networks[0].requests, 10);
    }

    #[test]
    fn paths_of_other_sites_are_theirs() {
        let mut gathering = Gathering::new(7, BEGAN, UnixSeconds(0));
        let paths = vec![heavy(7, "/ours", [1, 1, 0]), heavy(8, "/theirs", [9, 9, 0])];
        gathering.take(&generation(BEGAN.0 / GENERATION_SECONDS, Vec::new(), paths), BEGAN);
        let names: Vec<String> = gathering.sources().paths.into_iter().map(|path| path.name).collect();
        assert_eq!(names, ["/ours"]);
    }

    #[test]
    fn tables_that_are_younger_than_the_attack_say_so() {
        let gathering = Gathering::new(7, BEGAN.plus(100), BEGAN.plus(60));
        assert_eq!(gathering.sources().from, BEGAN.0 + 60);
    }
}
