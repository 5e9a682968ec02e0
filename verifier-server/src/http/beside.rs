//! The endpoints for the web server beside us (PROTOCOL §5). A stranger who reaches them finds nothing.

use super::access_log::ADMITTED_HEADER;
use super::answer::{Context, GATE_BUSY, GATE_HEADER, bare};
use super::body::AnswerBody;
use super::crawlers::Claim;
use super::kinds::{is_navigation, is_preflight, is_safe};
use super::original::{self, Asked, Peer, Unclear, Visitor};
use super::service::Verifier;
use super::{canonical, clearances, cors, tickets};
use crate::clock;
use crate::config::{Beside, Config, OnFailure, Site};
use crate::gate::policy::Subject;
use crate::gate::target::Target;
use crate::gate::{Decision, Met, Repeat, RequestFacts, Worth};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

/// Where these endpoints are.
pub(super) const BASE_PATH: &str = "/.portcullis-beside/";
/// Characters of the web server's request id that a page shows.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// What [`GATE_HEADER`] says to the web server where it is not [`GATE_BUSY`]: `gate` has the answer.
const GATE_CLOSED: &str = "closed";

/// What a web server can ask here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint<'r> {
    /// nginx: may it pass?
    Check,
    /// nginx: what does the visitor see instead?
    Gate,
    /// Caddy and Traefik: both at once.
    Page,
    /// Envoy: the same, about this target.
    Envoy(&'r str),
}

impl<'r> Endpoint<'r> {
    /// The endpoint of this name, if the configured web server has it.
    fn of<B>(config: &Config, request: &'r Request<B>) -> Option<Self> {
        let name = request.uri().path().strip_prefix(BASE_PATH)?;
        let get = *request.method() == Method::GET;
        match (config.beside.as_ref()?, name) {
            (Beside::Nginx, "check") if get => Some(Self::Check),
            (Beside::Nginx, "gate") if get => Some(Self::Gate),
            (Beside::Caddy | Beside::Traefik, "page") if get => Some(Self::Page),
            (Beside::Envoy, _) => {
                let whole = request.uri().path_and_query()?.as_str();
                let target = whole.strip_prefix(BASE_PATH)?.strip_prefix("envoy")?;
                target.starts_with('/').then_some(Self::Envoy(target))
            }
            _ => None,
        }
    }
}

/// Answers the questions of the configured web server.
pub(super) fn answer<B>(
    verifier: &Verifier,
    config: &Config,
    peer: Peer,
    request: &Request<B>,
) -> Response<AnswerBody> {
    let endpoint = Endpoint::of(config, request);
    let own_target = if let Some(Endpoint::Envoy(target)) = endpoint { target } else { "" };
    let question = original::asked(config, peer, request, own_target)
        .and_then(|asked| Ok((asked, original::visitor(config, peer, request)?)));
    let (asked, visitor, endpoint) = match (question, endpoint) {
        (Err(Unclear::Stranger), _) => {
            verifier.doubts.not_answered(config, peer);
            return bare(StatusCode::NOT_FOUND);
        }
        (_, None) => return bare(StatusCode::NOT_FOUND),
        (Err(unclear), _) => {
            verifier.log_unclear(&unclear);
            return bare(StatusCode::UNAUTHORIZED);
        }
        (Ok((asked, visitor)), Some(endpoint)) => (asked, visitor, endpoint),
    };
    verifier.doubts.look(config, peer, request.headers(), &visitor);
    match endpoint {
        Endpoint::Check => check(verifier, config, &visitor, asked, request),
        Endpoint::Gate => gate(verifier, config, &visitor, asked, request),
        Endpoint::Page => page(verifier, config, &visitor, asked, request, StatusCode::NO_CONTENT),
        Endpoint::Envoy(_) => {
            let mut response = page(verifier, config, &visitor, asked, request, StatusCode::OK);
            // Envoy takes 5xx for a verifier that failed, and may be told to let requests pass then.
            if response.status().is_server_error() {
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            }
            response
        }
    }
}

/// Decides about the original request, and charges it.
fn decide(
    verifier: &Verifier,
    config: &Config,
    (facts, visitor, headers): (&RequestFacts<'_>, &Visitor, &HeaderMap),
    target: &str,
    request_id: &str,
) -> Met {
    let met = verifier.gate.meet(config, facts, clock::now());
    if let Some(receipt) = &met.receipt {
        verifier.gate.goes_on(facts.site, receipt, clock::now());
    }
    verifier.note_decided(config, facts, visitor, &met, request_id);
    verifier.note_top(facts, headers, target, met.decision);
    met
}

/// `admitted` for a request that passes, and for one that does not what the visitor sees instead. Charges.
fn page<B>(
    verifier: &Verifier,
    config: &Config,
    visitor: &Visitor,
    asked: Asked<'_>,
    request: &Request<B>,
    admitted: StatusCode,
) -> Response<AnswerBody> {
    if let Some(redirect) = canonical::redirect(config, visitor, asked.target) {
        return redirect;
    }
    let headers = request.headers();
    let request_id = verifier.next_request_id();
    // These ask once: an id of our own is no other question's, so that each is charged.
    let asked = Asked { request_id: &request_id, ..asked };
    let context = Context::of_asked(verifier, config, visitor, &request_id, headers, asked.method);
    let passes = || {
        let mut response = Response::new(AnswerBody::empty());
        *response.status_mut() = admitted;
        response
    };
    // Traefik takes every 2xx for a yes, and Envoy a 200: the stub of a link preview would be one.
    let nothing = HeaderMap::new();
    let of_fetcher = if config.beside == Some(Beside::Caddy) { headers } else { &nothing };
    let answer = with_facts(verifier, config, visitor, asked, request, |facts, subject| {
        verifier.note_caller(subject, facts);
        match decide(verifier, config, (facts, visitor, headers), asked.target, &request_id).decision {
            Decision::Free | Decision::Unpaid | Decision::Reserved | Decision::Paid => passes(),
            Decision::Busy => refused(context.overloaded(), facts.site, visitor, headers),
            Decision::Denied => refused(context.denied(), facts.site, visitor, headers),
            Decision::Challenged => match context.challenged(facts, of_fetcher) {
                Some(challenged) => refused(challenged, facts.site, visitor, headers),
                // Without randomness there is no challenge: what happens then is the operator's choice.
                None if config.on_failure == OnFailure::Open => passes(),
                None => refused(context.overloaded(), facts.site, visitor, headers),
            },
        }
    });
    answer.unwrap_or_else(|| context.unknown_host())
}

/// An answer that pages of the same site may read.
fn refused(
    mut answer: Response<AnswerBody>,
    site: &Site,
    visitor: &Visitor,
    request: &HeaderMap,
) -> Response<AnswerBody> {
    cors::allow(&mut answer, site, visitor, request);
    answer
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
        return closed(GATE_CLOSED);
    }
    let decision = with_facts(verifier, config, visitor, asked, request, |facts, subject| {
        verifier.note_caller(subject, facts);
        let met = decide(verifier, config, (facts, visitor, request.headers()), asked.target, shown_id(asked));
        (met.decision, verifier.waits_for_line(config, facts, &met))
    });
    let (decision, waits_for_line) = decision.unzip();
    let why = match decision {
        Some(Decision::Free | Decision::Unpaid | Decision::Reserved | Decision::Paid) => {
            let mut response = Response::new(AnswerBody::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            if waits_for_line == Some(true) {
                response.headers_mut().insert(ADMITTED_HEADER, HeaderValue::from_static("1"));
            }
            return response;
        }
        Some(Decision::Busy) => GATE_BUSY,
        None | Some(Decision::Challenged | Decision::Denied) => GATE_CLOSED,
    };
    closed(why)
}

fn closed(why: &'static str) -> Response<AnswerBody> {
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
    let answer = with_facts(verifier, config, visitor, asked, request, |facts, _| {
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
    verifier: &Verifier,
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
    let claim = verifier.crawlers.claim(config, visitor.address, request.headers());
    let subject = Subject {
        target: &target,
        has_query: asked.target.contains('?'),
        host: visitor.host(),
        address: visitor.address,
        crawler: Claim::name(claim.as_ref()),
        method: Some(asked.method),
        headers: Some(request.headers()),
    };
    let route = verifier.gate.route(config, site, &subject);
    verifier.find_out(claim.as_ref(), &route);
    let ids = clearances::of(request.headers(), &method, visitor.scheme, site);
    let tickets = tickets::of(request.headers(), visitor.scheme);
    let facts = RequestFacts {
        site,
        route,
        key: config.api_keys.shown_by(request.headers()),
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
