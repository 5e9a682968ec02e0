//! Keeps what the operator sets by hand in `state_dir`, whenever it changes.

use crate::gate::by_hand::KeptByHand;
use crate::http::Verifier;
use crate::{clock, state_file};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Takes over what an earlier process kept.
pub(crate) fn resume(verifier: &Verifier, state_dir: &Path) {
    let gate = &verifier.gate;
    let taken =
        KeptByHand::read(state_dir).and_then(|kept| kept.map_or(Ok(()), |kept| gate.take_by_hand(&kept, clock::now())));
    if let Err(error) = taken {
        let instead = "No rule and no price made by hand is in force";
        state_file::tell_unused(&KeptByHand::file(state_dir), &error, instead);
    }
    for rule in gate.hand_rules(clock::now()) {
        tracing::warn!("a rule made by hand goes on: {rule}");
    }
}

/// Writes it now, away from the threads that serve.
///
/// # Errors
/// Whatever writing reports; the file before it then stays, and it counts as changed still.
pub(crate) async fn keep(verifier: &Arc<Verifier>, state_dir: PathBuf) -> io::Result<()> {
    let verifier = Arc::clone(verifier);
    let written = tokio::task::spawn_blocking(move || verifier.gate.keep_by_hand(&state_dir)).await;
    written.map_err(io::Error::other)?
}
