//! What operators change while the verifier runs: each a file in `state_dir`, written whenever it changes.

use crate::gate::by_hand::KeptByHand;
use crate::gate::passes::KeptPasses;
use crate::http::Verifier;
use crate::notices::Notices;
use crate::{clock, state_file};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// One of these files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Staff passes.
    Passes,
    /// Rules made by hand, and prices held by hand.
    ByHand,
    /// What the pages say besides.
    Notices,
}

impl Kept {
    pub(crate) const ALL: [Self; 3] = [Self::Passes, Self::ByHand, Self::Notices];

    /// What the log calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Passes => "the passes",
            Self::ByHand => "what was set by hand",
            Self::Notices => "the notices",
        }
    }

    /// Takes over what an earlier process kept.
    pub(crate) fn resume(self, verifier: &Verifier, state_dir: &Path) {
        let (gate, now) = (&verifier.gate, clock::now());
        let (file, taken) = match self {
            Self::Passes => (
                KeptPasses::file(state_dir),
                KeptPasses::read(state_dir).and_then(|kept| kept.map_or(Ok(()), |kept| gate.take_passes(&kept))),
            ),
            Self::ByHand => (
                KeptByHand::file(state_dir),
                KeptByHand::read(state_dir).and_then(|kept| kept.map_or(Ok(()), |kept| gate.take_by_hand(&kept, now))),
            ),
            Self::Notices => (Notices::file(state_dir), verifier.notices.take(state_dir)),
        };
        if let Err(error) = taken {
            state_file::tell_unused(&file, &error, self.without());
        }
    }

    /// How it goes on where the file cannot be used.
    const fn without(self) -> &'static str {
        match self {
            Self::Passes => "No pass is valid: their clearances are refused, and each has to be made anew",
            Self::ByHand => "No rule and no price made by hand is in force",
            Self::Notices => "The pages have no notice",
        }
    }

    /// Whether something of it is not in its file yet.
    pub(crate) fn changed(self, verifier: &Verifier) -> bool {
        match self {
            Self::Passes => verifier.gate.passes_changed(),
            Self::ByHand => verifier.gate.by_hand_changed(),
            Self::Notices => verifier.notices.changed(),
        }
    }

    /// Writes its file.
    ///
    /// # Errors
    /// Whatever writing reports; the file before it then stays, and it counts as changed still.
    pub(crate) fn write(self, verifier: &Verifier, state_dir: &Path) -> io::Result<()> {
        match self {
            Self::Passes => verifier.gate.keep_passes(state_dir),
            Self::ByHand => verifier.gate.keep_by_hand(state_dir),
            Self::Notices => verifier.notices.keep(state_dir),
        }
    }

    /// Writes its file away from the threads that serve. Whether what changed outlasts a restart: there may be no folder, or one
    /// that takes nothing.
    pub(crate) async fn outlasts(self, verifier: &Arc<Verifier>) -> bool {
        let Some(state_dir) = verifier.config.load().state_dir.clone() else { return false };
        let (writing, folder) = (Arc::clone(verifier), state_dir.clone());
        let written = tokio::task::spawn_blocking(move || self.write(&writing, &folder)).await;
        let error = written.map_err(io::Error::other).flatten().err();
        if let Some(error) = &error {
            tracing::error!("{self} cannot be kept in {}: {error}", state_dir.display());
        }
        error.is_none()
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
