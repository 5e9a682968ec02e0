//! `portcullis status`, `mode`, `explain`, `pass`, `attacks`, `report` and `indicators`: questions to the admin listener of a running verifier.

pub mod attacks;
mod by_hand;
mod callers;
pub mod explain;
pub mod notice;
pub mod passes;
pub mod report;
mod top;
pub mod watch;

use crate::client::{self, ClientError};
use crate::config::{Config, Listen, Problems};
use crate::explain::AskedError;
use crate::report::ZoneError;
use crate::report::asn::AsnError;
use crate::secret::{SecretError, admin_tokens};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Why the question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] Problems),
    /// The admin token cannot be read.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// The verifier is not there.
    #[error("{0}\n    is the verifier running with this configuration?")]
    Client(#[from] ClientError),
    /// The question is none.
    #[error("{0}")]
    Asked(#[from] AskedError),
    /// What was kept is not there, or cannot be used.
    #[error("the verifier does not answer, and in its state_dir: {0}")]
    Kept(String),
    /// The file of autonomous systems cannot be used.
    #[error("{}: {reason}", file.display())]
    Asn {
        /// Where it is.
        file: PathBuf,
        /// Why not.
        reason: AsnError,
    },
    /// The time zone is not known.
    #[error("{0}")]
    Zone(#[from] ZoneError),
    /// It refused.
    #[error("the verifier answered {0}: {1}")]
    Refused(u16, String),
}

/// Asks what the verifier does, as lines of text; with `dry_run` also which programs a gate that is open would turn away.
///
/// # Errors
/// See [`OperatorError`].
pub async fn status(config: &Path, dry_run: bool) -> Result<String, OperatorError> {
    Ok(lines(&ask(config, Method::GET, "/status", None).await?, dry_run))
}

/// Sets the mode of all sites, or of one, and says what the verifier does then.
///
/// # Errors
/// See [`OperatorError`].
pub async fn set_mode(config: &Path, mode: &str, site: Option<&str>) -> Result<String, OperatorError> {
    Ok(lines(&ask(config, Method::POST, "/mode", Some(json!({ "mode": mode, "site": site }))).await?, false))
}

/// Asks whether the verifier is there and answers, as a container's health check does. It needs no token.
///
/// # Errors
/// See [`OperatorError`].
pub async fn health(config: &Path) -> Result<&'static str, OperatorError> {
    let config = Config::load(config)?;
    let request = Request::get("/healthz").header(HOST, "localhost").body(Full::default());
    let request = request.map_err(|error| ClientError::Broken(error.into()))?;
    let response = client::send(&config.admin, request).await?;
    if response.status().is_success() {
        return Ok("the verifier serves");
    }
    Err(OperatorError::Refused(response.status().as_u16(), "it is not healthy".to_owned()))
}

/// Has a running verifier read its configuration again.
///
/// # Errors
/// See [`OperatorError`].
pub(crate) async fn reload(config: &Path) -> Result<(), OperatorError> {
    ask(config, Method::POST, "/reload", Some(json!({}))).await.map(drop)
}

async fn ask(config: &Path, method: Method, path: &str, body: Option<Value>) -> Result<Value, OperatorError> {
    let config = Config::load(config)?;
    let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
    if let Listen::Tcp(_) = config.admin {
        // A socket needs none; an address needs it for writes, and beyond loopback for everything.
        if config.admin_token_file.exists() {
            request =
                request.header(AUTHORIZATION, format!("Bearer {}", admin_tokens(&config.admin_token_file)?.newest()));
        }
    }
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let body = body.map_or_else(Default::default, |body| Full::new(body.to_string().into()));
    let request = request.body(body).map_err(|error| ClientError::Broken(error.into()))?;
    let response = client::send(&config.admin, request).await?;
    let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    if response.status().is_success() {
        return Ok(answer);
    }
    let reason = answer["error"].as_str().unwrap_or("no reason given").to_owned();
    Err(OperatorError::Refused(response.status().as_u16(), reason))
}

/// One site's gate in a line.
fn site_line(site: &Value) -> String {
    let capacity = match (&site["capacity"]["credits_per_second"], site["capacity"]["source"].as_str()) {
        (number, Some(source)) => format!("{number} ({source})"),
        _ => "not known".to_owned(),
    };
    let why: Vec<&str> = site["overload"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let why = if why.is_empty() { String::new() } else { format!(" by {}", why.join(", ")) };
    let demand = &site["demand"];
    let by_hand = if site["mode_by_hand"].is_null() { "" } else { " set by hand" };
    format!(
        "site       {}: mode {}{by_hand}, {}{why}, price {}, offered {} and paid {} of capacity {capacity} credits/s",
        site["name"].as_str().unwrap_or("?"),
        site["mode"].as_str().unwrap_or("?"),
        site["state"].as_str().unwrap_or("?"),
        site["price"],
        demand["offered_credits_per_second"],
        demand["paid_credits_per_second"],
    )
}

fn lines(status: &Value, dry_run: bool) -> String {
    let requests = &status["requests"];
    let mut lines = vec![
        format!("mode       {}", status["mode"].as_str().unwrap_or("?")),
        format!(
            "price      {} attempts for a full clearance (floor {}, ceiling {})",
            status["price"], status["floor"], status["ceiling"]
        ),
        format!(
            "requests   {} unpaid, {} paid, {} challenged, {} denied",
            requests["unpaid"], requests["paid"], requests["challenged"], requests["denied"]
        ),
        format!(
            "clearances {} sold; table {} of {}",
            status["clearances_sold"], status["table"]["used"], status["table"]["slots"]
        ),
        format!("profile    {}", profile(&status["networks"]["profile"])),
        format!("running    {} s, {} connections open", status["uptime_seconds"], status["connections"]),
    ];
    for site in status["sites"].as_array().into_iter().flatten() {
        lines.push(site_line(site));
        lines.extend(callers::lines(site, dry_run));
    }
    lines.extend(by_hand::lines(status));
    lines.extend(top::lines(&status["top"]));
    let warnings = status["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.extend(warnings.map(|warning| format!("warning    {warning}")));
    lines.join("\n")
}

/// What is known of the demand of peaceful weeks.
fn profile(profile: &Value) -> String {
    let hours = profile["observed_seconds"].as_u64().unwrap_or(0) / 3_600;
    let kept = if profile["loaded"] == true { "read from its file" } else { "new" };
    let now = if profile["learning"] == true { "it learns" } else { "it rests while the gate is on" };
    format!("of {hours} quiet hours, {kept}; {now}")
}
