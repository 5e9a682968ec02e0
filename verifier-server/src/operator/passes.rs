//! `portcullis pass`: links for staff, made, listed and revoked over the admin listener.

use super::{OperatorError, ask};
use crate::cli::PassArguments;
use crate::config::Config;
use hyper::Method;
use serde_json::{Value, json};
use std::path::Path;

/// Does what the command line asks for. Of a new pass it gives the link in a line of its own, and then what to know about it.
///
/// # Errors
/// See [`OperatorError`].
pub async fn run(arguments: &PassArguments) -> Result<String, OperatorError> {
    let PassArguments { name, hours, site, revoke, config, .. } = arguments;
    match (revoke, name) {
        (Some(revoked), _) => self::revoke(config, revoked).await,
        (None, Some(name)) => make(config, name, *hours, site.as_deref()).await,
        (None, None) => list(config).await,
    }
}

async fn make(config: &Path, name: &str, hours: u32, site: Option<&str>) -> Result<String, OperatorError> {
    let mut body = json!({ "name": name, "hours": hours });
    if let Some(site) = site {
        body["site"] = json!(site);
    }
    let made = ask(config, Method::POST, "/passes", Some(body)).await?;
    let origin = made["address"].as_str();
    let path = made["path"].as_str().unwrap_or_default();
    let mut lines = vec![
        format!("{}{path}", origin.unwrap_or("https://SITE")),
        format!(
            "for `{name}`: {hours} h, at most {} devices; whoever has the link can use it; portcullis pass --revoke takes it back",
            made["devices_max"]
        ),
    ];
    if origin.is_none() {
        lines.push("write the address of the site in place of https://SITE".to_owned());
    }
    if made["kept"] != true {
        lines.push("it ends with a restart of the verifier: nothing in state_dir keeps it".to_owned());
    }
    Ok(lines.join("\n"))
}

/// All passes, one a line.
async fn list(config: &Path) -> Result<String, OperatorError> {
    let answer = ask(config, Method::GET, "/passes", None).await?;
    let lines: Vec<String> = answer["passes"].as_array().into_iter().flatten().map(line).collect();
    Ok(if lines.is_empty() { "no passes".to_owned() } else { lines.join("\n") })
}

async fn revoke(config: &Path, name: &str) -> Result<String, OperatorError> {
    let answer = ask(config, Method::POST, "/passes/revoke", Some(json!({ "name": name }))).await?;
    let revoked = format!("`{name}` is revoked: its devices pass as everybody does");
    let not_kept = "; that could not be written to state_dir, see the log before you restart the verifier";
    let has_state_dir = Config::load(config)?.state_dir.is_some();
    Ok(if answer["kept"] != true && has_state_dir { revoked + not_kept } else { revoked })
}

fn line(pass: &Value) -> String {
    let minutes = pass["expires_in"].as_u64().unwrap_or_default().div_ceil(60);
    format!(
        "{}: site {}, {} h {:02} min left, devices {}",
        pass["name"].as_str().unwrap_or("?"),
        pass["site"].as_str().unwrap_or("?"),
        minutes / 60,
        minutes % 60,
        pass["devices"]
    )
}
