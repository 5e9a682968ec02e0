//! What the operator sets by hand over the admin listener (PROTOCOL §9): rules, and the price of a site.

use super::service::Verifier;
use crate::clock;
use crate::gate::by_hand::NewHandRule;
use crate::kept::Kept;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The body of `POST /rules/revoke`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokedRule {
    number: u32,
}

/// The body of `POST /price`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPin {
    site: String,
    /// Attempts for a full clearance; left out or `null`: the load sets it again.
    price: Option<u64>,
    #[serde(default)]
    minutes: u32,
}

fn bad(reason: impl Into<Value>) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({ "error": reason.into() }))
}

/// Makes a rule.
pub(super) async fn make(verifier: &Arc<Verifier>, new: Option<NewHandRule>) -> (StatusCode, Value) {
    let Some(new) = new else {
        return bad(
            "send {\"action\":\"deny\"|\"challenge\",\"network\":\"203.0.113.0/24\",\"path\":\"/search/**\",\"minutes\":60}: \
             a network, a path or both, and \"site\" for one site alone",
        );
    };
    let config = verifier.config.load_full();
    if let Some(name) = new.site.as_ref().filter(|name| config.sites.iter().all(|site| site.name != **name)) {
        return bad(format!("there is no site `{name}`"));
    }
    match verifier.gate.new_hand_rule(&new, clock::now()) {
        Ok(rule) => {
            tracing::warn!("a rule was made by hand: {rule}");
            (StatusCode::OK, json!({ "rule": rule, "kept": Kept::ByHand.outlasts(verifier).await }))
        }
        Err(error) => bad(error.to_string()),
    }
}

/// Takes a rule away.
pub(super) async fn revoke(verifier: &Arc<Verifier>, revoked: Option<RevokedRule>) -> (StatusCode, Value) {
    let Some(RevokedRule { number }) = revoked else { return bad("send {\"number\":1}") };
    match verifier.gate.revoke_hand_rule(number, clock::now()) {
        Some(rule) => {
            tracing::warn!("a rule made by hand was taken away: {rule}");
            (StatusCode::OK, json!({ "ok": true, "kept": Kept::ByHand.outlasts(verifier).await }))
        }
        None => (StatusCode::NOT_FOUND, json!({ "error": "there is no rule of this number" })),
    }
}

/// Holds the price of a site, or lets it go.
pub(super) async fn pin(verifier: &Arc<Verifier>, new: Option<NewPin>) -> (StatusCode, Value) {
    let Some(new) = new else {
        return bad(
            "send {\"site\":\"main\",\"price\":1000000,\"minutes\":60}, or \"price\":null to let the load set it",
        );
    };
    let config = verifier.config.load_full();
    let Some(site) = config.sites.iter().find(|site| site.name == new.site) else {
        return bad(format!("there is no site `{}`", new.site));
    };
    if let Err(error) = verifier.gate.pin_price(&config, site, new.price, new.minutes, clock::now()) {
        return bad(error.to_string());
    }
    if let Some(price) = new.price {
        tracing::warn!(site = site.name, price, "the price is held by hand for {} min", new.minutes);
    } else {
        tracing::warn!(site = site.name, "the load sets the price again");
    }
    (StatusCode::OK, json!({ "ok": true, "kept": Kept::ByHand.outlasts(verifier).await }))
}
