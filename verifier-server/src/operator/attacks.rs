//! `portcullis attacks`: the attacks there were, in lines; and where one is got from for a report.

use super::{OperatorError, ask};
use crate::calendar;
use crate::client::ClientError;
use crate::config::Config;
use crate::timeline::{Archive, Attack, Summary};
use hyper::Method;
use puzzle::UnixSeconds;
use serde_json::Value;
use std::path::Path;

/// All attacks, the newest first: from the verifier, and where none answers, from its `state_dir`.
///
/// # Errors
/// See [`OperatorError`].
pub async fn list(config: &Path) -> Result<String, OperatorError> {
    let (summaries, kept) = match ask(config, Method::GET, "/attacks", None).await {
        Ok(answer) => {
            let summaries: Vec<Summary> = serde_json::from_value(answer["attacks"].clone()).unwrap_or_default();
            (summaries, answer["kept"] == Value::Bool(true))
        }
        Err(OperatorError::Client(error)) => (archive(config, error)?.read_all().summaries, true),
        Err(error) => return Err(error),
    };
    if summaries.is_empty() {
        return Ok("no attacks".to_owned());
    }
    let mut lines: Vec<String> = summaries.iter().map(line).collect();
    if !kept {
        lines.push("they are forgotten when the verifier stops: no state_dir is configured".to_owned());
    }
    Ok(lines.join("\n"))
}

/// One attack, from the verifier or from its `state_dir`.
///
/// # Errors
/// See [`OperatorError`].
pub async fn one(config: &Path, number: u32) -> Result<Attack, OperatorError> {
    match ask(config, Method::GET, &format!("/attacks/{number}"), None).await {
        Ok(answer) => {
            serde_json::from_value(answer).map_err(|error| OperatorError::Client(ClientError::Broken(error.into())))
        }
        Err(OperatorError::Client(error)) => {
            let read = archive(config, error)?.read(number).map_err(|error| OperatorError::Kept(error.to_string()))?;
            read.ok_or_else(|| OperatorError::Kept("there is no attack of this number".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Where attacks are kept, for when the verifier does not answer for this reason.
fn archive(config: &Path, why: ClientError) -> Result<Archive, OperatorError> {
    let state_dir = Config::load(config)?.state_dir;
    state_dir.as_deref().map(Archive::new).ok_or(OperatorError::Client(why))
}

fn line(attack: &Summary) -> String {
    let ended = match attack.ended_at {
        None => "goes on".to_owned(),
        Some(ended_at) => told_seconds(ended_at.saturating_sub(attack.began_at)),
    };
    let returns = match attack.returns {
        0 => String::new(),
        1 => ", came back once".to_owned(),
        more => format!(", came back {more} times"),
    };
    format!(
        "{:>4}  {}  {ended:>9}  {}: {} requests, {} turned away, {} paid, at most {:.0}/s; by {}{returns}",
        attack.number,
        calendar::told(UnixSeconds(attack.began_at)),
        attack.site,
        attack.requests,
        attack.turned_away,
        attack.paid,
        attack.requests_per_second_max,
        if attack.signals.is_empty() { "nothing measured".to_owned() } else { attack.signals.join(", ") },
    )
}

/// `1 h 02 min`, `3 min 20 s`, `45 s`.
pub(crate) fn told_seconds(seconds: u32) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_in_a_line() {
        let summary = Summary {
            number: 7,
            site: "main".to_owned(),
            began_at: 1_795_572_663,
            ended_at: Some(1_795_572_863),
            ending: None,
            written_at: 1_795_572_863,
            returns: 2,
            requests: 1_000,
            turned_away: 900,
            paid: 90,
            unpaid: 10,
            sold: 9,
            requests_per_second_max: 77.7,
            demand_max: 80.0,
            capacity: Some(40.0),
            price_max: 262_144,
            signals: vec!["offered".to_owned(), "queue_delay".to_owned()],
        };
        assert_eq!(
            line(&summary),
            "   7  2026-11-25 02:11 UTC  3 min 20 s  main: 1000 requests, 900 turned away, 90 paid, at most 78/s; \
             by offered, queue_delay, came back 2 times"
        );
    }

    #[test]
    fn durations_are_told_in_two_units() {
        assert_eq!([45, 200, 3_723].map(told_seconds), ["45 s", "3 min 20 s", "1 h 02 min"]);
    }
}
