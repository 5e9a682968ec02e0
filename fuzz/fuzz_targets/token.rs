//! Any bytes as a token: believed only if the MAC holds, which a fuzzer does not find; and what is parsed has one form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use puzzle::{Audience, KeyRing, Master, TOKEN_BYTES_MAX, Token, UnixSeconds};
use std::sync::LazyLock;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
static KEYS: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::new(&Master([1; 32]), None, NOW));

fuzz_target!(|bytes: &[u8]| {
    let Some(token) = Token::parse(bytes) else { return };
    assert!(KEYS.believes_token(&token, NOW, &Audience::Key("main"), UnixSeconds(0)).is_err());
    let Some(keys) = KEYS.signing(token.sold_at) else { return };
    let mut buffer = [0; TOKEN_BYTES_MAX];
    let written = keys.token(token.sold_at, token.site, token.id, &token.texts, &mut buffer).expect("texts that fit");
    let signed = bytes.len() - 16;
    assert_eq!(written[..signed], bytes[..signed]);
});
