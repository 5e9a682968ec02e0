//! Does one thing on the way of a request so many times, for `tests/instructions.rs` to count what it takes.
//!
//! Usage: counted KIND TIMES

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bench::stand::{NOW, Stand, Submitted};
use puzzle::{ClearanceId, ClientNetwork, Credits};
use verifier_server::config::Config;
use verifier_server::gate::admission::{Admission, Class, OPEN_SLOTS_MIN, Request, Token};
use verifier_server::gate::networks::{HashKey, Nested};
use verifier_server::gate::policy::Subject;
use verifier_server::gate::target::Target;
use verifier_server::gate::{Decision, Redeemed, RequestFacts, Submission};
use verifier_server::load::Amount;

/// Every nonce solves: solving is not what is counted.
const DIFFICULTY: u32 = 1;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().context("what is to be done?")?;
    let times = arguments.next().context("how often?")?.parse()?;
    match kind.as_str() {
        "issue" => {
            black_box(stand()?.solved(times)?);
        }
        "redeem" => {
            let mut stand = stand()?;
            let solved = stand.solved(times)?;
            ensure!(redeemed(&stand, &solved).len() == solved.len(), "each of them is good");
        }
        "refuse" => {
            let mut stand = stand()?;
            let forged: Vec<_> = stand.solved(times)?.iter().map(Submitted::forged).collect();
            ensure!(redeemed(&stand, &forged).is_empty(), "none of them is good");
        }
        "admit" => admit(&mut stand()?, times)?,
        "queue" => queue(times)?,
        _ => bail!("issue, redeem, refuse, admit or queue?"),
    }
    Ok(())
}

/// A gate that is down. What it takes to set up differs from run to run: its keys are random.
fn stand() -> anyhow::Result<Stand> {
    Stand::new(DIFFICULTY)
}

/// The clearances that the submissions buy.
fn redeemed(stand: &Stand, submitted: &[Submitted]) -> Vec<ClearanceId> {
    let network = ClientNetwork::of(Stand::VISITOR);
    submitted.iter().filter_map(|submitted| redeem(stand, &stand.config, &submitted.as_submission(network))).collect()
}

fn redeem(stand: &Stand, config: &Config, submission: &Submission<'_>) -> Option<ClearanceId> {
    let site = config.site_of(Stand::HOST)?;
    match stand.gate.redeem(config, site, submission, NOW, 0) {
        Ok(Redeemed::Clearance { id, .. }) => Some(id),
        Ok(Redeemed::NotNeeded | Redeemed::Token { .. }) | Err(_) => None,
    }
}

/// Page views, each charged to the clearance in its cookie.
fn admit(stand: &mut Stand, times: u32) -> anyhow::Result<()> {
    let config = Config::parse(
        &format!(
            "mode = \"on\"\n[[site]]\nname = \"main\"\nhosts = [\"{}\"]\norigin = \"http://127.0.0.1:1\"\ncapacity_per_second = 1000\n[challenge]\ncount = 8\ndifficulty = {DIFFICULTY}\n[clearance]\ncredits = 1000000\n[[rule]]\npath = \"/static/**\"\nasset = true\n",
            Stand::HOST
        ),
        Path::new("counted.toml"),
    )?;
    // With a capacity every network has a share of it that has to be looked up.
    stand.gate.begin(&config);
    let network = ClientNetwork::of(Stand::VISITOR);
    let submitted = stand.submission(Stand::HOST, NOW, true)?;
    let id = redeem(stand, &config, &submitted.as_submission(network)).context("a good solution")?;
    let site = config.site_of(Stand::HOST).context("the site is configured")?;
    for _ in 0..times {
        let target = Target::parse("/articles/2026/a-page?from=front");
        let clearances = [id];
        let subject = Subject {
            target: &target,
            has_query: true,
            host: Stand::HOST,
            address: Stand::VISITOR,
            crawler: None,
            method: Some("GET"),
            headers: None,
        };
        let facts = RequestFacts {
            site,
            route: config.policy.route(&subject),
            key: None,
            network,
            tickets: &[],
            clearances: &clearances,
            safe_method: true,
            navigation: true,
            preflight: false,
            repeat: None,
        };
        ensure!(black_box(stand.gate.meet(&config, &facts, NOW)).decision == Decision::Paid, "it can pay");
    }
    Ok(())
}

/// Nobody waits.
struct NobodyWaits;

impl Token for NobodyWaits {
    fn is_gone(&self) -> bool {
        false
    }
}

/// Requests through the queue of an origin that has room, in and out: what it costs where there is no overload.
fn queue(times: u32) -> anyhow::Result<()> {
    let mut admission = Admission::<NobodyWaits>::new(OPEN_SLOTS_MIN, HashKey([1; 16]));
    let mut turns = Vec::new();
    for number in 0..times {
        let [_, high, middle, low] = number.to_be_bytes();
        let request = Request {
            class: Class::Free,
            network: Nested::of(ClientNetwork::of([20 + high, middle, low, 1].into())),
            shares: [1; 3],
            clearance: ClearanceId([0; 16]),
            cost: Amount::of(Credits::ONE),
            part: false,
        };
        let now = Duration::from_millis(u64::from(number));
        ensure!(black_box(admission.take_free_slot(&request, now)), "there is room");
        admission.release(now, &mut turns);
    }
    Ok(())
}
