//! `portcullis notice`: what the pages of a site say besides, over the admin listener.

use super::{OperatorError, ask};
use crate::cli::NoticeArguments;
use hyper::Method;
use serde_json::{Value, json};
use std::path::Path;

/// Does what the command line asks for.
///
/// # Errors
/// See [`OperatorError`].
pub async fn run(arguments: &NoticeArguments) -> Result<String, OperatorError> {
    let NoticeArguments { text, clear, site, language, config } = arguments;
    match (text, clear) {
        (None, false) => list(config).await,
        (text, _) => set(config, text.as_deref().unwrap_or_default(), site.as_deref(), language.as_deref()).await,
    }
}

async fn set(config: &Path, text: &str, site: Option<&str>, language: Option<&str>) -> Result<String, OperatorError> {
    let mut body = json!({ "text": text });
    for (name, value) in [("site", site), ("language", language)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let answer = ask(config, Method::POST, "/notice", Some(body)).await?;
    let site = answer["site"].as_str().unwrap_or("?");
    let done = if text.is_empty() {
        format!("the pages of `{site}` say nothing besides any more")
    } else {
        format!("the pages of `{site}` say so from now on; portcullis notice --clear takes it away")
    };
    let not_kept = "\nit ends with a restart of the verifier: nothing in state_dir keeps it";
    Ok(if answer["kept"] == true { done } else { done + not_kept })
}

/// All notices, one a line.
async fn list(config: &Path) -> Result<String, OperatorError> {
    let answer = ask(config, Method::GET, "/notice", None).await?;
    let lines: Vec<String> = answer["notices"].as_array().into_iter().flatten().map(line).collect();
    Ok(if lines.is_empty() { "no notices".to_owned() } else { lines.join("\n") })
}

fn line(notice: &Value) -> String {
    format!("{}: {}", notice["site"].as_str().unwrap_or("?"), notice["text"].as_str().unwrap_or("?"))
}
