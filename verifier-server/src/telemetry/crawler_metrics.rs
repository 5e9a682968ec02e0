//! The counters and gauges of crawlers that are known by names.

use crate::gate::crawlers::CrawlersReport;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// What became of the wish to know the name of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Its name is a crawler's and leads back to it.
    Confirmed,
    /// It is nobody's.
    Refuted,
    /// The name servers did not say.
    NoAnswer,
    /// There was no room for it, or its network had its share.
    Dropped,
}

impl Lookup {
    const ALL: [Self; 4] = [Self::Confirmed, Self::Refuted, Self::NoAnswer, Self::Dropped];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Refuted => "refuted",
            Self::NoAnswer => "no_answer",
            Self::Dropped => "dropped",
        }
    }
}

/// What is counted of crawlers.
pub(super) struct CrawlerMetrics {
    lookups: IntCounterVec,
    confirmed: IntGauge,
    waiting: IntGauge,
}

impl CrawlerMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Names of addresses that say they are a crawler's, by what was found";
        let lookups = IntCounterVec::new(Opts::new("crawler_lookups_total", help), &["outcome"])?;
        registry.register(Box::new(lookups.clone()))?;
        for lookup in Lookup::ALL {
            lookups.with_label_values(&[lookup.name()]);
        }
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let confirmed = gauge("crawler_addresses", "Addresses whose name is confirmed and a crawler's")?;
        let waiting = gauge("crawler_lookups_waiting", "Addresses whose names wait to be asked for")?;
        Ok(Self { lookups, confirmed, waiting })
    }

    pub(super) fn looked_up(&self, lookup: Lookup) {
        self.lookups.with_label_values(&[lookup.name()]).inc();
    }

    pub(super) fn set(&self, report: CrawlersReport) {
        let set = |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.confirmed, report.confirmed);
        set(&self.waiting, report.waiting);
    }
}
