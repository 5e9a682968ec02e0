//! What the origin is asked for and serves, by sender, in credits.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::Sender;

/// Both senders.
#[derive(Debug, Default)]
pub struct Counts {
    visitors: Counter,
    attackers: Counter,
}

/// Hundredths of a credit.
#[derive(Debug, Default)]
pub(super) struct Counter {
    arrived: AtomicU64,
    served: AtomicU64,
    refused: AtomicU64,
}

/// Credits so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// That came.
    pub arrived: f64,
    /// That were done.
    pub served: f64,
    /// For which there was no place in the line.
    pub refused: f64,
}

impl Counts {
    pub(super) const fn flow(&self, sender: Sender) -> &Counter {
        match sender {
            Sender::Visitor => &self.visitors,
            Sender::Attacker => &self.attackers,
        }
    }

    /// Of one sender so far.
    #[must_use]
    pub fn of(&self, sender: Sender) -> Flow {
        let counter = self.flow(sender);
        let credits = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / 100.0;
        Flow {
            arrived: credits(&counter.arrived),
            served: credits(&counter.served),
            refused: credits(&counter.refused),
        }
    }
}

impl Counter {
    pub(super) fn arrived(&self, credits: f64) {
        add(&self.arrived, credits);
    }

    pub(super) fn served(&self, credits: f64) {
        add(&self.served, credits);
    }

    pub(super) fn refused(&self, credits: f64) {
        add(&self.refused, credits);
    }
}

fn add(count: &AtomicU64, credits: f64) {
    count.fetch_add((credits * 100.0).round() as u64, Ordering::Relaxed);
}
