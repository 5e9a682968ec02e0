//! The most that the site did in ten seconds: it can do that at least.

use puzzle::{ClientNetwork, UnixSeconds};
use std::collections::HashMap;

const SECONDS: u32 = 10;
/// Networks that are told apart in so short a time; what others ask counts too.
const NETWORKS_MAX: usize = 65_536;
/// One network counts up to this part of what all others ask: a crawler is no visitors.
const NETWORK_PART: f64 = 0.5;

/// The busiest ten seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Credits a second.
    pub credits_per_second: f64,
    /// When.
    pub at: UnixSeconds,
}

/// Counts what the site did.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    period: u32,
    credits: HashMap<ClientNetwork, f64>,
    of_others: f64,
    busiest: Option<Peak>,
}

impl Peaks {
    /// The site answered something of this cost.
    pub(super) fn answered(&mut self, time: UnixSeconds, network: ClientNetwork, credits: f64) {
        // Lines of one period may come a little after the first of the next: they count there.
        if time.0 / SECONDS > self.period {
            self.end_of_period();
            self.period = time.0 / SECONDS;
        }
        if let Some(of_network) = self.credits.get_mut(&network) {
            *of_network += credits;
        } else if self.credits.len() < NETWORKS_MAX {
            self.credits.insert(network, credits);
        } else {
            self.of_others += credits;
        }
    }

    /// The busiest period so far.
    pub(super) fn found(&mut self) -> Option<Peak> {
        self.end_of_period();
        self.busiest
    }

    fn end_of_period(&mut self) {
        let all = self.of_others + self.credits.values().sum::<f64>();
        let counted = |credits: &f64| credits.min((all - credits) * NETWORK_PART);
        let counted = self.of_others + self.credits.values().map(counted).sum::<f64>();
        let credits_per_second = counted / f64::from(SECONDS);
        if all > 0.0 && self.busiest.is_none_or(|peak| credits_per_second > peak.credits_per_second) {
            self.busiest = Some(Peak { credits_per_second, at: UnixSeconds(self.period * SECONDS) });
        }
        self.credits.clear();
        self.of_others = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u32) -> ClientNetwork {
        ClientNetwork::of(std::net::Ipv4Addr::from_bits(number << 8).into())
    }

    #[test]
    fn the_busiest_ten_seconds_count_and_one_network_only_half_of_what_others_ask() {
        let mut peaks = Peaks::default();
        for second in 0..100_u32 {
            let many = if second / 10 == 5 { 40 } else { 10 };
            (0..many).for_each(|visitor| peaks.answered(UnixSeconds(1_000_000 + second), network(visitor), 1.0));
        }
        let quiet = peaks.found().expect("a peak");
        assert_eq!((quiet.credits_per_second, quiet.at), (40.0, UnixSeconds(1_000_050)));
        for second in 0..10_u32 {
            (0..1_000).for_each(|_| peaks.answered(UnixSeconds(2_000_000 + second), network(9), 1.0));
            (0..100).for_each(|visitor| peaks.answered(UnixSeconds(2_000_000 + second), network(visitor), 1.0));
        }
        let loud = peaks.found().expect("a peak").credits_per_second;
        assert!((145.0..150.0).contains(&loud), "{loud}");
    }
}
