//! The endpoints for the web server beside us (PROTOCOL §5). A stranger who reaches them finds nothing.

use super::answer::{Context, bare};
use super::body::AnswerBody;
use super::original::{self, Asked, Peer, Unclear, Visitor};
use super::service::{Verifier, is_navigation, is_preflight, is_safe};
use super::{canonical, clearances, cors, tickets};
use crate::clock;
use crate::config::Config;
use crate::gate::policy::Subject;
use crate::gate::target::Target;
use crate::gate::{Decision, Repeat, RequestFacts, Worth};
use hyper::header::HeaderValue;
use hyper::{Method, Request, Response, StatusCode};

/// Where these endpoints are.
pub(super) const BASE_PATH: &str = "/.portcullis-beside/";
/// Characters of the web server's request id that a page shows.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// What tells the web server that the gate said no, and not the site itself.
const GATE_HEADER: &str = "portcullis-gate";

/// What it says where there was no room for a request that was paid for.
const GATE_BUSY: &str = "busy";
/// What it says otherwise: `gate` has the answer.
const GATE_CLOSED: &str = "closed";

/// Answers `check` and `gate`.
pub(super) fn answer<B>(
    verifier: &Verifier,
    config: &Config,
    peer: Peer,
    endpoint: &str,
    request: &Request<B>,
) -> Response<AnswerBody> {
    let known = matches!(endpoint, "check" | "gate") && request.method() == Method::GET;
    let question = original::asked(config, peer, request.headers())
        .and_then(|asked| Ok((asked, original::visitor(config, peer, request)?)));
    match question {
        Err(Unclear::Stranger) => bare(StatusCode::NOT_FOUND),
        _ if !known => bare(StatusCode::NOT_FOUND),
        Err(unclear) => {
            verifier.log_unclear(&unclear);
            bare(StatusCode::UNAUTHORIZED)
        }
        Ok((asked, visitor)) if endpoint == "check" => check(verifier, config, &visitor, asked, request),
        Ok((asked, visitor)) => gate(verifier, config, &visitor, asked, request),
    }
}

/// 204 for a request that passes, 401 for one that does not. Charges.
fn check<B>(
    verifier: &Verifier,
    config: &Config,
    visitor: &Visitor,
    asked: Asked<'_>,
    request: &Request<B>,
) -> Response<AnswerBody> {
    if canonical::redirect(config, visitor, asked.target).is_some() {
        return refused(GATE_CLOSED);
    }
    let decision = with_facts(config, visitor, asked, request, |facts, subject| {
        verifier.note_caller(subject, facts);
        let met = verifier.gate.meet(config, facts, clock::now());
        if let Some(receipt) = &met.receipt {
            verifier.gate.goes_on(facts.site, receipt, clock::now());
        }
        verifier.note_decided(config, &facts.route, &met, shown_id(asked));
        met.decision
    });
    let why = match decision {
        Some(Decision::Free | Decision::Unpaid | Decision::Reserved | Decision::Paid) => {
            let mut response = Response::new(AnswerBody::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        Some(Decision::Busy) => GATE_BUSY,
        None | Some(Decision::Challenged | Decision::Denied) => GATE_CLOSED,
    };
    refused(why)
}

fn refused(why: &'static str) -> Response<AnswerBody> {
    let mut response = bare(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(GATE_HEADER, HeaderValue::from_static(why));
    response
}

/// What the visitor sees instead of the site. Never charges and never says 204.
fn gate<B>(
    verifier: &Verifier,
    config: &Config,
    visitor: &Visitor,
    asked: Asked<'_>,
    request: &Request<B>,
) -> Response<AnswerBody> {
    if let Some(redirect) = canonical::redirect(config, visitor, asked.target) {
        return redirect;
    }
    let headers = request.headers();
    let context = Context::of_asked(verifier, config, visitor, shown_id(asked), headers, asked.method);
    if headers.get("x-portcullis-gate").is_some_and(|value| value == GATE_BUSY) {
        return context.overloaded();
    }
    let answer = with_facts(config, visitor, asked, request, |facts, _| {
        if facts.route.action == crate::gate::policy::Action::Deny {
            return context.denied();
        }
        match verifier.gate.worth(config, facts, clock::now()) {
            Worth::NotNeeded | Worth::Admits { .. } => context.again(),
            Worth::Lacking => context.challenged(facts, headers).unwrap_or_else(|| context.overloaded()),
        }
    });
    let mut answer = answer.unwrap_or_else(|| context.unknown_host());
    if let Some(site) = config.site_of(visitor.host()) {
        cors::allow(&mut answer, site, visitor, headers);
    }
    answer
}

/// As much of the web server's id as a page and the log show.
fn shown_id(asked: Asked<'_>) -> &str {
    asked.request_id.get(..REQUEST_ID_CHARS_MAX).unwrap_or(asked.request_id)
}

/// Runs `act` on what is known of the original request; `None` where its host belongs to no site.
fn with_facts<B, R>(
    config: &Config,
    visitor: &Visitor,
    asked: Asked<'_>,
    request: &Request<B>,
    act: impl FnOnce(&RequestFacts<'_>, &Subject<'_>) -> R,
) -> Option<R> {
    let site = config.site_of(visitor.host())?;
    // An unknown method is like any other that changes things.
    let method = Method::from_bytes(asked.method.as_bytes()).unwrap_or(Method::POST);
    let target = Target::parse(asked.target);
    let subject = Subject {
        target: &target,
        has_query: asked.target.contains('?'),
        host: visitor.host(),
        address: visitor.address,
        method: Some(asked.method),
        headers: Some(request.headers()),
    };
    let ids = clearances::of(request.headers(), &method, visitor.scheme, site);
    let tickets = tickets::of(request.headers(), visitor.scheme);
    let facts = RequestFacts {
        site,
        route: config.policy.route(&subject),
        network: visitor.network(),
        clearances: &ids,
        tickets: &tickets,
        safe_method: is_safe(&method),
        navigation: is_navigation(request.headers()),
        preflight: is_preflight(&method, request.headers()),
        repeat: Some(Repeat { request_id: asked.request_id, method: asked.method, target: asked.target }),
    };
    Some(act(&facts, &subject))
}
