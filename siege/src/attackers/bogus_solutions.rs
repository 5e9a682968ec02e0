//! Bad solutions of every kind that PROTOCOL §4 names, while a flood holds the gate down.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use tests::solver::Challenge;

use super::Attacking;
use super::solvers::{BURSTS, Buying, spend_all};
use crate::arena::{Arena, Flood, addresses, page};
use crate::client::{Ask, Destination};
use crate::scale::SLOWEST_PHONE;
use crate::shop::{self, Redeemed, submission};

/// Submissions a second.
const PER_SECOND: u32 = 400;
const NETWORKS: u32 = 50;
/// The other site of the same verifier.
pub const OTHER_HOST: &str = "other.test";
/// Seconds that a challenge lives in this scenario, so that one can expire in it.
pub const LIFETIME_SECONDS: u32 = 10;

/// Challenges of different fates.
#[derive(Debug, Default)]
struct Stock {
    fresh: Option<Challenge>,
    old: Option<(Challenge, Instant)>,
    elsewhere: Option<Challenge>,
    /// A right solution whose clearance is spent.
    used: Option<(Challenge, Vec<u8>)>,
    /// All sub-puzzles solved but the last.
    all_but_one: Option<(Challenge, Vec<u8>)>,
}

/// `malformed`, `forged`, `expired`, `wrong_site`, `unsolved`, `used`, `cross_site` and bodies of the wrong type.
pub fn bogus_solutions(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let stock = Arc::new(Mutex::new(Stock::default()));
        let seen = Arc::clone(&stock);
        let bogus = Flood::from(NETWORKS, PER_SECOND);
        let pages = Flood::from(100, 400);
        tokio::join!(
            arena.flood(&pages, |number| Ask::get(page(number))),
            arena.flood(&bogus, move |number| bogus_ask(&seen.lock().unwrap_or_else(PoisonError::into_inner), number)),
            keep(&arena, &stock),
        );
    })
}

fn bogus_ask(stock: &Stock, number: u64) -> Ask {
    let verify = shop::endpoint("verify", "/page/1");
    let post = |body: Vec<u8>| Ask::post_json(verify.clone(), body);
    let Some(fresh) = stock.fresh else { return post(b"{}".to_vec()) };
    let random = [number.to_be_bytes().as_slice(), &[0x5a; 56]].concat();
    match number % 10 {
        0 => post(b"{\"challenge\":".to_vec()),
        1 => post(submission(&fresh, &random[..63])),
        2 => {
            let mut forged = fresh;
            forged.0[63] ^= 1;
            post(submission(&forged, &random))
        }
        3 => match stock.old {
            Some((old, since)) if since.elapsed().as_secs() > u64::from(LIFETIME_SECONDS) => {
                post(submission(&old, &random))
            }
            _ => post(submission(&fresh, &random)),
        },
        4 => post(submission(&stock.elsewhere.unwrap_or(fresh), &random)),
        5 => post(submission(&fresh, &random)),
        6 => match &stock.all_but_one {
            Some((challenge, nonces)) => post(submission(challenge, nonces)),
            None => post(submission(&fresh, &random)),
        },
        7 => match &stock.used {
            Some((challenge, nonces)) => post(submission(challenge, nonces)),
            None => post(submission(&fresh, &random)),
        },
        8 => post(submission(&fresh, &random)).with("origin", "http://evil.example"),
        _ => Ask {
            headers: vec![("content-type", "text/plain".into())],
            ..post(BASE64URL_NOPAD.encode(&random).into_bytes())
        },
    }
}

/// Keeps the stock: challenges are free, two solutions are worked for.
async fn keep(arena: &Arc<Arena>, stock: &Mutex<Stock>) {
    let from = addresses(1)[0];
    let set = |change: &dyn Fn(&mut Stock)| change(&mut stock.lock().unwrap_or_else(PoisonError::into_inner));
    let elsewhere = Destination { host: OTHER_HOST.into(), ..arena.to.clone() };
    loop {
        if let Ok(Some(challenge)) = shop::ask(&mut arena.client(from), "/page/1").await {
            set(&|stock| {
                stock.fresh = Some(challenge);
                stock.old.get_or_insert((challenge, Instant::now()));
            });
            if stock.lock().unwrap_or_else(PoisonError::into_inner).used.is_none()
                && let Some(used) = use_up(arena, from, challenge).await
            {
                set(&|stock| stock.used = Some(used.clone()));
            } else if let Ok(solution) = arena.solver.solve(challenge, arena.scale, 60.0 * SLOWEST_PHONE).await {
                let mut nonces = solution.nonces;
                if let Some(last) = nonces.last_mut() {
                    *last ^= 1;
                }
                set(&|stock| stock.all_but_one = Some((challenge, nonces.clone())));
            }
        }
        // The other site asks for nothing unless a rule does.
        let mut other = crate::client::Client::new(from, elsewhere.clone());
        if let Ok(Some(challenge)) = shop::ask(&mut other, "/members/").await {
            set(&|stock| stock.elsewhere = Some(challenge));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn use_up(arena: &Arc<Arena>, from: Ipv4Addr, challenge: Challenge) -> Option<(Challenge, Vec<u8>)> {
    let solution = arena.solver.solve(challenge, arena.scale, 60.0 * SLOWEST_PHONE).await.ok()?;
    let redeemed = shop::redeem(&mut arena.client(from), "/page/1", &challenge, &solution.nonces).await;
    let buying = match redeemed {
        Ok(Redeemed::Sold(clearance)) => Buying::Bought(clearance),
        _ => Buying::Failed,
    };
    let Buying::Bought(clearance) = buying else { return None };
    spend_all(arena, from, Some(clearance.cookie), clearance.credits, BURSTS).await;
    Some((challenge, solution.nonces))
}
