//! Notices on the admin listener (PROTOCOL §9): what the pages of a site say besides, read, set and taken away.

use super::service::Verifier;
use crate::config::{Config, Site};
use crate::kept::Kept;
use crate::notices::Notice;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The body of `POST /notice`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNotice {
    /// Empty: the notice is taken away.
    text: String,
    /// The language that it is in.
    language: Option<String>,
    /// May be left out where there is one site.
    site: Option<String>,
}

/// The site that an operator names, who need not where there is but one.
///
/// # Errors
/// A sentence that names them all.
pub(super) fn site_named<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c Site, String> {
    let found = match (name, config.sites.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(name), sites) => sites.iter().find(|site| site.name == name),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = config.sites.iter().map(|site| site.name.as_str()).collect();
        format!("name the site: {}", names.join(", "))
    })
}

/// The notice of every site that has one.
pub(super) fn list(verifier: &Verifier) -> Value {
    let config = verifier.config.load();
    let notices = config.sites.iter().filter_map(|site| {
        let notice = verifier.notices.of(&site.name)?;
        Some(json!({ "site": site.name, "text": notice.text, "language": notice.language }))
    });
    json!({ "notices": notices.collect::<Vec<_>>() })
}

/// Sets the notice of a site, or takes it away.
pub(super) async fn set(verifier: &Arc<Verifier>, new: Option<NewNotice>) -> (StatusCode, Value) {
    let bad = |reason: String| (StatusCode::BAD_REQUEST, json!({ "error": reason }));
    let Some(NewNotice { text, language, site }) = new else {
        return bad(
            "send {\"text\":\"…\"}, with \"site\" where there are several, and \"language\" if you like".to_owned()
        );
    };
    let config = verifier.config.load_full();
    let site = match site_named(&config, site.as_deref()) {
        Ok(site) => site.name.clone(),
        Err(reason) => return bad(reason),
    };
    let notice = match Notice::new(&text, language.as_deref()) {
        Ok(notice) => notice,
        Err(error) => return bad(error.to_string()),
    };
    let what = if notice.is_some() { "set" } else { "taken away" };
    verifier.notices.set(&site, notice);
    tracing::info!(site, "the notice was {what} over the admin listener");
    (StatusCode::OK, json!({ "ok": true, "site": site, "kept": Kept::Notices.outlasts(verifier).await }))
}
