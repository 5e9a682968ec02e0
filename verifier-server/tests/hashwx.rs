//! The second algorithm at the gate: who may redeem what, and what it buys.
#![allow(clippy::unwrap_used, reason = "tests")]

mod stage;

use puzzle::{
    Algorithm, Audience, DayKeys, Difficulty, Master, NewChallenge, Purpose, Refusal, Shape, encode, guard,
    instance_of, target,
};
use stage::{HOME, MASTER, NOW, Stage};
use std::num::NonZeroU16;

const SITE: &str =
    "mode = \"on\"\n[[site]]\nname = \"main\"\nhosts = [\"main.test\"]\norigin = \"http://127.0.0.1:1\"\n";

/// A challenge with algorithm 2, solved, under a MAC that holds.
fn hashwx_paid() -> (String, String) {
    let keys = DayKeys::derive(&Master(MASTER), NOW.day());
    let challenge = keys.issue(&NewChallenge {
        shape: Shape { algorithm: Algorithm::HashWx, count: 2, difficulty: Difficulty::new(4).unwrap() },
        issued_at: NOW,
        lifetime_seconds: NonZeroU16::new(300).unwrap(),
        purpose: Purpose::Gate,
        standing: true,
        random: [7; 16],
        binding: [0; 8],
        site: keys.site_tag(Audience::Site("main")),
    });
    let most = target(challenge.shape().difficulty);
    let nonce = |index| {
        let instance = instance_of(challenge.bytes(), index, 0);
        (0..1 << 16).find(|nonce| instance.hash(*nonce) <= most).unwrap()
    };
    let mut solution: Vec<u8> = (0..2).flat_map(|index| nonce(index).to_be_bytes()).collect();
    solution.extend(guard(challenge.bytes(), &solution).to_be_bytes());
    (encode(challenge.bytes()).as_str().to_owned(), encode(&solution).as_str().to_owned())
}

#[test]
fn hashwx_is_malformed_where_it_is_not_offered() {
    let stage = Stage::new(SITE);
    let (challenge, solution) = hashwx_paid();
    assert_eq!(stage.submit(&challenge, &solution, HOME, NOW), Err(Refusal::Malformed));
}
