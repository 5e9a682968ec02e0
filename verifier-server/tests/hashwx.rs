//! The second algorithm at the gate: who gets it, what it buys, and what it does to the price.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod stage;

use puzzle::{
    Algorithm, Challenge, NONCES_PER_INSTANCE, Rate, Refusal, UnixSeconds, encode, guard, instance_of, target,
};
use stage::{HOME, NOW, Stage, network};
use std::path::Path;
use verifier_server::config::Config;
use verifier_server::gate::{Abilities, NoChoice, Redeemed};

const SITE: &str =
    "mode = \"on\"\n[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\norigin = \"http://127.0.0.1:1\"\n";
const OFFERED: &str = "[challenge]\ncount = 8\ndifficulty = 1000\n[challenge.hashwx]\nenabled = true\nrate = 100\n";

const SHA256_ONLY: Abilities = Abilities::Said { sha256: true, hashwx: false };

fn offering() -> Stage {
    Stage::new(&format!("{SITE}{OFFERED}"))
}

/// A solution of a challenge of `hashwx`, each nonce after `first`.
fn solution(challenge: &Challenge, first: u64) -> Vec<u8> {
    let shape = challenge.shape();
    let most = target(shape.difficulty);
    let nonce = |index| {
        let mut nonces = first..u64::MAX;
        let solves = |nonce| instance_of(challenge.bytes(), index, nonce / NONCES_PER_INSTANCE).hash(nonce) <= most;
        nonces.find(|nonce| solves(*nonce)).unwrap()
    };
    guarded(challenge, &(0..shape.count).map(nonce).collect::<Vec<_>>())
}

fn guarded(challenge: &Challenge, nonces: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = nonces.iter().flat_map(|nonce| nonce.to_be_bytes()).collect();
    bytes.extend(guard(challenge.bytes(), &bytes).to_be_bytes());
    bytes
}

fn submit(
    stage: &Stage,
    challenge: &Challenge,
    solution: &[u8],
    from: u8,
    now: UnixSeconds,
) -> Result<Redeemed, Refusal> {
    stage.submit(encode(challenge.bytes()).as_str(), encode(solution).as_str(), from, now)
}

#[test]
fn a_solution_buys_what_its_work_is_worth_at_the_exchange_rate() {
    let stage = offering();
    let challenge = stage.challenge(Algorithm::HashWx, HOME, NOW);
    let shape = challenge.shape();
    // 8,000 attempts of sha256 are 80 of hashwx, on four sub-puzzles.
    assert_eq!((shape.count, shape.difficulty.attempts()), (4, 20));
    let solution = solution(&challenge, 0);
    let redeemed = submit(&stage, &challenge, &solution, HOME, NOW);
    assert!(matches!(redeemed, Ok(Redeemed::Clearance { credits: 100, .. })), "{redeemed:?}");
    let again = submit(&stage, &challenge, &solution, HOME, NOW);
    assert!(matches!(again, Ok(Redeemed::Clearance { credits: 100, solved_in: None, .. })), "{again:?}");
    assert_eq!(stage.gate.table_fill().0, 1, "sent again it is the same clearance");
}

#[test]
fn the_guard_is_looked_at_and_so_is_every_nonce() {
    let stage = offering();
    let challenge = stage.challenge(Algorithm::HashWx, HOME, NOW);
    let good = solution(&challenge, NONCES_PER_INSTANCE - 3);
    assert!(submit(&stage, &challenge, &good, HOME, NOW).is_ok(), "on both sides of the end of a block");

    let challenge = stage.challenge(Algorithm::HashWx, HOME, NOW);
    let good = solution(&challenge, 0);
    let refused = |solution: &[u8]| submit(&stage, &challenge, solution, HOME, NOW).unwrap_err();
    assert_eq!(refused(&good[..32]), Refusal::Malformed);
    let mut unguarded = good.clone();
    *unguarded.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&unguarded), Refusal::Unsolved);
    let nonces: Vec<u64> = good.as_chunks().0[..4].iter().map(|bytes: &[u8; 8]| u64::from_be_bytes(*bytes)).collect();
    for place in 0..4 {
        let mut spoiled = nonces.clone();
        let most = target(challenge.shape().difficulty);
        let instance = instance_of(challenge.bytes(), u8::try_from(place).unwrap(), 0);
        spoiled[place] = (0..1 << 16).find(|nonce| instance.hash(*nonce) > most).unwrap();
        assert_eq!(refused(&guarded(&challenge, &spoiled)), Refusal::Unsolved, "nonce {place}");
    }
}

#[test]
fn hashwx_is_malformed_where_it_is_not_offered_any_more() {
    let mut stage = offering();
    let challenge = stage.challenge(Algorithm::HashWx, HOME, NOW);
    let solution = solution(&challenge, 0);
    stage.configure(&format!("{SITE}[challenge.hashwx]\nenabled = false\n"));
    assert_eq!(submit(&stage, &challenge, &solution, HOME, NOW), Err(Refusal::Malformed));
    assert_eq!(stage.choose(Abilities::PAGE, HOME, NOW), Ok(Algorithm::Sha256));
    assert_eq!(stage.choose(Abilities::of_list("hashwx"), HOME, NOW), Err(NoChoice::NotOffered));
}

#[test]
fn a_rate_that_changes_counts_at_redemption() {
    let mut stage = offering();
    let challenge = stage.challenge(Algorithm::HashWx, HOME, NOW);
    let solution = solution(&challenge, 0);
    stage.configure(&format!("{SITE}{}", OFFERED.replace("rate = 100", "rate = 50")));
    let redeemed = submit(&stage, &challenge, &solution, HOME, NOW);
    assert!(matches!(redeemed, Ok(Redeemed::Clearance { credits: 50, .. })), "{redeemed:?}");
}

#[test]
fn who_can_do_both_gets_hashwx_and_who_says_nothing_gets_sha256() {
    let stage = offering();
    assert_eq!(stage.choose(Abilities::PAGE, HOME, NOW), Ok(Algorithm::HashWx));
    assert_eq!(stage.choose(Abilities::Unsaid, HOME, NOW), Ok(Algorithm::Sha256));
    assert_eq!(stage.choose(SHA256_ONLY, HOME, NOW), Ok(Algorithm::Sha256));
    assert_eq!(stage.choose(Abilities::of_list("blake3"), HOME, NOW), Err(NoChoice::NotOffered));
}

#[test]
fn from_twenty_ceilings_on_who_can_only_do_sha256_is_outpriced() {
    // A floor of ten ceilings of sha256, and a rate at which that is soon solved.
    let dear = "[challenge]\ncount = 8\ndifficulty = 849000\nmax_solve_seconds = 1\n\
                [challenge.hashwx]\nenabled = true\nrate = 20000\n";
    let stage = Stage::new(&format!("{SITE}{dear}"));
    assert_eq!(stage.choose(SHA256_ONLY, HOME, NOW), Ok(Algorithm::Sha256), "ten ceilings are within twenty");
    // Its network buys, and so pays more: √n times the price.
    for _ in 0..4 {
        let challenge = stage.challenge(Algorithm::HashWx, HOME, NOW);
        assert!(submit(&stage, &challenge, &solution(&challenge, 0), HOME, NOW).is_ok());
    }
    assert_eq!(stage.choose(SHA256_ONLY, HOME, NOW), Err(NoChoice::Outpriced));
    assert_eq!(stage.choose(Abilities::Unsaid, HOME, NOW), Ok(Algorithm::HashWx), "who has not said gets what is sold");
    assert_eq!(stage.choose(SHA256_ONLY, network(7), NOW), Ok(Algorithm::Sha256), "other networks do not pay for it");
    let challenge = stage.challenge(Algorithm::HashWx, HOME, NOW);
    let redeemed = submit(&stage, &challenge, &solution(&challenge, 0), HOME, NOW);
    assert!(matches!(redeemed, Ok(Redeemed::Clearance { credits: 100, .. })), "full credits: {redeemed:?}");
}

#[test]
fn a_rate_that_prices_have_no_room_for_is_an_error_with_its_remedy() {
    let text = format!("{SITE}[challenge]\nmax_solve_seconds = 240\n[challenge.hashwx]\nenabled = true\nrate = 100\n");
    let problems = Config::parse(&text, Path::new("test.toml")).unwrap_err().to_string();
    assert!(problems.contains("test.toml:10") && problems.contains("write rate = 99 or less"), "{problems}");
}

#[test]
fn the_price_may_rise_to_what_a_phone_does_of_hashwx() {
    let terms = |hashwx: &str| {
        let text = format!("{SITE}[challenge]\n{hashwx}");
        Config::parse(&text, Path::new("test.toml")).map_err(|problems| problems.to_string()).unwrap().challenge
    };
    let off = terms("[challenge.hashwx]\nenabled = false\n");
    assert_eq!((off.highest_price(), off.most_due()), (101_943_720, 203_887_440));
    let on = terms("");
    assert_eq!(on.ceiling(), 10_194_372, "the other one's ceiling stays");
    assert_eq!((on.highest_price(), on.most_due()), (538_857_621, 538_857_621));
    let cheap = terms("[challenge.hashwx]\nrate = 10\n");
    assert_eq!((cheap.highest_price(), cheap.most_due()), (101_943_720, 203_887_440));
    let patient = terms("max_solve_seconds = 240\n");
    assert_eq!(
        patient.hashwx.unwrap().rate,
        Rate::new(99).unwrap(),
        "the default rate is as high as prices have room for"
    );
}
