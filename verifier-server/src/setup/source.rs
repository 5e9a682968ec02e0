//! The files of a web server's configuration, as they are read and as they would be written.

use super::change::Change;
use super::journal::Journal;
use super::plan::{Plan, Problem};
use super::text::Edit;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of one configuration.
const FILES_MAX: usize = 2_000;
/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file.
#[derive(Debug)]
pub(super) struct Source {
    /// As it is named.
    pub(super) path: PathBuf,
    /// The file itself, where links lead.
    pub(super) real: PathBuf,
    /// What is in it.
    pub(super) bytes: Vec<u8>,
}

/// All of them, the main one first. A file that is included twice is there twice.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// Reads a file; gives its number.
    ///
    /// # Errors
    /// It cannot be read, or there are too many.
    pub(super) fn read(&mut self, path: &Path) -> Result<usize, Problem> {
        let problem = |what: String| Problem {
            file: path.to_owned(),
            line: 1,
            what,
            paste: "mend that first: the web server needs it as well".to_owned(),
        };
        let unreadable = |error: std::io::Error| problem(format!("it cannot be read: {error}"));
        if self.0.len() >= FILES_MAX {
            return Err(problem(format!("there are more than {FILES_MAX} files")));
        }
        if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(problem(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let real = fs::canonicalize(path).map_err(unreadable)?;
        self.0.push(Source { path: path.to_owned(), real, bytes });
        Ok(self.0.len() - 1)
    }

    /// What is in a file.
    pub(super) fn bytes(&self, file: usize) -> &[u8] {
        self.0.get(file).map(|source| source.bytes.as_slice()).unwrap_or_default()
    }

    /// How a file is named.
    pub(super) fn path(&self, file: usize) -> &Path {
        self.0.get(file).map_or(Path::new(""), |source| &source.path)
    }

    /// Where a file really is.
    pub(super) fn real(&self, file: usize) -> &Path {
        self.0.get(file).map_or(Path::new(""), |source| &source.real)
    }

    /// The changes of all edits, and what cannot be changed.
    pub(super) fn changes(&self, edits: Edits) -> (Vec<Change>, Vec<Problem>) {
        let (mut changes, mut problems) = (Vec::new(), Vec::new());
        for (path, (file, edits)) in edits.0 {
            match Change::edit(path.clone(), self.bytes(file), edits) {
                Ok(change) => changes.push(change),
                Err(error) => problems.push(Problem {
                    file: path,
                    line: 1,
                    what: format!("it cannot be changed: {error}"),
                    paste: "by hand, follow the recipe (docs/OPERATING.md)".to_owned(),
                }),
            }
        }
        (changes, problems)
    }
}

/// Edits of several files, by the files themselves, whatever names lead to them.
#[derive(Debug, Default)]
pub(super) struct Edits(BTreeMap<PathBuf, (usize, Vec<Edit>)>);

impl Edits {
    /// Notes an edit; where the same file is included more than once it is one.
    pub(super) fn add(&mut self, sources: &Sources, file: usize, edit: Edit) {
        let (_, edits) = self.0.entry(sources.real(file).to_owned()).or_insert_with(|| (file, Vec::new()));
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }
}

/// A file of ours. One that an earlier run wrote stays as it is, with what the operator has changed in it since.
///
/// # Errors
/// Another one is there.
pub(super) fn own_file(plan: &mut Plan, path: PathBuf, text: &str, journal: &Journal) -> Result<(), Problem> {
    match fs::read(&path) {
        Ok(there) if there == text.as_bytes() => {}
        Ok(_) if journal.has_made(&path) => {
            plan.lines.push(format!(
                "note        {} is another one than this release would write, and stays as it is; `portcullis setup --remove` \
                 and then this make it anew",
                path.display()
            ));
        }
        Ok(_) => return Err(is_there(path)),
        Err(_) => plan.changes.push(Change::create(path, text)),
    }
    Ok(())
}

/// A file of ours that grows with each run: `text` where there is none, else `more` at its end.
///
/// # Errors
/// Another one is there.
pub(super) fn growing_file(
    plan: &mut Plan,
    path: PathBuf,
    text: &str,
    more: &str,
    journal: &Journal,
) -> Result<(), Problem> {
    match fs::read(&path) {
        Ok(there) if journal.has_made(&path) => {
            let edit = Edit::insert(there.len(), more);
            let change = Change::edit(path.clone(), &there, vec![edit]).map_err(|_| is_there(path))?;
            plan.changes.push(change);
        }
        Ok(_) => return Err(is_there(path)),
        Err(_) => plan.changes.push(Change::create(path, text)),
    }
    Ok(())
}

fn is_there(path: PathBuf) -> Problem {
    Problem {
        file: path,
        line: 1,
        what: "this file is there already, and setup has not made it".to_owned(),
        paste: "move it away, with the lines that include it".to_owned(),
    }
}

/// What stands before a directive in its line, if that is nothing but space.
pub(super) fn indentation(bytes: &[u8], at: usize) -> String {
    let start =
        bytes.get(..at).and_then(|before| before.iter().rposition(|byte| *byte == b'\n')).map_or(0, |end| end + 1);
    let before = String::from_utf8_lossy(bytes.get(start..at).unwrap_or_default()).into_owned();
    if before.trim().is_empty() { before } else { String::new() }
}
