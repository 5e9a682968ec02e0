//! What is read of the verifier and the origin while a run goes on, ten times a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::client::{Ask, Client, Destination, Sender};
use crate::networks;
use crate::origin::{Flow, Origin};
use crate::proc::ProcessState;

/// The pause between two readings.
pub const EVERY: Duration = Duration::from_millis(100);

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Seconds from the begin of the run.
    pub at_s: f64,
    /// What the verifier says; `None` without one, or while it does not answer.
    pub gate: Option<GateReading>,
    /// The verifier's process.
    pub process: Option<ProcessState>,
    /// Of visitors at the origin so far.
    pub visitors: Flow,
    /// Of attackers.
    pub attackers: Flow,
    /// Workers that are held.
    pub busy: usize,
}

/// From `GET /status`.
#[derive(Clone, Debug, Default)]
pub struct GateReading {
    /// Attempts for a full clearance.
    pub price: f64,
    /// `calm`, `attack` or `hold`.
    pub state: String,
    /// Which signals say that it is overloaded.
    pub overload: Vec<String>,
    /// Whether networks above their own cap are challenged.
    pub crowded: bool,
    /// Credits a second.
    pub raw: f64,
    /// The same, each network up to its cap.
    pub offered: f64,
    /// Credits a second that were paid for.
    pub paid: f64,
    /// Credits a second that the site can do, if that is known.
    pub capacity: Option<f64>,
    /// Seconds that the gate stays down after the last overload.
    pub hold_s: f64,
    /// Open connections.
    pub connections: f64,
}

/// All readings of a run.
#[derive(Debug, Default)]
pub struct Readings {
    readings: Mutex<Vec<Reading>>,
}

impl Readings {
    /// So far.
    #[must_use]
    pub fn all(&self) -> Vec<Reading> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, reading: Reading) {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).push(reading);
    }
}

/// The verifier to read from: its admin listener and its process.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The admin listener.
    pub admin: Destination,
    /// The process.
    pub id: u32,
}

/// Reads until it is dropped.
pub async fn watch(watched: Option<Watched>, origin: Arc<Origin>, begun: Instant, readings: Arc<Readings>) {
    let mut admin = watched.as_ref().map(|watched| Client::new(networks::LAB, watched.admin.clone()));
    let mut turns = tokio::time::interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        turns.tick().await;
        let at_s = begun.elapsed().as_secs_f64();
        let gate = match &mut admin {
            Some(admin) => gate(admin).await,
            None => None,
        };
        readings.push(Reading {
            at_s,
            gate,
            process: watched.as_ref().and_then(|watched| ProcessState::of(watched.id)),
            visitors: origin.counts().of(Sender::Visitor),
            attackers: origin.counts().of(Sender::Attacker),
            busy: origin.busy(),
        });
    }
}

async fn gate(admin: &mut Client) -> Option<GateReading> {
    let answer = admin.ask(&Ask::get("/status"), Duration::from_secs(2)).await.ok()?;
    let status = answer.json();
    let site = status["sites"].get(0)?;
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or_default();
    let overload = site["overload"].as_array().into_iter().flatten();
    Some(GateReading {
        price: number(&site["price"]),
        state: site["state"].as_str().unwrap_or_default().to_owned(),
        overload: overload.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        crowded: site["networks_above_cap_challenged"].as_bool().unwrap_or_default(),
        raw: number(&site["demand"]["raw_credits_per_second"]),
        offered: number(&site["demand"]["offered_credits_per_second"]),
        paid: number(&site["demand"]["paid_credits_per_second"]),
        capacity: site["capacity"]["credits_per_second"].as_f64(),
        hold_s: number(&site["hold_seconds"]),
        connections: number(&status["connections"]),
    })
}
