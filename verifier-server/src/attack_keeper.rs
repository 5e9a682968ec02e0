//! Hands what happens at each site over to the timeline, once a second, and tells the log when an attack begins and ends.

use crate::config::{Config, Site};
use crate::gate::networks::Memory;
use crate::gate::policy::Action;
use crate::gate::price::State;
use crate::gate::top::TopReport;
use crate::http::Verifier;
use crate::timeline::{Changed, Ending, Generation, SOURCES_LOOKED_AT, Spared, Step, Summary, Turn};
use crate::{clock, random, state_file};
use ipnet::IpNet;
use puzzle::{ClientNetwork, UnixSeconds};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// Networks that belong to nobody on the internet: loopback, private, link-local, shared by a carrier within itself,
/// unspecified, and their like of IPv6.
const PRIVATE: [&str; 9] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

/// Takes over what an earlier process kept, after the gates have begun.
pub(crate) fn resume(verifier: &Verifier, config: &Config) {
    let gates: Vec<_> = config
        .sites
        .iter()
        .map(|site| {
            let state = verifier.gate.report(site, verifier.started.elapsed()).state;
            (site.name.as_str(), site.mark, state, verifier.gate.mode_of(site))
        })
        .collect();
    let found = verifier.timeline.resume(&gates, clock::now());
    for (path, error) in &found.unused {
        if path.extension().is_some() {
            // Nothing is ever written in its place: its number is not given again.
            tracing::error!("{} is not used: {error}. It stays as it is, and no list or report has it", path.display());
        } else {
            state_file::tell_unused(path, error, "Numbers go on after the highest that a record has");
        }
    }
}

/// Writes what is due, at a clean stop.
pub(crate) fn write(verifier: &Verifier, state_dir: &Path) {
    verifier.timeline.hold_all();
    if let Err(error) = verifier.timeline.keep() {
        tracing::error!("the attacks could not be kept in {}: {error}", state_dir.display());
    }
}

/// A second has passed; `now` and `elapsed` are those of the controllers' step.
pub(crate) fn second(verifier: &Verifier, config: &Config, now: Duration, elapsed: Duration) {
    let at = clock::now();
    let timeline = &verifier.timeline;
    let is_down = |name: &str| {
        let site = config.sites.iter().find(|site| site.name == name);
        site.is_some_and(|site| verifier.gate.report(site, now).state != State::Calm)
    };
    if let Some((ended, current)) = timeline.wanted(is_down, at) {
        let generations: Vec<Generation> =
            ended.into_iter().chain([current]).map(|number| generation(verifier, config, number, at)).collect();
        timeline.take(&generations, at);
    }
    for site in &config.sites {
        let step = step(verifier, config, site, (now, elapsed), at);
        let process_began_at = UnixSeconds(at.0.saturating_sub(seconds(verifier.started.elapsed())));
        if let Some(changed) = timeline.step((&site.name, site.mark), process_began_at, step, id) {
            tell(&changed);
        }
    }
    let names: Vec<&str> = config.sites.iter().map(|site| site.name.as_str()).collect();
    timeline.second(&names, config.keep_attacks_days, at).iter().for_each(tell);
}

fn step(
    verifier: &Verifier,
    config: &Config,
    site: &Site,
    (now, elapsed): (Duration, Duration),
    at: UnixSeconds,
) -> Step {
    let report = verifier.gate.report(site, now);
    Step {
        at,
        elapsed_s: elapsed.as_secs_f64(),
        state: report.state,
        mode: verifier.gate.mode_of(site),
        overload: report.overload,
        price: verifier.gate.pricing(config, site).price,
        measured: report.measured,
        counts: verifier.metrics.counts_of(&site.name),
    }
}

/// What the tables have of a generation, and which networks in it are spared.
fn generation(verifier: &Verifier, config: &Config, number: u32, now: UnixSeconds) -> Generation {
    let top: TopReport = verifier.top.of_generation(number, SOURCES_LOOKED_AT);
    let memory: &Memory = verifier.gate.memory();
    let (is_usual, trusted) = (memory.usual_visitors(), trusted(config));
    let spared = |name: &str| {
        let Ok(net) = name.parse::<IpNet>() else { return Some(Spared::Private) };
        let network = ClientNetwork::of(net.addr());
        if memory.bought_lately(network, now) {
            return Some(Spared::Paid);
        }
        if is_trusted(&trusted, net) {
            return Some(Spared::Trusted);
        }
        if is_private(net) {
            return Some(Spared::Private);
        }
        is_usual(network).then_some(Spared::Usual)
    };
    let spared = top.networks.iter().map(|heavy| spared(&heavy.name)).collect();
    Generation { number, top, spared }
}

/// The networks that a configuration trusts: proxies, known networks, and those that a rule lets pass, crawlers among them.
pub(crate) fn trusted(config: &Config) -> Vec<IpNet> {
    let rules = config.policy.rules().iter().filter(|rule| rule.route.action == Action::Allow);
    let of_rules = rules.flat_map(|rule| &rule.conditions.networks).flat_map(|networks| &networks.nets);
    let known = config.known_networks.iter().map(|known| &known.network);
    config.trusted_proxies.iter().chain(known).chain(of_rules).copied().collect()
}

/// Whether a network lies in one of these, or one of these in it.
pub(crate) fn is_trusted(trusted: &[IpNet], net: IpNet) -> bool {
    trusted.iter().any(|trusted| trusted.contains(&net) || net.contains(trusted))
}

/// Whether a network is nobody's on the internet.
pub(crate) fn is_private(net: IpNet) -> bool {
    let mut private = PRIVATE.iter().filter_map(|private| private.parse::<IpNet>().ok());
    private.any(|private| private.contains(&net) || net.contains(&private)) || has_loopback(net)
}

/// A client network of IPv6 is a /56: the one of `::1` is that of the unspecified address too.
fn has_loopback(net: IpNet) -> bool {
    net.contains(&IpAddr::from(std::net::Ipv6Addr::LOCALHOST))
}

/// 32 hexadecimal digits. Without randomness it is made of the time, and two installations may draw the same.
fn id() -> String {
    let bytes = random::bytes::<16>().unwrap_or_else(|_| u128::from(clock::now().0).to_be_bytes());
    bytes.iter().fold(String::with_capacity(32), |mut id, byte| {
        // A string takes everything.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn tell(changed: &Changed) {
    let Summary { number: attack, site, requests, turned_away, paid, ending, .. } = &changed.attack;
    let why = changed.attack.signals.join(", ");
    match changed.turn {
        Turn::Begun => tracing::warn!(attack, site, why, "attack {attack} begins"),
        Turn::ComesBack => tracing::warn!(attack, site, why, "attack {attack} comes back"),
        Turn::Ended => {
            let seconds = changed.attack.ended_at.unwrap_or_default().saturating_sub(changed.attack.began_at);
            let how = ending.map_or("", Ending::told);
            tracing::warn!(
                attack,
                site,
                seconds,
                requests,
                turned_away,
                paid,
                "attack {attack} is over: {how}; portcullis report {attack} tells of it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a network")
    }

    #[test]
    fn what_belongs_to_nobody_on_the_internet_is_known_as_such() {
        for private in
            ["127.0.0.0/24", "10.1.2.0/24", "172.31.255.0/24", "192.168.7.0/24", "::/56", "fd00:1::/56", "fe80::/56"]
        {
            assert!(is_private(net(private)), "{private}");
        }
        for public in ["203.0.113.0/24", "172.32.0.0/24", "11.0.0.0/24", "2001:db8::/56"] {
            assert!(!is_private(net(public)), "{public}");
        }
        assert!(PRIVATE.iter().all(|private| private.parse::<IpNet>().is_ok()));
    }

    #[test]
    fn who_is_trusted_is_found_in_its_network_and_around_it() {
        let trusted = [net("203.0.113.7/32"), net("198.18.0.0/15")];
        for spared in ["203.0.113.0/24", "198.19.3.0/24"] {
            assert!(is_trusted(&trusted, net(spared)), "{spared}");
        }
        assert!(!is_trusted(&trusted, net("203.0.114.0/24")));
        assert!(!is_trusted(&trusted, net("2001:db8::/56")));
    }

    #[test]
    fn an_id_has_32_digits_and_no_two_are_the_same() {
        assert_eq!(id().len(), 32);
        assert_ne!(id(), id());
    }
}
