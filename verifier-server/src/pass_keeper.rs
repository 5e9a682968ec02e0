//! Keeps staff passes in `state_dir`, whenever one of them changes.

use crate::gate::passes::KeptPasses;
use crate::http::Verifier;
use crate::state_file;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Takes over what an earlier process kept.
pub(crate) fn resume(verifier: &Verifier, state_dir: &Path) {
    let taken =
        KeptPasses::read(state_dir).and_then(|kept| kept.map_or(Ok(()), |kept| verifier.gate.take_passes(&kept)));
    if let Err(error) = taken {
        let instead = "No pass is valid: their clearances are refused, and each has to be made anew";
        state_file::tell_unused(&KeptPasses::file(state_dir), &error, instead);
    }
}

/// Writes them now, away from the threads that serve.
///
/// # Errors
/// Whatever writing reports; the file before it then stays, and they count as changed still.
pub(crate) async fn keep(verifier: &Arc<Verifier>, state_dir: PathBuf) -> io::Result<()> {
    let verifier = Arc::clone(verifier);
    let written = tokio::task::spawn_blocking(move || verifier.gate.keep_passes(&state_dir)).await;
    written.map_err(io::Error::other)?
}
