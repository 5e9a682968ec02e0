//! Whatever a stranger or a tired operator writes: no parser panics, and nothing odd is taken for good.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use puzzle::{Challenge, Solution, Ticket, decode, encode};
use std::path::Path;
use verifier_server::config::Config;
use verifier_server::gate::policy::{Action, Policy, PolicyBuilder, Route, Subject};
use verifier_server::gate::target::Target;

fn policy() -> Policy {
    let mut builder = PolicyBuilder::default();
    for (path, route) in [
        ("/static/**", Route { asset: true, ..Route::DEFAULT }),
        ("/free/**", Route { action: Action::Allow, ..Route::DEFAULT }),
        ("/admin/**", Route { action: Action::Deny, ..Route::DEFAULT }),
    ] {
        builder.add_for_paths(&[path], route).unwrap();
    }
    builder.build().unwrap()
}

fn route(policy: &Policy, target: &str) -> Route {
    policy.route(&Subject {
        target: &Target::parse(target),
        has_query: false,
        host: "example.org",
        address: [203, 0, 113, 7].into(),
        crawler: None,
        method: Some("GET"),
        headers: None,
    })
}

/// Pieces that paths are misspelled with.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/", "//", "admin", "static", "free", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "\\", ";x", "%3b", "%00",
        "%61", "%25", "a", "?", "#", "é", "%c3%a9", "%ff", " ", "%20", "*", ":", "@",
    ])
}

proptest! {
    #[test]
    fn a_target_is_plain_only_if_every_reading_is_the_same(pieces in prop::collection::vec(piece(), 0..12)) {
        let path = format!("/{}", pieces.concat());
        let policy = policy();
        let route = route(&policy, &path);
        let cheap = route.action == Action::Allow || route.asset;
        if cheap {
            let plain = path.split(['?', '#']).next().unwrap_or_default();
            prop_assert!(plain.starts_with("/static") || plain.starts_with("/free"), "{path}");
            for odd in ["//", "/./", "/../", "%2f", "%2e", "%2E", "%5c", "\\", ";", "%00", "%25", "%3b"] {
                prop_assert!(!plain.contains(odd), "{path} is cheap with {odd}");
            }
        }
    }

    #[test]
    fn any_text_is_a_target(text in ".{0,64}") {
        prop_assert!(route(&policy(), &text).cost > puzzle::Credits::ZERO);
    }

    #[test]
    fn any_bytes_are_a_challenge_or_malformed(bytes in prop::collection::vec(any::<u8>(), 0..80), solution in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(challenge) = Challenge::parse(&bytes) {
            prop_assert_eq!(challenge.bytes().as_slice(), bytes.as_slice());
            let fits = Solution::parse(&solution, challenge.shape()).is_ok();
            prop_assert_eq!(fits, solution.len() == usize::from(challenge.shape().count) * 8);
        }
    }

    #[test]
    fn any_bytes_are_a_ticket_or_malformed_and_never_a_challenge_too(
        mut bytes in prop::collection::vec(any::<u8>(), 0..80),
        well_formed in any::<bool>(),
    ) {
        if well_formed && bytes.len() >= 16 {
            bytes.resize(64, 7);
            (bytes[0], bytes[1], bytes[3], bytes[14], bytes[15]) = (1, 1, 1, 2, 0);
        }
        if let Ok(ticket) = Ticket::parse(&bytes) {
            prop_assert_eq!(ticket.bytes().as_slice(), bytes.as_slice());
            prop_assert!(Challenge::parse(&bytes).is_err());
        }
    }

    #[test]
    fn base64url_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..512), text in "[A-Za-z0-9_=+/ -]{0,90}") {
        let encoded = encode(&bytes);
        let mut buffer = [0; 512];
        prop_assert_eq!(decode(encoded.as_str().as_bytes(), &mut buffer), Some(bytes.as_slice()));
        if let Some(decoded) = decode(text.as_bytes(), &mut buffer) {
            let again = encode(decoded);
            prop_assert_eq!(again.as_str(), text);
        }
    }

    #[test]
    fn any_text_is_a_configuration_or_an_error(text in "(?s).{0,200}") {
        let _ = Config::parse(&text, Path::new("x.toml"));
    }

    #[test]
    fn any_value_of_any_key_is_taken_or_told(key in prop::sample::select(vec!["listen", "admin", "mode", "table_mib", "base_path", "verifiers", "trusted_proxies", "beside", "[challenge]\ncount", "[challenge]\ndifficulty", "[clearance]\ncredits", "[limits]\nmax_connections", "[[rule]]\ncost", "[[rule]]\npath", "[[rule]]\nmin_price", "[[rule]]\naction = \"allow\"\nreserve_per_second", "[ticket]\nwait_seconds", "[[site]]\nhosts"]), value in prop::sample::select(vec!["1", "-1", "0", "1.5", "1e400", "nan", "\"\"", "\"x\"", "[]", "[1]", "{}", "true", "99999999999999999999", "1979-05-27", "\"{\"", "0x10", "\"/**\"", "\"[\""])) {
        let text = format!("{key} = {value}\n[[site]]\norigin = \"http://h\"\n");
        if let Err(problems) = Config::parse(&text, Path::new("x.toml")) {
            prop_assert!(problems.count() > 0 && problems.to_string().contains("x.toml:"));
        }
    }
}
