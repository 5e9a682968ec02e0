//! Records in `state_dir`: a file an attack, written whole or not at all, few of them and not for ever.

use super::record::{Attack, Summary, VERSION};
use crate::state_file::{self, StateFileError};
use puzzle::UnixSeconds;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder in `state_dir`.
const FOLDER: &str = "attacks";
/// What has the last number that was given.
const LAST: &str = "last";
const LAST_VERSION: u32 = 1;
const LAST_BYTES_MAX: u64 = 256;
/// Records that are kept; beyond them the one with the fewest requests goes.
pub const ATTACKS_MAX: usize = 200;
/// Bytes of a record that is read: four times the largest that is written.
const RECORD_BYTES_MAX: u64 = 512 * 1024;
/// Files that are looked at when a folder is read.
const FILES_MAX: usize = 10_000;

const DAY_SECONDS: u32 = 86_400;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    version: u32,
    number: u32,
}

/// The records of a `state_dir`.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

/// What was found in it.
#[derive(Debug, Default)]
pub struct Found {
    /// All records in lines, the newest first.
    pub summaries: Vec<Summary>,
    /// The attacks that had not ended, when the process that wrote them did.
    pub open: Vec<Attack>,
    /// The last number that was given.
    pub number_last: u32,
    /// What cannot be used, and why.
    pub unused: Vec<(PathBuf, StateFileError)>,
}

impl Archive {
    /// The records in this `state_dir`; nothing is read or made yet.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join(FOLDER) }
    }

    /// Reads everything. What is damaged is said so and left alone.
    #[must_use]
    pub fn read_all(&self) -> Found {
        let mut found = Found::default();
        let last = self.folder.join(LAST);
        match state_file::read_json::<Last>(&last, LAST_VERSION, LAST_BYTES_MAX) {
            Ok(Some(Last { number, .. })) => found.number_last = number,
            Ok(None) => {}
            Err(error) => found.unused.push((last, error)),
        }
        for number in self.numbers() {
            // A number that was given is not given again, whatever became of its record.
            found.number_last = found.number_last.max(number);
            match self.read(number) {
                Ok(Some(attack)) => {
                    found.summaries.push(attack.summary());
                    if attack.ended_at.is_none() {
                        found.open.push(attack);
                    }
                }
                Ok(None) => {}
                Err(error) => found.unused.push((self.path(number), error)),
            }
        }
        found.summaries.sort_by_key(|summary| std::cmp::Reverse(summary.number));
        found
    }

    /// The record of this number; `None` where there is none.
    ///
    /// # Errors
    /// See [`StateFileError`].
    pub fn read(&self, number: u32) -> Result<Option<Attack>, StateFileError> {
        let read: Option<Attack> = state_file::read_json(&self.path(number), VERSION, RECORD_BYTES_MAX)?;
        let Some(attack) = read else { return Ok(None) };
        if attack.number != number || !attack.is_sound() {
            return Err(StateFileError::damaged("it has something that cannot be"));
        }
        Ok(Some(attack))
    }

    /// Writes a record, and before it the number, so that it is given once.
    ///
    /// # Errors
    /// Whatever making the folder, writing, syncing or renaming reports.
    pub fn write(&self, attack: &Attack) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let last = self.folder.join(LAST);
        let given = state_file::read_json::<Last>(&last, LAST_VERSION, LAST_BYTES_MAX);
        let given = given.ok().flatten().map_or(0, |last| last.number);
        if given < attack.number {
            state_file::write_json(&last, &Last { version: LAST_VERSION, number: attack.number })?;
        }
        state_file::write_json(&self.path(attack.number), attack)
    }

    /// Removes a record.
    ///
    /// # Errors
    /// Whatever removing reports, but for a file that is not there.
    pub fn remove(&self, number: u32) -> io::Result<()> {
        match fs::remove_file(self.path(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:06}.json"))
    }

    fn numbers(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.flatten().take(FILES_MAX).map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut numbers: Vec<u32> = names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }
}

/// The numbers of records that have to go: ended longer ago than `keep_days`, or too many. What goes on stays.
#[must_use]
pub(super) fn outdated(summaries: &[Summary], keep_days: u32, now: UnixSeconds) -> Vec<u32> {
    let old = |summary: &&Summary| {
        summary
            .ended_at
            .is_some_and(|ended_at| now.since(UnixSeconds(ended_at)) > keep_days.saturating_mul(DAY_SECONDS))
    };
    let mut gone: Vec<u32> = summaries.iter().filter(old).map(|summary| summary.number).collect();
    let mut left: Vec<&Summary> = summaries.iter().filter(|summary| !gone.contains(&summary.number)).collect();
    // The newest stays: nobody has seen it yet.
    left.sort_by_key(|summary| std::cmp::Reverse(summary.number));
    let mut may_go: Vec<&Summary> = left.iter().skip(1).filter(|summary| summary.ended_at.is_some()).copied().collect();
    may_go.sort_by_key(|summary| (summary.requests, summary.number));
    let too_many = left.len().saturating_sub(ATTACKS_MAX);
    gone.extend(may_go.iter().take(too_many).map(|summary| summary.number));
    gone
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::attack;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    #[test]
    fn what_is_written_is_read_and_only_ours_to_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::new(folder.path());
        assert_eq!(archive.read_all().summaries, []);
        for number in [3, 7] {
            archive.write(&attack(number)).expect("written");
        }
        let found = archive.read_all();
        assert_eq!(found.summaries.iter().map(|summary| summary.number).collect::<Vec<_>>(), [7, 3]);
        assert_eq!((found.number_last, found.unused.len(), found.open.len()), (7, 0, 0));
        assert_eq!(archive.read(7).expect("no error"), Some(attack(7)));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&archive.folder), mode(&archive.path(7))), (0o700, 0o600));
    }

    #[test]
    fn a_number_is_never_given_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::new(folder.path());
        archive.write(&attack(3)).expect("written");
        archive.remove(3).expect("removed");
        archive.remove(3).expect("gone before");
        assert_eq!(archive.read_all().number_last, 3);
        // An older record that is written again takes nothing back.
        archive.write(&attack(2)).expect("written");
        assert_eq!(archive.read_all().number_last, 3);
        // Nor does a file that is damaged.
        fs::write(archive.folder.join(LAST), "{").expect("written");
        archive.write(&attack(9)).expect("written");
        fs::write(archive.path(9), "{").expect("written");
        assert_eq!(archive.read_all().number_last, 9);
    }

    #[test]
    fn what_is_damaged_is_said_so_and_nothing_else_is_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::new(folder.path());
        archive.write(&attack(1)).expect("written");
        let text = serde_json::to_string(&attack(2)).expect("JSON");
        for broken in [
            String::new(),
            text[..text.len() / 2].to_owned(),
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("\"number\":2", "\"number\":1"),
            text.replace("\"point_seconds\":1", "\"point_seconds\":3"),
            text.replace("\"requests_at\":", "\"more\":1,\"requests_at\":"),
            text.replace("\"unpaid\":", "\"unpaid\":-"),
        ] {
            assert_ne!(broken, text);
            fs::write(archive.path(2), &broken).expect("written");
            let found = archive.read_all();
            assert_eq!((found.summaries.len(), found.unused.len()), (1, 1), "{broken}");
            assert!(archive.read(2).is_err());
        }
        // What somebody else put there is not touched, nor read.
        fs::write(archive.folder.join("notes.txt"), "mine").expect("written");
        assert_eq!(archive.read_all().summaries.len(), 1);
    }

    #[test]
    fn old_ones_go_and_of_too_many_the_least() {
        let summary = |number: u32, days: u32, requests: u64| {
            let mut summary = attack(number).summary();
            (summary.ended_at, summary.requests) = (Some(NOW.0 - days * DAY_SECONDS), requests);
            summary
        };
        let mut summaries: Vec<Summary> =
            (1..=200).map(|number| summary(number, 1, 1_000 - u64::from(number))).collect();
        assert_eq!(outdated(&summaries, 90, NOW), Vec::<u32>::new());
        summaries.push(summary(201, 91, 9_999));
        assert_eq!(outdated(&summaries, 90, NOW), [201]);
        // The newest has the fewest requests, and stays.
        summaries.push(summary(202, 0, 1));
        assert_eq!(outdated(&summaries, 90, NOW), [201, 200]);
        // Nor does one go that goes on.
        let mut going_on = summary(203, 0, 0);
        going_on.ended_at = None;
        summaries.push(going_on);
        assert_eq!(outdated(&summaries, 90, NOW), [201, 202, 200]);
    }
}
