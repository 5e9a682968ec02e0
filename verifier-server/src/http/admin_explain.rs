//! `GET /explain`: what would become of a request now.

use super::learning;
use super::service::Verifier;
use crate::clock;
use crate::explain::{Asked, asked};
use crate::gate::policy::{Route, Subject};
use hyper::StatusCode;
use serde_json::{Value, json};

/// The answer to `?url=…&from=…&method=…&header=…`; a header may be there more than once.
pub(super) fn answer(verifier: &Verifier, query: &str) -> (StatusCode, Value) {
    let mut question =
        Asked { url: String::new(), from: [127, 0, 0, 1].into(), method: "GET".to_owned(), headers: Vec::new() };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "url" => question.url = value.into_owned(),
            "method" => question.method = value.into_owned(),
            "header" => question.headers.push(value.into_owned()),
            "from" => match value.parse() {
                Ok(address) => question.from = address,
                Err(_) => return (StatusCode::BAD_REQUEST, json!({ "error": "`from` is no address" })),
            },
            _ => {}
        }
    }
    let config = verifier.config.load();
    let now = clock::now();
    let learned = |site: &crate::config::Site, target: &str, subject: &Subject<'_>, route: &Route| {
        config.learned_assets
            && learning::may_be_asset(subject, route)
            && verifier.learned.knows(site.mark, target, now)
    };
    let crawler = verifier.crawlers.addresses.name_of(question.from, now);
    match asked(&verifier.gate, &config, (&question, crawler.as_deref()), learned, now) {
        Ok(lines) => (StatusCode::OK, json!({ "lines": lines })),
        Err(error) => (StatusCode::BAD_REQUEST, json!({ "error": error.to_string() })),
    }
}
