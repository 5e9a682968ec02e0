//! Every metric, declared in one place. Labels come from fixed lists and from the configuration, never from requests.

use super::crawler_metrics::{CrawlerMetrics, Lookup};
use super::process_metrics::ProcessMetrics;
use super::request_metrics::{RequestMetrics, word_of};
use super::site_metrics::SiteMetrics;
use crate::gate::crawlers::CrawlersReport;
use crate::gate::networks::NetworksHealth;
use crate::gate::{Decision, Met, Right, SiteReport, Unpaid};
use crate::timeline::Counts;
use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};
use puzzle::Refusal;
use std::time::Duration;

/// The counters and gauges of one verifier.
pub struct Metrics {
    registry: Registry,
    unpaid: IntCounter,
    paid: IntCounter,
    challenged: IntCounter,
    denied: IntCounter,
    busy: IntCounter,
    /// What asked to pass unpaid while others pay, by its right; the first had room, the second not.
    unpaid_rights: [IntCounterVec; 2],
    /// Labelled by the names that the configuration gives, at most so many, and by decision.
    rules: IntCounterVec,
    refusals: IntCounterVec,
    /// Challenges issued, on pages and by `GET challenge`.
    pub challenges_issued: IntCounter,
    /// Clearances sold.
    pub clearances_sold: IntCounter,
    /// Tokens sold to forms.
    pub tokens_sold: IntCounter,
    /// Labelled by what `siteverify` answered.
    siteverified: IntCounterVec,
    /// Requests that could pay, or of which nothing was asked, and for which there was no room.
    pub dropped: IntCounter,
    /// Requests whose origin could not be reached or did not answer in time.
    pub origin_failures: IntCounter,
    /// Requests of a web server that could not be told (PROTOCOL §5).
    pub unclear_requests: IntCounter,
    /// Stubs for fetchers of link previews.
    pub previews: IntCounter,
    /// Connections closed for others at the limit.
    pub connections_refused: IntCounter,
    /// Slow transfers closed for others.
    pub slow_closed: IntCounter,
    /// Requests that the origin had not answered, taken back because others of their networks held its workers.
    pub unanswered_cut: IntCounter,
    /// Requests answered `overloaded` because there was no place for another stream.
    pub streams_refused: IntCounter,
    /// Streams that never paid, cut for others.
    pub streams_cut: IntCounter,
    connections: IntGauge,
    read_ahead_bytes: IntGauge,
    table_used: IntGauge,
    table_slots: IntGauge,
    purchases_cells_used: IntGauge,
    purchases_cells: IntGauge,
    profile_cells_used: IntGauge,
    profile_cells: IntGauge,
    profile_loaded: IntGauge,
    profile_learning: IntGauge,
    profile_observed_seconds: IntGauge,
    log_lines: IntCounterVec,
    sites: SiteMetrics,
    by_site: RequestMetrics,
    crawlers: CrawlerMetrics,
    process: ProcessMetrics,
}

/// What `siteverify` may answer.
const SITEVERIFY_ANSWERS: [&str; 8] = [
    "success",
    "bad-request",
    "missing-input-secret",
    "invalid-input-secret",
    "missing-input-response",
    "invalid-input-response",
    "timeout-or-duplicate",
    "internal-error",
];

/// What became of a line of the web server's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLine {
    /// It counts as an answer of the origin.
    Counted,
    /// It belongs to a check and tells nothing of the origin.
    Ignored,
    /// Its check is not waited for any more.
    Late,
    /// It belongs to no check.
    Unmatched,
    /// It is no line.
    Unreadable,
}

impl LogLine {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Counted, Self::Ignored, Self::Late, Self::Unmatched, Self::Unreadable];

    /// Its name in status and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Ignored => "ignored",
            Self::Late => "late",
            Self::Unmatched => "unmatched",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Metrics {
    /// All metrics at zero.
    ///
    /// # Errors
    /// If two of the declarations below clash, which the tests would show first.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("portcullis".to_owned()), None)?;
        let requests =
            IntCounterVec::new(Opts::new("requests_total", "Requests by what the gate decided"), &["decision"])?;
        let rules = Opts::new("rule_requests_total", "Requests under a rule, by its name and by what the gate decided");
        let rules = IntCounterVec::new(rules, &["rule", "decision"])?;
        registry.register(Box::new(rules.clone()))?;
        let rights = |name: &str, help: &str| -> Result<IntCounterVec, prometheus::Error> {
            let rights = IntCounterVec::new(Opts::new(name, help), &["right"])?;
            registry.register(Box::new(rights.clone()))?;
            for right in Right::ALL {
                rights.with_label_values(&[right.name()]);
            }
            Ok(rights)
        };
        let unpaid_rights = [
            rights("unpaid_admitted_total", "Requests that passed unpaid while others paid, by their right")?,
            rights("unpaid_over_share_total", "Requests for which what passes unpaid had no room, by their right")?,
        ];
        let refusals = IntCounterVec::new(Opts::new("refusals_total", "Solutions refused, by code"), &["code"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(refusals.clone()))?;
        for refusal in Refusal::ALL {
            refusals.with_label_values(&[refusal.code()]);
        }
        let log_lines =
            IntCounterVec::new(Opts::new("log_lines_total", "Lines of the web server's log, by their use"), &["use"])?;
        registry.register(Box::new(log_lines.clone()))?;
        for line in LogLine::ALL {
            log_lines.with_label_values(&[line.name()]);
        }
        let siteverified = Opts::new("siteverify_total", "Questions of back ends about tokens, by the answer");
        let siteverified = IntCounterVec::new(siteverified, &["answer"])?;
        registry.register(Box::new(siteverified.clone()))?;
        for answer in SITEVERIFY_ANSWERS {
            siteverified.with_label_values(&[answer]);
        }
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            unpaid: requests.with_label_values(&["unpaid"]),
            paid: requests.with_label_values(&["paid"]),
            challenged: requests.with_label_values(&["challenged"]),
            denied: requests.with_label_values(&["denied"]),
            busy: requests.with_label_values(&["busy"]),
            unpaid_rights,
            rules,
            refusals,
            log_lines,
            challenges_issued: counter("challenges_issued_total", "Challenges issued, on pages and by the endpoint")?,
            clearances_sold: counter("clearances_sold_total", "Clearances sold")?,
            tokens_sold: counter("tokens_sold_total", "Tokens sold to forms")?,
            siteverified,
            dropped: counter("requests_dropped_total", "Requests let through by the gate and dropped by admission")?,
            origin_failures: counter("origin_failures_total", "Requests whose origin was out of reach or too slow")?,
            unclear_requests: counter("unclear_requests_total", "Questions of a web server that could not be told")?,
            previews: counter("previews_total", "Stubs answered to fetchers of link previews")?,
            connections_refused: counter(
                "connections_refused_total",
                "Connections turned away with 503, or closed, with every one in a request",
            )?,
            unanswered_cut: counter(
                "unanswered_requests_cut_total",
                "Free requests taken back from a silent origin whose workers others of their networks held",
            )?,
            slow_closed: counter("slow_transfers_closed_total", "Slow transfers closed for requests that waited")?,
            streams_refused: counter(
                "streams_refused_total",
                "WebSockets and event streams for which no place was left",
            )?,
            streams_cut: counter("streams_cut_total", "Streams that never paid, cut for requests that waited")?,
            connections: gauge("connections", "Open client connections")?,
            read_ahead_bytes: gauge("read_ahead_bytes", "Bytes of request bodies held before the origin has them")?,
            table_used: gauge("table_entries", "Entries in the table of live ids")?,
            table_slots: gauge("table_slots", "Entries that fit the table of live ids")?,
            purchases_cells_used: gauge("purchases_cells_used", "Cells in use in the sketch of what networks bought")?,
            purchases_cells: gauge("purchases_cells", "Cells of the sketch of what networks bought")?,
            profile_cells_used: gauge("profile_cells_used", "Cells in use in the peacetime profile")?,
            profile_cells: gauge("profile_cells", "Cells of the peacetime profile")?,
            profile_loaded: gauge("profile_loaded", "1 if the peacetime profile was read from its file at the start")?,
            profile_learning: gauge("profile_learning", "1 while the gate is idle and the peacetime profile learns")?,
            profile_observed_seconds: gauge(
                "profile_observed_seconds",
                "Idle seconds that the peacetime profile was learned from, halved every two weeks",
            )?,
            sites: SiteMetrics::new(&registry)?,
            by_site: RequestMetrics::new(&registry)?,
            crawlers: CrawlerMetrics::new(&registry)?,
            process: ProcessMetrics::new(&registry)?,
            registry,
        })
    }

    /// Sets the gauges of what is remembered of networks.
    pub fn set_networks(&self, health: &NetworksHealth) {
        let set = |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.purchases_cells_used, health.purchases_cells.0);
        set(&self.purchases_cells, health.purchases_cells.1);
        set(&self.profile_cells_used, health.profile_cells.0);
        set(&self.profile_cells, health.profile_cells.1);
        self.profile_loaded.set(health.profile_loaded.into());
        self.profile_learning.set(health.profile_learning.into());
        self.profile_observed_seconds.set(i64::try_from(health.profile_observed_seconds).unwrap_or(i64::MAX));
    }

    /// Counts a request of a site that met the gate.
    pub fn met(&self, site: &str, met: &Met) {
        self.decided(met.decision);
        self.by_site.decided(site, met.decision);
        if let Some(Unpaid { right, admitted }) = met.unpaid {
            let [had_room, had_none] = &self.unpaid_rights;
            (if admitted { had_room } else { had_none }).with_label_values(&[right.name()]).inc();
        }
    }

    /// Counts a request under a rule with this label.
    pub fn by_rule(&self, label: &str, decision: Decision) {
        self.rules.with_label_values(&[label, word_of(decision)]).inc();
    }

    /// Forgets what was counted by rule: others have come into force.
    pub fn forget_rules(&self) {
        self.rules.reset();
    }

    fn decided(&self, decision: Decision) {
        match decision {
            Decision::Free | Decision::Unpaid | Decision::Reserved => &self.unpaid,
            Decision::Paid => &self.paid,
            Decision::Busy => &self.busy,
            Decision::Challenged => &self.challenged,
            Decision::Denied => &self.denied,
        }
        .inc();
    }

    /// Counts what was found of the name of an address that says it is a crawler's.
    pub fn looked_up(&self, lookup: Lookup) {
        self.crawlers.looked_up(lookup);
    }

    /// Sets the gauges of crawlers that are known by names.
    pub fn set_crawlers(&self, report: CrawlersReport) {
        self.crawlers.set(report);
    }

    /// Counts a refusal at a site.
    pub fn refused(&self, site: &str, refusal: Refusal) {
        self.refusals.with_label_values(&[refusal.code()]).inc();
        self.by_site.refused(site, refusal);
    }

    /// Counts a clearance sold at a site, and the seconds since its challenge was issued.
    pub fn sold(&self, site: &str, seconds: u32) {
        self.clearances_sold.inc();
        self.by_site.solved(site, f64::from(seconds));
    }

    /// Counts an answer of a site's origin, or that none came.
    pub fn origin_answered(&self, site: &str, delay: Duration, failed: bool) {
        self.by_site.origin_answered(site, delay, failed);
    }

    /// Counts an answer of `siteverify`: its code, or none where the token is good.
    pub fn siteverified(&self, fault: Option<&str>) {
        self.siteverified.with_label_values(&[fault.unwrap_or(SITEVERIFY_ANSWERS[0])]).inc();
    }

    /// Counts a line of the web server's log.
    pub fn log_line(&self, line: LogLine) {
        self.log_lines.with_label_values(&[line.name()]).inc();
    }

    /// How many lines of this use came so far.
    #[must_use]
    pub fn log_lines(&self, line: LogLine) -> u64 {
        self.log_lines.with_label_values(&[line.name()]).get()
    }

    /// What was decided so far: unpaid, paid, challenged, denied, busy.
    #[must_use]
    pub fn decisions(&self) -> [u64; 5] {
        [&self.unpaid, &self.paid, &self.challenged, &self.denied, &self.busy].map(IntCounter::get)
    }

    /// The CPU seconds that the verifier has used, and its bytes in RAM, read anew.
    #[must_use]
    pub fn process(&self) -> (f64, f64) {
        self.process.read()
    }

    /// What was counted of a site so far; what was dropped, of all sites.
    #[must_use]
    pub fn counts_of(&self, site: &str) -> Counts {
        Counts { dropped: self.dropped.get(), ..self.by_site.counts(site) }
    }

    /// Sets the gauges of all sites: name, price, and what its gate does. Those of any other are gone.
    pub fn sites<'a>(&self, sites: impl Iterator<Item = (&'a str, u64, SiteReport)>) {
        self.sites.reset();
        for (name, price, report) in sites {
            self.by_site.begin(name);
            self.sites.set(name, price, &report);
        }
    }

    /// Sets what lasts at a site, after [`Metrics::sites`]: slow transfers, streams, and streams with a place.
    pub fn site_lasting(&self, name: &str, slow: usize, streams: usize, streams_with_place: usize) {
        self.sites.set_lasting(name, [slow, streams, streams_with_place]);
    }

    /// Sets what is known of one server of a site, after [`Metrics::sites`].
    pub fn site_origin(&self, name: &str, origin: &str, up: bool, in_flight: usize) {
        self.sites.set_origin(name, origin, up, in_flight);
    }

    /// All metrics as Prometheus text, with the gauges set to these values.
    ///
    /// # Errors
    /// If the encoder fails, which it does not on metrics with values.
    pub fn text(
        &self,
        connections: usize,
        read_ahead_bytes: usize,
        table: (usize, usize),
    ) -> Result<Vec<u8>, prometheus::Error> {
        let set = |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.connections, connections);
        set(&self.read_ahead_bytes, read_ahead_bytes);
        set(&self.table_used, table.0);
        set(&self.table_slots, table.1);
        self.process.read();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use puzzle::Credits;

    #[test]
    fn the_text_names_every_decision_and_code() {
        let metrics = Metrics::new().expect("metrics");
        metrics.decided(Decision::Paid);
        let unpaid = Some(Unpaid { right: Right::Ticket, admitted: false });
        metrics.met("main", &Met { decision: Decision::Busy, cost: Credits::ONE, part: false, receipt: None, unpaid });
        metrics.refused("main", Refusal::Used);
        let text = String::from_utf8(metrics.text(3, 0, (1, 100)).expect("text")).expect("UTF-8");
        assert!(text.contains("portcullis_requests_total{decision=\"paid\"} 1"), "{text}");
        assert!(text.contains("portcullis_refusals_total{code=\"used\"} 1"));
        assert!(text.contains("portcullis_requests_total{decision=\"busy\"} 1"));
        assert!(text.contains("portcullis_unpaid_over_share_total{right=\"ticket\"} 1"));
        assert!(text.contains("portcullis_unpaid_admitted_total{right=\"ticket\"} 0"));
        assert!(text.contains("portcullis_site_requests_total{decision=\"busy\",site=\"main\"} 1"), "{text}");
        assert!(text.contains("portcullis_site_refusals_total{code=\"used\",site=\"main\"} 1"), "{text}");
        assert!(text.contains("portcullis_connections 3"));
        for refusal in Refusal::ALL {
            assert!(text.contains(&format!("code=\"{}\"", refusal.code())));
        }
    }
}
