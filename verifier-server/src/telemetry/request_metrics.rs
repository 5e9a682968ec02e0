//! What is counted of requests, site by site. Labels are names of the configuration and words of fixed lists.

use crate::gate::Decision;
use crate::timeline::{Counts, Waits};
use prometheus::core::Metric;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use puzzle::Refusal;
use std::time::Duration;

/// Bounds of the time from a challenge's issue to its redemption, in seconds: the wait that a visitor sees.
pub(super) const SOLVE_BOUNDS: [f64; 12] = [0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0];
/// Bounds of the time to the head of the origin's answer, in seconds.
const ORIGIN_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// The words of `decision`.
const DECISIONS: [&str; 5] = ["unpaid", "paid", "challenged", "denied", "busy"];

/// The word of a decision.
pub(super) const fn word_of(decision: Decision) -> &'static str {
    match decision {
        Decision::Free | Decision::Unpaid | Decision::Reserved => "unpaid",
        Decision::Paid => "paid",
        Decision::Busy => "busy",
        Decision::Challenged => "challenged",
        Decision::Denied => "denied",
    }
}

/// Counters and histograms labelled with the site's name.
pub(super) struct RequestMetrics {
    requests: IntCounterVec,
    refusals: IntCounterVec,
    solve_seconds: HistogramVec,
    origin_seconds: HistogramVec,
    origin_errors: IntCounterVec,
}

impl RequestMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let histograms = |name: &str, help: &str, bounds: &[f64]| -> Result<HistogramVec, prometheus::Error> {
            let histograms = HistogramVec::new(HistogramOpts::new(name, help).buckets(bounds.to_vec()), &["site"])?;
            registry.register(Box::new(histograms.clone()))?;
            Ok(histograms)
        };
        Ok(Self {
            requests: counters(
                "site_requests_total",
                "Requests of a site by what the gate decided",
                &["site", "decision"],
            )?,
            refusals: counters("site_refusals_total", "Solutions refused at a site, by code", &["site", "code"])?,
            solve_seconds: histograms(
                "solve_seconds",
                "Seconds from a challenge's issue to its redemption",
                &SOLVE_BOUNDS,
            )?,
            origin_seconds: histograms(
                "origin_answer_seconds",
                "Seconds from the request to the head of the origin's answer",
                &ORIGIN_SECONDS,
            )?,
            origin_errors: counters(
                "origin_errors_total",
                "Requests that the origin answered with 5xx or not at all",
                &["site"],
            )?,
        })
    }

    /// Makes everything of a site, at zero where nothing was counted: a rate needs a beginning.
    pub(super) fn begin(&self, site: &str) {
        for decision in DECISIONS {
            self.requests.with_label_values(&[site, decision]);
        }
        for refusal in Refusal::ALL {
            self.refusals.with_label_values(&[site, refusal.code()]);
        }
        self.solve_seconds.with_label_values(&[site]);
        self.origin_seconds.with_label_values(&[site]);
        self.origin_errors.with_label_values(&[site]);
    }

    pub(super) fn decided(&self, site: &str, decision: Decision) {
        self.requests.with_label_values(&[site, word_of(decision)]).inc();
    }

    pub(super) fn refused(&self, site: &str, refusal: Refusal) {
        self.refusals.with_label_values(&[site, refusal.code()]).inc();
    }

    pub(super) fn solved(&self, site: &str, seconds: f64) {
        self.solve_seconds.with_label_values(&[site]).observe(seconds);
    }

    /// What was counted of a site so far; of [`Counts::dropped`] nothing, which has no site.
    pub(super) fn counts(&self, site: &str) -> Counts {
        let [unpaid, paid, challenged, denied, busy] =
            DECISIONS.map(|decision| self.requests.with_label_values(&[site, decision]).get());
        let refused = Refusal::ALL.iter().filter_map(|refusal| {
            let count = self.refusals.with_label_values(&[site, refusal.code()]).get();
            (count > 0).then(|| (refusal.code().to_owned(), count))
        });
        let solving = waits(&self.solve_seconds.with_label_values(&[site]));
        Counts {
            unpaid,
            paid,
            challenged,
            denied,
            busy,
            dropped: 0,
            sold: solving.count,
            refused: refused.collect(),
            solving,
            origin: waits(&self.origin_seconds.with_label_values(&[site])),
            origin_errors: self.origin_errors.with_label_values(&[site]).get(),
        }
    }

    pub(super) fn origin_answered(&self, site: &str, delay: Duration, failed: bool) {
        self.origin_seconds.with_label_values(&[site]).observe(delay.as_secs_f64());
        if failed {
            self.origin_errors.with_label_values(&[site]).inc();
        }
    }
}

/// What a histogram has counted.
fn waits(histogram: &Histogram) -> Waits {
    let metric = histogram.metric();
    let counted = metric.get_histogram();
    let within = counted.get_bucket().iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    Waits {
        count: counted.get_sample_count(),
        seconds: counted.get_sample_sum(),
        within: within.filter(|(bound, _)| bound.is_finite()).collect(),
    }
}
