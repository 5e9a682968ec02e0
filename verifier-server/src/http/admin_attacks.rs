//! Attacks on the admin listener (PROTOCOL §9): the list, and one with everything that was kept of it.

use super::service::Verifier;
use crate::timeline::Attack;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// Attacks that the dashboard shows.
const SHOWN_MAX: usize = 10;

/// All attacks in lines, the newest first.
pub(super) fn list(verifier: &Verifier, keep_days: u32) -> Value {
    let timeline = &verifier.timeline;
    json!({ "kept": timeline.is_kept(), "keep_attacks_days": keep_days, "attacks": timeline.list() })
}

/// The newest in lines, for the dashboard, and how many there are.
pub(super) fn newest(verifier: &Verifier, keep_days: u32) -> Value {
    let (attacks, all) = verifier.timeline.newest(SHOWN_MAX);
    json!({ "kept": verifier.timeline.is_kept(), "keep_attacks_days": keep_days, "all": all, "attacks": attacks })
}

/// The one that `/attacks/N` names.
pub(super) async fn one(verifier: &Arc<Verifier>, path: &str) -> (StatusCode, Value) {
    let none = || (StatusCode::NOT_FOUND, json!({ "error": "there is no attack of this number" }));
    let Some(number) = path.strip_prefix("/attacks/").and_then(|number| number.parse().ok()) else { return none() };
    let verifier = Arc::clone(verifier);
    match tokio::task::spawn_blocking(move || verifier.timeline.get(number)).await {
        Ok(Ok(Some(attack))) => told(&attack),
        Ok(Ok(None)) => none(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": error.to_string() })),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": error.to_string() })),
    }
}

fn told(attack: &Attack) -> (StatusCode, Value) {
    match serde_json::to_value(attack) {
        Ok(value) => (StatusCode::OK, value),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": error.to_string() })),
    }
}
