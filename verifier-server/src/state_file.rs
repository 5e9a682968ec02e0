//! Files in `state_dir`: read up to a limit, written whole or not at all, and only their owner reads them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a file is called until it is whole: this in place of what ends its name after a dot.
const UNFINISHED: &str = "unfinished";

/// Why a kept file was not used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// Reading failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not a file of this version, or with something that cannot be.
    #[error("it is damaged: {0}")]
    Damaged(String),
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

/// What a file of up to `bytes_max` bytes says in JSON; `None` where there is no file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, bytes_max: u64) -> Result<Option<T>, StateFileError> {
    let Some(bytes) = read(path, bytes_max)? else { return Ok(None) };
    if bytes.len() as u64 > bytes_max {
        return Err(StateFileError::Damaged(format!("it is longer than {bytes_max} bytes")));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StateFileError::damaged(&error.to_string()))
}

/// Writes what `content` writes. Of an error the file before it stays.
pub(crate) fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    let mut writer = BufWriter::new(file);
    content(&mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&unfinished, path)?;
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

    #[test]
    fn a_file_is_replaced_whole_or_stays_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        assert_eq!(read_json::<u32>(&path, 8).expect("no error"), None);
        write_json(&path, &1_u32).expect("written");
        let failed = write(&path, |writer| {
            writer.write_all(b"2")?;
            Err(io::Error::other("no room"))
        });
        assert!(failed.is_err());
        assert_eq!(read_json(&path, 8).expect("no error"), Some(1_u32));
        write_json(&path, &3_u32).expect("written");
        assert_eq!(read_json(&path, 8).expect("no error"), Some(3_u32));
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn of_a_file_that_is_too_long_no_more_is_read_than_tells_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        fs::write(&path, "1234").expect("written");
        assert_eq!(read(&path, 2).expect("no error"), Some(b"123".to_vec()));
        assert!(matches!(read_json::<u32>(&path, 3), Err(StateFileError::Damaged(_))));
        assert_eq!(read_json(&path, 4).expect("no error"), Some(1_234_u32));
    }
}
