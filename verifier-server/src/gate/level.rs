//! The water level: a supply of credits a second, shared fairly between client networks where nothing can queue
//! (DESIGN: fair per network).
//!
//! Once a second it finds the x with Σ min(demand of a network, x · its shares) = supply: who asks for less than x for
//! each share gets all of it, the others get x. Shares are nested: a /16 has 16 together, a /48 four, a /32 of IPv6 64, or
//! as many as the profile knows visitors there. Whatever comes, no more than the supply is admitted.

mod cells;
mod solve;

use super::networks::{Nested, Prefix};
use crate::load::Amount;
use cells::{Cells, Outer};
use puzzle::UnixSeconds;
use solve::{Around, Asking};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Networks below the level find room while less than so many seconds of the supply were admitted beyond it,
const GUARANTEED_SECONDS: f64 = 2.0;
/// and all others while it is less than this: they take turns, and never the room of those.
const SHARED_SECONDS: f64 = 1.0;
/// Below it nobody asks for anything, in credits a second.
const NOTHING: f64 = 0.001;

/// A supply and who gets how much of it. Fixed in size: 100,000 networks take no more memory than ten.
#[derive(Debug)]
pub struct WaterLevel {
    /// Locks over the cells, four cells each.
    buckets: usize,
    /// Made with the first request: most supplies are never asked for anything.
    cells: OnceLock<Cells>,
    /// Whether anything was asked for since the last step that found nothing.
    asked: AtomicBool,
    /// Credits a second; infinite while it is not known.
    supply: Number,
    /// Credits a second and share; infinite while there is enough for everybody.
    level: Number,
    /// Credits a second that were asked for over the last few.
    demand: Number,
    total: Mutex<Total>,
    admitted: AtomicU64,
    refused: AtomicU64,
}

/// What a supply does, for status and waiting times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LevelReport {
    /// Credits a second; `None` while nobody knows, and nothing is bounded.
    pub supply: Option<f64>,
    /// Credits a second that are asked for.
    pub demand: f64,
    /// Credits a second and share; `None` while there is enough for everybody.
    pub level: Option<f64>,
    /// Requests admitted so far.
    pub admitted: u64,
    /// Requests refused so far.
    pub refused: u64,
}

impl WaterLevel {
    /// A supply of nothing known, for at most four times `buckets` networks at a time before they begin to share cells.
    #[must_use]
    pub fn new(buckets: usize) -> Self {
        Self {
            buckets: buckets.max(1),
            cells: OnceLock::new(),
            asked: AtomicBool::new(false),
            supply: Number::new(f64::INFINITY),
            level: Number::new(f64::INFINITY),
            demand: Number::new(0.0),
            total: Mutex::default(),
            admitted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Whether a request of `network` is admitted. `weight` is how many visitors are known behind a network.
    pub fn admits(&self, network: &Nested, cost: Amount, weight: impl Fn(Prefix) -> u32, now: UnixSeconds) -> bool {
        let admitted = !self.supply.get().is_finite() || self.take(network, cost.credits(), weight, now);
        let count = if admitted { &self.admitted } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
        admitted
    }

    /// Whether a request of `network` would be admitted now. Changes nothing.
    #[must_use]
    pub fn has_room(&self, network: &Nested, cost: Amount, now: UnixSeconds) -> bool {
        let (supply, level, cost) = (self.supply.get(), self.level.get(), cost.credits());
        let Some(cells) = self.cells.get().filter(|_| supply.is_finite()) else { return true };
        let mut below = true;
        let fits = network.levels().iter().filter_map(|prefix| cells.of(cells.key(*prefix))).all(|mut cell| {
            cell.settle(level, now);
            cell.ask(cost);
            below &= cell.is_below(level);
            cell.has_room(level)
        });
        fits && Total::clone(&self.total()).has_room(supply, below, now)
    }

    /// Once a second: `supply` credits a second are there from now on, if anybody knows, and the level is found anew.
    pub fn step(&self, supply: Option<f64>, elapsed_s: f64) {
        let supply = supply.unwrap_or(f64::INFINITY);
        self.supply.set(supply);
        let Some(cells) = self.cells.get().filter(|_| self.asked.load(Ordering::Relaxed)) else { return };
        let (mut narrow, mut demand) = (Vec::new(), 0.0);
        cells.step(elapsed_s.max(0.001), |cell| {
            if let Some(around) = cell.around {
                demand += cell.demand();
                narrow.push((cell.demand(), cell.shares, around));
            }
        });
        self.demand.set(demand);
        self.level.set(if demand > supply { level_of(&narrow, supply) } else { f64::INFINITY });
        self.asked.store(demand > NOTHING, Ordering::Relaxed);
    }

    /// What it does.
    #[must_use]
    pub fn report(&self) -> LevelReport {
        let known = |number: &Number| Some(number.get()).filter(|number| number.is_finite());
        LevelReport {
            supply: known(&self.supply),
            demand: self.demand.get(),
            level: known(&self.level),
            admitted: self.admitted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn take(&self, network: &Nested, cost: f64, weight: impl Fn(Prefix) -> u32, now: UnixSeconds) -> bool {
        let cells = self.cells.get_or_init(|| Cells::new(self.buckets));
        self.asked.store(true, Ordering::Relaxed);
        let level = self.level.get();
        let levels = network.levels();
        let mut outer = [Outer::default(); 3];
        for (place, prefix) in outer.iter_mut().zip(levels) {
            let shares = f64::from(weight(*prefix)).max(f64::from(prefix.shares_assumed()));
            *place = Outer { key: cells.key(*prefix), shares };
        }
        let [narrowest, around @ ..] = outer;
        let (mut below, mut taken) = (true, 0);
        for (place, Outer { key, shares }) in
            [narrowest, around[0], around[1]].into_iter().take(levels.len()).enumerate()
        {
            let fits = cells.change(key, now, |cell| {
                cell.shares = shares;
                cell.around = (place == 0).then_some(around);
                cell.settle(level, now);
                cell.ask(cost);
                below &= cell.is_below(level);
                let fits = cell.has_room(level);
                if fits {
                    cell.take(cost);
                }
                fits
            });
            if !fits {
                break;
            }
            taken += 1;
        }
        let admitted = taken == levels.len() && self.total().take(self.supply.get(), cost, below, now);
        if !admitted {
            outer.iter().take(taken).for_each(|outer| cells.change(outer.key, now, |cell| cell.give_back(cost)));
        }
        admitted
    }

    fn total(&self) -> MutexGuard<'_, Total> {
        self.total.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was admitted of all and the supply has not made up for since, in credits.
#[derive(Clone, Debug, Default)]
struct Total {
    debt: f64,
    settled: UnixSeconds,
}

impl Total {
    fn take(&mut self, supply: f64, cost: f64, below: bool, now: UnixSeconds) -> bool {
        let room = self.has_room(supply, below, now);
        if room {
            self.debt += cost;
        }
        room
    }

    fn has_room(&mut self, supply: f64, below: bool, now: UnixSeconds) -> bool {
        self.debt = (self.debt - supply * f64::from(now.since(self.settled))).max(0.0);
        self.settled = self.settled.max(now);
        self.debt < supply * if below { GUARANTEED_SECONDS } else { SHARED_SECONDS }
    }
}

/// The level for narrow networks: demand, shares and the networks around each.
fn level_of(narrow: &[(f64, f64, [Outer; 2])], supply: f64) -> f64 {
    // The nearest around come first, so that each has its place before the one around it.
    let mut places: [HashMap<u64, usize>; 2] = Default::default();
    let mut nearest: Vec<(Outer, Outer)> = Vec::new();
    for (_, _, [near, far]) in narrow {
        places[0].entry(near.key).or_insert_with(|| {
            nearest.push((*near, *far));
            nearest.len() - 1
        });
    }
    let mut farthest: Vec<Around> = Vec::new();
    let mut around = Vec::with_capacity(nearest.len());
    for (near, far) in &nearest {
        let inside = (far.key != 0).then(|| {
            *places[1].entry(far.key).or_insert_with(|| {
                farthest.push(Around { shares: far.shares, inside: None });
                nearest.len() + farthest.len() - 1
            })
        });
        around.push(Around { shares: near.shares, inside });
    }
    around.append(&mut farthest);
    let asking: Vec<Asking> = narrow
        .iter()
        .map(|(demand, shares, [near, _])| Asking {
            demand: *demand,
            shares: *shares,
            inside: places[0].get(&near.key).copied(),
        })
        .collect();
    solve::level(&asking, &around, supply).unwrap_or(f64::INFINITY)
}

/// A number that requests read while a step changes it.
#[derive(Debug)]
struct Number(AtomicU64);

impl Number {
    fn new(number: f64) -> Self {
        Self(AtomicU64::new(number.to_bits()))
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, number: f64) {
        self.0.store(number.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use puzzle::{ClientNetwork, Credits};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn nested(address: impl Into<IpAddr>) -> Nested {
        Nested::of(ClientNetwork::of(address.into()))
    }

    /// A network in a /16 of its own.
    fn apart(number: u16) -> Nested {
        let [high, low] = number.to_be_bytes();
        nested(Ipv4Addr::new(high, low, 7, 1))
    }

    /// So many credits a second for so many seconds, asked in turn; gives what each got in the second half.
    fn served(level: &WaterLevel, supply: f64, seconds: u32, asking: &[(Nested, u32, u32)]) -> Vec<u32> {
        let mut got = vec![0; asking.len()];
        for second in 0..seconds {
            let most = asking.iter().map(|(_, each, _)| *each).max().unwrap_or(0);
            for turn in 0..most {
                for (place, (network, each, weight)) in asking.iter().enumerate() {
                    let asks = turn < *each;
                    let cost = Amount::of(Credits::ONE);
                    let weight = |prefix: Prefix| if prefix.is_client_network() { *weight } else { 1 };
                    if asks && level.admits(network, cost, weight, NOW.plus(second)) && second >= seconds / 2 {
                        got[place] += 1;
                    }
                }
            }
            level.step(Some(supply), 1.0);
        }
        got
    }

    #[test]
    fn who_asks_for_little_gets_it_whatever_the_others_ask_for() {
        let level = WaterLevel::new(1_024);
        level.step(Some(20.0), 1.0);
        let mut asking: Vec<_> = (0..10).map(|number| (apart(number), 100, 1)).collect();
        asking.extend((100..105).map(|number| (apart(number), 1, 1)));
        let got = served(&level, 20.0, 60, &asking);
        assert_eq!(got[10..], [30; 5], "one a second each, all of them");
        for heavy in &got[..10] {
            assert!((35..=55).contains(heavy), "{got:?}: one and a half a second each");
        }
        assert!(got.iter().sum::<u32>() <= 20 * 30 + 40, "{got:?}");
    }

    #[test]
    fn a_network_of_many_visitors_has_their_shares() {
        let level = WaterLevel::new(1_024);
        level.step(Some(10.0), 1.0);
        let got = served(&level, 10.0, 60, &[(apart(1), 50, 1), (apart(2), 50, 4)]);
        assert!((50..=70).contains(&got[0]) && (230..=250).contains(&got[1]), "{got:?}: 2 and 8 a second");
    }

    #[test]
    fn a_rented_slash_16_takes_no_more_than_its_shares() {
        let level = WaterLevel::new(1_024);
        level.step(Some(40.0), 1.0);
        let mut asking: Vec<_> = (0..=255).map(|third| (nested(Ipv4Addr::new(198, 51, third, 1)), 2, 1)).collect();
        asking.extend((0..4).map(|number| (apart(number), 10, 1)));
        let got = served(&level, 40.0, 60, &asking);
        let rented: u32 = got[..256].iter().sum();
        assert!(rented <= 32 * 30 + 64, "{rented} of the /16: 16 of 20 shares");
        assert!(got[256..].iter().all(|visitor| *visitor >= 50), "{:?}: two a second each", &got[256..]);
    }

    #[test]
    fn a_rented_slash_32_takes_no_more_than_its_shares() {
        let level = WaterLevel::new(1_024);
        level.step(Some(66.0), 1.0);
        let home = |number: u16| nested(Ipv6Addr::new(0x2001, 0xdb8, number, number << 8, 0, 0, 0, 1));
        let mut asking: Vec<_> = (0..256).map(|number| (home(number), 2, 1)).collect();
        asking.extend((0..2).map(|number| (apart(number), 10, 1)));
        let got = served(&level, 66.0, 60, &asking);
        let rented: u32 = got[..256].iter().sum();
        assert!(rented <= 64 * 30 + 128, "{rented} of the /32: 64 of 66 shares");
        assert!(got[256..].iter().all(|visitor| *visitor >= 25), "{:?}: one a second each", &got[256..]);
    }

    #[test]
    fn a_hundred_thousand_networks_take_no_memory_and_no_more_than_there_is() {
        let level = WaterLevel::new(256);
        level.step(Some(20.0), 1.0);
        let mut admitted = 0;
        for number in 0..100_000_u32 {
            let [_, high, middle, low] = number.to_be_bytes();
            let network = nested(Ipv4Addr::new(high, middle, low, 1));
            let second = number / 10_000;
            admitted += u32::from(level.admits(&network, Amount::of(Credits::ONE), |_| 1, NOW.plus(second)));
            if number % 10_000 == 9_999 {
                level.step(Some(20.0), 1.0);
            }
        }
        assert!(admitted <= 10 * 20 + 40, "{admitted} in ten seconds");
        let mut cells = 0;
        level.cells.get().expect("asked").step(1.0, |_| cells += 1);
        assert!(cells <= 4 * 256, "{cells}");
    }

    #[test]
    fn while_nobody_knows_the_supply_everything_is_admitted() {
        let level = WaterLevel::new(16);
        level.step(None, 1.0);
        assert!((0..10_000).all(|_| level.admits(&apart(1), Amount::of(Credits::ONE), |_| 1, NOW)));
        assert_eq!(level.report(), LevelReport { admitted: 10_000, ..LevelReport::default() });
        assert!(level.cells.get().is_none(), "and nothing is remembered");
    }

    #[test]
    fn looking_for_room_takes_none() {
        let level = WaterLevel::new(16);
        level.step(Some(1.0), 1.0);
        let one = Amount::of(Credits::ONE);
        assert!((0..100).all(|_| level.has_room(&apart(1), one, NOW)));
        assert!(level.admits(&apart(1), one, |_| 1, NOW));
        assert!(!level.has_room(&apart(1), one, NOW) || level.admits(&apart(1), one, |_| 1, NOW));
        while level.admits(&apart(1), one, |_| 1, NOW) {}
        assert!(!level.has_room(&apart(1), one, NOW));
        assert!(level.has_room(&apart(1), one, NOW.plus(10)));
    }

    #[test]
    fn a_request_dearer_than_the_supply_of_a_second_passes_and_is_made_up_for() {
        let level = WaterLevel::new(16);
        level.step(Some(2.0), 1.0);
        let dear = Amount::of(Credits::whole(20));
        let admitted: Vec<u32> =
            (0..40).filter(|second| level.admits(&apart(1), dear, |_| 1, NOW.plus(*second))).collect();
        assert_eq!(admitted, [0, 9, 19, 29, 39], "twenty credits in ten seconds, with a second in advance");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_asked_no_more_than_the_supply_is_admitted(
            supply in 0.2..40.0_f64,
            asking in proptest::collection::vec((0_u16..40, 1_u32..20, 1_u32..5, 0_u32..12), 1..40),
        ) {
            let level = WaterLevel::new(64);
            level.step(Some(supply), 1.0);
            let mut admitted = 0_u32;
            for second in 0..12_u32 {
                for (number, each, weight, from) in &asking {
                    // Some begin later, some pulse.
                    let asks = second >= *from && (weight % 2 == 0 || second % 3 != 0);
                    for _ in 0..if asks { *each } else { 0 } {
                        let one = Amount::of(Credits::ONE);
                        admitted += u32::from(level.admits(&apart(*number), one, |_| *weight, NOW.plus(second)));
                    }
                }
                level.step(Some(supply), 1.0);
                prop_assert!(
                    f64::from(admitted) <= supply * (f64::from(second) + GUARANTEED_SECONDS) + 1.0,
                    "{admitted} after {second} seconds of {supply}"
                );
            }
        }

        #[test]
        fn a_network_below_the_level_is_never_refused(
            heavy in proptest::collection::vec(20_u32..200, 1..12),
            light in 1_usize..8,
        ) {
            // What is left to the heavy ones is at least twice what each light one asks for.
            let supply = f64::from(u32::try_from(2 * heavy.len() + light).unwrap_or(u32::MAX));
            let level = WaterLevel::new(1_024);
            level.step(Some(supply), 1.0);
            let mut asking: Vec<_> = (0..).zip(&heavy).map(|(number, each)| (apart(number), *each, 1)).collect();
            // They come last: what is left then is theirs.
            asking.extend((0..light).map(|number| (apart(1_000 + u16::try_from(number).unwrap_or(0)), 1, 1)));
            let got = served(&level, supply, 40, &asking);
            prop_assert!(got[heavy.len()..].iter().all(|visitor| *visitor == 20), "{got:?}");
        }
    }
}
