//! Any path: what servers may read in more than one way is never cheap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use verifier_server::gate::policy::{Action, Policy, PolicyBuilder, Route};
use verifier_server::gate::target::Target;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let mut builder = PolicyBuilder::default();
    let free = Route { action: Action::Allow, ..Route::DEFAULT };
    builder.add_path("/free/**", free.is_strict()).expect("a pattern");
    builder.add_rule(free);
    builder.build().expect("one rule")
});

fuzz_target!(|path: &str| {
    if POLICY.route(&Target::parse(path)).action == Action::Allow {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        assert!(path.starts_with("/free"), "{path}");
        assert!(!["//", "/../", "/./", "\\", ";"].iter().any(|odd| path.contains(odd)), "{path}");
    }
});
