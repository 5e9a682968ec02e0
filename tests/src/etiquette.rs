//! The manners of every answer the gate writes: checked on each reply a test client gets, not in one test.

use crate::reply::Reply;

/// What an answer of the gate may say in its head, and nothing else.
const KNOWN: [&str; 33] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "etag",
    "keep-alive",
    "permissions-policy",
    "portcullis-challenge",
    "portcullis-gate",
    "referrer-policy",
    "retry-after",
    "server",
    "set-cookie",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
    "x-robots-tag",
    "www-authenticate",
];

/// Web servers that name themselves in what they pass on, and what they add besides.
const FRONTS: [&str; 4] = ["nginx", "Apache", "Caddy", "envoy"];
const OF_FRONTS: [&str; 3] = ["x-envoy-upstream-service-time", "upgrade", "accept-ranges"];

/// PROTOCOL §6: what the answer depends on.
const VARY: [&str; 8] = [
    "accept",
    "accept-language",
    "cookie",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "origin",
    "portcullis-clearance",
    "accept-encoding",
];

/// Panics when an answer of the gate lacks what it owes, or says more than it should.
#[track_caller]
pub fn check(method: &str, target: &str, reply: &Reply) {
    let by_front = reply.header("server").is_some_and(|value| FRONTS.iter().any(|front| value.starts_with(front)));
    let by_gate = reply.header("portcullis-challenge").is_some() || !reply.code().is_empty() || is_endpoint(target);
    // What the HTTP library cannot read it answers itself, with a status alone.
    let unreadable = matches!(reply.status, 400 | 414 | 431) && reply.body.is_empty() && reply.headers.len() <= 2;
    if reply.is_from_origin() || (by_front && !by_gate) || unreadable {
        return;
    }
    let about = || format!("{method} {target}: {reply:?}");
    for (name, _) in &reply.headers {
        let name = name.to_ascii_lowercase();
        // A site's one address, or a file that another verifier may have; nothing else is ever a redirect.
        let redirects = reply.status == 308 || (reply.status == 307 && is_endpoint(target));
        let leads_elsewhere = name == "location" && redirects && reply.body.is_empty();
        let known = KNOWN.contains(&name.as_str()) || (by_front && OF_FRONTS.contains(&name.as_str()));
        assert!(leads_elsewhere || known, "unexpected header {name} in {}", about());
        assert!(by_front || name != "server", "the gate names no server: {}", about());
    }
    assert!(reply.all("content-type").count() <= 1, "two content types: {}", about());
    assert!(reply.all("content-security-policy").count() <= 1, "two policies: {}", about());
    caching(target, reply, &about);
    if reply.status == 429 {
        closed(reply, &about);
    }
    if reply.header("content-type").is_some_and(|value| value.starts_with("text/html")) {
        page(reply, &about);
    }
}

fn is_endpoint(target: &str) -> bool {
    target.starts_with("/.portcullis/")
}

#[track_caller]
fn caching(target: &str, reply: &Reply, about: &dyn Fn() -> String) {
    if target.starts_with("/.portcullis-beside/check") {
        return;
    }
    let cache = reply.header("cache-control").unwrap_or_default();
    let asset = is_endpoint(target) && matches!(reply.status, 200 | 304) && cache.contains("immutable");
    let script = target.starts_with("/.portcullis/portcullis.js") && cache.contains("no-cache");
    assert!(asset || script || cache.contains("no-store"), "an answer of the gate that could be cached: {}", about());
}

#[track_caller]
fn closed(reply: &Reply, about: &dyn Fn() -> String) {
    let retry = reply.header("retry-after").and_then(|value| value.parse::<u32>().ok());
    assert!(retry.is_some(), "429 without Retry-After in seconds: {}", about());
    if retry == Some(0) {
        // The page that asks again at once: a clearance came between nginx's two questions.
        return;
    }
    assert!(reply.header("portcullis-challenge").is_some(), "429 without a challenge: {}", about());
    let vary = reply.all("vary").collect::<Vec<_>>().join(",").to_ascii_lowercase();
    let vary = vary.split(',').map(str::trim).collect::<Vec<_>>();
    for name in &VARY[..7] {
        assert!(vary.contains(name), "Vary lacks {name}: {}", about());
    }
    for name in vary {
        assert!(VARY.contains(&name), "Vary names {name}: {}", about());
    }
}

#[track_caller]
fn page(reply: &Reply, about: &dyn Fn() -> String) {
    let policy = reply.header("content-security-policy").unwrap_or_default();
    let every = ["default-src 'none'", "style-src 'self'", "form-action 'self'", "base-uri 'none'"];
    let solving = [
        "script-src 'self' 'wasm-unsafe-eval'",
        "connect-src 'self'",
        "worker-src 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types portcullis",
    ];
    let solves = reply.header("portcullis-challenge").is_some();
    for part in every.iter().chain(solving.iter().filter(|_| solves)) {
        assert!(policy.contains(part), "the policy of a page lacks {part}: {}", about());
    }
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{}", about());
    if reply.header("content-encoding").is_none() {
        assert!(reply.body.len() <= 4096, "a page of {} bytes: {}", reply.body.len(), about());
    }
}
