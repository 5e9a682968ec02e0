//! `portcullis report` and `indicators`: an attack, put down for others.

use super::{OperatorError, attacks};
use crate::attack_keeper::trusted;
use crate::cli::ReportArguments;
use crate::config::Config;
use crate::report::asn::{self, Asns};
use crate::report::{Facts, ListFormat, Times, list, report as told, spared};
use ipnet::IpNet;
use std::path::Path;

/// The report of an attack.
///
/// # Errors
/// See [`OperatorError`].
pub async fn report(arguments: &ReportArguments) -> Result<String, OperatorError> {
    let times = Times::new(arguments.time_zone.as_deref())?;
    let attack = attacks::one(&arguments.config, arguments.number).await?;
    let trusted = trusted(&Config::load(&arguments.config)?);
    let asns = match &arguments.asn {
        None => Asns::new(),
        Some(file) => {
            let networks: Vec<IpNet> =
                attack.sources.networks.iter().filter_map(|source| source.name.parse().ok()).collect();
            asn::read(file, &networks).map_err(|reason| OperatorError::Asn { file: file.clone(), reason })?
        }
    };
    let facts = Facts { attack: &attack, trusted: &trusted, asns: &asns, times: &times };
    Ok(told(&facts, arguments.format).trim_end().to_owned())
}

/// The networks of an attack that may be blocked. What is left out is said on standard error, so that a list is a list.
///
/// # Errors
/// See [`OperatorError`].
pub async fn indicators(config: &Path, number: u32, format: ListFormat) -> Result<String, OperatorError> {
    let attack = attacks::one(config, number).await?;
    let trusted = trusted(&Config::load(config)?);
    let (asns, times) = (Asns::new(), Times::new(None)?);
    let facts = Facts { attack: &attack, trusted: &trusted, asns: &asns, times: &times };
    eprintln!("{}", spared(&facts));
    Ok(list(&facts, format).trim_end().to_owned())
}
