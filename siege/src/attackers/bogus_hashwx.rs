//! Bad solutions of `hashwx`: those that cost the verifier most are guarded, new, and wrong only in the last sub-puzzle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use puzzle::{Algorithm, GUARD_BYTES, guard};
use tests::solver::Challenge;

use super::Attacking;
use crate::arena::{Arena, Flood, addresses, page};
use crate::client::Ask;
use crate::scale::Rate;
use crate::shop::{self, submission};

/// Submissions a second. Half of them need a guard, some 4,096 hashes of the attacker's.
const PER_SECOND: u32 = 800;
const NETWORKS: u32 = 50;
/// How often the attacker takes a new challenge and solves all of it but the last sub-puzzle.
const EVERY: Duration = Duration::from_secs(2);

struct Stock {
    challenge: Challenge,
    /// A right solution, its guard left off.
    nonces: Vec<u8>,
    /// One that is wrong in the last sub-puzzle, guarded.
    bad: Vec<u8>,
}

/// Guarded ones that fail in the first sub-puzzle looked at or in the last, the same again, and ones without a guard.
pub fn bogus_hashwx(arena: Arc<Arena>) -> Attacking {
    Box::pin(async move {
        let stock = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&stock);
        let bogus = Flood::from(NETWORKS, PER_SECOND);
        let pages = Flood::from(100, 400);
        tokio::join!(
            arena.flood(&pages, |number| Ask::get(page(number))),
            arena
                .flood(&bogus, move |number| ask(seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref(), number)),
            keep(&arena, &stock),
        );
    })
}

fn ask(stock: Option<&Stock>, number: u64) -> Ask {
    let post = |body: Vec<u8>| Ask::post_json(shop::endpoint("verify", "/page/1"), body);
    let Some(Stock { challenge, nonces, bad }) = stock else { return post(b"{}".to_vec()) };
    post(submission(
        challenge,
        &match number % 4 {
            0 => guarded(challenge, with_last(nonces, number)),
            1 => {
                let random = |index: u64| (number + (index << 40)).to_be_bytes();
                guarded(challenge, (0..u64::from(challenge.count())).flat_map(random).collect())
            }
            2 => bad.clone(),
            _ => [nonces.as_slice(), &[0x5a; GUARD_BYTES]].concat(),
        },
    ))
}

/// These nonces with another one for the last sub-puzzle.
fn with_last(nonces: &[u8], last: u64) -> Vec<u8> {
    [&nonces[..nonces.len().saturating_sub(8)], &last.to_be_bytes()].concat()
}

fn guarded(challenge: &Challenge, mut nonces: Vec<u8>) -> Vec<u8> {
    let guard = guard(&challenge.0, &nonces);
    nonces.extend(guard.to_be_bytes());
    nonces
}

async fn keep(arena: &Arc<Arena>, stock: &Mutex<Option<Stock>>) {
    let from = addresses(1)[0];
    loop {
        if let Ok(Some(challenge)) = shop::ask(&mut arena.client(from), "/page/1", Algorithm::HashWx).await
            && let Ok(solution) = arena.solver.solve(challenge, arena.scale, Rate::phones(60.0)).await
        {
            let mut nonces = solution.nonces;
            nonces.truncate(nonces.len().saturating_sub(GUARD_BYTES));
            let bad = guarded(&challenge, with_last(&nonces, 0x5a5a));
            *stock.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stock { challenge, nonces, bad });
        }
        tokio::time::sleep(EVERY).await;
    }
}
