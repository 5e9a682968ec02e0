//! The gate's page: is it there, with its status and its policy, never cached, and are its files.

use super::examination::Examination;
use super::paste::{SITE, TEST_RULE, Thing};
use super::visitor::{Answer, Question};
use crate::setup::CHALLENGE_HEADER;
use hyper::StatusCode;
use serde_json::json;

/// What the page's policy says and no site's own does.
const POLICY: &str = "wasm-unsafe-eval";

pub(super) async fn look(found: &mut Examination<'_>) {
    if found.calm {
        open_in_calm(found).await;
    }
    let target = found.gated_target();
    if !is_asked(found, target).await {
        return;
    }
    let page = match found.get(target).await {
        Ok(page) => page,
        Err(error) => {
            return found.fail("page", format!("the site does not answer: {error}"), SITE);
        }
    };
    if let Some(server) = page.header("server") {
        found.front.narrow(server);
    }
    if !page.is_gate() {
        return not_the_gate(found, &page);
    }
    found.pass("page", format!("{target} answers 429 with a challenge"));
    found.challenge = page.header(CHALLENGE_HEADER).map(str::to_owned);
    let policies: Vec<&str> =
        page.headers.get_all("content-security-policy").iter().filter_map(|value| value.to_str().ok()).collect();
    match policies.as_slice() {
        [one] if one.contains(POLICY) => found.pass("policy", "the page has the gate's own Content-Security-Policy"),
        [] => found.fail(
            "policy",
            "the page has no Content-Security-Policy, or not an HTML page",
            found.line(Thing::Policy),
        ),
        _ => found.fail(
            "policy",
            "the site's Content-Security-Policy is on the gate's page, and stops its script",
            found.line(Thing::Policy),
        ),
    }
    not_cached(found, target, &page).await;
    own_files(found, &page).await;
}

/// Before any attack: the page that is looked at is open, and bears no trace of the gate.
async fn open_in_calm(found: &mut Examination<'_>) {
    let target = found.visitor.target.clone();
    let page = match found.get(&target).await {
        Ok(page) => page,
        Err(error) => {
            return found.fail("calm", format!("the site does not answer: {error}"), SITE);
        }
    };
    let traces = page.headers.iter().any(|(name, value)| {
        name.as_str().starts_with("portcullis") || value.to_str().is_ok_and(|value| value.contains("portcullis="))
    });
    if page.is_gate() {
        found.fail(
            "calm",
            format!("{target} is gated now"),
            "portcullis mode auto   and, if this is an attack, run doctor without --calm",
        );
    } else if traces {
        found.fail(
            "calm",
            format!("{target} is open, with a trace of the gate in its headers"),
            found.line(Thing::Endpoints),
        );
    } else {
        found.pass("calm", format!("{target} is open, without a trace of the gate ({})", page.status.as_u16()));
    }
}

/// Whether the verifier would ask for work at a target; if it cannot be asked, that is a finding of its own.
async fn is_asked(found: &mut Examination<'_>, target: &str) -> bool {
    let answer = match found.get(&found.endpoint("challenge", target)).await {
        Ok(answer) => answer,
        Err(error) => {
            found.fail("endpoints", format!("the site does not answer: {error}"), SITE);
            return false;
        }
    };
    if let Some(server) = answer.header("server") {
        found.front.narrow(server);
    }
    let needed = answer.json()["needed"].clone();
    if answer.status == StatusCode::MISDIRECTED_REQUEST {
        let paste = format!("in portcullis.toml, in `hosts` of the [[site]]: \"{}\"", found.visitor.host);
        found.fail("endpoints", "the verifier knows no site of this name (421)", paste);
        return false;
    }
    if answer.status.is_server_error() {
        found.fail(
            "endpoints",
            format!("the verifier does not answer behind the web server ({})", answer.status.as_u16()),
            found.line(Thing::Verifier),
        );
        return false;
    }
    if answer.status != StatusCode::OK || needed.is_null() {
        let seen =
            format!("{}challenge answers {} and not the verifier's JSON", found.base_path, answer.status.as_u16());
        found.fail("endpoints", seen, found.line(Thing::Endpoints));
        // The page itself may be there all the same.
        return true;
    }
    found.pass("endpoints", "the browser's endpoints are within reach");
    if needed == json!(false) {
        if found.calm {
            found.fail(
                "page",
                format!("no rule asks for work at {target} at all times, or the gate is off"),
                TEST_RULE,
            );
        } else {
            let seen = format!("the gate is open: nothing is asked of {target} now");
            found.fail("page", seen, "portcullis mode on   if this is an attack; before one: portcullis doctor --calm");
        }
        return false;
    }
    true
}

fn not_the_gate(found: &mut Examination<'_>, page: &Answer) {
    let status = page.status.as_u16();
    let carries = page.headers.contains_key(CHALLENGE_HEADER);
    found.challenge = page.header(CHALLENGE_HEADER).map(str::to_owned);
    match page.status {
        _ if carries => found.fail(
            "page",
            format!("the gate's page comes with status {status}, not 429: monitors and caches take it for the site"),
            found.line(Thing::Page),
        ),
        StatusCode::UNAUTHORIZED => {
            found.fail("page", "a bare 401 comes where the gate's page should", found.line(Thing::Page));
        }
        StatusCode::TOO_MANY_REQUESTS => found.fail(
            "page",
            "429 comes without a challenge: another limit, or a page that the gate did not write",
            found.line(Thing::Page),
        ),
        status if status.is_server_error() => found.fail(
            "page",
            format!("the gate cannot be asked ({}): every visitor sees that", status.as_u16()),
            found.line(Thing::Verifier),
        ),
        _ => found.fail(
            "page",
            format!("it answers {status} to who has paid nothing: the site is not gated"),
            found.line(Thing::Gate),
        ),
    }
}

async fn not_cached(found: &mut Examination<'_>, target: &str, page: &Answer) {
    let control = page.header("cache-control").unwrap_or_default().to_owned();
    if !control.contains("no-store")
        || page.headers.get_all("cache-control").iter().count() > 1
        || page.headers.contains_key("expires")
    {
        return found.fail(
            "not cached",
            format!("the gate's page may be kept (Cache-Control: {control})"),
            found.line(Thing::Cache),
        );
    }
    match found.get(target).await {
        Ok(again)
            if again.header(CHALLENGE_HEADER) == page.header(CHALLENGE_HEADER) || again.headers.contains_key("age") =>
        {
            found.fail(
                "not cached",
                "the same challenge comes twice: something in between keeps the gate's page",
                found.line(Thing::Cache),
            );
        }
        Ok(_) => found.pass("not cached", "each visitor gets a challenge of his own"),
        Err(error) => {
            found.fail("not cached", format!("the second time it does not answer: {error}"), found.line(Thing::Page));
        }
    }
}

/// The first file that the page loads.
async fn own_files(found: &mut Examination<'_>, page: &Answer) {
    let html = String::from_utf8_lossy(&page.body);
    let Some(script) = first_script(&html, found.base_path) else {
        return found.fail("its files", "the page names no script of the gate", found.line(Thing::Page));
    };
    match found.visitor.ask(Question::get(&script)).await {
        Ok(file)
            if file.status == StatusCode::OK
                && file.header("content-type").is_some_and(|kind| kind.contains("javascript")) =>
        {
            if file.header("cache-control").is_some_and(|control| control.contains("max-age")) {
                found.pass("its files", "the page's script comes, and is kept by browsers");
            } else {
                found.fail(
                    "its files",
                    "the page's script comes, and is not kept by browsers",
                    found.line(Thing::Cache),
                );
            }
        }
        Ok(file) => {
            let seen = format!("{script} answers {}: the page cannot solve anything", file.status.as_u16());
            found.fail("its files", seen, found.line(Thing::Endpoints));
        }
        Err(error) => found.fail("its files", format!("{script}: {error}"), found.line(Thing::Endpoints)),
    }
}

fn first_script(html: &str, base_path: &str) -> Option<String> {
    let mut sources = html.split("src=").skip(1).map(|rest| {
        let rest = rest.trim_start_matches(['"', '\'']);
        rest.split(['"', '\'', ' ', '>']).next().unwrap_or_default()
    });
    sources.find(|source| source.starts_with(base_path)).map(str::to_owned)
}
