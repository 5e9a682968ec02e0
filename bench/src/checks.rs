//! How many submissions a second one core checks: the real gate, by the very function that `POST verify` calls.

use std::hint::black_box;

use anyhow::{Context as _, ensure};
use bench::stand::{CLEARANCE_SECONDS, DIFFICULTY, LONG_AGO, NOW, Stand, Submitted};
use puzzle::{ClientNetwork, Refusal, UnixSeconds};
use sha2::{Digest as _, Sha256};
use verifier_server::config::Config;
use verifier_server::gate::Redeemed;

use crate::clock::thread_cpu;
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

/// Fresh solutions redeemed in a round; as many of each other kind are checked.
const PER_ROUND: u32 = 20_000;
/// Redeemed before anything is measured: nearly every page of the table's memory is then in use, as it is on the second
/// day. The table is a quarter full, and prices rise, only beyond four times what a whole run redeems.
const BEFOREHAND: u32 = 100_000;

/// One kind of submission, and what must come of it.
struct Kind {
    name: &'static str,
    /// Makes one of its kind, out of a good one that has been redeemed.
    spoil: fn(&mut Stand, &Submitted) -> anyhow::Result<Submitted>,
    now: UnixSeconds,
    /// Whether the price has risen since the challenge was issued.
    risen: bool,
    /// Whether each comes from a network of its own, of which nothing is in a cache, instead of one for all.
    spread: bool,
    expected: Result<(), Refusal>,
    aim: Option<f64>,
}

const GOOD: Kind = Kind {
    name: "",
    spoil: |_, good| Ok(good.clone()),
    now: NOW,
    risen: false,
    spread: false,
    expected: Ok(()),
    aim: None,
};
const KINDS: [Kind; 10] = [
    Kind { name: "valid, k = 8", aim: Some(700_000.0), ..GOOD },
    Kind { name: "valid, k = 8, each from a network of its own", spread: true, ..GOOD },
    Kind { name: "valid, sent again", ..GOOD },
    Kind {
        name: "`malformed`: a nonce short",
        spoil: |_, good| Ok(good.shortened()),
        expected: Err(Refusal::Malformed),
        ..GOOD
    },
    Kind {
        name: "`forged`: another MAC",
        spoil: |_, good| Ok(good.forged()),
        expected: Err(Refusal::Forged),
        aim: Some(2_000_000.0),
        ..GOOD
    },
    Kind {
        name: "`expired`",
        spoil: |stand, _| stand.submission(Stand::HOST, LONG_AGO, true),
        expected: Err(Refusal::Expired),
        ..GOOD
    },
    Kind {
        name: "`wrong_site`",
        spoil: |stand, _| stand.submission(Stand::OTHER_HOST, NOW, true),
        expected: Err(Refusal::WrongSite),
        ..GOOD
    },
    Kind {
        name: "`unsolved`: no nonce fits",
        spoil: |stand, _| stand.submission(Stand::HOST, NOW, false),
        expected: Err(Refusal::Unsolved),
        ..GOOD
    },
    Kind {
        name: "`used`: its clearance has expired",
        now: NOW.plus(CLEARANCE_SECONDS),
        expected: Err(Refusal::Used),
        ..GOOD
    },
    Kind {
        name: "`outpriced`",
        spoil: |stand, _| stand.submission(Stand::HOST, NOW, true),
        risen: true,
        expected: Err(Refusal::Outpriced),
        ..GOOD
    },
];
/// The first kinds need solutions that nobody has redeemed yet, in every round.
const FRESH: usize = 2;

/// Measures every kind.
pub(crate) fn measure() -> anyhow::Result<Table> {
    let mut stand = Stand::new(DIFFICULTY)?;
    let beforehand = stand.solved(BEFOREHAND)?;
    redeem_all(&mut stand, &GOOD, &beforehand)?;
    let good = &beforehand[..PER_ROUND as usize];
    let mut batches = Vec::new();
    for kind in &KINDS {
        let batch: Result<Vec<_>, _> = good.iter().map(|good| (kind.spoil)(&mut stand, good)).collect();
        batches.push(batch?);
    }
    let mut yardstick = Sample::default();
    let mut samples: [Sample; KINDS.len()] = Default::default();
    for round in 0..ROUNDS {
        for batch in &mut batches[..FRESH] {
            *batch = stand.solved(PER_ROUND)?;
        }
        yardstick.add(digests());
        for ((kind, batch), sample) in KINDS.iter().zip(&batches).zip(&mut samples) {
            sample.add(redeem_all(&mut stand, kind, batch)?);
        }
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    let mut rows = vec![Row {
        name: "yardstick: `Sha256::digest` of 44 bytes".to_owned(),
        value: yardstick.clone(),
        ratio: Some(yardstick.over(&yardstick)),
        aim: None,
    }];
    rows.extend(KINDS.iter().zip(samples).map(|(kind, value)| Row {
        name: kind.name.to_owned(),
        ratio: Some(yardstick.over(&value)),
        value,
        aim: kind.aim.map(Aim::AtLeast),
    }));
    Ok(Table {
        title: "Checks of solutions, one core".to_owned(),
        method: format!(
            "`Gate::redeem` in one thread, from base64url text to the answer, by that thread's CPU time: {PER_ROUND} of \
             each kind a round, into a table of the default size in which {BEFOREHAND} clearances were bought before; \
             all from one network unless said otherwise. \
             The ratio is how many digests of 44 bytes by the sha2 crate one check is worth."
        ),
        unit: "checks/s",
        ratio: Some("digests a check"),
        rows,
    })
}

/// Redeems all of them; checks a second.
fn redeem_all(stand: &mut Stand, kind: &Kind, batch: &[Submitted]) -> anyhow::Result<f64> {
    let one = ClientNetwork::of(Stand::VISITOR);
    let networks: Vec<_> = batch.iter().map(|_| if kind.spread { stand.next_network() } else { one }).collect();
    let config: &Config = if kind.risen { &stand.dear } else { &stand.config };
    let site = config.site_of(Stand::HOST).context("the site is configured")?;
    let mut others = 0_u32;
    let begun = thread_cpu();
    for ((submitted, network), first) in batch.iter().zip(networks).zip((0..=u8::MAX).cycle()) {
        let result = black_box(stand.gate.redeem(config, site, &submitted.as_submission(network), kind.now, first));
        let bought = result.map(|redeemed| matches!(redeemed, Redeemed::Clearance { .. }));
        others += u32::from(bought != kind.expected.map(|()| true));
    }
    let elapsed = thread_cpu().saturating_sub(begun);
    ensure!(others == 0, "{}: {others} came to another end than {:?}", kind.name, kind.expected);
    Ok(f64::from(u32::try_from(batch.len())?) / elapsed.as_secs_f64())
}

/// Digests of the yardstick a second.
fn digests() -> f64 {
    const DIGESTS: u32 = 1_000_000;
    let mut message = [0x5a; 44];
    let begun = thread_cpu();
    for number in 0..DIGESTS {
        message[40..].copy_from_slice(&number.to_be_bytes());
        black_box(Sha256::digest(black_box(message)));
    }
    f64::from(DIGESTS) / thread_cpu().saturating_sub(begun).as_secs_f64()
}
