//! Any path: what servers may read in more than one way is never cheap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use verifier_server::gate::policy::{Action, Policy, PolicyBuilder, Route, Subject};
use verifier_server::gate::target::Target;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let mut builder = PolicyBuilder::default();
    let free = Route { action: Action::Allow, ..Route::DEFAULT };
    builder.add_for_paths(&["/free/**"], free).expect("a pattern");
    builder.build().expect("one rule")
});

fuzz_target!(|path: &str| {
    let subject = Subject {
        target: &Target::parse(path),
        has_query: false,
        host: "example.org",
        address: [203, 0, 113, 7].into(),
        crawler: None,
        method: Some("GET"),
        headers: None,
    };
    if POLICY.route(&subject).action == Action::Allow {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        assert!(path.starts_with("/free"), "{path}");
        assert!(!["//", "/../", "/./", "\\", ";"].iter().any(|odd| path.contains(odd)), "{path}");
    }
});
