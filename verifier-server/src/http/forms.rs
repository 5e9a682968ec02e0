//! `GET challenge?purpose=form`: work for a token (PROTOCOL §4), in every mode.

use super::answer::{problem, problem_body};
use super::body::AnswerBody;
use super::cors;
use super::endpoints::{Call, Query, malformed};
use hyper::{Response, StatusCode};
use puzzle::Refusal;

/// Answers it.
pub(super) fn challenge(call: &Call<'_>, query: &Query) -> Response<AnswerBody> {
    let Some(name) = &query.key else { return malformed(call, "Say for which site key: key=…") };
    let key = call.config.site_keys.named(call.site, name);
    let Some(key) = key.filter(|key| cors::form_host(key, call.visitor, call.headers).is_some()) else {
        let refusal = Refusal::WrongSite;
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        let title = "There is no such site key here, or it is not for pages of that host";
        return problem(status, problem_body(status, refusal.code(), title, call.request_id));
    };
    let quote = call.verifier.gate.form_quote(call.config, call.site, key);
    let mut response = call.offer(&call.asking(Some(key), quote), query.abilities());
    cors::allow_form(&mut response, key, call.visitor, call.headers);
    response
}
