//! The endpoints for the browser (PROTOCOL §4).

use super::answer::{self, bare, challenge_fields, challenge_header, json_answer, problem, problem_body};
use super::body::AnswerBody;
use super::crawlers::Claim;
use super::kinds::is_safe;
use super::original::Visitor;
use super::service::Verifier;
use super::{assets, clearances, cors, forms, pass, siteverify, verify};
use crate::clock;
use crate::config::{Config, Limits, Site};
use crate::gate::policy::{Action, Route, Subject};
use crate::gate::site_keys::SiteKey;
use crate::gate::target::Target;
use crate::gate::{Abilities, Asking, NoChoice, Quote, RequestFacts, Worth};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use puzzle::Refusal;
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
    pub(super) headers: &'a HeaderMap,
}

impl Call<'_> {
    /// What the rules say of the wanted target; without one, of a request under no rule. The headers are those of whoever
    /// asks, which will send its cookies and its name with the request for the target too.
    fn route(&self, method: Option<&str>) -> Route {
        let Some(wanted) = self.wanted else { return Route::DEFAULT };
        let target = Target::parse(wanted);
        let (host, address) = (self.visitor.host(), self.visitor.address);
        let claim = self.verifier.crawlers.claim(self.config, address, self.headers);
        let (crawler, headers) = (Claim::name(claim.as_ref()), Some(self.headers));
        let subject =
            Subject { target: &target, has_query: wanted.contains('?'), host, address, crawler, method, headers };
        self.verifier.gate.route(self.config, self.site, &subject)
    }

    /// What the wanted route asks now.
    pub(super) fn quote(&self) -> Quote {
        let route = self.route(None);
        self.verifier.gate.quote(self.config, self.site, self.visitor.network(), &route, clock::now())
    }

    /// Who asks for a challenge here, at `quote`; for a token where there is a `key`.
    pub(super) fn asking<'a>(&'a self, key: Option<&'a SiteKey>, quote: Quote) -> Asking<'a> {
        Asking { site: self.site, key, network: self.visitor.network(), quote }
    }

    /// A fresh challenge, or the refusal to make one.
    pub(super) fn offer(&self, asking: &Asking<'_>, abilities: Abilities) -> Response<AnswerBody> {
        match answer::issue(self.verifier, self.config, asking, abilities) {
            Some(Ok(challenge)) => json_answer(StatusCode::OK, &Value::Object(challenge_fields(&challenge))),
            Some(Err(NoChoice::Outpriced)) => self.refused(Refusal::Outpriced, asking, abilities, None),
            Some(Err(NoChoice::NotOffered)) => self.refused(Refusal::Malformed, asking, abilities, None),
            None => {
                let nothing = Asking { quote: Quote { price: 0, standing: false }, ..*asking };
                self.refused(Refusal::Busy, &nothing, abilities, None)
            }
        }
    }

    /// A problem of PROTOCOL §4, with a fresh challenge unless nothing is asked, or there is none for this client.
    /// `failure_id` is the number under which it stands in the log.
    pub(super) fn refused(
        &self,
        refusal: Refusal,
        asking: &Asking<'_>,
        abilities: Abilities,
        failure_id: Option<String>,
    ) -> Response<AnswerBody> {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        let mut body = problem_body(status, refusal.code(), &refusal.to_string(), self.request_id);
        body.extend(failure_id.map(|id| ("failure_id".to_owned(), json!(id))));
        let asked = asking.quote.price > 0;
        let issue = || answer::issue(self.verifier, self.config, asking, abilities);
        let challenge = asked.then(issue).flatten().and_then(Result::ok);
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
        "verify" | "siteverify" => &[Method::POST],
        "pass" => &[Method::GET, Method::HEAD, Method::POST],
        _ => &[Method::GET, Method::HEAD],
    };
    if parts.method == Method::OPTIONS {
        let mut response = bare(StatusCode::NO_CONTENT);
        cors::allow_preflight(&mut response, (site, &config.site_keys), visitor, &parts.headers);
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
        "challenge" if query.purpose.as_deref() == Some("form") => return forms::challenge(&call, &query),
        "challenge" => challenge(&call, &query),
        "clearance" => forms::readable(clearance(&call, &query), &call, &query),
        "verify" => return verify::answer(&call, &parts.headers, body).await,
        // From the back end of a page, and from no page.
        "siteverify" => return siteverify::answer(&call, &parts.headers, body).await,
        "pass" if parts.method == Method::POST => pass::redeem(&call, &parts.headers, body).await,
        "pass" => pass::page(&call),
        "frame" => return forms::frame(&call, &query),
        name => {
            let several = config.verifiers.get() > 1;
            let ours = || {
                assets::answer(name, &parts.headers)
                    .or_else(|| assets::former(&verifier.former_assets, name))
                    .or_else(|| several.then(|| assets::ask_again(name, query.asked)).flatten())
            };
            let has_forms = config.site_keys.of(site).next().is_some();
            let for_all = || if has_forms { ours().map(assets::for_every_origin) } else { ours() };
            return assets::own(&site.look, name).or_else(for_all).unwrap_or_else(|| not_found(request_id));
        }
    };
    cors::allow(&mut response, site, visitor, &parts.headers);
    response
}

/// `GET challenge`: what the wanted route asks now.
fn challenge(call: &Call<'_>, query: &Query) -> Response<AnswerBody> {
    if query.purpose.as_deref().is_some_and(|purpose| purpose != "gate") {
        let title = "A challenge is for purpose=gate or for purpose=form";
        return malformed(call, title);
    }
    let quote = call.quote();
    if quote.price == 0 {
        return json_answer(StatusCode::OK, &json!({ "needed": false }));
    }
    call.offer(&call.asking(None, quote), query.abilities())
}

/// `GET clearance`: whether a navigation to the wanted target would be admitted now: a GET, or by the method that is named. A
/// page that failed says so, and is told the number of its failure.
fn clearance(call: &Call<'_>, query: &Query) -> Response<AnswerBody> {
    let method = query.method.as_deref().unwrap_or("GET");
    let ids = clearances::of(call.headers, &Method::GET, call.visitor.scheme, call.site);
    let facts = RequestFacts {
        site: call.site,
        route: call.route(Some(method)),
        key: None,
        network: call.visitor.network(),
        clearances: &ids,
        // A ticket is no clearance.
        tickets: &[],
        // What is no method at all is like one that changes things.
        safe_method: Method::from_bytes(method.as_bytes()).is_ok_and(|method| is_safe(&method)),
        navigation: true,
        preflight: false,
        repeat: None,
    };
    let (verifier, site, request_id) = (call.verifier, call.site, call.request_id);
    let failed = query.failed.as_deref();
    let failure_id = failed.and_then(|code| verifier.note_page_failure(site, facts.network, code, request_id));
    let mut answer = match verifier.gate.worth(call.config, &facts, clock::now()) {
        Worth::NotNeeded => json!({ "needed": false }),
        Worth::Admits { credits, expires_in, price } => {
            // For whom the verifier takes the asker: what a web server in between got wrong is seen from outside.
            let network = facts.network.to_string();
            json!({ "credits": credits, "expires_in": expires_in, "price": price, "network": network })
        }
        Worth::Lacking => {
            // Work would not help: whoever would have done it sees the answer to the request instead.
            let (code, title) = if facts.route.action == Action::Deny {
                ("denied", "The people who run this site do not allow this request")
            } else {
                ("no_clearance", "No clearance here admits this request")
            };
            let mut body = problem_body(StatusCode::UNAUTHORIZED, code, title, request_id);
            body.extend(failure_id.map(|id| ("failure_id".to_owned(), json!(id))));
            return problem(StatusCode::UNAUTHORIZED, body);
        }
    };
    if let Some(failure_id) = failure_id {
        answer["failure_id"] = json!(failure_id);
    }
    json_answer(StatusCode::OK, &answer)
}

/// A request to an endpoint that cannot be meant.
pub(super) fn malformed(call: &Call<'_>, title: &str) -> Response<AnswerBody> {
    let status = StatusCode::BAD_REQUEST;
    problem(status, problem_body(status, "malformed", title, call.request_id))
}

fn not_found(request_id: &str) -> Response<AnswerBody> {
    problem(
        StatusCode::NOT_FOUND,
        problem_body(StatusCode::NOT_FOUND, "not_found", "There is no such endpoint", request_id),
    )
}

/// The parameters that endpoints know.
#[derive(Debug, Default)]
pub(super) struct Query {
    wanted: Option<String>,
    purpose: Option<String>,
    /// The site key of a form.
    pub(super) key: Option<String>,
    algorithms: Option<String>,
    /// What a page says that failed.
    failed: Option<String>,
    /// How often a file was asked for before.
    asked: u32,
    /// By which method the target is wanted.
    method: Option<String>,
}

impl Query {
    /// What the client says that it can do.
    pub(super) fn abilities(&self) -> Abilities {
        self.algorithms.as_deref().map_or(Abilities::Unsaid, Abilities::of_list)
    }

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
                "failed" if parsed.failed.is_none() => parsed.failed = Some(value.into_owned()),
                "method" if parsed.method.is_none() => parsed.method = Some(value.into_owned()),
                "purpose" if parsed.purpose.is_none() => parsed.purpose = Some(value.into_owned()),
                "again" if parsed.asked == 0 => parsed.asked = value.parse().unwrap_or_default(),
                "key" if parsed.key.is_none() => parsed.key = Some(value.into_owned()),
                _ => {}
            }
        }
        parsed
    }
}
