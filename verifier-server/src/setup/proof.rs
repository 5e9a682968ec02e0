//! The web server is asked itself whether the gate is in place: the only proof there is.

use super::plan::{ANY_HOST, Ask, Trust};
use super::verifier::{TEST_PATH, Verifier};
use crate::client::{self, ClientError};
use crate::config::Listen;
use crate::tls::{Tls, TlsError};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a server may take to read its configuration again.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// The header that only an answer of the gate has.
pub(crate) const CHALLENGE_HEADER: &str = "portcullis-challenge";

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The gate, at the path that asks for work at all times.
    Gate,
    /// The verifier, which is switched off.
    Off,
}

/// Asks until the gate is seen, or the time is over.
///
/// # Errors
/// What was seen instead.
pub(super) async fn prove(ask: &Ask, verifier: &Verifier) -> Result<Seen, String> {
    let tls = tls(ask)?;
    let until = Instant::now() + PATIENCE;
    // Twice in a row: while a server changes over, its old and its new configuration both answer.
    let mut before = None;
    loop {
        match look(ask, verifier, tls.as_ref()).await {
            Ok(seen) if before == Some(seen) => return Ok(seen),
            Ok(seen) => before = Some(seen),
            Err(why) if Instant::now() > until => return Err(format!("{}: {} {why}", ask.place, ask.host)),
            Err(_) => before = None,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks once.
///
/// # Errors
/// What was seen instead.
pub(super) async fn once(ask: &Ask, verifier: &Verifier) -> Result<Seen, String> {
    look(ask, verifier, tls(ask)?.as_ref()).await
}

fn tls(ask: &Ask) -> Result<Option<Tls>, String> {
    let untrusted = |error: TlsError| format!("{}: {error}", ask.place);
    match &ask.trust {
        Trust::Plain => Ok(None),
        Trust::Certificate(file) => Tls::of_certificate(file).map(Some).map_err(untrusted),
        Trust::System => Tls::of_system().map(Some).map_err(untrusted),
    }
}

async fn look(ask: &Ask, verifier: &Verifier, tls: Option<&Tls>) -> Result<Seen, String> {
    let broken = |error: ClientError| format!("does not answer: {error}");
    let challenge = format!("{}challenge?for={TEST_PATH}", verifier.config.base_path);
    let answer = send(ask, tls, &challenge).await.map_err(broken)?;
    // Of a server that takes any name the verifier need not know every one.
    let unknown = answer.status() == StatusCode::MISDIRECTED_REQUEST
        && ask.host.ends_with(ANY_HOST)
        && verifier.config.site_of(&ask.host).is_none();
    let told: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if !unknown && (answer.status() != StatusCode::OK || told["needed"].is_null()) {
        return Err(format!("answers {} where the verifier's challenge was asked for", answer.status()));
    }
    let beside = send(ask, tls, "/.portcullis-beside/check").await.map_err(broken)?;
    if beside.status() == StatusCode::NO_CONTENT || beside.headers().contains_key("portcullis-gate") {
        return Err("lets strangers ask the verifier's own questions (/.portcullis-beside/)".to_owned());
    }
    let page = send(ask, tls, TEST_PATH).await.map_err(broken)?;
    if told["needed"] == json!(false) {
        return Ok(Seen::Off);
    }
    let gated = page.status() == StatusCode::TOO_MANY_REQUESTS && page.headers().contains_key(CHALLENGE_HEADER);
    if gated || (unknown && page.status() == StatusCode::MISDIRECTED_REQUEST) {
        return Ok(Seen::Gate);
    }
    Err(format!("answers {} where the gate's page was expected ({TEST_PATH})", page.status()))
}

async fn send(ask: &Ask, tls: Option<&Tls>, target: &str) -> Result<Response<Bytes>, ClientError> {
    let standard = if tls.is_some() { 443 } else { 80 };
    let host = match &ask.to {
        Listen::Tcp(address) if address.port() != standard => format!("{}:{}", ask.host, address.port()),
        _ => ask.host.clone(),
    };
    let request = Request::get(target).header(HOST, host).body(Full::default());
    let request = request.map_err(|error| ClientError::Broken(error.into()))?;
    client::send_by(tls.map(|tls| (tls, ask.host.as_str())), None, &ask.to, request).await
}
