//! `POST verify`: a solution becomes a clearance or a token, or a problem that carries the next challenge.

use super::answer::json_answer;
use super::body::AnswerBody;
use super::clearances::set_cookies;
use super::cors::{self, Source};
use super::endpoints::Call;
use super::fields::{self, Field, Format};
use super::tickets;
use crate::config::{Limits, Mode};
use crate::gate::site_keys::SiteKey;
use crate::gate::{Abilities, Begun, Form, Quote, Redeemed, Submission};
use crate::{clock, random};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, SET_COOKIE};
use hyper::{Response, StatusCode};
use puzzle::{Algorithm, CHALLENGE_BYTES, Refusal, TokenTexts};
use serde_json::json;

/// What a client posts. Unknown fields are ignored; a field that is there twice makes the whole malformed.
#[derive(Debug)]
struct Posted {
    challenge: String,
    solution: String,
    /// What a token is to say; nothing for a clearance.
    action: Field,
    cdata: Field,
}

impl Posted {
    fn parse(format: Format, bytes: &Bytes) -> Option<Self> {
        let [challenge, solution, action, cdata] =
            format.fields(bytes, ["challenge", "solution", "action", "cdata"])?;
        Some(Self { challenge: challenge.text()?, solution: solution.text()?, action, cdata })
    }
}

/// The key of a form and the host of the page that has it.
struct Page<'a> {
    key: &'a SiteKey,
    host: String,
}

/// Answers `POST verify`.
pub(super) async fn answer(call: &Call<'_>, headers: &HeaderMap, body: Incoming) -> Response<AnswerBody> {
    let format = Format::of(headers);
    let timeout = Limits::VERIFY_BODY_TIMEOUT.min(call.config.limits.body_timeout);
    let bytes = fields::read(body, Limits::VERIFY_BODY_BYTES_MAX, timeout).await;
    let posted = format.zip(bytes).and_then(|(format, bytes)| Posted::parse(format, &bytes));
    let challenge = posted.as_ref().and_then(|posted| raw_challenge(&posted.challenge));
    let key = challenge.as_ref().and_then(|bytes| call.verifier.gate.site_key_of(call.config, call.site, bytes));
    let host = key.and_then(|key| cors::form_host(key, call.visitor, headers));
    let page = key.zip(host).map(|(key, host)| Page { key, host });
    let mut response = match redeemed(call, headers, posted, challenge.as_ref(), page.as_ref()).await {
        Ok(response) => response,
        Err(refusal) => refused(call, refusal, challenge.as_ref(), page.as_ref()),
    };
    if format.is_none() && response.status() == StatusCode::BAD_REQUEST {
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    match key {
        Some(key) => cors::allow_form(&mut response, key, call.visitor, headers),
        None => cors::allow(&mut response, call.site, call.visitor, headers),
    }
    response
}

async fn redeemed(
    call: &Call<'_>,
    headers: &HeaderMap,
    posted: Option<Posted>,
    challenge: Option<&[u8; CHALLENGE_BYTES]>,
    page: Option<&Page<'_>>,
) -> Result<Response<AnswerBody>, Refusal> {
    let for_gate = challenge.is_none_or(|bytes| bytes[14] == 0);
    if for_gate && cors::source(call.site, call.visitor, headers) == Source::CrossSite {
        return Err(Refusal::CrossSite);
    }
    let Posted { challenge, solution, action, cdata } = posted.ok_or(Refusal::Malformed)?;
    // For a clearance they are unknown fields.
    let said = if for_gate { Some(Default::default()) } else { action.text_or_empty().zip(cdata.text_or_empty()) };
    let (action, cdata) = said.ok_or(Refusal::Malformed)?;
    // Their lengths count whosever the challenge is.
    let host = page.map_or("-", |page| page.host.as_str());
    let texts = TokenTexts { host, action: &action, cdata: &cdata };
    if !texts.fit() {
        return Err(Refusal::Malformed);
    }
    let form = page.map(|page| Form { key: page.key, texts });
    let network = call.visitor.network();
    let submission = Submission { challenge: &challenge, solution: &solution, network, form };
    Ok(match redeem(call, &submission).await? {
        Redeemed::NotNeeded => json_answer(StatusCode::OK, &json!({ "ok": true, "needed": false })),
        Redeemed::Token { token, expires_in, is_new } => {
            if is_new {
                call.verifier.metrics.tokens_sold.inc();
            }
            json_answer(StatusCode::OK, &json!({ "ok": true, "token": token, "expires_in": expires_in }))
        }
        Redeemed::Clearance { id, credits, expires_in, solved_in } => {
            if let Some(seconds) = solved_in {
                call.verifier.metrics.sold(&call.site.name, seconds);
            }
            let mut response =
                json_answer(StatusCode::OK, &json!({ "ok": true, "expires_in": expires_in, "credits": credits }));
            for cookie in set_cookies(id, expires_in, call.visitor.scheme, call.site) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            // Who works does not wait, and leaves the share of what passes unpaid to those who cannot.
            if let Some(cookie) = tickets::take_back(headers, call.visitor.scheme) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            response
        }
    })
}

async fn redeem(call: &Call<'_>, submission: &Submission<'_>) -> Result<Redeemed, Refusal> {
    let (gate, network) = (&call.verifier.gate, submission.network);
    // Only the order of the checks hangs on this byte: without randomness they begin at the first.
    let [first] = random::bytes().unwrap_or_default();
    match gate.begin_redeeming(call.config, call.site, submission, call.verifier.second_of_redeeming(), first)? {
        Begun::Redeemed(redeemed) => Ok(redeemed),
        Begun::Guarded(guarded) => {
            let solved = call.verifier.checks.solved(network, guarded, first).await?;
            gate.finish_redeeming(call.config, call.site, &solved, (network, submission.form), clock::now())
        }
    }
}

/// The problem, with a fresh challenge of the same algorithm, and for the same key where there was one.
fn refused(
    call: &Call<'_>,
    refusal: Refusal,
    challenge: Option<&[u8; CHALLENGE_BYTES]>,
    page: Option<&Page<'_>>,
) -> Response<AnswerBody> {
    let failure_id = call.verifier.note_refused(call.config, call.site, call.visitor, refusal, call.request_id);
    let asking = match page {
        Some(Page { key, .. }) => call.asking(Some(*key), call.verifier.gate.form_quote(call.config, call.site, key)),
        None => call.asking(None, fresh_quote(call, refusal, challenge)),
    };
    call.refused(refusal, &asking, abilities(challenge), Some(failure_id))
}

/// Who has just tried one algorithm gets a challenge of the same.
fn abilities(refused: Option<&[u8; CHALLENGE_BYTES]>) -> Abilities {
    let algorithm = refused.and_then(|bytes| Algorithm::from_wire(bytes[1]));
    algorithm.map_or(Abilities::Unsaid, Abilities::of_used)
}

/// What a fresh challenge asks after a refusal: the same as the wanted route, and where that asks nothing, standing for a
/// standing challenge of ours. A flag that no MAC vouches for buys nothing: an idle gate sells nothing.
fn fresh_quote(call: &Call<'_>, refusal: Refusal, refused: Option<&[u8; CHALLENGE_BYTES]>) -> Quote {
    let quote = call.quote();
    let unproved = matches!(refusal, Refusal::CrossSite | Refusal::Malformed | Refusal::Busy | Refusal::Forged);
    let standing = !unproved && refused.is_some_and(|bytes| bytes[14] == 0 && bytes[15] == 1);
    let gate = &call.verifier.gate;
    if quote.price == 0 && standing && gate.mode_of(call.site) != Mode::Off {
        gate.pricing(call.config, call.site).standing()
    } else {
        quote
    }
}

/// The 64 bytes of a challenge text, before anything in them is believed.
fn raw_challenge(text: &str) -> Option<[u8; CHALLENGE_BYTES]> {
    let mut bytes = [0; CHALLENGE_BYTES];
    (puzzle::decode(text.as_bytes(), &mut bytes)?.len() == CHALLENGE_BYTES).then_some(bytes)
}
