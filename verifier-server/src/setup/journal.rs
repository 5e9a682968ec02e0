//! The journal in `state_dir`: what setup has written, noted before it is written, so that it can be put back at any time.

use super::change::Change;
use crate::state_file;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Its name in `state_dir`.
const NAME: &str = "setup.json";
/// Its form; another one is not read. 1 had one run, so that one that broke off took those before it with it.
const VERSION: u32 = 2;
/// Bytes of it: a hundred files of a web server.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How far the last run has come. Those before it have come to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// Something may have been written.
    Unfinished,
    /// All is written, and was seen to work.
    Applied,
}

/// What was written, run by run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    version: u32,
    /// How far the last run has come.
    pub(super) phase: Phase,
    /// In the order in which they were.
    pub(super) runs: Vec<Run>,
}

/// What one run has written, and how its web server is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// The web server, as it is called on the command line.
    pub(super) server: String,
    /// The command that checks its configuration.
    pub(super) check: Vec<String>,
    /// The command that has it read its configuration again.
    pub(super) reload: Vec<String>,
    /// The files, in the order in which they are written.
    pub(super) changes: Vec<Change>,
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed.
    #[error("the journal {}: {}", .0.display(), .1)]
    Io(PathBuf, io::Error),
    /// It is not ours: whoever may write into the folder could have us write anywhere.
    #[error("the journal {} does not belong to you: run this as who applied it", .0.display())]
    Foreign(PathBuf),
    /// It is of another version, or damaged.
    #[error("the journal {} cannot be read: {}", .0.display(), .1)]
    Damaged(PathBuf, String),
}

impl Journal {
    /// Nothing was written yet.
    pub(super) const fn new() -> Self {
        Self { version: VERSION, phase: Phase::Applied, runs: Vec::new() }
    }

    /// Whether one of the runs made this file.
    pub(super) fn has_made(&self, path: &Path) -> bool {
        self.made().any(|made| made == path)
    }

    /// The files that were not there before.
    pub(super) fn made(&self) -> impl Iterator<Item = &Path> {
        let changes = self.runs.iter().flat_map(|run| &run.changes);
        changes.filter(|change| change.is_new()).map(|change| change.path.as_path())
    }

    /// The journal in a folder; `None` where there is none.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, JournalError> {
        let path = folder.join(NAME);
        let failed = |error| JournalError::Io(path.clone(), error);
        // Whoever else may write into the folder has no right to write what we are going to: a link is not followed.
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if found.uid() != geteuid().as_raw() || !found.is_file() || found.nlink() != 1 {
            return Err(JournalError::Foreign(path));
        }
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        let parsed = state_file::parse_json(&bytes, VERSION);
        parsed.map(Some).map_err(|error| JournalError::Damaged(path, error.to_string()))
    }

    /// Writes it, and waits until the disk has it.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub(super) fn save(&self, folder: &Path) -> Result<(), JournalError> {
        let path = folder.join(NAME);
        self.write(folder, &path).map_err(|error| JournalError::Io(path, error))
    }

    /// As root writes in a folder that others may write into: what a crash left is not written into, nor a link that waits there.
    fn write(&self, folder: &Path, path: &Path) -> io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let _ = fs::remove_file(&unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(folder)?.sync_all()
    }

    /// Notes that the last run was put back, and that those before it are in place.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub(super) fn forget_last(&mut self, folder: &Path) -> Result<(), JournalError> {
        self.runs.pop();
        self.phase = Phase::Applied;
        if self.runs.is_empty() { Self::forget(folder) } else { self.save(folder) }
    }

    /// Takes it away: all is as it was.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub(super) fn forget(folder: &Path) -> Result<(), JournalError> {
        let path = folder.join(NAME);
        let gone = fs::remove_file(&path).and_then(|()| File::open(folder)?.sync_all());
        gone.map_err(|error| JournalError::Io(path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(folder: &Path) -> Journal {
        let change = Change::create(folder.join("new"), "x");
        let command = vec!["true".to_owned()];
        let run = Run { server: "nginx".to_owned(), check: command.clone(), reload: command, changes: vec![change] };
        Journal { phase: Phase::Unfinished, runs: vec![run], ..Journal::new() }
    }

    #[test]
    fn it_is_read_back_and_only_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Journal::load(folder.path()).expect("none").is_none());
        let journal = journal(folder.path());
        journal.save(folder.path()).expect("written");
        let read = Journal::load(folder.path()).expect("read").expect("there");
        assert_eq!((read.phase, read.runs), (Phase::Unfinished, journal.runs));
        // A link to a journal is none.
        fs::rename(folder.path().join(NAME), folder.path().join("elsewhere")).expect("moved");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join(NAME)).expect("a link");
        assert!(matches!(Journal::load(folder.path()), Err(JournalError::Io(..))));
    }

    #[test]
    fn a_journal_of_another_version_is_not_misread() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = journal(folder.path());
        journal.version = VERSION + 1;
        journal.save(folder.path()).expect("written");
        assert!(matches!(Journal::load(folder.path()), Err(JournalError::Damaged(..))));
        for (text, said) in [("{\"version\":1,\"server\":\"nginx\"}", "it is of version 1"), ("{", "damaged")] {
            fs::write(folder.path().join(NAME), text).expect("written");
            let error = Journal::load(folder.path()).expect_err(text);
            assert!(matches!(error, JournalError::Damaged(..)) && error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn a_write_through_a_link_that_waits_there_goes_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("target");
        fs::write(&target, "precious").expect("written");
        std::os::unix::fs::symlink(&target, folder.path().join("setup.unfinished")).expect("a link");
        journal(folder.path()).save(folder.path()).expect("written");
        assert_eq!(fs::read(&target).expect("read"), b"precious");
    }
}
