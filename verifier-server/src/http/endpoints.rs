//! The endpoints for the browser (PROTOCOL §4).

use super::answer::{self, bare, challenge_fields, challenge_header, json_answer, problem, problem_body};
use super::body::AnswerBody;
use super::original::Visitor;
use super::service::Verifier;
use super::{assets, clearances, cors, pass, verify};
use crate::clock;
use crate::config::{Config, Limits, Site};
use crate::gate::policy::{Route, Subject};
use crate::gate::target::Target;
use crate::gate::{Abilities, NoChoice, Quote, RequestFacts, Worth};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use puzzle::{Challenge, Refusal};
use serde_json::{Value, json};

/// What a request to an endpoint is about.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) verifier: &'a Verifier,
    pub(super) config: &'a Config,
    pub(super) site: &'a Site,
    pub(super) visitor: &'a Visitor,
    pub(super) request_id: &'a str,
    /// The target wanted, if the client said: looked up in the rules, never followed and never echoed.
    pub(super) wanted: Option<&'a str>,
    /// The headers of the request to the endpoint.
    headers: &'a HeaderMap,
}

impl Call<'_> {
    /// What the rules say of the wanted target; without one, of a request under no rule. The headers are those of whoever
    /// asks, which will send its cookies and its name with the request for the target too.
    fn route(&self, method: Option<&str>) -> Route {
        let Some(wanted) = self.wanted else { return Route::DEFAULT };
        let target = Target::parse(wanted);
        let (host, address, headers) = (self.visitor.host(), self.visitor.address, Some(self.headers));
        let subject = Subject { target: &target, has_query: wanted.contains('?'), host, address, method, headers };
        self.config.policy.route(&subject)
    }

    /// What the wanted route asks now.
    pub(super) fn quote(&self) -> Quote {
        let route = self.route(None);
        self.verifier.gate.quote(self.config, self.site, self.visitor.network(), &route, clock::now())
    }

    fn issue(&self, quote: Quote, abilities: Abilities) -> Option<Result<Challenge, NoChoice>> {
        answer::issue(self.verifier, self.config, self.site, self.visitor.network(), quote, abilities)
    }

    /// A problem of PROTOCOL §4, with a fresh challenge at `quote` unless that asks nothing, or there is none for this client.
    pub(super) fn refused(&self, refusal: Refusal, quote: Quote, abilities: Abilities) -> Response<AnswerBody> {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        let mut body = problem_body(status, refusal.code(), &refusal.to_string(), self.request_id);
        let asked = quote.price > 0;
        let challenge = asked.then(|| self.issue(quote, abilities)).flatten().and_then(Result::ok);
        match &challenge {
            Some(challenge) => body.extend(challenge_fields(challenge)),
            None => body.extend([("needed".to_owned(), json!(asked))]),
        }
        let mut response = problem(status, body);
        if let Some(challenge) = &challenge {
            challenge_header(response.headers_mut(), challenge);
        }
        if refusal == Refusal::Busy {
            response.headers_mut().insert("retry-after", HeaderValue::from(5));
        }
        response
    }
}

/// Answers a request below the base path.
pub(super) async fn answer(
    verifier: &Verifier,
    config: &Config,
    site: &Site,
    visitor: &Visitor,
    request_id: &str,
    endpoint: &str,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let (wanted, headers) = (query.wanted.as_deref(), &parts.headers);
    let call = Call { verifier, config, site, visitor, request_id, wanted, headers };
    let methods = match endpoint {
        "challenge" | "clearance" => &[Method::GET][..],
        "verify" => &[Method::POST],
        "pass" => &[Method::GET, Method::HEAD, Method::POST],
        _ => &[Method::GET, Method::HEAD],
    };
    if parts.method == Method::OPTIONS {
        let mut response = bare(StatusCode::NO_CONTENT);
        cors::allow_preflight(&mut response, site, visitor, &parts.headers);
        return response;
    }
    if !methods.contains(&parts.method) {
        let title = "This endpoint does not take this method";
        let mut response = problem(
            StatusCode::METHOD_NOT_ALLOWED,
            problem_body(StatusCode::METHOD_NOT_ALLOWED, "method", title, request_id),
        );
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        response.headers_mut().extend(HeaderValue::from_str(&names.join(", ")).map(|names| (ALLOW, names)));
        return response;
    }
    let mut response = match endpoint {
        "challenge" => challenge(&call, &query),
        "clearance" => clearance(&call, &parts.headers),
        "verify" => verify::answer(&call, &parts.headers, body).await,
        "pass" if parts.method == Method::POST => pass::redeem(&call, &parts.headers, body).await,
        "pass" => pass::page(&call),
        name => {
            let stylesheet = site.look.stylesheet.as_ref().filter(|stylesheet| stylesheet.name == name);
            let found = match stylesheet {
                Some(stylesheet) => Some(assets::stylesheet(stylesheet)),
                None => assets::answer(name, &parts.headers),
            };
            return found.unwrap_or_else(|| not_found(request_id));
        }
    };
    cors::allow(&mut response, site, visitor, &parts.headers);
    response
}

/// `GET challenge`: what the wanted route asks now.
fn challenge(call: &Call<'_>, query: &Query) -> Response<AnswerBody> {
    if query.purpose.as_deref().is_some_and(|purpose| purpose != "gate") {
        let title = "No site key is configured here";
        return problem(
            StatusCode::BAD_REQUEST,
            problem_body(StatusCode::BAD_REQUEST, "malformed", title, call.request_id),
        );
    }
    let quote = call.quote();
    if quote.price == 0 {
        return json_answer(StatusCode::OK, &json!({ "needed": false }));
    }
    let abilities = query.algorithms.as_deref().map_or(Abilities::Unsaid, Abilities::of_list);
    match call.issue(quote, abilities) {
        Some(Ok(challenge)) => json_answer(StatusCode::OK, &Value::Object(challenge_fields(&challenge))),
        Some(Err(NoChoice::Outpriced)) => call.refused(Refusal::Outpriced, quote, abilities),
        Some(Err(NoChoice::NotOffered)) => call.refused(Refusal::Malformed, quote, abilities),
        None => call.refused(Refusal::Busy, Quote { price: 0, standing: false }, abilities),
    }
}

/// `GET clearance`: whether a navigation to the wanted target would be admitted now.
fn clearance(call: &Call<'_>, headers: &HeaderMap) -> Response<AnswerBody> {
    let ids = clearances::of(headers, &Method::GET, call.visitor.scheme, call.site);
    let facts = RequestFacts {
        site: call.site,
        route: call.route(Some("GET")),
        key: None,
        network: call.visitor.network(),
        clearances: &ids,
        // A ticket is no clearance.
        tickets: &[],
        safe_method: true,
        navigation: true,
        preflight: false,
        repeat: None,
    };
    match call.verifier.gate.worth(call.config, &facts, clock::now()) {
        Worth::NotNeeded => json_answer(StatusCode::OK, &json!({ "needed": false })),
        Worth::Admits { credits, expires_in, price } => {
            json_answer(StatusCode::OK, &json!({ "credits": credits, "expires_in": expires_in, "price": price }))
        }
        Worth::Lacking => {
            let title = "No clearance here admits this request";
            let body = problem_body(StatusCode::UNAUTHORIZED, "no_clearance", title, call.request_id);
            problem(StatusCode::UNAUTHORIZED, body)
        }
    }
}

fn not_found(request_id: &str) -> Response<AnswerBody> {
    problem(
        StatusCode::NOT_FOUND,
        problem_body(StatusCode::NOT_FOUND, "not_found", "There is no such endpoint", request_id),
    )
}

/// The parameters that endpoints know.
#[derive(Debug, Default)]
struct Query {
    wanted: Option<String>,
    purpose: Option<String>,
    algorithms: Option<String>,
}

impl Query {
    /// The first of each parameter; a `for` that is too long counts as an odd path, which is never cheaper.
    fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "for" if parsed.wanted.is_none() => {
                    let fits = value.len() <= Limits::TARGET_CHARS_MAX;
                    parsed.wanted = Some(if fits { value.into_owned() } else { String::new() });
                }
                "algorithms" if parsed.algorithms.is_none() => parsed.algorithms = Some(value.into_owned()),
                "purpose" if parsed.purpose.is_none() => parsed.purpose = Some(value.into_owned()),
                _ => {}
            }
        }
        parsed
    }
}
