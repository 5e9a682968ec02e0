//! The rules that are there without anybody having written them: after all others, so that any other goes first.

use crate::gate::policy::{Action, Conditions, PolicyBuilder, Route};

/// What is allowed by itself: for reading, and without a query, which would make one address into many.
const ALLOWED: [(&str, &[&str]); 3] = [
    ("robots", &["/robots.txt"]),
    ("well-known", &["/.well-known/**"]),
    (
        "feeds",
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
    for (name, paths) in ALLOWED {
        let conditions = Conditions {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            methods: vec!["GET".to_owned()],
            without_query: true,
            ..Conditions::default()
        };
        let route = Route { action: Action::Allow, ..Route::DEFAULT };
        policy.add(Some(name.to_owned()), conditions, route, true).expect("the built-in patterns are patterns");
    }
}
