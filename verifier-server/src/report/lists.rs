//! The networks that may be blocked, in files for kernels, web servers and everybody else.

use super::{Facts, Times};
use ipnet::IpNet;
use std::fmt::Write;

/// How long a kernel drops what a file for nftables names, unless it is loaded again.
const LIFE: &str = "1d";

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// A file for `nft -f`: two sets, and a chain that drops what comes from them to ports 80 and 443
    Nft,
    /// A file to include in nginx: `deny` lines
    Nginx,
    /// A network a line
    Cidr,
}

/// The list, with comments that say what it is, but for [`ListFormat::Cidr`].
#[must_use]
pub fn list(facts: &Facts<'_>, format: ListFormat) -> String {
    let indicators = facts.indicators();
    let nets = IpNet::aggregate(&indicators.nets().collect());
    match format {
        ListFormat::Nft => format!("{}{}", comments(facts, nets.len()), nft(facts.attack.number, &nets)),
        ListFormat::Nginx => {
            let lines = nets.iter().fold(comments(facts, nets.len()), |mut lines, net| {
                // A string takes everything.
                let _ = writeln!(lines, "deny {net};");
                lines
            });
            lines + "# include this file in http, server or location\n"
        }
        ListFormat::Cidr => nets.iter().fold(String::new(), |lines, net| lines + &net.to_string() + "\n"),
    }
}

/// What the list is, and what is not in it.
fn comments(facts: &Facts<'_>, count: usize) -> String {
    let attack = facts.attack;
    let (number, from) = (attack.number, Times::rfc3339(attack.began_at));
    format!(
        "# {count} networks of attack {number}, which began at {from}\n# {}\n",
        super::words::spared_sentence(&facts.indicators())
    )
}

fn nft(number: u32, nets: &[IpNet]) -> String {
    let set = |name: &str, kind: &str, is_of: fn(&&IpNet) -> bool| {
        let elements: Vec<String> = nets.iter().filter(is_of).map(ToString::to_string).collect();
        let elements = if elements.is_empty() {
            String::new()
        } else {
            format!("        elements = {{\n            {}\n        }}\n", elements.join(",\n            "))
        };
        format!(
            "    set {name} {{\n        type {kind}\n        flags interval, timeout\n        timeout {LIFE}\n{elements}    }}\n"
        )
    };
    let v4 = set("v4", "ipv4_addr", |net| matches!(net, IpNet::V4(_)));
    let v6 = set("v6", "ipv6_addr", |net| matches!(net, IpNet::V6(_)));
    format!(
        "# load it: nft -f FILE; take it back: nft delete table inet portcullis_attack_{number}; it lapses by itself after {LIFE}\n\
         table inet portcullis_attack_{number}\n\
         delete table inet portcullis_attack_{number}\n\
         table inet portcullis_attack_{number} {{\n\
         {v4}{v6}    chain input {{\n        type filter hook input priority -10; policy accept;\n        \
         tcp dport {{ 80, 443 }} ip saddr @v4 drop\n        tcp dport {{ 80, 443 }} ip6 saddr @v6 drop\n        \
         udp dport 443 ip saddr @v4 drop\n        udp dport 443 ip6 saddr @v6 drop\n    }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{attack, with_facts};

    #[test]
    fn a_list_has_networks_and_nothing_else() {
        let attack = attack();
        with_facts(&attack, |facts| {
            assert_eq!(list(facts, ListFormat::Cidr), "198.51.100.0/24\n2001:db8:0:100::/56\n");
            let nginx = list(facts, ListFormat::Nginx);
            assert!(nginx.contains("deny 198.51.100.0/24;\ndeny 2001:db8:0:100::/56;\n"), "{nginx}");
            let nft = list(facts, ListFormat::Nft);
            assert!(nft.contains("elements = {\n            198.51.100.0/24\n"), "{nft}");
            assert!(nginx.contains("1 network is left out because somebody there paid"), "{nginx}");
            for text in [&nginx, &nft] {
                assert!(text.lines().all(|line| line.len() < 200), "{text}");
            }
        });
    }

    #[test]
    fn an_attack_without_indicators_is_a_list_without_networks() {
        let mut attack = attack();
        attack.sources.networks.clear();
        with_facts(&attack, |facts| {
            assert_eq!(list(facts, ListFormat::Cidr), "");
            assert!(!list(facts, ListFormat::Nginx).contains("\ndeny"));
            let nft = list(facts, ListFormat::Nft);
            assert!(nft.contains("type ipv4_addr") && !nft.contains("elements"), "{nft}");
        });
    }
}
