//! Staff passes at the site (PROTOCOL §4): the page of the link, and what its button sends.

use super::answer::{html, json_answer, problem, problem_body};
use super::body::AnswerBody;
use super::clearances::{self, set_cookies};
use super::cors::{self, Source};
use super::endpoints::Call;
use super::languages;
use super::pages::{PASS_POLICY, PassPage};
use super::tickets;
use crate::config::Limits;
use crate::gate::Redeemed;
use crate::gate::passes::{PASS_DEVICES_MAX, PASS_SECRET_BYTES, PassRefusal};
use crate::{clock, random};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

/// Bytes of what the button sends: 43 characters of secret, and room.
const PASS_BODY_BYTES_MAX: usize = 1024;
/// Seconds after which a device that met a full table tries again.
const BUSY_SECONDS: u32 = 5;

/// What a device posts. Unknown fields are ignored; a field that is there twice makes the whole malformed.
#[derive(Deserialize)]
struct Posted {
    secret: String,
}

/// What is wrong with a request for a clearance by a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    CrossSite,
    ContentType,
    Malformed,
    Refused(PassRefusal),
}

impl Failure {
    /// The status, the code of the problem, and its title.
    const fn told(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::CrossSite => (StatusCode::FORBIDDEN, "cross_site", "The request came from another site's page"),
            Self::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "malformed", "Send application/json"),
            Self::Malformed => {
                (StatusCode::BAD_REQUEST, "malformed", "Send the secret of the link, 32 bytes in base64url")
            }
            Self::Refused(PassRefusal::Unknown) => {
                (StatusCode::FORBIDDEN, "unknown_pass", "There is no such pass here, or it has ended")
            }
            Self::Refused(PassRefusal::TooManyDevices) => {
                (StatusCode::CONFLICT, "too_many_devices", "This pass is in use on as many devices as it is for")
            }
            Self::Refused(PassRefusal::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy", "There is no room for another clearance now")
            }
        }
    }
}

/// `GET pass`: the page with the button. The secret stands behind `#` in the link and never comes here by itself.
pub(super) fn page(call: &Call<'_>) -> Response<AnswerBody> {
    let (base, host) = (call.config.base_path.as_str(), call.visitor.host());
    let look = &call.site.look;
    let language = languages::preferred(call.headers.get(ACCEPT_LANGUAGE), look.words.language.as_deref());
    let page = PassPage { base, host, request_id: call.request_id, look, language };
    html(StatusCode::OK, PASS_POLICY, page.render())
}

/// `POST pass`: the secret becomes a clearance, or a problem.
pub(super) async fn redeem(call: &Call<'_>, headers: &HeaderMap, body: Incoming) -> Response<AnswerBody> {
    match secret(call, headers, body).await.and_then(|secret| show(call, headers, &secret)) {
        Ok(response) => response,
        Err(failure) => {
            if failure == Failure::Refused(PassRefusal::Unknown)
                && let Some(left_out) = call.verifier.pass_log.turn()
            {
                let (site, request_id) = (&call.site.name, call.request_id);
                tracing::warn!(site, request_id, left_out, "the secret of no pass was shown");
            }
            let (status, code, title) = failure.told();
            let mut response = problem(status, problem_body(status, code, title, call.request_id));
            if failure == Failure::Refused(PassRefusal::Busy) {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(BUSY_SECONDS));
            }
            response
        }
    }
}

async fn secret(call: &Call<'_>, headers: &HeaderMap, body: Incoming) -> Result<[u8; PASS_SECRET_BYTES], Failure> {
    // No other site's page gives a visitor the clearance of somebody's pass.
    if cors::source(call.site, call.visitor, headers) == Source::CrossSite {
        return Err(Failure::CrossSite);
    }
    let mut types = headers.get_all(CONTENT_TYPE).into_iter().map(|value| value.to_str().unwrap_or_default());
    let essence = types.next().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") || types.next().is_some() {
        return Err(Failure::ContentType);
    }
    let timeout = Limits::VERIFY_BODY_TIMEOUT.min(call.config.limits.body_timeout);
    let collected = tokio::time::timeout(timeout, Limited::new(body, PASS_BODY_BYTES_MAX).collect()).await;
    let bytes = collected.ok().and_then(Result::ok).ok_or(Failure::Malformed)?.to_bytes();
    parse(&bytes).ok_or(Failure::Malformed)
}

/// The secret in what was posted: an object, since serde would take a list in the place of one.
fn parse(bytes: &[u8]) -> Option<[u8; PASS_SECRET_BYTES]> {
    let posted: Posted = bytes.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(bytes).ok())??;
    let mut secret = [0; PASS_SECRET_BYTES];
    let len = puzzle::decode(posted.secret.as_bytes(), &mut secret)?.len();
    (len == PASS_SECRET_BYTES).then_some(secret)
}

fn show(
    call: &Call<'_>,
    headers: &HeaderMap,
    secret: &[u8; PASS_SECRET_BYTES],
) -> Result<Response<AnswerBody>, Failure> {
    let (site, scheme, now) = (call.site, call.visitor.scheme, clock::now());
    let held = clearances::of(headers, &Method::POST, scheme, site);
    let fresh = random::bytes().map_err(|_| Failure::Refused(PassRefusal::Busy))?;
    let network = call.visitor.network();
    let (shown, redeemed) = call
        .verifier
        .gate
        .redeem_pass(call.config, (site, secret), (network, &held), now, fresh)
        .map_err(Failure::Refused)?;
    if shown.is_new {
        let (name, devices, site) = (&shown.name, shown.devices, &site.name);
        tracing::info!(site, pass = name, "a pass is in use on device {devices} of {PASS_DEVICES_MAX}");
    }
    let Redeemed::Clearance { id, expires_in, .. } = redeemed else {
        return Err(Failure::Refused(PassRefusal::Busy));
    };
    let mut response = json_answer(StatusCode::OK, &json!({ "ok": true, "expires_in": expires_in }));
    for cookie in set_cookies(id, expires_in, scheme, site).into_iter().chain(tickets::take_back(headers, scheme)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_32_bytes_in_an_object_and_nothing_else() {
        let text = puzzle::encode(&[7; PASS_SECRET_BYTES]);
        let good = format!("{{\"secret\":\"{}\",\"x\":1}}", text.as_str());
        assert_eq!(parse(good.as_bytes()), Some([7; PASS_SECRET_BYTES]));
        let short = puzzle::encode(&[7; PASS_SECRET_BYTES - 1]);
        for broken in [
            String::new(),
            "null".to_owned(),
            "{}".to_owned(),
            format!("[\"{}\"]", text.as_str()),
            format!("{{\"secret\":\"{}\"}}", short.as_str()),
            format!("{{\"secret\":\"{}A\"}}", text.as_str()),
            format!("{{\"secret\":\"{}=\"}}", text.as_str()),
            format!("{{\"secret\":\"{0}\",\"secret\":\"{0}\"}}", text.as_str()),
        ] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken}");
        }
    }
}
