//! The folder of what browsers load, as one start after another finds and leaves it.

use super::{ANSWERED_FOR, HashedName};
use hyper::body::Bytes;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Bytes of all former files together, in memory and in the folder: several versions'. The oldest go first.
pub(super) const BYTES_MAX: usize = 8 * 1024 * 1024;
/// And how many they are.
pub(super) const COUNT_MAX: usize = 512;
/// Entries of a folder that are looked at: more than any number of versions leaves there.
const ENTRIES_MAX: usize = 4_096;

/// In the folder: the files of the versions before. When they became so is the time of the file.
const FORMER: &str = "former";

/// Files that are answered, each with its content and the time since which it is a former one.
pub(super) type Files = BTreeMap<String, (Bytes, Duration)>;

/// The first thing that went wrong, where something did.
#[derive(Default)]
struct Troubles(Option<io::Error>);

impl Troubles {
    fn note<T>(&mut self, outcome: io::Result<T>) -> Option<T> {
        outcome.map_err(|error| self.0.get_or_insert(error)).ok()
    }
}

/// Saves `own` in the folder and gives what is answered besides.
pub(super) fn take(folder: &Path, own: &BTreeMap<&str, &[u8]>, now: SystemTime) -> (Files, io::Result<()>) {
    let (mut troubles, former) = (Troubles::default(), folder.join(FORMER));
    troubles.note(DirBuilder::new().recursive(true).mode(0o700).create(&former));
    // First those before are put aside: what is then saved is this version's alone.
    for name in names_in(folder, &mut troubles) {
        if !own.contains_key(name.as_str()) {
            let to = former.join(&name);
            troubles.note(fs::rename(folder.join(&name), &to).and_then(|()| set_time(&to, now)));
        }
    }
    for (name, content) in own {
        troubles.note(save(&folder.join(name), content));
    }
    let files = read_former(&former, own, now, &mut troubles);
    (files, troubles.0.map_or(Ok(()), Err))
}

/// Deletes former files.
pub(super) fn delete<'n>(folder: &Path, names: impl Iterator<Item = &'n String>) {
    for name in names {
        // One that stays is deleted by the next start.
        let _ = fs::remove_file(folder.join(FORMER).join(name));
    }
}

/// What is answered of the folder; everything else in it that has such a name is deleted.
fn read_former(folder: &Path, own: &BTreeMap<&str, &[u8]>, now: SystemTime, troubles: &mut Troubles) -> Files {
    let mut found: Vec<(Duration, String)> = Vec::new();
    for name in names_in(folder, troubles) {
        let path = folder.join(&name);
        let age = fs::metadata(&path).and_then(|data| data.modified()).map(|since| now.duration_since(since));
        match age {
            Ok(Ok(age)) => found.push((age, name)),
            // From a time that is still to come: it counts from now on.
            Ok(Err(_)) => {
                troubles.note(set_time(&path, now));
                found.push((Duration::ZERO, name));
            }
            Err(error) => {
                troubles.note::<()>(Err(error));
            }
        }
    }
    found.sort();
    let (mut files, mut bytes_left) = (Files::new(), BYTES_MAX);
    for (age, name) in found {
        let path = folder.join(&name);
        let wanted = age < ANSWERED_FOR && files.len() < COUNT_MAX && !own.contains_key(name.as_str());
        let content = wanted.then(|| troubles.note(read(&path, bytes_left))).flatten().flatten();
        let content = content.filter(|content| HashedName::parse(&name).is_some_and(|hashed| hashed.names(content)));
        if let Some(content) = content {
            bytes_left = bytes_left.saturating_sub(content.len());
            files.insert(name, (content.into(), age));
        } else {
            troubles.note(fs::remove_file(&path));
        }
    }
    files
}

/// The files in a folder whose names have hashes. Links are none.
fn names_in(folder: &Path, troubles: &mut Troubles) -> Vec<String> {
    let entries = troubles.note(fs::read_dir(folder)).into_iter().flatten().take(ENTRIES_MAX).flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| OsString::into_string(entry.file_name()).ok())
        .filter(|name| HashedName::parse(name).is_some())
        .collect()
}

/// The content of a file; `None` where it is longer than that.
fn read(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let bytes = crate::state_file::read(path, bytes_max as u64)?;
    Ok(bytes.filter(|bytes| bytes.len() <= bytes_max))
}

/// Writes a file that is not there as it should be. What a crash leaves of it has another hash, and is written again.
fn save(path: &Path, content: &[u8]) -> io::Result<()> {
    if is(path, content) {
        return Ok(());
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)
}

fn is(path: &Path, content: &[u8]) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut found = Vec::with_capacity(content.len().saturating_add(1));
    let read = file.take(content.len().saturating_add(1) as u64).read_to_end(&mut found);
    read.is_ok() && found == content
}

fn set_time(path: &Path, time: SystemTime) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_modified(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use sha2::{Digest, Sha256};
    use std::os::unix::fs::{PermissionsExt, symlink};

    const OLD: (&str, &[u8]) = ("gate-en.cba06b5736faf67e.js", b"old");
    const NEW: (&str, &[u8]) = ("gate-en.11507a0e2f5e69d5.js", b"new");

    fn own(file: (&'static str, &'static [u8])) -> BTreeMap<&'static str, &'static [u8]> {
        BTreeMap::from([file])
    }

    /// A start of the version that has this file alone.
    fn start(folder: &Path, file: (&'static str, &'static [u8]), now: SystemTime) -> Files {
        let (files, outcome) = take(folder, &own(file), now);
        outcome.expect("a folder that can be written");
        files
    }

    fn names(files: &Files) -> Vec<&str> {
        files.keys().map(String::as_str).collect()
    }

    #[test]
    fn a_former_version_is_answered_for_an_hour_whatever_is_started_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let begin = SystemTime::now();
        let at = |minutes| begin + Duration::from_mins(minutes);
        assert_eq!(names(&start(folder.path(), OLD, at(0))), [""; 0], "there was none before");
        let upgraded = start(folder.path(), NEW, at(600));
        assert_eq!(names(&upgraded), [OLD.0], "however long it ran");
        assert_eq!((&*upgraded[OLD.0].0, upgraded[OLD.0].1), (OLD.1, Duration::ZERO));
        let again = start(folder.path(), NEW, at(659));
        assert_eq!(again[OLD.0].1, Duration::from_mins(59), "a further start does not begin it anew");
        assert_eq!(names(&start(folder.path(), NEW, at(660))), [""; 0]);
        assert!(!folder.path().join(FORMER).join(OLD.0).exists() && folder.path().join(NEW.0).exists());
    }

    #[test]
    fn after_a_way_back_it_is_the_newer_version_that_is_the_former_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        start(folder.path(), OLD, now);
        start(folder.path(), NEW, now);
        assert_eq!(names(&start(folder.path(), OLD, now)), [NEW.0]);
        assert!(!folder.path().join(FORMER).join(OLD.0).exists());
    }

    #[test]
    fn what_does_not_have_the_hash_in_its_name_is_never_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        start(folder.path(), OLD, now);
        fs::write(folder.path().join(OLD.0), "changed").expect("written");
        symlink("/etc/passwd", folder.path().join("gate-de.cba06b5736faf67e.js")).expect("a link");
        assert_eq!(names(&start(folder.path(), NEW, now)), [""; 0]);
        assert!(!folder.path().join(FORMER).join(OLD.0).exists());
        fs::write(folder.path().join(NEW.0), "torn by a crash").expect("written");
        start(folder.path(), NEW, now);
        assert_eq!(fs::read(folder.path().join(NEW.0)).expect("a file"), NEW.1, "and this version's is mended");
    }

    #[test]
    fn a_time_that_is_still_to_come_counts_from_now_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        start(folder.path(), OLD, now);
        start(folder.path(), NEW, now + Duration::from_hours(1_000));
        assert_eq!(start(folder.path(), NEW, now)[OLD.0].1, Duration::ZERO);
        assert_eq!(names(&start(folder.path(), NEW, now + ANSWERED_FOR)), [""; 0]);
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        let former = folder.path().join(FORMER);
        start(folder.path(), OLD, now);
        for number in 0..=COUNT_MAX {
            let content = number.to_string();
            let hash = HEXLOWER.encode(&Sha256::digest(&content)[..8]);
            let path = former.join(format!("gate.{hash}.js"));
            fs::write(&path, content).expect("written");
            set_time(&path, now - Duration::from_secs(u64::from(number == 7))).expect("set");
        }
        let files = start(folder.path(), OLD, now);
        assert_eq!((files.len(), fs::read_dir(&former).expect("a folder").count()), (COUNT_MAX, COUNT_MAX));
        assert!(!files.values().any(|(content, _)| **content == *b"7"));
        let long = vec![b'x'; BYTES_MAX];
        let hash = HEXLOWER.encode(&Sha256::digest(&long)[..8]);
        fs::write(former.join(format!("a.{hash}.wasm")), &long).expect("written");
        let files = start(folder.path(), OLD, now + Duration::from_secs(1));
        assert!(files.values().map(|(content, _)| content.len()).sum::<usize>() <= BYTES_MAX);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_and_what_can_be_read_is_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        let (files, outcome) = take(&file, &own(NEW), now);
        assert!(files.is_empty() && outcome.is_err(), "a file stands where the folder should");
        start(folder.path(), OLD, now);
        assert_eq!(fs::metadata(folder.path().join(OLD.0)).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}
