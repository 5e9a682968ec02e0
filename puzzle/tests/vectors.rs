//! Holds the crate to `docs/vectors.json`, which another implementation made.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its vectors has failed")]

use puzzle::{
    Algorithm, Audience, Challenge, ClearanceId, ClientNetwork, Credits, Difficulty, Expectations, KeyRing, Master,
    Multiplier, Rate, Refusal, Solution, Solved, TOKEN_BYTES_MAX, Ticket, TicketRefusal, Token, TokenRefusal,
    TokenTexts, UnixSeconds, decode, encode, guard, instance_of, price, seed_of, target,
};
use serde_json::Value;
use std::collections::HashMap;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'v>(vectors: &'v Value, name: &str) -> &'v [Value] {
    vectors[name].as_array().unwrap()
}

fn text<'v>(vector: &'v Value, field: &str) -> &'v str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} of {}", vector["name"]))
}

fn number(vector: &Value, field: &str) -> u64 {
    vector[field].as_u64().unwrap_or_else(|| panic!("{field} of {}", vector["name"]))
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// Redeems a vector as `verify` does, with the challenge's bytes changed by `alter`.
fn redeem(vector: &Value, alter: impl Fn(&mut [u8])) -> Result<Solved, Refusal> {
    let mut challenge_buffer = [0; 64];
    let len = decode(text(vector, "challenge").as_bytes(), &mut challenge_buffer).ok_or(Refusal::Malformed)?.len();
    alter(&mut challenge_buffer[..len]);
    let challenge = Challenge::parse(&challenge_buffer[..len])?;
    let mut solution_buffer = [0; puzzle::SOLUTION_BYTES_MAX];
    let bytes = decode(text(vector, "solution").as_bytes(), &mut solution_buffer).ok_or(Refusal::Malformed)?;
    let solution = Solution::parse(bytes, challenge.shape())?;

    let now = UnixSeconds(number(vector, "now").try_into().unwrap());
    let keys = keys(vector, now);
    let audience = match vector["site_text"].as_str().and_then(|text| text.strip_prefix("key:")) {
        Some(key) => Audience::Key(key),
        None => Audience::Site(text(vector, "site")),
    };
    let expected = Expectations {
        now,
        audience: &audience,
        strict_network: vector["network"].as_str().map(network),
        table_begins: UnixSeconds(number(vector, "table_begins").try_into().unwrap()),
    };
    keys.authenticate(&challenge, &expected)?.solved_by(&solution, 3)
}

/// The keys of the vector's masters.
fn keys(vector: &Value, now: UnixSeconds) -> KeyRing {
    let masters: Vec<Master> = list(vector, "masters")
        .iter()
        .map(|master| Master(unhex(master.as_str().unwrap()).try_into().unwrap()))
        .collect();
    KeyRing::new(&masters[0], masters.get(1), now)
}

fn network(prefix: &str) -> ClientNetwork {
    ClientNetwork::of(prefix.split('/').next().unwrap().parse().unwrap())
}

#[test]
fn every_passing_vector_is_redeemed() {
    let vectors = vectors();
    let passing = list(&vectors, "pass");
    assert!(passing.len() >= 19);
    for vector in passing {
        let solved = redeem(vector, |_| ()).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", vector["name"]));
        let challenge = solved.challenge();
        let fields = &vector["fields"];
        let shape = challenge.shape();
        assert_eq!(u64::from(shape.algorithm.wire()), number(fields, "algorithm"));
        assert_eq!(u64::from(challenge.bytes()[2]), number(fields, "key_id"));
        assert_eq!(u64::from(shape.count), number(fields, "count"));
        assert_eq!(u64::from(shape.difficulty.attempts()), number(fields, "difficulty"));
        assert_eq!(u64::from(challenge.issued_at().0), number(fields, "issued_at"));
        assert_eq!(u64::from(challenge.standing()), number(fields, "flags"));
        assert_eq!(seed_of(challenge.bytes()).to_vec(), unhex(text(vector, "seed")));
        if shape.algorithm == Algorithm::HashWx {
            programs(vector, challenge);
        }
        assert_eq!(target(shape.difficulty).to_be_bytes().to_vec(), unhex(text(vector, "target")));
        assert_eq!(encode(challenge.bytes()).as_str(), text(vector, "challenge"));
    }
}

/// What stands between the nonces of `hashwx` and its verdict.
fn programs(vector: &Value, challenge: &Challenge) {
    let nonces: Vec<u64> =
        list(vector, "nonces").iter().map(|nonce| u64::from_str_radix(nonce.as_str().unwrap(), 16).unwrap()).collect();
    for (index, (nonce, hash)) in (0..).zip(nonces.iter().zip(list(vector, "hashes"))) {
        let instance = instance_of(challenge.bytes(), index, nonce / puzzle::NONCES_PER_INSTANCE);
        assert_eq!(format!("{:016x}", instance.hash(*nonce)), hash.as_str().unwrap(), "{}", vector["name"]);
    }
    let nonces: Vec<u8> = nonces.iter().flat_map(|nonce| nonce.to_be_bytes()).collect();
    assert_eq!(format!("{:016x}", guard(challenge.bytes(), &nonces)), text(vector, "guard"), "{}", vector["name"]);
}

#[test]
fn every_failing_vector_is_refused_with_its_code() {
    let vectors = vectors();
    let passing: HashMap<&str, &Value> = list(&vectors, "pass").iter().map(|v| (text(v, "name"), v)).collect();
    let mut checked = 0;
    for vector in list(&vectors, "fail") {
        if let Some(original) = vector["flip_bits_of"].as_str() {
            let codes = text(vector, "codes").as_bytes();
            assert_eq!(codes.len(), 512);
            for (bit, code) in codes.iter().enumerate() {
                let refusal = redeem(passing[original], |bytes| bytes[bit / 8] ^= 0x80 >> (bit % 8)).unwrap_err();
                let expected = if *code == b'm' { Refusal::Malformed } else { Refusal::Forged };
                assert_eq!(refusal, expected, "{}: bit {bit}", vector["name"]);
            }
            checked += 512;
        } else {
            let refusal = redeem(vector, |_| ()).expect_err(text(vector, "name"));
            assert_eq!(refusal.code(), text(vector, "code"), "{}", vector["name"]);
            checked += 1;
        }
    }
    assert!(checked >= 552, "{checked}");
}

#[test]
fn every_ticket_is_worth_what_its_vector_says() {
    let vectors = vectors();
    let mut checked = 0;
    for vector in list(&vectors, "tickets") {
        let now = UnixSeconds(number(vector, "now").try_into().unwrap());
        let mut buffer = [0; 64];
        let bytes = decode(text(vector, "ticket").as_bytes(), &mut buffer).ok_or(Refusal::Malformed);
        let keys = keys(vector, now);
        let verdict = bytes.and_then(Ticket::parse).map_err(TicketRefusal::Refused).and_then(|ticket| {
            keys.admits(&ticket, now, &Audience::Site(text(vector, "site")), vector["network"].as_str().map(network))
        });
        let found = match verdict {
            Ok(()) => "good",
            Err(TicketRefusal::Early { .. }) => "early",
            Err(TicketRefusal::Refused(refusal)) => refusal.code(),
        };
        assert_eq!(found, text(vector, "verdict"), "{}", vector["name"]);
        checked += 1;
    }
    assert!(checked >= 25, "{checked}");
}

/// What `siteverify` finds of a token that was not used, with its bytes changed by `alter`.
fn token_verdict(vector: &Value, alter: impl Fn(&mut [u8])) -> &'static str {
    let now = UnixSeconds(number(vector, "now").try_into().unwrap());
    let mut buffer = [0; TOKEN_BYTES_MAX];
    let Some(bytes) = decode(text(vector, "token").as_bytes(), &mut buffer) else { return "invalid-input-response" };
    let mut bytes = bytes.to_vec();
    alter(&mut bytes);
    let Some(token) = Token::parse(&bytes) else { return "invalid-input-response" };
    let table_begins = UnixSeconds(number(vector, "table_begins").try_into().unwrap());
    match keys(vector, now).believes_token(&token, now, &Audience::Key(text(vector, "key")), table_begins) {
        Ok(()) => "good",
        Err(TokenRefusal::Forged | TokenRefusal::WrongKey) => "invalid-input-response",
        Err(TokenRefusal::Expired) => "timeout-or-duplicate",
    }
}

#[test]
fn every_token_is_worth_what_its_vector_says() {
    let vectors = vectors();
    let by_name: HashMap<&str, &Value> = list(&vectors, "tokens").iter().map(|v| (text(v, "name"), v)).collect();
    let (mut good, mut bad) = (0, 0);
    for vector in list(&vectors, "tokens") {
        if let Some(original) = vector["flip_bits_of"].as_str() {
            let original = by_name[original];
            let bits = text(original, "token").len() * 6 / 8 * 8;
            for bit in 0..bits {
                let found = token_verdict(original, |bytes| bytes[bit / 8] ^= 0x80 >> (bit % 8));
                assert_eq!(found, text(vector, "verdict"), "{}: bit {bit}", vector["name"]);
            }
            bad += bits;
            continue;
        }
        let found = token_verdict(vector, |_| ());
        assert_eq!(found, text(vector, "verdict"), "{}", vector["name"]);
        if found != "good" {
            bad += 1;
            continue;
        }
        good += 1;
        written(vector);
    }
    assert!(good >= 10 && bad >= 500, "{good} good, {bad} bad");
}

/// A good token is what would be written from its fields.
fn written(vector: &Value) {
    let fields = &vector["fields"];
    let sold_at = UnixSeconds(number(fields, "sold_at").try_into().unwrap());
    let ring = keys(vector, sold_at);
    let id = ClearanceId(unhex(text(fields, "id")).try_into().unwrap());
    let texts = TokenTexts { host: text(fields, "host"), action: text(fields, "action"), cdata: text(fields, "cdata") };
    let written = ring.of_day(sold_at.day()).any(|keys| {
        let tag = keys.site_tag(Audience::Key(text(vector, "key")));
        let mut buffer = [0; TOKEN_BYTES_MAX];
        let bytes = keys.token(sold_at, tag, id, &texts, &mut buffer).unwrap();
        decode(text(vector, "token").as_bytes(), &mut [0; TOKEN_BYTES_MAX]) == Some(bytes)
    });
    assert!(written, "{}", vector["name"]);
}

#[test]
fn the_arithmetic_is_that_of_the_vectors() {
    for vector in list(&vectors(), "arithmetic") {
        let name = text(vector, "name");
        let amount = |field| Credits::hundredths(u32::try_from(number(vector, field)).unwrap());
        match text(vector, "kind") {
            "target" => assert_eq!(
                target(Difficulty::new(number(vector, "difficulty").try_into().unwrap()).unwrap()),
                u64::from_str_radix(text(vector, "target"), 16).unwrap(),
                "{name}"
            ),
            "full_credits" => {
                let credits = Credits::whole(number(vector, "clearance_credits").try_into().unwrap());
                let verifiers = u32::try_from(number(vector, "verifiers")).unwrap().try_into().unwrap();
                assert_eq!(credits.part(verifiers), amount("full_credits_hundredths"), "{name}");
            }
            "ceiling" => {
                let algorithm = Algorithm::of_name(text(vector, "algorithm")).unwrap();
                let slowest = algorithm.slowest_attempts_per_second();
                assert_eq!(number(vector, "slowest_attempts_per_second"), u64::from(slowest));
                let seconds = number(vector, "max_solve_seconds").try_into().unwrap();
                let count = number(vector, "count").try_into().unwrap();
                let ours = price::ceiling(algorithm, rate(vector), seconds, count);
                let theirs = number(vector, "ceiling");
                assert!(ours.abs_diff(theirs) * 10_000 <= theirs, "{name}: {ours} against {theirs}");
            }
            "asked" => asked(vector, name),
            "credits" => credits(vector, name),
            "table" => {
                let used = usize::try_from(number(vector, "used")).unwrap();
                let size = usize::try_from(number(vector, "size")).unwrap();
                let ours = price::table_price(number(vector, "floor"), used, size);
                let theirs = number(vector, "least_due");
                assert!(ours.abs_diff(theirs) * 1_000 <= theirs * 4, "{name}: {ours} against {theirs}");
            }
            "reserve" => {
                assert_eq!(price::reserve(amount("begun_hundredths")), amount("reserve_hundredths"), "{name}");
            }
            "charge" => {
                let (now, paid) = (number(vector, "price_now"), number(vector, "price_paid"));
                let ours = if vector["asset"].as_bool().unwrap() {
                    price::asset_charge(now, paid, vector["after_navigation"].as_bool().unwrap())
                } else {
                    let cost = price::counted_cost(amount("cost_hundredths"), amount("begun_hundredths"));
                    price::charge(cost, now, paid)
                };
                assert_eq!(ours, amount("charge_hundredths"), "{name}");
            }
            "network" => {
                let network = ClientNetwork::of(text(vector, "address").parse().unwrap());
                assert_eq!(network.to_string(), text(vector, "network"), "{name}");
            }
            // What a clearance admits is the verifier's own: its tests read these.
            "admits" => {}
            kind => panic!("no test knows the kind {kind}"),
        }
    }
}

fn asked(vector: &Value, name: &str) {
    let difficulty = price::asked(
        number(vector, "price"),
        multiplier(vector),
        number(vector, "ceiling"),
        rate(vector),
        number(vector, "count").try_into().unwrap(),
    );
    assert_eq!(u64::from(difficulty.attempts()), number(vector, "difficulty"), "{name}");
}

fn credits(vector: &Value, name: &str) {
    let sale = price::Sale {
        full: Credits::hundredths(number(vector, "full_credits_hundredths").try_into().unwrap()),
        price: number(vector, "price"),
        multiplier: multiplier(vector),
        most_due: (20 * number(vector, "ceiling")).max(vector["hashwx_ceiling"].as_u64().unwrap_or_default()),
        table_price: 0,
        tenth_at_least: false,
    };
    let (work, standing) = (number(vector, "work"), vector["standing"].as_bool().unwrap());
    let (whole, hundredths) = text(vector, "due").split_once('.').unwrap();
    let due = whole.parse::<u128>().unwrap() * 100 + hundredths.parse::<u128>().unwrap();
    assert_eq!(sale.due_hundredths(work, standing), due, "{name}");
    let bought = sale.buy(work, standing);
    match vector["bought_hundredths"].as_u64() {
        Some(hundredths) => {
            let bought = bought.unwrap_or_else(|| panic!("{name} is outpriced"));
            assert_eq!(u64::from(bought.credits.in_hundredths()), hundredths, "{name}");
            assert_eq!(bought.price_paid, number(vector, "price_paid"), "{name}");
        }
        None => assert_eq!(bought, None, "{name}"),
    }
}

fn rate(vector: &Value) -> Rate {
    Rate::new(number(vector, "rate").try_into().unwrap()).unwrap()
}

fn multiplier(vector: &Value) -> Multiplier {
    let text = text(vector, "multiplier").replace('.', "");
    Multiplier::hundredths(text.parse().unwrap())
}
