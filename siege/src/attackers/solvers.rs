//! Native solvers: machines that solve whatever is asked and spend all they buy at once.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::Attacking;
use crate::arena::{Arena, addresses, page};
use crate::client::{Ask, Client};
use crate::scale::SLOWEST_PHONE;
use crate::shop::{self, Clearance, Redeemed};

/// What they hash together, in slowest phones (`g·N` of the design): a price of some four seconds of such a phone.
pub const BELOW_THE_CEILING: f64 = 4.0;
/// As much as three cores with SHA instructions: more than ten times the ceiling.
pub const AT_THE_CEILING: f64 = 200.0;
/// How clearances are spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spending {
    /// So many at the same time,
    clearances: usize,
    /// with so many requests at once on each.
    lanes: usize,
    /// Each lane asks once in so long, or as soon as its answer is there.
    every: Duration,
}

/// As fast as the site answers: some 90 credits of one network in a few seconds.
pub(super) const BURSTS: Spending = Spending { clearances: 150, lanes: 6, every: Duration::ZERO };
/// Three requests a second of each network, half a minute long: below a 64th of the site's capacity.
pub(super) const STEADY: Spending = Spending { clearances: 500, lanes: 3, every: Duration::from_secs(1) };
/// Challenges that the machines work at side by side: fetching and redeeming one costs none of their time.
const BUYERS: usize = 4;
/// How long a request on a clearance may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the machine waits where nobody sells.
const PAUSE: Duration = Duration::from_millis(250);
/// What one that pays nothing sends before it asks for a challenge again.
const UNPAID_REQUESTS: f64 = 20.0;

/// Everything from one address.
pub fn one_address(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { attack(&arena, addresses(1), BELOW_THE_CEILING, BURSTS).await })
}

/// From fifty networks in turn.
pub fn fifty_networks(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { attack(&arena, addresses(50), BELOW_THE_CEILING, BURSTS).await })
}

/// From five hundred, none of which asks for more than its share of what is paid counts: the price sees all of it.
pub fn five_hundred_networks(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { attack(&arena, addresses(500), BELOW_THE_CEILING, STEADY).await })
}

/// From five hundred, each of which spends what it bought at once.
pub fn five_hundred_in_bursts(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { attack(&arena, addresses(500), BELOW_THE_CEILING, BURSTS).await })
}

/// From five hundred, with machines that the ceiling does not hold off.
pub fn strong(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move { attack(&arena, addresses(500), AT_THE_CEILING, STEADY).await })
}

/// What there is to spend: a clearance, or none while nothing is asked.
struct Purse {
    from: Ipv4Addr,
    cookie: Option<String>,
    credits: f64,
}

/// Buys and spends until dropped. `phones` is the rate of the machines together, in slowest phones.
pub(super) async fn attack(arena: &Arc<Arena>, networks: Vec<Ipv4Addr>, phones: f64, spending: Spending) {
    let (purses, filled) = mpsc::channel::<Purse>(100_000);
    let filled = Arc::new(Mutex::new(filled));
    let mut spenders = JoinSet::new();
    for _ in 0..spending.clearances {
        let (arena, filled) = (Arc::clone(arena), Arc::clone(&filled));
        spenders.spawn(async move {
            loop {
                let Some(purse) = filled.lock().await.recv().await else { return };
                spend_all(&arena, purse.from, purse.cookie, purse.credits, spending).await;
            }
        });
    }
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let own: Vec<Ipv4Addr> = networks.iter().copied().skip(buyer).step_by(BUYERS.min(networks.len())).collect();
        let own = if own.is_empty() { networks.clone() } else { own };
        buyers.spawn(buy_all(Arc::clone(arena), own, phones * SLOWEST_PHONE / BUYERS as f64, purses.clone()));
    }
    while buyers.join_next().await.is_some() {}
}

/// Buys from these networks in turn.
async fn buy_all(arena: Arc<Arena>, networks: Vec<Ipv4Addr>, rate: f64, purses: mpsc::Sender<Purse>) {
    for from in networks.iter().cycle() {
        let purse = match buy(&arena, *from, rate).await {
            Buying::Bought(clearance) => {
                arena.tally.bought(&clearance, arena.elapsed_s());
                Purse { from: *from, cookie: Some(clearance.cookie), credits: clearance.credits }
            }
            Buying::NotNeeded => {
                tokio::time::sleep(PAUSE / 5).await;
                Purse { from: *from, cookie: None, credits: UNPAID_REQUESTS }
            }
            Buying::Failed => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if purses.send(purse).await.is_err() {
            return;
        }
    }
}

/// How a purchase went.
pub(super) enum Buying {
    Bought(Clearance),
    NotNeeded,
    Failed,
}

/// Fetches, solves and redeems a challenge with a machine of `rate` attempts a second, unscaled.
pub(super) async fn buy(arena: &Arena, from: Ipv4Addr, rate: f64) -> Buying {
    if !arena.gated {
        return Buying::NotNeeded;
    }
    let mut client = arena.client(from);
    let challenge = match shop::ask(&mut client, "/page/1").await {
        Ok(Some(challenge)) => challenge,
        Ok(None) => return Buying::NotNeeded,
        Err(_) => return Buying::Failed,
    };
    let Ok(solution) = arena.solver.solve(challenge, arena.scale, rate).await else { return Buying::Failed };
    match shop::redeem(&mut client, "/page/1", &challenge, &solution.nonces).await {
        Ok(Redeemed::Sold(clearance)) => Buying::Bought(clearance),
        Ok(Redeemed::NotNeeded) => Buying::NotNeeded,
        Ok(Redeemed::Refused { code, .. }) => {
            arena.tally.note(&format!("refused {code}"));
            Buying::Failed
        }
        Err(_) => Buying::Failed,
    }
}

/// Spends a clearance on pages until it is challenged.
pub(super) async fn spend_all(
    arena: &Arc<Arena>,
    from: Ipv4Addr,
    cookie: Option<String>,
    credits: f64,
    spending: Spending,
) {
    let each = (credits / spending.lanes as f64).ceil() as u64;
    let mut lanes = JoinSet::new();
    for lane in 0..spending.lanes as u64 {
        let (arena, cookie) = (Arc::clone(arena), cookie.clone());
        lanes.spawn(async move {
            let mut client: Client = arena.client(from);
            for number in 0..each {
                let next = Instant::now() + spending.every;
                let ask = Ask::get(page(lane * each + number)).paid_by(cookie.as_deref());
                let answer = arena.send(&mut client, ask, PATIENCE).await;
                if answer.is_ok_and(|answer| answer.status == 429) {
                    return;
                }
                tokio::time::sleep_until(next.into()).await;
            }
        });
    }
    while lanes.join_next().await.is_some() {}
}
