//! The way to a clearance, as PROTOCOL §4 and §6 describe it for any client.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use tests::solver::Challenge;

use crate::client::{Answer, Ask, Client, Lost};

/// How long one question to the verifier may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was bought.
#[derive(Clone, Debug)]
pub struct Clearance {
    /// `name=value` of its cookie.
    pub cookie: String,
    /// Credits that it began with.
    pub credits: f64,
    /// Attempts that its challenge asked.
    pub work: u64,
}

/// What became of a solution.
#[derive(Clone, Debug)]
pub enum Redeemed {
    /// A sale.
    Sold(Clearance),
    /// Nothing is asked of this client now.
    NotNeeded,
    /// No, with the code of PROTOCOL §4 and a fresh challenge, if there is one.
    Refused {
        /// The problem's code; empty for an answer that is none.
        code: String,
        /// To go on with.
        challenge: Option<Challenge>,
        /// How long to wait first.
        retry_after: Option<Duration>,
    },
}

/// A challenge from its text; nothing for what is none.
#[must_use]
pub fn challenge(text: &str) -> Option<Challenge> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Challenge)
}

/// The challenge that an answer carries.
#[must_use]
pub fn challenge_in(answer: &Answer) -> Option<Challenge> {
    answer.header("portcullis-challenge").and_then(challenge)
}

/// The `code` of a problem; empty for any other answer.
#[must_use]
pub fn code_of(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// `GET challenge`: a challenge, or `None` where nothing would be asked.
///
/// # Errors
/// Where there is no answer.
pub async fn ask(client: &mut Client, target: &str) -> Result<Option<Challenge>, Lost> {
    let answer = client.ask(&Ask::get(endpoint("challenge", target)), PATIENCE).await?;
    Ok(answer.json()["challenge"].as_str().and_then(challenge))
}

/// The body of `POST verify`.
#[must_use]
pub fn submission(challenge: &Challenge, nonces: &[u8]) -> Vec<u8> {
    json!({"challenge": challenge.text(), "solution": BASE64URL_NOPAD.encode(nonces)}).to_string().into_bytes()
}

/// `POST verify`.
///
/// # Errors
/// Where there is no answer.
pub async fn redeem(client: &mut Client, target: &str, challenge: &Challenge, nonces: &[u8]) -> Result<Redeemed, Lost> {
    let ask = Ask::post_json(endpoint("verify", target), submission(challenge, nonces));
    let answer = client.ask(&ask, PATIENCE).await?;
    if let Some(cookie) = answer.clearance() {
        let credits = answer.json()["credits"].as_f64().unwrap_or_default();
        return Ok(Redeemed::Sold(Clearance { cookie, credits, work: challenge.work() }));
    }
    if answer.status == 200 {
        return Ok(Redeemed::NotNeeded);
    }
    Ok(Redeemed::Refused {
        code: code_of(&answer),
        challenge: challenge_in(&answer),
        retry_after: answer.retry_after(),
    })
}

/// `GET clearance`: whether a navigation to `target` would be admitted now.
///
/// # Errors
/// Where there is no answer.
pub async fn is_open(client: &mut Client, target: &str, cookie: Option<&str>) -> Result<bool, Lost> {
    let answer = client.ask(&Ask::get(endpoint("clearance", target)).paid_by(cookie), PATIENCE).await?;
    Ok(answer.status == 200)
}

/// An endpoint of PROTOCOL §4 for a target.
#[must_use]
pub fn endpoint(name: &str, target: &str) -> String {
    tests::visitor::endpoint(name, target)
}
