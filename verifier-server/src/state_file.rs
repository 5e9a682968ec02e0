//! Files in `state_dir`: each with a version, read up to a limit, written whole or not at all, and only their owner reads them.
//!
//! One of another version, or that is damaged, is not read any further. It is put aside under a name that is never read, so that
//! the next save does not take it from whoever can still use it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What a file is called until it is whole: this in place of what ends its name after a dot.
const UNFINISHED: &str = "unfinished";
/// What a file is called that was not used. One for each: the latest.
const UNREAD: &str = "unread";

/// Why a kept file was not used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Written by another release, in a form that this one does not know.
    #[error("it is of version {found}, and this program reads version {known}")]
    Version {
        /// What stands in it.
        found: String,
        /// What is read.
        known: u32,
    },
    /// With something that cannot be.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// The one thing that every version has.
#[derive(Deserialize)]
struct Head {
    version: u64,
}

impl StateFileError {
    pub(crate) fn damaged(what: &str) -> Self {
        Self::Damaged(what.to_owned())
    }
}

/// The bytes of a file, and one more than `bytes_max` where there are more than that; `None` where there is no file.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// What a file of this version and up to `bytes_max` bytes says in JSON; `None` where there is no file. The version is looked at
/// before anything else: what stands in another one may mean something else.
pub(crate) fn read_json<T: DeserializeOwned>(
    path: &Path,
    version: u32,
    bytes_max: u64,
) -> Result<Option<T>, StateFileError> {
    let Some(bytes) = read(path, bytes_max)? else { return Ok(None) };
    let too_long = bytes.len() as u64 > bytes_max;
    if too_long {
        return Err(StateFileError::Damaged(format!("it is longer than {bytes_max} bytes")));
    }
    parse_json(&bytes, version).map(Some)
}

/// The same for bytes that were read.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8], version: u32) -> Result<T, StateFileError> {
    let damaged = |error: serde_json::Error| StateFileError::damaged(&error.to_string());
    let Head { version: found } = serde_json::from_slice(bytes).map_err(damaged)?;
    if found != u64::from(version) {
        return Err(StateFileError::Version { found: found.to_string(), known: version });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// The version of a file of bytes that begins as its `kind` does and with no `known` magic: what follows the kind, up to where the
/// magic ends.
pub(crate) fn other_version<const N: usize>(bytes: &[u8], kind: &[u8], known: &[&[u8; N]]) -> Option<String> {
    let magic = bytes.first_chunk::<N>()?;
    let version = magic.strip_prefix(kind)?;
    (!known.contains(&magic)).then(|| version.escape_ascii().to_string())
}

/// Gives a file the name under which nothing is read, and returns that; the file that had it goes.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let unread = path.with_extension(UNREAD);
    fs::rename(path, &unread)?;
    sync_folder(path)?;
    Ok(unread)
}

/// Says in the log, in one line, that a file is not used, what became of it, and how it goes on.
pub(crate) fn tell_unused(path: &Path, error: &StateFileError, instead: &str) {
    let file = path.display();
    if let StateFileError::Io(error) = error {
        tracing::error!("{file} is not used: {error}. {instead}");
        return;
    }
    match set_aside(path) {
        Ok(unread) => tracing::error!("{file} is not used: {error}. It is kept as {}. {instead}", unread.display()),
        Err(failed) => tracing::error!("{file} is not used: {error}. It cannot be put aside: {failed}. {instead}"),
    }
}

/// Writes what `content` writes. Of an error the file before it stays, and what was written of the new one goes: a disk that is
/// full has no room for it.
pub(crate) fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    let written = write_whole(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
        return written;
    }
    sync_folder(path)
}

fn write_whole(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut writer = BufWriter::new(file);
    content(&mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // A file without a folder before its name lies in the one we are in.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Writes `content` as JSON.
pub(crate) fn write_json(path: &Path, content: &impl Serialize) -> io::Result<()> {
    write(path, |writer| Ok(serde_json::to_writer(writer, content)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct State {
        version: u32,
        value: u32,
    }

    fn read_state(path: &Path) -> Result<Option<u32>, StateFileError> {
        Ok(read_json::<State>(path, 1, 64)?.map(|state| state.value))
    }

    fn write_state(path: &Path, value: u32) {
        write_json(path, &State { version: 1, value }).expect("written");
    }

    #[test]
    fn a_file_is_replaced_whole_or_stays_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        assert_eq!(read_state(&path).expect("no error"), None);
        write_state(&path, 1);
        let failed = write(&path, |writer| {
            writer.write_all(b"2")?;
            Err(io::Error::other("no room"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing unfinished takes room");
        assert_eq!(read_state(&path).expect("no error"), Some(1));
        write_state(&path, 3);
        assert_eq!(read_state(&path).expect("no error"), Some(3));
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn of_a_file_that_is_too_long_no_more_is_read_than_tells_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        fs::write(&path, "1234").expect("written");
        assert_eq!(read(&path, 2).expect("no error"), Some(b"123".to_vec()));
        fs::write(&path, [b"{\"version\":1,\"value\":1}".as_slice(), &[b' '; 50]].concat()).expect("written");
        assert!(matches!(read_state(&path), Err(StateFileError::Damaged(_))));
    }

    #[test]
    fn of_another_version_nothing_but_the_version_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        for (text, of_version) in [
            ("{\"version\":2,\"value\":1}", true),
            ("{\"version\":0,\"value\":1}", true),
            ("{\"version\":2,\"values\":[{}],\"more\":null}", true),
            ("{\"version\":4294967297,\"value\":1}", true),
            ("{\"version\":\"1\",\"value\":1}", false),
            ("{\"version\":-1,\"value\":1}", false),
            ("{\"value\":1}", false),
            ("{\"version\":1,\"value\":1,\"more\":1}", false),
            ("[1]", false),
            ("{\"version\":2,\"value\":", false),
        ] {
            fs::write(&path, text).expect("written");
            let error = read_state(&path).expect_err(text);
            assert_eq!(matches!(error, StateFileError::Version { .. }), of_version, "{text}: {error}");
        }
    }

    #[test]
    fn files_of_bytes_say_their_version_in_the_magic() {
        let of = |bytes: &[u8]| other_version(bytes, b"kind-", &[b"kind-1", b"kind-2"]);
        assert_eq!(of(b"kind-3 and more"), Some("3".to_owned()));
        assert_eq!(of(b"kind-\n"), Some("\\n".to_owned()));
        for not in [b"kind-1".as_slice(), b"kind-2 and more", b"kind-", b"king-3", b""] {
            assert_eq!(of(not), None, "{not:?}");
        }
    }

    #[test]
    fn what_is_put_aside_is_there_still_after_the_next_save() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        for text in ["{\"version\":2}", "{\"version\":3}"] {
            fs::write(&path, text).expect("written");
            let error = read_state(&path).expect_err("another version");
            tell_unused(&path, &error, "Nothing is lost.");
            assert_eq!(read_state(&path).expect("no error"), None);
            write_state(&path, 7);
            assert_eq!(fs::read_to_string(path.with_extension(UNREAD)).expect("kept"), text);
        }
    }
}
