//! Keeps the peacetime profile in `state_dir`, at most every few minutes and at a clean stop.

use crate::http::Verifier;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether something was learned.
const PERIOD: Duration = Duration::from_mins(5);

/// Writes the profile whenever something was learned, until the process ends.
pub(crate) async fn keep(verifier: Arc<Verifier>, state_dir: PathBuf) {
    let mut kept = verifier.gate.memory().profile().lessons();
    let mut periods = tokio::time::interval(PERIOD);
    loop {
        periods.tick().await;
        let learned = verifier.gate.memory().profile().lessons();
        if learned == kept {
            continue;
        }
        kept = learned;
        let (verifier, state_dir) = (Arc::clone(&verifier), state_dir.clone());
        // Half a MiB to the disk, away from the threads that serve. How it went is in the log.
        let _ = tokio::task::spawn_blocking(move || write(&verifier, &state_dir)).await;
    }
}

/// Writes the profile now and says in the log if that fails: the one before it then stays.
pub(crate) fn write(verifier: &Verifier, state_dir: &Path) {
    if let Err(error) = verifier.gate.memory().profile().write(state_dir) {
        tracing::error!("the profile could not be kept in {}: {error}", state_dir.display());
    }
}
