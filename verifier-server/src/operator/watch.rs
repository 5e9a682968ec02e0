//! `portcullis status --watch`: the status again and again, in the place of the last one.

use super::{OperatorError, status};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// How often it is asked for.
const EVERY: Duration = Duration::from_secs(2);
/// To the upper left, each line cleared to its end, and what was below.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Shows the status until it is interrupted. A verifier that is away for a moment is said so, and asked again.
///
/// # Errors
/// If it cannot be asked at the first time, or nobody reads what is written.
pub async fn watch(config: &Path, dry_run: bool) -> Result<(), OperatorError> {
    let mut shown = status(config, dry_run).await?;
    loop {
        if write(&shown).is_err() {
            // A pipe whose reader has seen enough.
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
        shown = status(config, dry_run).await.unwrap_or_else(|error| format!("no answer: {error}"));
    }
}

fn write(shown: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    if output.is_terminal() {
        output.write_all(in_place(shown).as_bytes())?;
    } else {
        writeln!(output, "{shown}\n")?;
    }
    output.flush()
}

/// The text over what was there before.
fn in_place(shown: &str) -> String {
    let lines: Vec<String> = shown.lines().map(|line| format!("{line}{CLEAR_LINE}")).collect();
    format!("{HOME}{}{CLEAR_LINE}{CLEAR_BELOW}", lines.join("\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_status_leaves_nothing_of_a_longer_one() {
        assert_eq!(in_place("a\nb"), "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[K\x1b[J");
    }
}
