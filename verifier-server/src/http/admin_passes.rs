//! Staff passes on the admin listener (PROTOCOL §9): made, listed, revoked.

use super::admin_notice::site_named;
use super::service::Verifier;
use crate::gate::passes::{PASS_DEVICES_MAX, PASS_SECRET_BYTES, PassReport};
use crate::kept::Kept;
use crate::{clock, random};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The body of `POST /passes`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPass {
    name: String,
    hours: u32,
    /// May be left out where there is one site.
    site: Option<String>,
}

/// The body of `POST /passes/revoke`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokedPass {
    name: String,
}

/// All passes, without their secrets, which nobody has any more.
pub(super) fn list(verifier: &Verifier) -> Value {
    let now = clock::now();
    let passes: Vec<Value> = verifier
        .gate
        .passes()
        .iter()
        .filter(|pass| now < pass.expires_at)
        .map(|pass| {
            let mut told = told(pass);
            told["devices"] = json!(pass.devices);
            told
        })
        .collect();
    json!({ "passes": passes })
}

/// Makes a pass. Its secret is in the answer and nowhere else.
pub(super) async fn make(verifier: &Arc<Verifier>, new: Option<NewPass>) -> (StatusCode, Value) {
    let bad = |reason: String| (StatusCode::BAD_REQUEST, json!({ "error": reason }));
    let Some(new) = new else {
        return bad("send {\"name\":\"…\",\"hours\":12}, with \"site\" where there are several".to_owned());
    };
    let config = verifier.config.load_full();
    let site = match site_named(&config, new.site.as_deref()) {
        Ok(site) => site,
        Err(reason) => return bad(reason),
    };
    let Ok(secret) = random::bytes::<PASS_SECRET_BYTES>() else {
        return (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": "the system gives no randomness for a secret" }));
    };
    let pass = match verifier.gate.new_pass(&new.name, site, &secret, new.hours, clock::now()) {
        Ok(pass) => pass,
        Err(error) => return bad(error.to_string()),
    };
    tracing::info!(site = pass.site, pass = pass.name, "a pass was made for {} h", new.hours);
    let mut answer = told(&pass);
    answer["path"] = json!(format!("{}pass#{}", config.base_path, puzzle::encode(&secret).as_str()));
    answer["address"] = json!(site.address());
    answer["devices_max"] = json!(PASS_DEVICES_MAX);
    answer["kept"] = json!(Kept::Passes.outlasts(verifier).await);
    (StatusCode::OK, answer)
}

/// Revokes a pass: the clearances of its devices are refused from now on.
pub(super) async fn revoke(verifier: &Arc<Verifier>, revoked: Option<RevokedPass>) -> (StatusCode, Value) {
    let Some(RevokedPass { name }) = revoked else {
        return (StatusCode::BAD_REQUEST, json!({ "error": "send {\"name\":\"…\"}" }));
    };
    if !verifier.gate.revoke_pass(&name) {
        return (StatusCode::NOT_FOUND, json!({ "error": "there is no pass of this name" }));
    }
    tracing::info!(pass = name, "a pass was revoked");
    (StatusCode::OK, json!({ "ok": true, "kept": Kept::Passes.outlasts(verifier).await }))
}

fn told(pass: &PassReport) -> Value {
    json!({ "name": pass.name, "site": pass.site, "expires_in": pass.expires_at.since(clock::now()) })
}
