//! Any text as challenge and solution: redeemed only if the MAC holds, which a fuzzer does not find.
#![no_main]

use libfuzzer_sys::fuzz_target;
use puzzle::{
    Audience, Challenge, Expectations, KeyRing, Master, SOLUTION_BYTES_MAX, Solution, Ticket, UnixSeconds,
    decode, encode,
};
use std::sync::LazyLock;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
static KEYS: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::new(&Master([1; 32]), None, NOW));

fuzz_target!(|texts: (&[u8], &[u8], u8)| {
    let (mut challenge, mut solution) = ([0; 64], [0; SOLUTION_BYTES_MAX]);
    let Some(bytes) = decode(texts.0, &mut challenge) else { return };
    assert_eq!(encode(bytes).as_str().as_bytes(), texts.0, "base64url has one form");
    if let Ok(ticket) = Ticket::parse(bytes) {
        assert!(KEYS.admits(&ticket, NOW, &Audience::Site("main"), None).is_err());
    }
    let Ok(challenge) = Challenge::parse(bytes) else { return };
    let Some(solution) = decode(texts.1, &mut solution) else { return };
    let Ok(solution) = Solution::parse(solution, challenge.shape()) else { return };
    let expected =
        Expectations { now: NOW, audience: &Audience::Site("main"), strict_network: None, table_begins: UnixSeconds(0) };
    assert!(KEYS.authenticate(&challenge, &expected).and_then(|it| it.solved_by(&solution, texts.2)).is_err());
});
