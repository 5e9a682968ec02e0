//! The water level: a supply of credits a second, shared fairly between client networks where nothing can queue
//! (DESIGN: fair per network).
//!
//! Once a second it finds the x with Σ min(demand of a network, x · its shares) = supply: who asks for less than x for
//! each share gets all of it, the others get x. Shares are nested: a /16 has 16 together, a /48 four, a /32 of IPv6 64, or
//! as many as the profile knows visitors there. Whatever comes, no more than the supply is admitted.

mod cells;
mod solve;

use super::networks::{HashKey, Nested, Prefix};
use crate::load::Amount;
use cells::{Cell, Cells, Outer};
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
    key: HashKey,
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
    pub fn new(buckets: usize, key: HashKey) -> Self {
        Self {
            buckets: buckets.max(1),
            key,
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
        let fits = network.levels().iter().all(|prefix| {
            let newcomer = || Cell::newcomer(prefix.shares_assumed().into());
            let mut cell = cells.of(cells.key(*prefix)).unwrap_or_else(newcomer);
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
        let cells = self.cells.get_or_init(|| Cells::new(self.buckets, self.key));
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
mod tests;
