//! The rules that are there without anybody having written them: after all others, so that any other goes first.

use crate::gate::policy::{Action, Conditions, PolicyBuilder, Reserve, Route};

/// What is allowed by itself: for reading, and without a query, which would make one address into many. What comes seldom and
/// must not fail has a slice of its own: whoever renews a certificate, whoever watches whether the site is there.
const ALLOWED: [(&str, Option<Reserve>, &[&str]); 5] = [
    ("robots", None, &["/robots.txt"]),
    ("acme", Some(Reserve::ACME), &["/.well-known/acme-challenge/*"]),
    ("health", Some(Reserve::HEALTH), &["/healthz", "/livez", "/readyz"]),
    ("well-known", None, &["/.well-known/**"]),
    (
        "feeds",
        None,
        &[
            "/feed",
            "/feed/",
            "/feed.xml",
            "/feed.atom",
            "/feed.json",
            "/feeds/*.xml",
            "/rss",
            "/rss/",
            "/rss.xml",
            "/atom.xml",
            "/index.xml",
            "/index.rdf",
        ],
    ),
];

/// Adds them.
pub(super) fn add(policy: &mut PolicyBuilder) {
    for (name, reserve, paths) in ALLOWED {
        let conditions = Conditions {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            methods: vec!["GET".to_owned()],
            without_query: true,
            ..Conditions::default()
        };
        let route = Route { action: Action::Allow, reserve, ..Route::DEFAULT };
        policy.add(Some(name.to_owned()), conditions, route, true).expect("the built-in patterns are patterns");
    }
}
