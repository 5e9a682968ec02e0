//! What is measured: demand, delay, errors, pressure → a capacity estimate and the signals of the controller.
//!
//! Each signal is optional: one that is missing is `None` everywhere, and never guessed. Time is an argument.

pub mod access_log;
mod amount;
mod answer;
mod buckets;
mod delay;
pub mod demand;
mod failures;
pub mod limit;
mod pressure;
mod probe;
mod told;

pub use amount::Amount;
pub(crate) use amount::{float, whole};
pub use answer::{Answer, Answered, Outcome, PathPlace};
pub use buckets::ABOVE_CAP_SECONDS;
pub use pressure::Pressure;
pub use probe::{PROBE_EVERY, PROBE_TIMEOUT, Probe};
pub use told::ToldLoad;

use crate::gate::networks::HashKey;
use access_log::{Arrivals, LogState};
use amount::Tally;
use delay::Delays;
use demand::{Demand, DemandBuckets, Demanded};
use failures::Failures;
use limit::{Limit, Second};
use puzzle::UnixSeconds;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What one step found, for the controller, the status and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Demand in credits a second.
    pub demand: Demanded,
    /// The capacity in credits a second, and where it comes from.
    pub capacity: Option<Capacity>,
    /// What the origin's answers tell; `None` while none was seen, as beside a web server whose log is not told.
    pub origin: Option<OriginState>,
    /// What the web server's log tells; `None` where there is none, or nobody was admitted yet.
    pub log: Option<LogState>,
    /// Whether so many requests of many networks wait at an origin before which nothing queues that they would queue as a
    /// reverse proxy.
    pub backlog: bool,
    /// How long cleared requests wait for a place at the origin, in seconds; `None` where nothing queues.
    pub queue_delay_s: Option<f64>,
    /// How many wait for one; `None` where nothing queues.
    pub queued: Option<u32>,
    /// The part of the client networks that gets errors; `None` where too few were answered lately.
    pub failing_share: Option<f64>,
    /// Whether many networks hold the origin's workers with transfers that do not move, and others get no answer.
    pub held_up: bool,
    /// Whether the site itself is down: nothing comes back, or mostly errors.
    pub site_down: bool,
    /// The last probe and its long-term median, in seconds; `None` where no `probe_url` is configured or answered yet.
    pub probe: Option<ProbeState>,
    /// The machine's pressure.
    pub pressure: Pressure,
    /// The load as a program told it, 1 for full.
    pub told_load: Option<f64>,
}

/// A capacity in credits a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Capacity {
    /// As the configuration says.
    Configured(f64),
    /// As learned.
    Learned(f64),
    /// It did so much before, and nobody knows how much more it can do.
    AtLeast(f64),
}

impl Capacity {
    /// What was done in the busiest seconds of quiet weeks tells of the visitors, not of the site: demand counts as too much
    /// above so many times that.
    pub const HEADROOM: f64 = 2.0;

    /// Credits a second.
    #[must_use]
    pub const fn credits_per_second(self) -> f64 {
        match self {
            Self::Configured(credits) | Self::Learned(credits) | Self::AtLeast(credits) => credits,
        }
    }

    /// Credits a second above which demand is too much, and of which client networks have shares.
    #[must_use]
    pub const fn bearable(self) -> f64 {
        match self {
            Self::Configured(credits) | Self::Learned(credits) => credits,
            Self::AtLeast(credits) => credits * Self::HEADROOM,
        }
    }

    /// Credits a second, where they were measured or somebody vouches for them: only by such a number a price rises, and who
    /// has paid is turned away.
    #[must_use]
    pub const fn known(self) -> Option<f64> {
        match self {
            Self::Configured(credits) | Self::Learned(credits) => Some(credits),
            Self::AtLeast(_) => None,
        }
    }
}

/// What the origin's answers tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OriginState {
    /// Requests that wait for the head of their answer.
    pub waiting: u32,
    /// How many requests should be there at once.
    pub slots: u32,
    /// What the origin got done, in credits a second.
    pub goodput: f64,
    /// Delay against the usual one, median over client networks; `None` in a second that tells nothing.
    pub delay_ratio: Option<f64>,
    /// What keeps the capacity from being learned, if anything does.
    pub learning: limit::Learning,
}

/// What the probe tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeState {
    /// The last one, in seconds.
    pub last_s: f64,
    /// The long-term median, in seconds; `None` while too little is known.
    pub median_s: Option<f64>,
    /// Whether it was far slower than usual; `None` while that cannot be told.
    pub slow: Option<bool>,
}

/// What the queue before the origin showed in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// How long cleared requests wait for others than their own network, in the median over networks.
    pub delay: Duration,
    /// Requests that wait now.
    pub waiting: u32,
    /// Most slots that were in use at once.
    pub in_use_peak: u32,
}

/// What the configuration tells of a site.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// What it can do, in credits a second.
    pub capacity: Option<f64>,
    /// What it did before, in credits a second, so that it can do that at least.
    pub at_least: Option<f64>,
    /// How many requests its server works on at once.
    pub requests_max: Option<u32>,
}

/// What is the same for all sites in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// The machine's pressure.
    pub pressure: Pressure,
    /// The load as a program told it, 1 for full.
    pub told_load: Option<f64>,
}

/// Everything that is measured of one site. Requests only add to counters; a step once a second makes sense of them.
#[derive(Debug)]
pub struct SiteLoad {
    /// The two demands.
    pub demand: Demand,
    /// What comes of the web server's log.
    pub arrivals: Arrivals,
    failures: Failures,
    delays: Delays,
    waiting: AtomicU32,
    waiting_peak: AtomicU32,
    answered: Tally,
    failed: Tally,
    goodput: Tally,
    held_up: AtomicBool,
    stepped: Mutex<Stepped>,
}

/// What only the step and the probe change.
#[derive(Debug)]
struct Stepped {
    limit: Limit,
    probe: Probe,
    /// `None` where nothing queues.
    queued: Option<Queued>,
    /// Whether the origin has ever answered or been asked.
    origin_seen: bool,
    last: Measured,
}

impl SiteLoad {
    /// Most slots that the limit gives: the limit of connections bounds it besides.
    const SLOTS_MAX: u32 = 1_000_000;

    /// Nothing measured yet of the site with this mark. By `key` networks and paths are placed.
    #[must_use]
    pub fn new(site: u16, buckets: Arc<DemandBuckets>, key: HashKey) -> Self {
        let limit = Limit::new(Self::SLOTS_MAX, None);
        let (probe, last) = (Probe::default(), Measured::default());
        let stepped = Stepped { limit, probe, queued: None, origin_seen: false, last };
        Self {
            demand: Demand::new(site, buckets),
            arrivals: Arrivals::new(key.part("arrivals")),
            failures: Failures::new(key.part("failures")),
            delays: Delays::new(key.part("delays")),
            waiting: AtomicU32::new(0),
            waiting_peak: AtomicU32::new(0),
            answered: Tally::default(),
            failed: Tally::default(),
            goodput: Tally::default(),
            held_up: AtomicBool::new(false),
            stepped: Mutex::new(stepped),
        }
    }

    /// A request goes to the origin; it waits there until [`SiteLoad::left`].
    pub fn sent(&self) {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        self.waiting_peak.fetch_max(waiting, Ordering::Relaxed);
    }

    /// A request does not wait for the head of its answer any more, whether it came or not.
    pub fn left(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// The head of an answer came, or it is certain that none will.
    pub fn answered(&self, answered: &Answered<'_>, now: UnixSeconds) {
        let Answered { network, path, cost, delay, outcome } = *answered;
        self.answered_at(&Answer { network, place: self.place_of(path), cost, delay, outcome }, now);
    }

    /// The place of a path, without its query.
    #[must_use]
    pub fn place_of(&self, path: &str) -> PathPlace {
        PathPlace { delays: self.delays.path_of(path), segment: self.failures.segment_of(path) }
    }

    /// The head of an answer came, to a request whose path is known by its place.
    pub fn answered_at(&self, answer: &Answer<'_>, now: UnixSeconds) {
        self.answered.add(1);
        self.failures.answered(answer.network, answer.place.segment, answer.outcome, u64::from(now.0));
        if answer.outcome.is_error() {
            // An error is quicker than a page, or as slow as a timeout: neither tells how busy the origin is.
            self.failed.add(1);
            return;
        }
        self.goodput.add(answer.cost.millionths());
        let [narrow, ..] = answer.network.levels() else { return };
        self.delays.answered(*narrow, answer.place.delays, answer.delay);
    }

    /// What the queue before the origin showed in the last second; `None` where nothing queues.
    pub fn set_queued(&self, queued: Option<Queued>) {
        self.stepped().queued = queued;
    }

    /// Many networks held the origin's workers until a moment ago, with transfers that did not move.
    pub fn is_held_up(&self) {
        self.held_up.store(true, Ordering::Relaxed);
    }

    /// A probe took so long.
    pub fn probed(&self, took: Duration) {
        self.stepped().probe.took(took);
    }

    /// Begins with an estimate of the capacity from before, in credits a second.
    pub fn remember_capacity(&self, capacity: f64) {
        self.stepped().limit = Limit::new(Self::SLOTS_MAX, Some(capacity));
    }

    /// The estimate of the capacity, in credits a second, also where a configured one counts.
    #[must_use]
    pub fn learned_capacity(&self) -> Option<f64> {
        self.stepped().limit.capacity()
    }

    /// How many requests should be at the origin at once, by the gradient limit.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.stepped().limit.slots()
    }

    /// What the last step found.
    #[must_use]
    pub fn last(&self) -> Measured {
        self.stepped().last
    }

    /// Makes sense of the `elapsed` time since the last step. `gated`: whether the gate is down for this site.
    pub fn step(
        &self,
        told: &Told,
        gated: bool,
        surroundings: &Surroundings,
        elapsed: Duration,
        now: UnixSeconds,
    ) -> Measured {
        let mut stepped = self.stepped();
        let seconds = elapsed.as_secs_f64().max(0.001);
        let log = self.arrivals.state();
        let (own, logged) = (self.waiting.load(Ordering::Relaxed), log.map_or(0, |log| log.waiting));
        let waiting = own + logged;
        let failing_share = self.failures.share(u64::from(now.0));
        let strained = stepped.last.origin.is_some_and(|origin| origin.learning != limit::Learning::NotBinding);
        let queued = stepped.queued;
        let waiting_peak = self.waiting_peak.swap(own, Ordering::Relaxed) + logged;
        let second = Second {
            waiting_peak,
            in_use_peak: queued.map_or(waiting_peak, |queued| queued.in_use_peak),
            queued: queued.is_some_and(|queued| queued.waiting > 0),
            answered: self.answered.take(),
            failed: self.failed.take(),
            goodput: Amount::of_millionths(self.goodput.take()).credits() / seconds,
            delay_ratio: self.delays.step(gated || strained),
            failing: failing_share.is_some_and(|share| share > crate::gate::price::FAILING_SHARE),
            unreliable: log.is_some_and(|log| !log.is_reliable()),
            held_back: gated && log.is_some(),
        };
        stepped.origin_seen |= second.answered > 0 || second.waiting_peak > 0;
        stepped.limit.set_told(told.requests_max);
        stepped.limit.set_at_least(told.at_least);
        stepped.limit.step(&second, elapsed);
        let learned = stepped.limit.capacity().map(Capacity::Learned);
        let capacity = told.capacity.map(Capacity::Configured).or(learned).or(told.at_least.map(Capacity::AtLeast));
        let limit = stepped.limit;
        let slots_open = limit.slots().max(crate::gate::admission::OPEN_SLOTS_MIN);
        let origin = OriginState {
            waiting,
            slots: limit.slots(),
            goodput: second.goodput,
            delay_ratio: second.delay_ratio,
            learning: limit.learning(),
        };
        stepped.last = Measured {
            demand: self.demand.take(seconds, capacity.map(Capacity::bearable)),
            capacity,
            origin: stepped.origin_seen.then_some(origin),
            log,
            backlog: log.is_some_and(|log| log.backlog > slots_open),
            queue_delay_s: queued.map(|queued| queued.delay.as_secs_f64()),
            queued: queued.map(|queued| queued.waiting),
            failing_share,
            held_up: self.held_up.swap(false, Ordering::Relaxed),
            site_down: limit.site_down(),
            probe: stepped.probe.last().map(|last| ProbeState {
                last_s: last.as_secs_f64(),
                median_s: stepped.probe.median().map(|median| median.as_secs_f64()),
                slow: stepped.probe.is_slow(),
            }),
            pressure: surroundings.pressure,
            told_load: surroundings.told_load,
        };
        stepped.last
    }

    fn stepped(&self) -> MutexGuard<'_, Stepped> {
        self.stepped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request at the origin: from here until it is dropped it waits for the head of its answer.
#[derive(Debug)]
pub struct Waiting {
    load: Arc<SiteLoad>,
}

impl Waiting {
    /// Sends a request to the origin of a site.
    #[must_use]
    pub fn begin(load: Arc<SiteLoad>) -> Self {
        load.sent();
        Self { load }
    }

    /// The head of its answer came, or none will.
    pub fn answered(self, answered: &Answered<'_>, now: UnixSeconds) {
        self.load.answered(answered, now);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.load.left();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::networks::Nested;
    use puzzle::{ClientNetwork, Credits};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const ONE: Duration = Duration::from_secs(1);

    fn load() -> Arc<SiteLoad> {
        Arc::new(SiteLoad::new(1, Arc::new(DemandBuckets::new(HashKey([1; 16]))), HashKey([1; 16])))
    }

    fn step(load: &SiteLoad) -> Measured {
        load.step(&Told::default(), false, &Surroundings::default(), ONE, NOW)
    }

    #[test]
    fn a_signal_that_is_missing_is_said_so() {
        assert_eq!(step(&load()), Measured::default());
    }

    #[test]
    fn a_request_waits_until_its_head_came_or_its_client_left() {
        let load = load();
        let network = Nested::of(ClientNetwork::of([203, 0, 113, 9].into()));
        let waiting: Vec<Waiting> = (0..3).map(|_| Waiting::begin(Arc::clone(&load))).collect();
        assert_eq!(step(&load).origin.expect("asked").waiting, 3);
        let cost = Amount::of(Credits::ONE);
        let answered = Answered { network: &network, path: "/", cost, delay: ONE, outcome: Outcome::Fine };
        for (number, waiting) in waiting.into_iter().enumerate() {
            if number > 0 {
                waiting.answered(&answered, NOW);
            }
        }
        let origin = step(&load).origin.expect("answered");
        assert_eq!(origin.waiting, 0);
        assert!((origin.goodput - 2.0).abs() < 1e-9, "one was cancelled");
    }

    #[test]
    fn a_configured_capacity_counts_before_a_learned_one() {
        let load = load();
        load.remember_capacity(50.0);
        assert_eq!(step(&load).capacity, Some(Capacity::Learned(50.0)));
        let told = Told { capacity: Some(200.0), at_least: Some(20.0), requests_max: None };
        let measured = load.step(&told, false, &Surroundings::default(), ONE, NOW);
        assert_eq!(measured.capacity, Some(Capacity::Configured(200.0)));
    }

    #[test]
    fn what_a_site_did_before_counts_until_something_is_measured() {
        let load = load();
        let told = Told { at_least: Some(24.0), ..Told::default() };
        let step = || load.step(&told, false, &Surroundings::default(), ONE, NOW).capacity.expect("told");
        assert_eq!(step(), Capacity::AtLeast(24.0));
        assert_eq!((step().bearable(), step().known()), (48.0, None), "it is no measure of what the site can do");
        load.remember_capacity(200.0);
        assert_eq!(step(), Capacity::Learned(200.0));
    }

    #[test]
    fn a_queue_reports_its_delay_and_its_absence() {
        let load = load();
        load.set_queued(Some(Queued { delay: Duration::from_millis(300), waiting: 7, in_use_peak: 20 }));
        let measured = step(&load);
        assert_eq!((measured.queue_delay_s, measured.queued), (Some(0.3), Some(7)));
        load.set_queued(None);
        assert_eq!(step(&load).queue_delay_s, None);
    }
}
