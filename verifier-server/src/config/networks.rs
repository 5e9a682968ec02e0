//! `[[known_network]]`: networks that the operator knows to be shared.

use super::document::{Lined, Section};
use crate::gate::networks::{KnownNetwork, SHARES_AROUND_MAX};
use ipnet::IpNet;

/// Known networks at the most: each request that is sold something is compared with all of them.
const KNOWN_NETWORKS_MAX: usize = 256;
/// The widest known networks: beyond, what is fair is not reckoned for a whole network.
const V4_LENGTH_LEAST: u8 = 16;
const V6_LENGTH_LEAST: u8 = 32;

/// Reads all known networks.
pub(super) fn read_all(root: &mut Section<'_, '_>) -> Vec<KnownNetwork> {
    let mut known: Vec<KnownNetwork> = Vec::new();
    for mut section in root.sections("known_network") {
        let line = section.line;
        let network = section.string("network", "203.0.113.0/24");
        if network.is_none() {
            section.problem(line, "a known network without `network`", "write network = \"203.0.113.0/24\"");
        }
        let network = network.and_then(|text| parse(&text, &section));
        let visitors = section.integer("visitors", 1..=u64::from(SHARES_AROUND_MAX));
        if visitors.is_none() {
            let remedy = "write how many visitors there are at the same time: visitors = 50";
            section.problem(line, "a known network without a usable `visitors`", remedy);
        }
        if let (Some(network), Some(visitors)) = (network, visitors) {
            if known.iter().any(|other| other.network == network) {
                section.problem(line, format!("`{network}` is there twice"), "leave one of them");
            }
            known.push(KnownNetwork { network, visitors: u16::try_from(visitors.value).unwrap_or(u16::MAX) });
        }
        section.finish();
    }
    if known.len() > KNOWN_NETWORKS_MAX {
        let message = format!("{} known networks are more than {KNOWN_NETWORKS_MAX}", known.len());
        root.problem(1, message, "keep the largest; the profile learns the others by itself");
    }
    known
}

fn parse(text: &Lined<String>, section: &Section<'_, '_>) -> Option<IpNet> {
    let Ok(network) = text.value.parse::<IpNet>() else {
        let message = format!("`{}` is not a network", text.value);
        section.problem(text.line, message, "write it like 203.0.113.0/24 or 2001:db8:7::/48");
        return None;
    };
    if network != network.trunc() {
        let message = format!("`{network}` has bits beyond its length");
        section.problem(text.line, message, format!("write \"{}\"", network.trunc()));
        return None;
    }
    let least = if matches!(network, IpNet::V4(_)) { V4_LENGTH_LEAST } else { V6_LENGTH_LEAST };
    if network.prefix_len() < least {
        let message = format!("`{network}` is too wide to be one shared network");
        section.problem(text.line, message, format!("write its parts, each a /{least} or narrower"));
        return None;
    }
    Some(network)
}
