//! `portcullis explain`: asks the running verifier, and where none runs, the configuration.

use super::{OperatorError, ask};
use crate::clock;
use crate::config::Config;
use crate::explain::{Asked, asked};
use crate::gate::networks::HashKey;
use crate::gate::table::Table;
use crate::gate::{Gate, Masters};
use hyper::Method;
use puzzle::Master;
use std::path::Path;

/// What would become of a request, in lines.
///
/// # Errors
/// See [`OperatorError`].
pub async fn explain(file: &Path, question: &Asked) -> Result<String, OperatorError> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("url", &question.url).append_pair("from", &question.from.to_string());
    query.append_pair("method", &question.method);
    for header in &question.headers {
        query.append_pair("header", header);
    }
    match ask(file, Method::GET, &format!("/explain?{}", query.finish()), None).await {
        Ok(answer) => {
            let lines = answer["lines"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        Err(OperatorError::Client(error)) => {
            let lines = of_configuration(&Config::load(file)?, question)?;
            Ok(format!("{lines}\nnote       by the configuration alone: {error}"))
        }
        Err(error) => Err(error),
    }
}

/// The answer of a gate that has just begun. It signs nothing and meets no stranger, so that it needs no secret and no key.
fn of_configuration(config: &Config, question: &Asked) -> Result<String, OperatorError> {
    let (masters, now) = (Masters { signing: Master([0; 32]), old: None }, clock::now());
    let gate = Gate::new(masters, Table::new(TABLE_MIB), now, config.mode, HashKey([0; 16]), now);
    gate.begin(config);
    Ok(asked(&gate, config, (question, None), |_, _, _, _| false, now)?.join("\n"))
}

/// The smallest table: nothing is put into it.
const TABLE_MIB: u32 = 1;
