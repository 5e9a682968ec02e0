//! What the verifier does for a solution of `hashwx`.

use std::hint::black_box;
use std::num::NonZeroU16;

use anyhow::ensure;
use puzzle::{
    Algorithm, Audience, Authentic, Challenge, Difficulty, Expectations, KeyRing, Master, NewChallenge, Paid, Purpose,
    Shape, Solution, UnixSeconds, guard,
};

use crate::clock::thread_cpu;
use crate::sample::{ROUNDS, Sample};
use crate::table::{Aim, Row, Table};

/// Solutions in a round, each of another challenge.
const SOLUTIONS: u32 = 1_000;
const COUNT: u8 = 4;
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// Microseconds for each sub-puzzle of a good solution, and for what is refused by its guard.
pub(crate) fn measure() -> anyhow::Result<Table> {
    let keys = KeyRing::new(&Master([7; 32]), None, NOW);
    let mut number = 0;
    let (mut good, mut bogus) = (Sample::default(), Sample::default());
    for round in 0..ROUNDS {
        let mut solutions = Vec::new();
        for _ in 0..SOLUTIONS {
            number += 1;
            let challenge = challenge(&keys, number)?;
            // At difficulty 1 every nonce solves.
            let mut bytes: Vec<u8> = (0..u64::from(COUNT)).flat_map(u64::to_be_bytes).collect();
            bytes.extend(guard(challenge.bytes(), &bytes).to_be_bytes());
            solutions.push((challenge, bytes));
        }
        let begun = thread_cpu();
        for (challenge, bytes) in &solutions {
            let paid = authentic(&keys, challenge)?.paid_by(&Solution::parse(bytes, challenge.shape())?, 1)?;
            let Paid::Guarded(guarded) = paid else { anyhow::bail!("hashwx has a guard") };
            black_box(guarded.solved(1)?);
        }
        let spent = thread_cpu().saturating_sub(begun).as_secs_f64();
        good.add(spent * 1e6 / f64::from(SOLUTIONS) / f64::from(COUNT));

        let begun = thread_cpu();
        let mut refused = 0;
        for (challenge, _) in &solutions {
            let bytes = [0x5a; 8 * COUNT as usize + 8];
            let paid = authentic(&keys, challenge)?.paid_by(&Solution::parse(&bytes, challenge.shape())?, 1);
            refused += u32::from(black_box(paid).is_err());
        }
        bogus.add(thread_cpu().saturating_sub(begun).as_secs_f64() * 1e6 / f64::from(SOLUTIONS));
        ensure!(refused > SOLUTIONS / 2, "most have no guard: {refused}");
        eprintln!("    round {} of {ROUNDS}", round + 1);
    }
    let row = |name: &str, value, aim| Row { name: name.to_owned(), value, ratio: None, aim };
    Ok(Table {
        title: "hashwx: checks of solutions, one core".to_owned(),
        method: format!(
            "From the bytes of challenge and solution to the verdict, by the thread's CPU time, MAC included: {SOLUTIONS} a \
             round, each of another challenge, {COUNT} sub-puzzles each."
        ),
        unit: "µs",
        ratio: None,
        rows: vec![
            row("good, for each sub-puzzle", good, Some(Aim::AtMost(30.0))),
            row("refused by its guard, all of it", bogus, None),
        ],
    })
}

fn authentic<'k>(keys: &'k KeyRing, challenge: &Challenge) -> anyhow::Result<Authentic<'k>> {
    let audience = Audience::Site("main");
    let expected = Expectations { now: NOW, audience: &audience, strict_network: None, table_begins: NOW };
    Ok(keys.authenticate(challenge, &expected)?)
}

fn challenge(keys: &KeyRing, number: u128) -> anyhow::Result<Challenge> {
    let Some(day) = keys.signing(NOW) else { anyhow::bail!("the keys of the day are there") };
    Ok(day.issue(&NewChallenge {
        shape: Shape { algorithm: Algorithm::HashWx, count: COUNT, difficulty: Difficulty::MIN },
        issued_at: NOW,
        lifetime_seconds: NonZeroU16::MAX,
        purpose: Purpose::Gate,
        standing: false,
        random: number.to_be_bytes(),
        binding: [0; 8],
        site: day.site_tag(Audience::Site("main")),
    }))
}
