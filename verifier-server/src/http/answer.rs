//! What the gate itself answers (PROTOCOL §6): the page or the problem, never cached, never indexed as 200.

use super::body::AnswerBody;
use super::client_body::Broken;
use super::kinds::is_navigation;
use super::languages::{self, Language, Words, english};
use super::noscript::NoScript;
use super::original::Visitor;
use super::pages::{GATE_POLICY, GatePage, MESSAGE_POLICY, MessagePage};
use super::preview;
use super::service::Verifier;
use super::tickets;
use crate::config::{Config, Site};
use crate::gate::{Abilities, Asking, NoChoice, RequestFacts, TicketOffer};
use crate::html::Html;
use crate::{clock, random};
use hyper::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE,
    VARY,
};
use hyper::{Method, Response, StatusCode};
use puzzle::{Challenge, Rate};
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// What a gate answer depends on.
const VARY_GATE: &str = "Accept, Accept-Language, Cookie, Sec-Fetch-Mode, Sec-Fetch-Dest, Origin, Portcullis-Clearance";
/// Why the gate answers in the place of the site: `check`'s word to nginx, and to a page's script that the request has not
/// reached the site and may be sent again after `Retry-After` as it is.
pub(super) const GATE_HEADER: &str = "portcullis-gate";
pub(super) const GATE_BUSY: &str = "busy";
const GATE_AGAIN: &str = "again";
/// Seconds after which a visitor whom admission dropped tries again: 2 to 8, so that they do not come back together.
const OVERLOADED_RETRY_SECONDS: (u32, u32) = (2, 8);

/// What every answer to one request needs.
pub(super) struct Context<'a> {
    verifier: &'a Verifier,
    config: &'a Config,
    visitor: &'a Visitor,
    request_id: &'a str,
    method: &'static str,
    navigation: bool,
    /// What the visitor's browser says of languages.
    accept_language: Option<HeaderValue>,
}

/// Title and text of a page that says something: in the language of the visitor, or English where only programs and
/// operators come.
#[derive(Clone, Copy)]
enum Said<'t> {
    In(fn(&Words) -> (&Html, &Html)),
    English(&'t str, &'t str),
}

impl<'a> Context<'a> {
    pub(super) fn new(
        verifier: &'a Verifier,
        config: &'a Config,
        visitor: &'a Visitor,
        request_id: &'a str,
        headers: &HeaderMap,
        method: &Method,
    ) -> Self {
        Self::of_asked(verifier, config, visitor, request_id, headers, method.as_str())
    }

    /// For a request that a web server asks about: `method` is that of the original.
    pub(super) fn of_asked(
        verifier: &'a Verifier,
        config: &'a Config,
        visitor: &'a Visitor,
        request_id: &'a str,
        headers: &HeaderMap,
        method: &str,
    ) -> Self {
        let (method, navigation) = (known_method(method), is_navigation(headers));
        let accept_language = headers.get(ACCEPT_LANGUAGE).cloned();
        Self { verifier, config, visitor, request_id, method, navigation, accept_language }
    }

    /// Whose the request is.
    pub(super) const fn visitor(&self) -> &'a Visitor {
        self.visitor
    }

    /// The id of the request.
    pub(super) const fn request_id(&self) -> &'a str {
        self.request_id
    }

    /// The gate's answer to a request that is not admitted: the page in place, or a problem. `None` where the
    /// operating system gives no randomness for a challenge. `headers` are the request's own.
    pub(super) fn challenged(&self, facts: &RequestFacts<'_>, headers: &HeaderMap) -> Option<Response<AnswerBody>> {
        let (gate, network) = (&self.verifier.gate, self.visitor.network());
        let asks_for_preview =
            facts.site.preview.is_some() && matches!(self.method, "GET" | "HEAD") && preview::is_fetcher(headers);
        if asks_for_preview
            && let Some(stub) = self.verifier.previews.answer(facts.site, network, &self.verifier.metrics, clock::now())
        {
            return Some(stub);
        }
        let pricing = gate.pricing_for(self.config, facts.site, network, clock::now());
        let quote = pricing.quote_unallowed(&facts.route);
        let abilities = if self.navigation { Abilities::PAGE } else { Abilities::Unsaid };
        let asking = Asking { site: facts.site, key: None, network, quote };
        let challenge = issue(self.verifier, self.config, &asking, abilities)?.ok()?;
        let mut response = if self.navigation { self.page(&challenge, facts) } else { self.problem_with(&challenge) };
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(work_seconds(&challenge)));
        challenge_header(headers, &challenge);
        Some(response)
    }

    /// A clearance came in the meantime: the request is sent again. A form is sent again by whoever wrote it.
    pub(super) fn again(&self) -> Response<AnswerBody> {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut response = if self.method == "GET" {
            self.message_page(status, Said::In(|words| (&words.title, &words.server_again)), Some(0))
        } else {
            let said = Said::In(|words| (&words.title, &words.done_form));
            self.page_or_problem(status, "again", said, "Please send the request again", None)
        };
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(0));
        response.headers_mut().insert(GATE_HEADER, HeaderValue::from_static(GATE_AGAIN));
        response
    }

    /// A rule refuses the request.
    pub(super) fn denied(&self) -> Response<AnswerBody> {
        let said = Said::In(|words| (&words.server_denied_title, &words.server_denied));
        let title = "The people who run this site do not allow this request.";
        self.page_or_problem(StatusCode::FORBIDDEN, "denied", said, title, None)
    }

    /// A paid request for which there was no room.
    pub(super) fn overloaded(&self) -> Response<AnswerBody> {
        let (least, most) = OVERLOADED_RETRY_SECONDS;
        let jitter = u32::from(random::bytes::<1>().unwrap_or_default()[0]);
        let seconds = least + jitter % (most - least + 1);
        // A page can be fetched again; a form is sent by whoever wrote it, and by nobody else.
        let (said, refresh) = if matches!(self.method, "GET" | "HEAD") {
            (Said::In(|words| (&words.server_overloaded_title, &words.server_overloaded)), Some(seconds))
        } else {
            (Said::In(|words| (&words.server_overloaded_title, &words.server_overloaded_form)), None)
        };
        let title = "The site is serving as many visitors as it can; please send the request again";
        let mut response = self.page_or_problem(StatusCode::SERVICE_UNAVAILABLE, "overloaded", said, title, refresh);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        response.headers_mut().insert(GATE_HEADER, HeaderValue::from_static(GATE_BUSY));
        response
    }

    /// The origin has begun an event stream for which there is no place: what it did for the request is done, and no script is
    /// told to send it again.
    pub(super) fn no_place(&self) -> Response<AnswerBody> {
        let mut response = self.overloaded();
        response.headers_mut().remove(GATE_HEADER);
        response
    }

    /// The request's body did not come in time, or not at all.
    pub(super) fn body_broken(&self, broken: &Broken) -> Response<AnswerBody> {
        let (status, code, text) = match broken {
            Broken::NoRoom => return self.overloaded(),
            Broken::Stalled => (StatusCode::REQUEST_TIMEOUT, "body_timeout", "The request's body did not come."),
            Broken::Unreadable(_) => (StatusCode::BAD_REQUEST, "bad_body", "The request's body cannot be read."),
        };
        let mut response = self.failed(status, code, text);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    /// The host belongs to no site here.
    pub(super) fn unknown_host(&self) -> Response<AnswerBody> {
        let text = "There is no site of this name on this server.";
        let said = Said::English("No such site here", text);
        self.page_or_problem(StatusCode::MISDIRECTED_REQUEST, "unknown_host", said, text, None)
    }

    /// The site's own content is not served from here.
    pub(super) fn nothing_here(&self) -> Response<AnswerBody> {
        let text = "This address only answers questions of the web server beside it.";
        self.page_or_problem(StatusCode::NOT_FOUND, "not_found", Said::English("Nothing here", text), text, None)
    }

    /// The origin did not answer as it should, or the request cannot be passed on to it.
    pub(super) fn failed(&self, status: StatusCode, code: &str, text: &str) -> Response<AnswerBody> {
        let said = if status.is_server_error() {
            Said::In(|words| (&words.server_unreachable_title, &words.server_unreachable))
        } else {
            Said::English("This page cannot be reached right now", text)
        };
        self.page_or_problem(status, code, said, text, None)
    }

    /// The language of the visitor at a site.
    fn language(&self, site: Option<&Site>) -> &'static Language {
        let usual = site.and_then(|site| site.look.words.language.as_deref());
        languages::preferred(self.accept_language.as_ref(), usual)
    }

    fn page(&self, challenge: &Challenge, facts: &RequestFacts<'_>) -> Response<AnswerBody> {
        let offer = random::bytes()
            .ok()
            .and_then(|random| self.verifier.gate.offer_ticket(self.config, facts, clock::now(), random));
        let small = self.verifier.page_rates.is_crowded(self.visitor.network(), clock::now());
        let notice = self.verifier.notices.of(&facts.site.name);
        let page = GatePage {
            base: &self.config.base_path,
            challenge,
            expires_in: challenge.expires_at().since(clock::now()),
            method: self.method,
            host: self.visitor.host(),
            request_id: self.request_id,
            noscript: NoScript::new(offer.as_ref(), self.method == "GET", random::bytes().unwrap_or_default()),
            small,
            look: &facts.site.look,
            notice: notice.as_deref(),
            language: self.language(Some(facts.site)),
        };
        let mut response = html(StatusCode::TOO_MANY_REQUESTS, GATE_POLICY, page.render());
        if let Some(TicketOffer::New { ticket, wait_seconds }) = &offer {
            let cookie = tickets::set_cookie(ticket, *wait_seconds, self.visitor.scheme);
            response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        }
        response
    }

    fn problem_with(&self, challenge: &Challenge) -> Response<AnswerBody> {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut body = problem_body(status, "challenge_required", "This request needs work first", self.request_id);
        body.extend(challenge_fields(challenge));
        problem(status, body)
    }

    /// `title` is that of the problem, for programs.
    fn page_or_problem(
        &self,
        status: StatusCode,
        code: &str,
        said: Said<'_>,
        title: &str,
        refresh_seconds: Option<u32>,
    ) -> Response<AnswerBody> {
        if self.navigation {
            self.message_page(status, said, refresh_seconds)
        } else {
            self.problem(status, code, title)
        }
    }

    fn message_page(&self, status: StatusCode, said: Said<'_>, refresh_seconds: Option<u32>) -> Response<AnswerBody> {
        let site = self.config.site_of(self.visitor.host());
        let (language, title, text) = match said {
            Said::English(title, text) => (english(), Html::of(title), Html::of(text)),
            Said::In(words) => {
                let language = self.language(site);
                let (title, text) = words(&language.words);
                (language, title.clone(), text.clone())
            }
        };
        let notice = site.and_then(|site| self.verifier.notices.of(&site.name));
        let page = MessagePage {
            base: &self.config.base_path,
            status: status.as_u16(),
            title: &title,
            text: &text,
            request_id: self.request_id,
            refresh_seconds,
            look: site.map(|site| &site.look),
            notice: notice.as_deref(),
            language,
        };
        html(status, MESSAGE_POLICY, page.render())
    }

    fn problem(&self, status: StatusCode, code: &str, title: &str) -> Response<AnswerBody> {
        problem(status, problem_body(status, code, title, self.request_id))
    }
}

/// The method as a page may name it: a stranger's own word has no length that we know.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("OTHER")
}

/// Issues a challenge with fresh randomness and counts it. `None` where there can be no challenge at all.
pub(super) fn issue(
    verifier: &Verifier,
    config: &Config,
    asking: &Asking<'_>,
    abilities: Abilities,
) -> Option<Result<Challenge, NoChoice>> {
    let now = clock::now();
    let algorithm = match verifier.gate.choose(config, asking, abilities, now) {
        Ok(algorithm) => algorithm,
        Err(no_choice) => return Some(Err(no_choice)),
    };
    let challenge = verifier.gate.issue(config, asking, algorithm, now, random::bytes().ok()?)?;
    verifier.metrics.challenges_issued.inc();
    Some(Ok(challenge))
}

/// A page that says something, for a request whose visitor is not known.
pub(super) fn message(
    config: &Config,
    request_id: &str,
    status: StatusCode,
    title: &str,
    text: &str,
) -> Response<AnswerBody> {
    let page = MessagePage {
        base: &config.base_path,
        status: status.as_u16(),
        title: &Html::of(title),
        text: &Html::of(text),
        request_id,
        refresh_seconds: None,
        look: None,
        notice: None,
        language: english(),
    };
    html(status, MESSAGE_POLICY, page.render())
}

/// The fields that tell a client about a challenge; the verifier believes its 64 bytes and none of these.
pub(super) fn challenge_fields(challenge: &Challenge) -> Map<String, Value> {
    let shape = challenge.shape();
    let fields = json!({
        "needed": true,
        "challenge": puzzle::encode(challenge.bytes()).as_str(),
        "algorithm": shape.algorithm.name(),
        "difficulty": shape.difficulty.attempts(),
        "count": shape.count,
        "expires_in": challenge.expires_at().since(clock::now()),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The members of a problem (RFC 9457).
pub(super) fn problem_body(status: StatusCode, code: &str, title: &str, request_id: &str) -> Map<String, Value> {
    let members = [
        ("type", json!("about:blank")),
        ("title", json!(title)),
        ("status", json!(status.as_u16())),
        ("code", json!(code)),
        ("request_id", json!(request_id)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A problem answer.
pub(super) fn problem(status: StatusCode, body: Map<String, Value>) -> Response<AnswerBody> {
    with_type(status, "application/problem+json", Value::Object(body).to_string())
}

/// A JSON answer.
pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response<AnswerBody> {
    with_type(status, "application/json", body.to_string())
}

/// Puts a challenge where clients that do not read bodies find it.
pub(super) fn challenge_header(headers: &mut HeaderMap, challenge: &Challenge) {
    if let Ok(value) = HeaderValue::from_str(puzzle::encode(challenge.bytes()).as_str()) {
        headers.insert("portcullis-challenge", value);
    }
}

/// An answer with nothing in it.
pub(super) fn bare(status: StatusCode) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::empty());
    *response.status_mut() = status;
    never_cached(response.headers_mut());
    response
}

pub(super) fn html(status: StatusCode, policy: &'static str, page: String) -> Response<AnswerBody> {
    let mut response = with_type(status, "text/html; charset=utf-8", page);
    let headers = response.headers_mut();
    headers.insert("content-security-policy", HeaderValue::from_static(policy));
    headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}

fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::bytes(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    never_cached(headers);
    response
}

fn never_cached(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static(VARY_GATE));
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
        headers.insert(DATE, date);
    }
}

/// What the slowest supported phone needs for a challenge, in whole seconds, at least 1.
fn work_seconds(challenge: &Challenge) -> u64 {
    let shape = challenge.shape();
    shape.work(Rate::ONE).div_ceil(shape.algorithm.slowest_attempts_per_second().into()).max(1)
}
