//! The two demands on a site (DESIGN: the price): what is asked for, and what is paid for.
//!
//! Unpaid traffic may start the gate and hold it at the floor; only paid demand moves the price above it. In neither
//! does one client network count for more than its cap, or than what it usually brings.

use super::amount::{Amount, Tally};
use super::buckets::{Buckets, Cap};
use crate::gate::networks::{HashKey, Nested, Prefix};
use puzzle::UnixSeconds;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What counts of a client network in a demand.
#[derive(Clone, Copy)]
struct Share {
    /// Its share of the capacity.
    of_capacity: f64,
    /// So many seconds of its cap count at once,
    burst_s: f64,
    /// and at least so many credits.
    burst_credits_min: f64,
}

/// In what is offered: a page with its parts is no flood.
const OFFERED: Share = Share { of_capacity: 1.0 / 16.0, burst_s: 4.0, burst_credits_min: 8.0 };
/// In what is paid: many networks that spend in the same second must not move the price together.
const PAID: Share = Share { of_capacity: 1.0 / 64.0, burst_s: 1.0, burst_credits_min: 1.0 };

/// How much demand a network usually brings, learned in quiet weeks.
pub trait Usual: Send + Sync {
    /// Credits a second; 0 for a network that is not known.
    fn credits_per_second(&self, network: Prefix) -> f64;
}

/// Nothing has been learned about any network.
#[derive(Clone, Copy, Debug)]
pub struct Unknown;

impl Usual for Unknown {
    fn credits_per_second(&self, _: Prefix) -> f64 {
        0.0
    }
}

/// The buckets of both demands, shared by all sites: their memory is the same however many there are.
#[derive(Debug)]
pub struct DemandBuckets {
    offered: Buckets,
    paid: Buckets,
}

impl DemandBuckets {
    /// No demand yet. By `key` networks are placed.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self { offered: Buckets::new(key.part("offered")), paid: Buckets::new(key.part("paid")) }
    }
}

/// What was demanded in a second, in credits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demanded {
    /// Costs of all requests.
    pub raw: f64,
    /// The same with every network up to its cap.
    pub offered: f64,
    /// Credits really kept for requests that could pay, at the price they were bought for, every network up to its cap.
    pub paid: f64,
}

/// The demand on one site.
#[derive(Debug)]
pub struct Demand {
    /// The site's mark: the buckets are shared.
    site: u16,
    buckets: Arc<DemandBuckets>,
    /// The capacity of which networks have shares, in millionths of a credit a second; 0 while unknown.
    capacity: AtomicU64,
    raw: Tally,
    offered: Tally,
    paid: Tally,
}

impl Demand {
    /// No demand yet on the site with this mark.
    #[must_use]
    pub fn new(site: u16, buckets: Arc<DemandBuckets>) -> Self {
        Self {
            site,
            buckets,
            capacity: AtomicU64::new(0),
            raw: Tally::default(),
            offered: Tally::default(),
            paid: Tally::default(),
        }
    }

    /// A request came, whatever becomes of it.
    pub fn ask(&self, network: &Nested, cost: Amount, usual: &dyn Usual, now: UnixSeconds) {
        self.raw.add(cost.millionths());
        // A /48 once, a /16 at most four times.
        let levels = match network {
            Nested::V4([narrow, wide]) => [Some((*narrow, 1.0)), Some((*wide, 4.0)), None],
            Nested::V6([_, site, _]) => [Some((*site, 1.0)), None, None],
        };
        let counted = self.counted(&self.buckets.offered, levels, OFFERED, cost, usual, now);
        self.offered.add(counted.millionths());
    }

    /// A request was paid for: `kept` is what its clearance was charged, without what a price that has risen since
    /// added to it.
    pub fn pay(&self, network: &Nested, kept: Amount, usual: &dyn Usual, now: UnixSeconds) {
        // Nested as in the queue: a /56 in a /48 and that in a /32, a /24 in a /16.
        let levels = match network {
            Nested::V4([narrow, wide]) => [Some((*narrow, 1.0)), Some((*wide, 16.0)), None],
            Nested::V6([home, site, provider]) => [Some((*home, 1.0)), Some((*site, 4.0)), Some((*provider, 64.0))],
        };
        let counted = self.counted(&self.buckets.paid, levels, PAID, kept, usual, now);
        self.paid.add(counted.millionths());
    }

    /// Whether a network, or one around it, asked for more than its own cap a moment ago.
    #[must_use]
    pub fn is_above_cap(&self, network: &Nested, now: UnixSeconds) -> bool {
        let levels = match network {
            Nested::V4(levels) => levels.as_slice(),
            Nested::V6([_, site, _]) => std::slice::from_ref(site),
        };
        levels.iter().any(|level| self.buckets.offered.is_above(self.site, *level, now))
    }

    /// What was demanded in the `elapsed_seconds` since this was asked last; `capacity` in credits a second is that of
    /// which networks have shares from now on. Without one everything is counted.
    pub fn take(&self, elapsed_seconds: f64, capacity: Option<f64>) -> Demanded {
        let rate = |tally: &Tally| Amount::of_millionths(tally.take()).credits() / elapsed_seconds;
        let (raw, offered, paid) = (rate(&self.raw), rate(&self.offered), rate(&self.paid));
        let had_one = self.set_capacity(capacity);
        // What was counted without shares must not be compared with a capacity that has just become known.
        if capacity.is_some() && !had_one {
            Demanded { raw, ..Demanded::default() }
        } else {
            Demanded { raw, offered, paid }
        }
    }

    /// Sets the capacity, in credits a second, of which networks have shares. Says whether there was one.
    pub fn set_capacity(&self, capacity: Option<f64>) -> bool {
        self.capacity.swap(Amount::of_credits(capacity.unwrap_or(0.0)).millionths(), Ordering::Relaxed) != 0
    }

    /// How much of `amount` counts at every level, each of which holds so many shares of the narrowest.
    fn counted(
        &self,
        buckets: &Buckets,
        levels: [Option<(Prefix, f64)>; 3],
        share: Share,
        amount: Amount,
        usual: &dyn Usual,
        now: UnixSeconds,
    ) -> Amount {
        let capacity = Amount::of_millionths(self.capacity.load(Ordering::Relaxed)).credits();
        if capacity <= 0.0 {
            return amount;
        }
        // What a network usually brings, those around it bring too.
        let mut learned = 0.0_f64;
        levels.into_iter().flatten().fold(amount, |counted, (network, shares)| {
            learned = learned.max(usual.credits_per_second(network));
            let rate = (shares * share.of_capacity * capacity).max(learned);
            let burst = (share.burst_s * rate).max(share.burst_credits_min);
            buckets.pour(self.site, network, counted, Cap { rate, burst }, now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use puzzle::{ClientNetwork, Credits};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const CAPACITY: f64 = 160.0;

    fn demand() -> Demand {
        let demand = Demand::new(7, Arc::new(DemandBuckets::new(HashKey([1; 16]))));
        demand.set_capacity(Some(CAPACITY));
        demand
    }

    fn nested(address: impl Into<IpAddr>) -> Nested {
        Nested::of(ClientNetwork::of(address.into()))
    }

    fn v4(second: u8, third: u8) -> Nested {
        nested(Ipv4Addr::new(198, second, third, 1))
    }

    /// Credits a second that are counted of networks which ask `each` credits a second, once the bursts are over.
    fn lasting(networks: &[Nested], each: u32, act: impl Fn(&Demand, &Nested, Amount, UnixSeconds)) -> Demanded {
        let demand = demand();
        let mut last = Demanded::default();
        for second in 0..60 {
            for network in networks {
                (0..each).for_each(|_| act(&demand, network, Amount::of(Credits::ONE), NOW.plus(second)));
            }
            last = demand.take(1.0, Some(CAPACITY));
        }
        last
    }

    fn offered(networks: &[Nested], each: u32) -> Demanded {
        lasting(networks, each, |demand, network, amount, now| demand.ask(network, amount, &Unknown, now))
    }

    fn paid(networks: &[Nested], each: u32) -> Demanded {
        lasting(networks, each, |demand, network, amount, now| demand.pay(network, amount, &Unknown, now))
    }

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 0.02 * expected, "{found} instead of {expected}");
    }

    #[test]
    fn one_network_offers_a_sixteenth_of_the_capacity_at_the_most() {
        let one = offered(&[v4(51, 100)], 400);
        near(one.raw, 400.0);
        near(one.offered, CAPACITY / 16.0);
    }

    #[test]
    fn a_slash_16_offers_four_times_as_much_and_a_slash_48_once() {
        let many: Vec<Nested> = (0..=255).map(|third| v4(51, third)).collect();
        near(offered(&many, 2).offered, CAPACITY / 4.0);
        let homes: Vec<Nested> =
            (0..100).map(|home: u16| nested(Ipv6Addr::new(0x2001, 0xdb8, 5, home << 8, 0, 0, 0, 1))).collect();
        near(offered(&homes, 4).offered, CAPACITY / 16.0);
    }

    #[test]
    fn many_networks_offer_what_they_ask() {
        let many: Vec<Nested> = (0..=255).flat_map(|second| (0..4).map(move |third| v4(second, third))).collect();
        near(offered(&many, 2).offered, 2048.0);
    }

    #[test]
    fn what_is_paid_is_nested_as_in_the_queue() {
        near(paid(&[v4(51, 100)], 400).paid, CAPACITY / 64.0);
        let in_a_16: Vec<Nested> = (0..=255).map(|third| v4(51, third)).collect();
        near(paid(&in_a_16, 4).paid, CAPACITY / 4.0);
        let in_a_48: Vec<Nested> =
            (0..100).map(|home: u16| nested(Ipv6Addr::new(0x2001, 0xdb8, 5, home << 8, 0, 0, 0, 1))).collect();
        near(paid(&in_a_48, 8).paid, CAPACITY / 16.0);
    }

    #[test]
    fn a_network_that_usually_brings_more_counts_for_more() {
        struct Office;
        impl Usual for Office {
            fn credits_per_second(&self, network: Prefix) -> f64 {
                if network == v4(51, 100).levels()[0] { 50.0 } else { 0.0 }
            }
        }
        let office = lasting(&[v4(51, 100), v4(52, 100)], 100, |demand, network, amount, now| {
            demand.ask(network, amount, &Office, now);
        });
        near(office.offered, 60.0);
    }

    #[test]
    fn only_networks_above_their_own_cap_are_named() {
        let demand = demand();
        let (loud, quiet) = (v4(51, 100), v4(51, 101));
        for second in 0..5 {
            (0..100).for_each(|_| demand.ask(&loud, Amount::of(Credits::ONE), &Unknown, NOW.plus(second)));
            demand.ask(&quiet, Amount::of(Credits::ONE), &Unknown, NOW.plus(second));
        }
        assert!(demand.is_above_cap(&loud, NOW.plus(4)));
        assert!(!demand.is_above_cap(&quiet, NOW.plus(4)));
        assert!(!demand.is_above_cap(&loud, NOW.plus(60)));
    }

    #[test]
    fn what_was_counted_without_shares_is_not_compared_with_a_capacity() {
        let demand = Demand::new(7, Arc::new(DemandBuckets::new(HashKey([1; 16]))));
        (0..500).for_each(|_| demand.ask(&v4(51, 100), Amount::of(Credits::ONE), &Unknown, NOW));
        let first = demand.take(1.0, Some(CAPACITY));
        assert_eq!((first.raw, first.offered), (500.0, 0.0));
    }

    #[test]
    fn without_a_capacity_everything_counts_and_nobody_is_above_it() {
        let demand = Demand::new(7, Arc::new(DemandBuckets::new(HashKey([1; 16]))));
        (0..500).for_each(|_| demand.ask(&v4(51, 100), Amount::of(Credits::ONE), &Unknown, NOW));
        assert!(!demand.is_above_cap(&v4(51, 100), NOW));
        near(demand.take(1.0, None).offered, 500.0);
    }
}
