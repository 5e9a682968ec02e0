//! What is wrong with a configuration file.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The line it stands on, counted from 1; `None` where it is of the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write or do instead.
    pub remedy: String,
}

impl Problem {
    /// A problem at a line, counted from 1.
    pub(super) fn at(line: usize, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { line: Some(line), message: message.into(), remedy: remedy.into() }
    }

    /// A problem of the whole file.
    pub(super) fn of_file(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { line: None, message: message.into(), remedy: remedy.into() }
    }
}

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    file: PathBuf,
    all: Vec<Problem>,
    /// Other files that it names.
    files: Vec<PathBuf>,
}

impl Problems {
    pub(super) fn new(file: &Path, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.line);
        Self { file: file.to_owned(), all: problems, files: Vec::new() }
    }

    /// The same of a configuration that names other files.
    pub(super) fn naming(self, files: Vec<PathBuf>) -> Self {
        Self { files, ..self }
    }

    pub(super) fn one(file: &Path, problem: Problem) -> Self {
        Self::new(file, vec![problem])
    }

    /// Keys of a file that is right but cannot be put in force while the process runs: each with its line, if it is
    /// written there, and what is in force.
    pub(crate) fn needing_restart(file: &Path, keys: Vec<(&str, Option<usize>, String)>) -> Self {
        let problems = keys.into_iter().map(|(key, line, in_force)| Problem {
            line,
            message: format!("`{key}` is only read at the start, and has changed"),
            remedy: format!("restart to change it, or set it back: {in_force} is in force"),
        });
        Self::new(file, problems.collect())
    }

    /// Each of them, in the order of their lines.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.all
    }

    /// The other files that the configuration names, as far as it could be read.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.all.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(formatter, "{newline}{}", self.file.display())?;
            if let Some(line) = problem.line {
                write!(formatter, ":{line}")?;
            }
            write!(formatter, ": {}\n    {}", problem.message, problem.remedy)?;
        }
        Ok(())
    }
}
