//! The gauges of each site: its gate and every signal. A signal that is missing has no value, which Prometheus writes NaN.

use crate::gate::SiteReport;
use crate::load::Capacity;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

/// Gauges labelled with the site's name, which the configuration gives.
pub(super) struct SiteMetrics {
    price: IntGaugeVec,
    closed: IntGaugeVec,
    numbers: Vec<(GaugeVec, Reading)>,
    lasting: [IntGaugeVec; 3],
    /// Of each server: whether it is up, and how many requests are there.
    origins: [IntGaugeVec; 2],
}

/// What a gauge shows.
type Reading = fn(&SiteReport) -> Option<f64>;

const NUMBERS: [(&str, &str, Reading); 16] = [
    ("hold_seconds", "How long the gate stays down after the last overload", |site| Some(site.hold.as_secs_f64())),
    (
        "capacity_credits_per_second",
        "What the site can do, configured or learned, or else what it did before",
        |site| site.measured.capacity.map(Capacity::credits_per_second),
    ),
    ("demand_raw_credits_per_second", "Costs of all requests", |site| Some(site.measured.demand.raw)),
    ("demand_offered_credits_per_second", "The same with every client network up to its cap", |site| {
        Some(site.measured.demand.offered)
    }),
    ("demand_paid_credits_per_second", "Credits kept, every client network up to its cap", |site| {
        Some(site.measured.demand.paid)
    }),
    ("origin_waiting_requests", "Requests that wait for the head of their answer", |site| {
        site.measured.origin.map(|origin| f64::from(origin.waiting))
    }),
    ("origin_slots", "Requests that should be at the origin at once", |site| {
        site.measured.origin.map(|origin| f64::from(origin.slots))
    }),
    ("origin_goodput_credits_per_second", "What the origin gets done", |site| {
        site.measured.origin.map(|origin| origin.goodput)
    }),
    ("origin_delay_ratio", "Delay against the usual one, median over client networks", |site| {
        site.measured.origin?.delay_ratio
    }),
    ("log_missing_ratio", "Part of the lines of the web server's log that does not come", |site| {
        site.measured.log?.missing_share
    }),
    ("queue_delay_seconds", "How long cleared requests wait for the origin", |site| site.measured.queue_delay_s),
    ("queue_requests", "Requests that wait for the origin", |site| site.measured.queued.map(f64::from)),
    ("failing_networks_ratio", "Part of the client networks that gets errors", |site| site.measured.failing_share),
    ("pressure_percent", "Pressure of the machine, the higher of CPU and disk", |site| {
        site.measured.pressure.highest()
    }),
    ("probe_seconds", "What the last probe took", |site| site.measured.probe.map(|probe| probe.last_s)),
    ("told_load_ratio", "The load as a program told it, 1 for full", |site| site.measured.told_load),
];

impl SiteMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let integers_of = |name: &str, help: &str, labels: &[&str]| -> Result<IntGaugeVec, prometheus::Error> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let integers = |name: &str, help: &str| integers_of(name, help, &["site"]);
        let of_origins = |name: &str, help: &str| integers_of(name, help, &["site", "origin"]);
        let mut numbers = Vec::new();
        for (name, help, reading) in NUMBERS {
            let gauge = GaugeVec::new(Opts::new(name, help), &["site"])?;
            registry.register(Box::new(gauge.clone()))?;
            numbers.push((gauge, reading));
        }
        Ok(Self {
            price: integers("price_attempts", "Price of the site: attempts for a full clearance")?,
            closed: integers("gate_closed", "Whether the controller has closed the gate: 0 calm, 1 attack or hold")?,
            numbers,
            lasting: [
                integers("slow_transfers", "Uploads and downloads that are slow because of the client")?,
                integers("streams", "Open WebSockets and event streams")?,
                integers("streams_with_place", "Those of them that hold a place because they pay")?,
            ],
            origins: [
                of_origins("origin_up", "Whether a server of the site gets requests: 1, or 0 while it is left alone")?,
                of_origins("origin_requests", "Requests that are at it now")?,
            ],
        })
    }

    pub(super) fn reset(&self) {
        self.price.reset();
        self.closed.reset();
        self.numbers.iter().for_each(|(gauge, _)| gauge.reset());
        self.lasting.iter().for_each(IntGaugeVec::reset);
        self.origins.iter().for_each(IntGaugeVec::reset);
    }

    pub(super) fn set_origin(&self, name: &str, origin: &str, up: bool, in_flight: usize) {
        let [is_up, requests] = &self.origins;
        is_up.with_label_values(&[name, origin]).set(i64::from(up));
        requests.with_label_values(&[name, origin]).set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    }

    pub(super) fn set_lasting(&self, name: &str, counts: [usize; 3]) {
        for (gauge, count) in self.lasting.iter().zip(counts) {
            gauge.with_label_values(&[name]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn set(&self, name: &str, price: u64, report: &SiteReport) {
        let closed = i64::from(report.state != crate::gate::price::State::Calm);
        self.price.with_label_values(&[name]).set(i64::try_from(price).unwrap_or(i64::MAX));
        self.closed.with_label_values(&[name]).set(closed);
        for (gauge, reading) in &self.numbers {
            gauge.with_label_values(&[name]).set(reading(report).unwrap_or(f64::NAN));
        }
    }
}
