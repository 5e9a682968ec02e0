//! What one run showed.

use std::collections::BTreeMap;

use crate::origin::{CAPACITY, WORKERS};
use crate::scale::Scale;
use crate::scenario::Stand;
use crate::tally::Sale;
use crate::visitor::Fate;
use crate::visitors::{LEGITIMATE, Page};
use crate::watch::Reading;

/// The part of an attack after which its price counts as settled.
const SETTLED_AFTER_PART: f64 = 0.5;
/// Seconds after which the gate is to be down, and one more.
const PROTECTED_AFTER_S: f64 = 3.0;
/// So long the origin has a worker to spare when it is protected.
const ROOM_FOR_S: f64 = 1.0;

/// A run, measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the site stood.
    pub stand: Stand,
    /// By how much slower everybody hashed.
    pub scale: Scale,
    /// When the attack began and ended, in seconds of the run.
    pub attack_s: (f64, f64),
    /// Every page that was asked for.
    pub pages: Vec<Page>,
    /// What was read meanwhile.
    pub readings: Vec<Reading>,
    /// Requests of attackers.
    pub sent: u64,
    /// What attackers heard.
    pub heard: BTreeMap<String, u64>,
    /// What attackers bought.
    pub sales: Vec<Sale>,
    /// CPU of the lab itself without its solver, in cores.
    pub generator_cores: f64,
    /// CPU of the solver, in cores.
    pub solver_cores: f64,
    /// By how much a solution was late at most, in seconds.
    pub solver_late_s: f64,
    /// Whether the verifier said that something in it panicked, or was gone at the end.
    pub broken: bool,
}

/// Half and nineteen twentieths of the times, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The median.
    pub p50: f64,
    /// Nineteen of twenty are quicker.
    pub p95: f64,
}

impl Times {
    /// Of these; `None` of none.
    #[must_use]
    pub fn of(mut times: Vec<f64>) -> Option<Self> {
        times.sort_by(f64::total_cmp);
        let at =
            |part: f64| times.get(((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1))).copied();
        Some(Self { p50: at(0.5)?, p95: at(0.95)? })
    }
}

impl Outcome {
    /// Pages that were begun during the attack.
    pub fn under_attack(&self) -> impl Iterator<Item = &Page> {
        let (from, to) = self.attack_s;
        self.pages.iter().filter(move |page| page.begun_s >= from && page.begun_s <= to)
    }

    /// The part of them that were served with all their parts, in percent, among those that `of` names.
    #[must_use]
    pub fn served_percent(&self, of: impl Fn(&Page) -> bool) -> f64 {
        let pages: Vec<&Page> = self.under_attack().filter(|page| of(page)).collect();
        let served = pages.iter().filter(|page| page.fate == Fate::Served).count();
        100.0 * served as f64 / pages.len().max(1) as f64
    }

    /// Whether a page was begun when the gate had had the time to come down.
    #[must_use]
    pub fn is_settled(&self, page: &Page) -> bool {
        page.begun_s >= self.attack_s.0 + PROTECTED_AFTER_S
    }

    /// How long those served took, among those that `of` names.
    #[must_use]
    pub fn times(&self, of: impl Fn(&Page) -> bool) -> Option<Times> {
        let served = self.under_attack().filter(|page| page.fate == Fate::Served && of(page));
        Times::of(served.filter_map(|page| page.took_s).collect())
    }

    /// Why pages were not served, the most frequent first.
    #[must_use]
    pub fn losses(&self) -> Vec<(Fate, usize)> {
        let mut losses = BTreeMap::new();
        for page in self.under_attack().filter(|page| page.fate != Fate::Served) {
            *losses.entry(page.fate).or_insert(0) += 1;
        }
        let mut losses: Vec<_> = losses.into_iter().collect();
        losses.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        losses
    }

    fn during_attack(&self) -> impl Iterator<Item = &Reading> {
        let (from, to) = self.attack_s;
        self.readings.iter().filter(move |reading| reading.at_s >= from && reading.at_s <= to)
    }

    /// Credits a second during the attack, of a count that only grows.
    #[must_use]
    pub fn rate(&self, of: impl Fn(&Reading) -> f64) -> f64 {
        let (Some(first), Some(last)) = (self.during_attack().next(), self.during_attack().last()) else { return 0.0 };
        (of(last) - of(first)) / (last.at_s - first.at_s).max(0.001)
    }

    /// Seconds from the begin of the attack until the gate was down, or until the origin had a worker to spare for a whole
    /// second, whichever was first; `None` if neither happened.
    #[must_use]
    pub fn to_protect_s(&self) -> Option<f64> {
        let readings: Vec<&Reading> = self.during_attack().collect();
        let down = |reading: &Reading| reading.gate.as_ref().is_some_and(|gate| gate.state != "calm" || gate.crowded);
        let room = |from: &Reading| {
            let second = readings.iter().filter(|later| (0.0..=ROOM_FOR_S).contains(&(later.at_s - from.at_s)));
            from.at_s + ROOM_FOR_S <= self.attack_s.1 && second.into_iter().all(|later| later.busy < WORKERS)
        };
        let first = readings.iter().find(|reading| down(reading) || room(reading))?;
        Some(first.at_s - self.attack_s.0)
    }

    /// Seconds from the end of the attack until the gate was open; `None` if it never was.
    #[must_use]
    pub fn to_let_go_s(&self) -> Option<f64> {
        let after = self.readings.iter().filter(|reading| reading.at_s > self.attack_s.1);
        let open = after.into_iter().find(|reading| reading.gate.as_ref().is_some_and(|gate| gate.state == "calm"))?;
        Some(open.at_s - self.attack_s.1)
    }

    /// The price during the attack in seconds of the slowest phone: mean and highest; `None` without a gate.
    #[must_use]
    pub fn price_s(&self) -> Option<(f64, f64)> {
        let prices: Vec<f64> = self
            .during_attack()
            .filter_map(|reading| Some(self.scale.phone_seconds(reading.gate.as_ref()?.price)))
            .collect();
        let highest = prices.iter().copied().reduce(f64::max)?;
        Some((prices.iter().sum::<f64>() / prices.len() as f64, highest))
    }

    /// The verifier's CPU during the attack, in cores.
    #[must_use]
    pub fn verifier_cores(&self) -> Option<f64> {
        self.during_attack().next()?.process?;
        Some(self.rate(|reading| reading.process.map_or(f64::NAN, |process| process.cpu_s)))
    }

    /// The verifier's resident memory in MiB: before the attack, and at most.
    #[must_use]
    pub fn memory_mib(&self) -> Option<(f64, f64)> {
        let memory = |reading: &Reading| reading.process.map(|process| process.resident_mib);
        let first = self.readings.iter().find_map(memory)?;
        Some((first, self.readings.iter().filter_map(memory).fold(first, f64::max)))
    }

    /// What attackers paid for a hundred credits once the price had settled, in seconds of the slowest phone, and from how
    /// many sales that is the mean; `None` where there were none.
    #[must_use]
    pub fn paid_s(&self) -> Option<(f64, usize)> {
        let settled_s = (self.attack_s.1 - self.attack_s.0) * SETTLED_AFTER_PART;
        let sales: Vec<&Sale> = self.sales.iter().filter(|sale| sale.at_s >= settled_s).collect();
        let work: f64 = sales.iter().map(|sale| sale.work as f64).sum();
        let credits: f64 = sales.iter().map(|sale| sale.credits).sum();
        (credits > 0.0).then(|| (self.scale.phone_seconds(work) * 100.0 / credits, sales.len()))
    }

    /// How many pages met the challenge page.
    #[must_use]
    pub fn challenged(&self) -> usize {
        self.pages.iter().filter(|page| page.challenged).count()
    }
}

/// What the design says that attackers pay, in seconds of the slowest phone for a hundred credits.
#[must_use]
pub fn expected_s(phones: f64) -> f64 {
    100.0 * phones / (0.9 * CAPACITY - LEGITIMATE)
}
