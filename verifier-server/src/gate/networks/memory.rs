//! What the gate remembers of networks, and what follows for each: its multiplier, its weight, its learned rate.

use super::profile::{CREDITS_PER_SECOND_AND_SHARE, Profile, SHARES_AROUND_MAX, SHARES_MAX};
use super::purchases::{Buyer, Purchases};
use super::{HashKey, KnownNetwork, Nested, Prefix};
use crate::gate::Gate;
use crate::load::demand::Usual;
use arc_swap::ArcSwap;
use puzzle::{ClientNetwork, Credits, Multiplier, UnixSeconds};
use std::sync::Arc;

/// Purchases of the last minutes and demand of the last weeks. Fixed in size.
#[derive(Debug)]
pub struct Memory {
    purchases: Purchases,
    profile: Profile,
    known: ArcSwap<Vec<Known>>,
    /// Whether the profile was read from its file.
    loaded: bool,
}

/// How many networks that are nobody's are looked at to tell chance from custom.
const CHANCE_LOOKS: u8 = 64;

/// A known network as it is compared with others.
#[derive(Clone, Copy, Debug)]
struct Known {
    prefix: Prefix,
    visitors: u16,
}

/// How the sketches are, for the operator.
#[derive(Clone, Copy, Debug)]
pub struct NetworksHealth {
    /// Cells of the purchases in use, and in all.
    pub purchases_cells: (usize, usize),
    /// Cells of the profile in use, and in all.
    pub profile_cells: (usize, usize),
    /// Whether the profile was read from its file at the start.
    pub profile_loaded: bool,
    /// Whether it learns now: not under attack.
    pub profile_learning: bool,
    /// Idle seconds that it was learned from, decayed like it.
    pub profile_observed_seconds: u64,
}

impl Memory {
    /// Nothing bought yet, and a profile; `kept` says that it was read from its file.
    #[must_use]
    pub fn new(key: HashKey, profile: Profile, kept: bool, now: UnixSeconds) -> Self {
        Self { purchases: Purchases::new(key, now), profile, known: ArcSwap::default(), loaded: kept }
    }

    /// Believes from now on what the operator knows of these networks.
    pub fn set_known(&self, known: &[KnownNetwork]) {
        let known =
            known.iter().map(|known| Known { prefix: Prefix::of_net(&known.network), visitors: known.visitors });
        self.known.store(Arc::new(known.collect()));
    }

    /// Once a second. `idle`: there is no overload and the gate asks nothing.
    pub fn tick(&self, now: UnixSeconds, idle: bool) {
        self.purchases.tick(now);
        self.profile.tick(now, idle);
    }

    /// Notes a request for the profile, which counts it while the gate is idle.
    pub fn observe(&self, network: ClientNetwork, cost: Credits) {
        self.profile.observe(Nested::of(network).levels(), cost);
    }

    /// `network` as one that buys: for everything that one sale asks about it.
    #[must_use]
    pub fn buyer(&self, network: ClientNetwork) -> Buyer {
        let known = self.known.load();
        self.purchases.buyer(&Nested::of(network), |prefix| self.shares_among(&known, prefix))
    }

    /// What `buyer` pays more for its next full clearance.
    #[must_use]
    pub fn multiplier(&self, buyer: &Buyer, now: UnixSeconds) -> Multiplier {
        self.purchases.multiplier(buyer, now)
    }

    /// Counts what `buyer` bought, in full clearances.
    pub fn bought(&self, buyer: &Buyer, clearances: f32, now: UnixSeconds) {
        self.purchases.count(buyer, clearances, now);
    }

    /// Whether a network bought anything of late. One that did not is now and then taken for one that did, never the other
    /// way round.
    #[must_use]
    pub fn bought_lately(&self, network: ClientNetwork, now: UnixSeconds) -> bool {
        self.purchases.bought(&self.purchases.buyer(&Nested::of(network), |_| 1.0), now) > 0.0
    }

    /// Which client networks came in peaceful weeks: those whose usual demand is more than chance gives to addresses that
    /// are nobody's.
    pub fn usual_visitors(&self) -> impl Fn(ClientNetwork) -> bool {
        let rate = |network: ClientNetwork| {
            Nested::of(network).levels().first().map_or(0.0, |narrow| self.profile.learned_rate(*narrow))
        };
        // 240.0.0.0/4 is reserved: whatever the sketch has there, others put it there.
        let nobodys = (0..CHANCE_LOOKS).map(|look| ClientNetwork::of([240, 7, look, 1].into()));
        let chance = nobodys.map(rate).fold(0.0, f32::max);
        move |network| rate(network) > chance
    }

    /// Credits/s that a network usually brings: learned, or what the operator's visitors there come to, if that is more.
    #[must_use]
    pub fn learned_rate(&self, prefix: Prefix) -> f32 {
        self.rate_among(&self.known.load(), prefix)
    }

    /// The shares of a network of any size: as many visitors as its usual demand is that of, at least 1.
    #[must_use]
    pub fn shares(&self, prefix: Prefix) -> f32 {
        self.shares_among(&self.known.load(), prefix)
    }

    fn rate_among(&self, known: &[Known], prefix: Prefix) -> f32 {
        let by_hand = f32::from(visitors(known, prefix)) * CREDITS_PER_SECOND_AND_SHARE;
        self.profile.learned_rate(prefix).max(by_hand)
    }

    fn shares_among(&self, known: &[Known], prefix: Prefix) -> f32 {
        let most = if prefix.is_client_network() { SHARES_MAX } else { SHARES_AROUND_MAX };
        (self.rate_among(known, prefix) / CREDITS_PER_SECOND_AND_SHARE).clamp(1.0, f32::from(most))
    }

    /// The weight of a network of any size in whole shares: 1, or more where many visitors are known behind it; at most
    /// [`SHARES_MAX`] for a client network, [`SHARES_AROUND_MAX`] for one around others.
    #[must_use]
    pub fn weight(&self, prefix: Prefix) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 4096")]
        let shares = self.shares(prefix).round() as u32;
        shares
    }

    /// How the sketches are.
    #[must_use]
    pub fn health(&self) -> NetworksHealth {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "weeks in seconds, never negative")]
        let observed = self.profile.observed_seconds() as u64;
        NetworksHealth {
            purchases_cells: self.purchases.fill(),
            profile_cells: self.profile.fill(),
            profile_loaded: self.loaded,
            profile_learning: self.profile.is_learning(),
            profile_observed_seconds: observed,
        }
    }

    /// The profile, for keeping it.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }
}

/// How many visitors the operator knows behind a network: those of the largest known one around it, or of all in it.
fn visitors(known: &[Known], prefix: Prefix) -> u16 {
    let (mut around, mut inside) = (0, 0_u16);
    for known in known.iter().filter(|known| known.prefix.overlaps(prefix)) {
        if known.prefix.length() <= prefix.length() {
            around = known.visitors.max(around);
        } else {
            inside = inside.saturating_add(known.visitors);
        }
    }
    around.max(inside)
}

impl Gate {
    /// The gate with another memory of networks, before it serves.
    #[must_use]
    pub fn with_memory(self, memory: Memory) -> Self {
        let memory = Arc::new(memory);
        self.set_usual(Box::new(Arc::clone(&memory)));
        Self { memory, ..self }
    }

    /// What it remembers of networks: their weights and learned rates.
    #[must_use]
    pub const fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }
}

impl Usual for Arc<Memory> {
    fn credits_per_second(&self, network: Prefix) -> f64 {
        self.learned_rate(network).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::of(address.parse().expect("an address"))
    }

    fn memory() -> Memory {
        Memory::new(HashKey([1; 16]), Profile::new(HashKey([2; 16])), false, NOW)
    }

    #[test]
    fn who_came_in_peace_is_a_usual_visitor_and_who_comes_with_the_attack_is_not() {
        let memory = memory();
        let (visitor, newcomer) = (network("203.0.113.9"), network("198.51.100.7"));
        for minute in 0..300 {
            memory.tick(NOW.plus(60 * minute), true);
            memory.observe(visitor, Credits::ONE);
        }
        for second in 0..60 {
            memory.tick(NOW.plus(18_000 + second), false);
            memory.observe(newcomer, Credits::ONE);
        }
        let is_usual = memory.usual_visitors();
        assert_eq!((is_usual(visitor), is_usual(newcomer)), (true, false));
        assert!(!is_usual(network("203.0.114.9")), "nor is a neighbour");
    }

    #[test]
    fn who_bought_is_known_for_the_life_of_a_clearance() {
        let memory = memory();
        let (buyer, other) = (network("203.0.113.9"), network("198.51.100.7"));
        memory.bought(&memory.buyer(buyer), 0.05, NOW);
        for seconds in [0, 600, 1_800] {
            memory.tick(NOW.plus(seconds), false);
            assert!(memory.bought_lately(buyer, NOW.plus(seconds)), "after {seconds} s");
            assert!(!memory.bought_lately(other, NOW.plus(seconds)));
        }
    }
}
