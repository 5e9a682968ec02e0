//! Keeps in `state_dir` which programs come regularly, at most every few minutes and at a clean stop.

use crate::gate::callers::KeptCallers;
use crate::http::Verifier;
use crate::state_file;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether any came.
const PERIOD: Duration = Duration::from_mins(5);

/// Takes over what an earlier process kept.
pub(crate) fn resume(verifier: &Verifier, state_dir: &Path) {
    match KeptCallers::read(state_dir) {
        Ok(Some(kept)) => verifier.gate.take_callers(&kept),
        Ok(None) => {}
        Err(error) => {
            let instead = "Which programs come regularly is found out anew";
            state_file::tell_unused(&KeptCallers::file(state_dir), &error, instead);
        }
    }
}

/// Writes them whenever any came, until the process ends.
pub(crate) async fn keep(verifier: Arc<Verifier>, state_dir: PathBuf) {
    let mut periods = tokio::time::interval(PERIOD);
    loop {
        periods.tick().await;
        let (verifier, state_dir) = (Arc::clone(&verifier), state_dir.clone());
        // Away from the threads that serve. How it went is in the log.
        let _ = tokio::task::spawn_blocking(move || write(&verifier, &state_dir)).await;
    }
}

/// Writes them now and says in the log if that fails: what was kept before then stays.
pub(crate) fn write(verifier: &Verifier, state_dir: &Path) {
    if let Err(error) = verifier.gate.keep_callers(state_dir) {
        tracing::error!("the callers could not be kept in {}: {error}", state_dir.display());
    }
}
