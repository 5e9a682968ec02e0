//! `POST verify`: a solution becomes a clearance, or a problem that carries the next challenge.

use super::answer::json_answer;
use super::body::AnswerBody;
use super::clearances::set_cookies;
use super::cors::{self, Source};
use super::endpoints::Call;
use super::tickets;
use crate::config::{Limits, Mode};
use crate::gate::{Abilities, Begun, Quote, Redeemed, Submission};
use crate::{clock, random};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, SET_COOKIE};
use hyper::{Response, StatusCode};
use puzzle::{Algorithm, CHALLENGE_BYTES, Refusal};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// What a client posts. Unknown fields are ignored; a field that is there twice makes the whole malformed.
#[derive(Debug, Deserialize)]
struct Posted {
    challenge: String,
    solution: String,
}

/// Answers `POST verify`.
pub(super) async fn answer(call: &Call<'_>, headers: &HeaderMap, body: Incoming) -> Response<AnswerBody> {
    let format = Format::of(headers);
    let timeout = Limits::VERIFY_BODY_TIMEOUT.min(call.config.limits.body_timeout);
    let bytes = read(body, timeout).await;
    let posted = format.zip(bytes).and_then(|(format, bytes)| format.parse(&bytes));
    let challenge = posted.as_ref().and_then(|posted| raw_challenge(&posted.challenge));

    let for_gate = challenge.is_none_or(|bytes| bytes[14] == 0);
    let abilities = abilities(challenge.as_ref());
    let refuse = |refusal| {
        call.verifier.note_refused(call.site, call.visitor.network(), refusal, call.request_id);
        call.refused(refusal, fresh_quote(call, refusal, challenge.as_ref()), abilities)
    };
    if for_gate && cors::source(call.site, call.visitor, headers) == Source::CrossSite {
        return refuse(Refusal::CrossSite);
    }
    if format.is_none() {
        let mut response = refuse(Refusal::Malformed);
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    let Some(posted) = posted else { return refuse(Refusal::Malformed) };
    match redeem(call, &posted).await {
        Ok(Redeemed::NotNeeded) => json_answer(StatusCode::OK, &json!({ "ok": true, "needed": false })),
        Ok(Redeemed::Clearance { id, credits, expires_in, solved_in }) => {
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
        Err(refusal) => refuse(refusal),
    }
}

async fn redeem(call: &Call<'_>, posted: &Posted) -> Result<Redeemed, Refusal> {
    let (gate, network) = (&call.verifier.gate, call.visitor.network());
    let submission = Submission { challenge: &posted.challenge, solution: &posted.solution, network };
    // Only the order of the checks hangs on this byte: without randomness they begin at the first.
    let [first] = random::bytes().unwrap_or_default();
    match gate.begin_redeeming(call.config, call.site, &submission, clock::now(), first)? {
        Begun::Redeemed(redeemed) => Ok(redeemed),
        Begun::Guarded(guarded) => {
            let solved = call.verifier.checks.solved(network, guarded, first).await?;
            gate.finish_redeeming(call.config, call.site, &solved, network, clock::now())
        }
    }
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

async fn read(body: Incoming, timeout: Duration) -> Option<Bytes> {
    let limited = Limited::new(body, Limits::VERIFY_BODY_BYTES_MAX).collect();
    let collected = tokio::time::timeout(timeout, limited).await.ok()?;
    Some(collected.ok()?.to_bytes())
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Form,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut types = headers.get_all(CONTENT_TYPE).into_iter();
        let (Some(value), None) = (types.next(), types.next()) else { return None };
        let essence = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            _ => None,
        }
    }

    fn parse(self, bytes: &[u8]) -> Option<Posted> {
        match self {
            // Serde would take a list in the place of an object.
            Self::Json if bytes.trim_ascii_start().starts_with(b"{") => serde_json::from_slice(bytes).ok(),
            Self::Json => None,
            Self::Form => {
                let (mut challenge, mut solution) = (None, None);
                for (name, value) in form_urlencoded::parse(bytes) {
                    let place = match &*name {
                        "challenge" => &mut challenge,
                        "solution" => &mut solution,
                        _ => continue,
                    };
                    if place.replace(value.into_owned()).is_some() {
                        return None;
                    }
                }
                Some(Posted { challenge: challenge?, solution: solution? })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_malformed_and_unknown_fields_are_ignored() {
        for (format, good, twice) in [
            (
                Format::Json,
                r#"{"challenge":"a","x":1,"solution":"b"}"#,
                r#"{"challenge":"a","challenge":"a","solution":"b"}"#,
            ),
            (Format::Form, "challenge=a&x=1&solution=b", "challenge=a&solution=b&solution=b"),
        ] {
            let posted = format.parse(good.as_bytes()).expect("well-formed");
            assert_eq!((posted.challenge.as_str(), posted.solution.as_str()), ("a", "b"));
            assert!(format.parse(twice.as_bytes()).is_none());
        }
        for broken in
            ["", "null", "[]", "{}", r#"["a","b"]"#, r#"{"challenge":1,"solution":"b"}"#, "{\"challenge\":\"a\""]
        {
            assert!(Format::Json.parse(broken.as_bytes()).is_none(), "{broken}");
        }
    }
}
