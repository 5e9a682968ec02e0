//! What an attacker has to work with, and the ways to send that most of them share.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::client::{Ask, Client, Destination, Sender};
use crate::networks;
use crate::origin::PAGES;
use crate::scale::Scale;
use crate::solver::Solver;
use crate::tally::Tally;

/// Where the attack takes place.
#[derive(Debug)]
pub struct Arena {
    /// The verifier, or the site itself where there is none.
    pub to: Destination,
    /// Whether there is a verifier.
    pub gated: bool,
    /// By how much slower everybody hashes.
    pub scale: Scale,
    /// Who hashes.
    pub solver: Arc<Solver>,
    /// What is counted.
    pub tally: Tally,
    /// When the attack began.
    pub begun: Instant,
    /// The limit of connections of whoever is attacked.
    pub connections_max: usize,
}

/// A flood of single requests at a steady rate.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Where it comes from.
    pub networks: Vec<Ipv4Addr>,
    /// Requests a second in all.
    pub per_second: u32,
}

impl Flood {
    /// So many requests a second from so many networks of an attacker's.
    #[must_use]
    pub fn from(networks: u32, per_second: u32) -> Self {
        Self { networks: addresses(networks), per_second }
    }
}

/// So many networks of an attacker's.
#[must_use]
pub fn addresses(networks: u32) -> Vec<Ipv4Addr> {
    (0..networks).map(networks::attacker).collect()
}

/// A page that an attacker asks for.
#[must_use]
pub fn page(number: u64) -> String {
    format!("/page/{}", number % u64::from(PAGES))
}

/// A connection of a flood asks once in so long, and gives its request up after it: the rate does not fall when answers
/// become slow.
const FLOOD_INTERVAL: Duration = Duration::from_secs(1);

impl Arena {
    /// Seconds since the attack began.
    #[must_use]
    pub fn elapsed_s(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Sends one request of a client's and counts what comes.
    pub async fn send(
        &self,
        client: &mut Client,
        ask: Ask,
        patience: Duration,
    ) -> Result<crate::client::Answer, crate::client::Lost> {
        self.tally.sent();
        let answer = client.ask(&ask.with(Sender::HEADER, Sender::Attacker.name()), patience).await;
        self.tally.heard(&answer);
        answer
    }

    /// A client from this address.
    #[must_use]
    pub fn client(&self, from: Ipv4Addr) -> Client {
        Client::new(from, self.to.clone())
    }

    /// Floods until it is dropped. `ask` is given the number of the request.
    pub async fn flood(self: &Arc<Self>, flood: &Flood, ask: impl Fn(u64) -> Ask + Send + Sync + 'static) {
        let ask = Arc::new(ask);
        let mut connections = JoinSet::new();
        for connection in 0..flood.per_second {
            let from = flood.networks[connection as usize % flood.networks.len()];
            let (arena, ask, per_second) = (Arc::clone(self), Arc::clone(&ask), u64::from(flood.per_second));
            let first = FLOOD_INTERVAL.mul_f64(f64::from(connection) / f64::from(flood.per_second));
            connections.spawn(async move {
                tokio::time::sleep(first).await;
                let mut client = arena.client(from);
                let mut turns = tokio::time::interval(FLOOD_INTERVAL);
                turns.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let mut number = u64::from(connection);
                loop {
                    turns.tick().await;
                    let _ = arena.send(&mut client, ask(number), FLOOD_INTERVAL.mul_f64(0.95)).await;
                    number += per_second;
                }
            });
        }
        while connections.join_next().await.is_some() {}
    }
}
