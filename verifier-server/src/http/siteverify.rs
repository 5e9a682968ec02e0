//! `POST siteverify` (PROTOCOL §4): the back end of a form asks whether a token is good. The answer is always 200 and JSON:
//! programs that site owners have read nothing else.

use super::answer::json_answer;
use super::body::AnswerBody;
use super::endpoints::Call;
use super::fields::{self, Format};
use crate::calendar;
use crate::config::Limits;
use crate::gate::{NoGood, Question};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use puzzle::{TOKEN_BYTES_MAX, Token};
use serde_json::{Value, json};

/// Bytes of a question: 1938 characters of token, 512 of secret, both perhaps percent-encoded, and room.
const QUESTION_BODY_BYTES_MAX: usize = 8 * 1024;
/// Bytes of an `idempotency_key`: other services ask for a UUID.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// What is wrong with a question or its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The body cannot be read.
    BadRequest,
    MissingSecret,
    /// No key has the secret.
    InvalidSecret,
    MissingResponse,
    /// Not a token of the key that the secret belongs to.
    InvalidResponse,
    /// The token is too old or was used.
    TimeoutOrDuplicate,
    /// Nothing can be said now; to be asked again.
    Internal,
}

impl Fault {
    /// The word that site owners know.
    const fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::MissingSecret => "missing-input-secret",
            Self::InvalidSecret => "invalid-input-secret",
            Self::MissingResponse => "missing-input-response",
            Self::InvalidResponse => "invalid-input-response",
            Self::TimeoutOrDuplicate => "timeout-or-duplicate",
            Self::Internal => "internal-error",
        }
    }
}

impl From<NoGood> for Fault {
    fn from(no_good: NoGood) -> Self {
        match no_good {
            NoGood::Invalid => Self::InvalidResponse,
            NoGood::UsedOrOld => Self::TimeoutOrDuplicate,
            NoGood::Closed => Self::Internal,
        }
    }
}

/// Answers it.
pub(super) async fn answer(call: &Call<'_>, headers: &HeaderMap, body: Incoming) -> Response<AnswerBody> {
    let verdict = verdict(call, headers, body).await;
    call.verifier.metrics.siteverified(verdict.as_ref().err().map(|fault| fault.code()));
    if verdict == Err(Fault::InvalidSecret)
        && let Some(left_out) = call.verifier.site_secret_log.turn()
    {
        let (site, request_id) = (&call.site.name, call.request_id);
        tracing::warn!(site, request_id, left_out, "siteverify was asked with the secret of no site key");
    }
    let told = verdict.unwrap_or_else(|fault| json!({ "success": false, "error-codes": [fault.code()] }));
    json_answer(StatusCode::OK, &told)
}

async fn verdict(call: &Call<'_>, headers: &HeaderMap, body: Incoming) -> Result<Value, Fault> {
    let format = Format::of(headers).ok_or(Fault::BadRequest)?;
    let timeout = Limits::VERIFY_BODY_TIMEOUT.min(call.config.limits.body_timeout);
    let bytes = fields::read(body, QUESTION_BODY_BYTES_MAX, timeout).await.ok_or(Fault::BadRequest)?;
    // `remoteip` fails no token, so it is not read.
    let fields = format.fields(&bytes, ["secret", "response", "idempotency_key"]).ok_or(Fault::BadRequest)?;
    let [secret, response, idempotency_key] = fields.map(|field| field.text_or_empty().ok_or(Fault::BadRequest));
    let (secret, response, idempotency_key) = (secret?, response?, idempotency_key?);
    if idempotency_key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        return Err(Fault::BadRequest);
    }
    if secret.is_empty() {
        return Err(Fault::MissingSecret);
    }
    let key = call.config.site_keys.of_secret(&secret).ok_or(Fault::InvalidSecret)?;
    if response.is_empty() {
        return Err(Fault::MissingResponse);
    }
    let mut buffer = [0; TOKEN_BYTES_MAX];
    let token = puzzle::decode(response.as_bytes(), &mut buffer).and_then(Token::parse);
    let question = (!idempotency_key.is_empty()).then(|| Question::of(&idempotency_key));
    let now = call.verifier.second_of_redeeming();
    call.verifier.gate.use_token(key, token.as_ref(), question, now)?;
    // Only a key for tests takes what is no token.
    let (sold_at, host, action, cdata) = token.map_or((now, call.visitor.host(), "", ""), |token| {
        (token.sold_at, token.texts.host, token.texts.action, token.texts.cdata)
    });
    Ok(json!({
        "success": true,
        "challenge_ts": calendar::rfc_3339(sold_at),
        "hostname": host,
        "error-codes": [],
        "action": action,
        "cdata": cdata,
    }))
}
