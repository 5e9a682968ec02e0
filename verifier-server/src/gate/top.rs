//! Who asks most, for what, as whom, and why so much was refused: the heavy hitters of the last minutes, in tables of fixed size.
//!
//! Each table is a space-saving sketch ([`HeavyHitters`]). A key is counted from the moment on at which it took its place, and
//! who asks much takes it early and keeps it, so counts are a little too low and never too high.

mod heavy_hitters;
mod label;

pub use heavy_hitters::{Fate, Heavy, HeavyHitters, WAYS};
pub use label::{LABEL_BYTES_MAX, Label, is_unseen, printable};

use crate::gate::Decision;
use crate::gate::networks::HashKey;
use puzzle::{ClientNetwork, Refusal, UnixSeconds};

/// How long one generation lasts; a table shows the current one and the one before.
pub const GENERATION_SECONDS: u32 = 300;
/// Sets of [`WAYS`] places for networks, for paths and for user agents, each.
const SETS: usize = 256;
/// Sets for reasons: there are fewer of them than places.
const REASON_SETS: usize = 8;
/// What all tables of a verifier take together, in bytes.
pub const TOP_BYTES: usize = HeavyHitters::bytes_of(SETS) * 3 + HeavyHitters::bytes_of(REASON_SETS);

/// A request, as the tables see it. What it brings is a stranger's word.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The mark of the site that it is for.
    pub site: u16,
    /// Where it comes from.
    pub network: ClientNetwork,
    /// Its target; the query is left out.
    pub target: &'a str,
    /// What it calls itself; empty where it says nothing.
    pub user_agent: &'a [u8],
}

/// The heavy hitters of a verifier.
#[derive(Debug)]
pub struct Top {
    networks: HeavyHitters,
    paths: HeavyHitters,
    user_agents: HeavyHitters,
    reasons: HeavyHitters,
}

/// The heaviest of each kind, heaviest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopReport {
    /// Client networks, as prefixes.
    pub networks: Vec<Heavy>,
    /// Paths without query, each of its site.
    pub paths: Vec<Heavy>,
    /// What programs call themselves.
    pub user_agents: Vec<Heavy>,
    /// Why requests and solutions were refused: codes of PROTOCOL §4, `denied` and `busy`.
    pub reasons: Vec<Heavy>,
}

impl Top {
    /// Nothing was counted yet; `key` is unknown outside, or whoever knows it could fill one set.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        let table = |part| HeavyHitters::new(SETS, key.part(part));
        Self {
            networks: table("top networks"),
            paths: table("top paths"),
            user_agents: table("top user agents"),
            reasons: HeavyHitters::new(REASON_SETS, key.part("top reasons")),
        }
    }

    /// Counts a request that met the gate.
    pub fn met(&self, asked: &Asked<'_>, decision: Decision, now: UnixSeconds) {
        let fate = match decision {
            Decision::Challenged | Decision::Denied | Decision::Busy => Fate::TurnedAway,
            Decision::Paid => Fate::Paid,
            Decision::Free | Decision::Unpaid | Decision::Reserved => Fate::Passed,
        };
        let path = asked.target.split_once('?').map_or(asked.target, |(path, _)| path);
        self.networks.count(0, &Label::of_network(asked.network), fate, now);
        self.paths.count(asked.site, &Label::of(path.as_bytes()), fate, now);
        self.user_agents.count(0, &Label::of(asked.user_agent), fate, now);
        match decision {
            Decision::Denied => self.reasons.count(asked.site, &Label::of(b"denied"), Fate::TurnedAway, now),
            Decision::Busy => self.reasons.count(asked.site, &Label::of(b"busy"), Fate::TurnedAway, now),
            _ => {}
        }
    }

    /// Counts a solution that was refused.
    pub fn refused(&self, site: u16, refusal: Refusal, now: UnixSeconds) {
        self.reasons.count(site, &Label::of(refusal.code().as_bytes()), Fate::TurnedAway, now);
    }

    /// Those of one generation (of [`GENERATION_SECONDS`], numbered from the beginning of time) that were turned away most.
    #[must_use]
    pub fn of_generation(&self, generation: u32, most: usize) -> TopReport {
        TopReport {
            networks: self.networks.of_generation(generation, most),
            paths: self.paths.of_generation(generation, most),
            user_agents: self.user_agents.of_generation(generation, most),
            reasons: self.reasons.of_generation(generation, most),
        }
    }

    /// The heaviest `most` of each kind.
    #[must_use]
    pub fn report(&self, most: usize, now: UnixSeconds) -> TopReport {
        TopReport {
            networks: self.networks.heaviest(most, now),
            paths: self.paths.heaviest(most, now),
            user_agents: self.user_agents.heaviest(most, now),
            reasons: self.reasons.heaviest(most, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn a_flood_of_20000_distinct_keys_a_second_hides_none_of_the_true_top_five() {
        let top = Top::new(HashKey([1; 16]));
        // A minute of it; the five ask 100 to 500 times a second in between.
        for second in 0..60_u32 {
            let now = UnixSeconds(1_800_000_000 + second);
            for number in 0..20_000_u32 {
                let flood = second * 20_000 + number;
                ask(&top, 0x0a00_0000 + (flood << 8), &format!("/{flood}"), &format!("flood {flood}"), now);
                for heavy in 1..=5 {
                    if number % (200 / heavy) == 0 {
                        ask(
                            &top,
                            0xc000_0000 + (heavy << 8),
                            &format!("/heavy/{heavy}?{flood}"),
                            &format!("h{heavy}"),
                            now,
                        );
                    }
                }
            }
        }
        let report = top.report(10, UnixSeconds(1_800_000_060));
        let names = |prefix: &str, suffix: &str| [5, 4, 3, 2, 1].map(|heavy| format!("{prefix}{heavy}{suffix}"));
        for (found, names) in [
            (&report.networks, names("192.0.", ".0/24")),
            (&report.paths, names("/heavy/", "")),
            (&report.user_agents, names("h", "")),
        ] {
            for (heavy, name) in (1..=5_u32).rev().zip(names) {
                let truth = f64::from(60 * 20_000_u32.div_ceil(200 / heavy));
                let entry =
                    found.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("{name}: {found:?}"));
                let counted = f64::from(u32::try_from(entry.requests).expect("small"));
                assert!(counted <= truth && counted >= 0.95 * truth, "{name}: {counted} of {truth}");
                assert_eq!(entry.turned_away, entry.requests);
            }
        }
    }

    fn ask(top: &Top, address: u32, target: &str, user_agent: &str, now: UnixSeconds) {
        let network = ClientNetwork::of(IpAddr::V4(Ipv4Addr::from_bits(address)));
        let asked = Asked { site: 0, network, target, user_agent: user_agent.as_bytes() };
        top.met(&asked, Decision::Challenged, now);
    }

    #[test]
    fn all_tables_take_less_than_two_mebibytes() {
        const { assert!(TOP_BYTES <= 2 * 1024 * 1024) };
    }

    #[test]
    fn why_things_were_refused_is_counted_for_each_site() {
        let (top, now) = (Top::new(HashKey([1; 16])), UnixSeconds(1_800_000_000));
        for _ in 0..3 {
            top.refused(7, Refusal::Used, now);
        }
        top.refused(8, Refusal::Forged, now);
        let reasons = top.report(10, now).reasons;
        let told: Vec<_> = reasons.iter().map(|reason| (reason.site, reason.name.as_str(), reason.requests)).collect();
        assert_eq!(told, [(7, "used", 3), (8, Refusal::Forged.code(), 1)]);
    }
}
