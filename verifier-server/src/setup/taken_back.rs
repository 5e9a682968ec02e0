//! Runs taken back: all of it or nothing, for a part of it would have a web server ask nobody, or sites reached by nobody.

use super::change::{self, Change, Undone};
use super::journal::Run;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A file, as it is and as it will be.
#[derive(Debug)]
struct Step {
    path: PathBuf,
    now: Option<Vec<u8>>,
    /// Its mode and owner now.
    has: Option<Metadata>,
    then: Option<Vec<u8>>,
    /// Somebody has written into a file of ours: that is not thrown away.
    keep: bool,
}

/// What was worked out, before anything is written.
#[derive(Debug, Default)]
pub(super) struct TakenBack {
    steps: Vec<Step>,
    /// What cannot be taken back: then nothing is.
    pub(super) left: Vec<String>,
    /// What is said besides.
    notes: Vec<String>,
    /// Of files that somebody has written into.
    copies: Vec<PathBuf>,
}

impl TakenBack {
    /// These runs, the last one first. The `verifier`'s own configuration hinders nothing: what its operator made of it stays.
    pub(super) fn of(runs: &[Run], verifier: &Path) -> Self {
        let mut taken = Self::default();
        let mut paths: Vec<&Path> = Vec::new();
        for change in runs.iter().flat_map(|run| &run.changes).rev() {
            if !paths.contains(&change.path.as_path()) {
                paths.push(&change.path);
            }
        }
        for path in paths {
            taken.file(path, runs, path.file_name() == verifier.file_name());
        }
        taken
    }

    fn file(&mut self, path: &Path, runs: &[Run], is_verifiers: bool) {
        let now = match change::read(path) {
            Ok(now) => now,
            Err(error) => return self.left.push(format!("{} cannot be read: {error}", path.display())),
        };
        let changes = runs.iter().flat_map(|run| &run.changes).filter(|change| change.path == path);
        let has = fs::metadata(path).ok();
        let mut step = Step { path: path.to_owned(), now: now.clone(), has, then: now, keep: false };
        // An earlier attempt may have come so far.
        if changes.clone().next().is_some_and(|first| first.before() == step.now.as_deref()) {
            return;
        }
        if changes.clone().next().is_some_and(Change::is_new) {
            // Of a file that setup has made nothing stays where it is.
            step.keep = step.now.is_some() && !changes.clone().any(|change| step.now == Some(change.after()));
            if step.keep && is_verifiers {
                return self.stays(path);
            }
            step.then = None;
            return self.steps.push(step);
        }
        for change in changes.rev() {
            let (undone, then) = change.undone(step.then.take());
            step.then = then;
            match undone {
                Undone::Back | Undone::Ours => {}
                Undone::Gone => self.notes.push(format!("what setup had put into {} is there no more", path.display())),
                Undone::LeftAlone if is_verifiers => return self.stays(path),
                Undone::LeftAlone => {
                    let lines = change.told();
                    let lines =
                        if lines.is_empty() { String::new() } else { format!(":\n    {}", lines.join("\n    ")) };
                    let what = format!("{} has been changed since, where setup changed it{lines}", path.display());
                    return self.left.push(what);
                }
            }
        }
        self.steps.push(step);
    }

    fn stays(&mut self, path: &Path) {
        self.notes.push(format!("{} stays as it is: it has been changed since", path.display()));
    }

    /// Writes all of it; what somebody has written into a file of ours is kept in `folder`, where no web server reads it.
    ///
    /// # Errors
    /// What cannot be written. Then all is as it was before.
    pub(super) fn write(&mut self, folder: &Path) -> Result<(), String> {
        for number in 0..self.steps.len() {
            if let Err(error) = self.step(number, folder) {
                let why = format!("{} cannot be put back: {error}", self.steps[number].path.display());
                self.steps.truncate(number);
                return Err([vec![why], self.rewrite()].concat().join("\n"));
            }
        }
        Ok(())
    }

    fn step(&mut self, number: usize, folder: &Path) -> io::Result<()> {
        let step = &self.steps[number];
        if step.keep {
            let kept = keep(step, folder)?;
            self.notes.push(format!(
                "somebody has written into {} since; it is kept as {}, where no web server reads it",
                step.path.display(),
                kept.display()
            ));
            self.copies.push(kept);
        }
        change::write(&step.path, step.then.as_deref(), None)
    }

    /// Writes what was there before; says what cannot be.
    pub(super) fn rewrite(&self) -> Vec<String> {
        let failed = |step: &Step| {
            let error = change::write(&step.path, step.now.as_deref(), step.has.as_ref()).err()?;
            Some(format!("{} cannot be written as it was: {error}", step.path.display()))
        };
        for copy in &self.copies {
            let _ = fs::remove_file(copy);
        }
        self.steps.iter().filter_map(failed).collect()
    }

    /// Says what there is to be said besides.
    pub(super) fn tell(&self) {
        self.notes.iter().for_each(|note| eprintln!("portcullis: {note}"));
    }
}

/// Copies a file to where it is nobody's, under a name that is free.
fn keep(step: &Step, folder: &Path) -> io::Result<PathBuf> {
    let name = step.path.file_name().unwrap_or_default().to_string_lossy();
    let names = std::iter::once(format!("{name}.kept")).chain((1..).map(|number| format!("{name}.kept.{number}")));
    let kept = names.map(|name| folder.join(name)).find(|path| !path.exists()).unwrap_or_default();
    change::write(&kept, step.now.as_deref(), step.has.as_ref())?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::super::text::Edit;
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn run(changes: Vec<Change>) -> Run {
        let command = vec!["true".to_owned()];
        Run { server: "nginx".to_owned(), check: command.clone(), reload: command, changes }
    }

    /// A folder with a site's file, ours, and the verifier's, as two runs have made them.
    fn applied() -> (tempfile::TempDir, Vec<Run>) {
        let folder = tempfile::tempdir().expect("a folder");
        let [site, ours, verifier] = ["site", "ours", "portcullis.toml"].map(|name| folder.path().join(name));
        fs::write(&site, "a {\n}\nb {\n}\n").expect("written");
        let edit = |path: &Path, at, text: &str| {
            let there = fs::read(path).expect("read");
            Change::edit(path.to_owned(), &there, vec![Edit::insert(at, text)]).expect("one name")
        };
        let first = run(vec![
            Change::create(verifier, "v"),
            Change::create(ours.clone(), "x\n"),
            edit(&site, 3, "\n  include portcullis;"),
        ]);
        first.changes.iter().for_each(|change| change.make().expect("written"));
        let second = run(vec![edit(&ours, 2, "y\n"), edit(&site, 32, "\n  include portcullis;")]);
        second.changes.iter().for_each(|change| change.make().expect("written"));
        (folder, vec![first, second])
    }

    fn taken_back(folder: &Path, runs: &[Run]) -> TakenBack {
        let mut taken = TakenBack::of(runs, &folder.join("portcullis.toml"));
        if taken.left.is_empty() {
            taken.write(folder).expect("written");
        }
        taken
    }

    #[test]
    fn two_runs_are_taken_back_in_one_and_again() {
        let (folder, runs) = applied();
        for _ in 0..2 {
            assert_eq!(taken_back(folder.path(), &runs).left, [""; 0]);
            assert_eq!(fs::read_to_string(folder.path().join("site")).expect("read"), "a {\n}\nb {\n}\n");
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        }
    }

    #[test]
    fn where_one_file_cannot_be_taken_back_nothing_is() {
        let (folder, runs) = applied();
        let site = folder.path().join("site");
        let changed = fs::read_to_string(&site).expect("read").replacen("include", "include ", 1);
        fs::write(&site, &changed).expect("written");
        let taken = taken_back(folder.path(), &runs);
        assert!(taken.left.len() == 1 && taken.left[0].contains("take out: include portcullis;"), "{:?}", taken.left);
        assert_eq!(fs::read_to_string(&site).expect("read"), changed);
        assert_eq!(fs::read_to_string(folder.path().join("ours")).expect("read"), "x\ny\n");
        assert!(folder.path().join("portcullis.toml").exists(), "the verifier is still asked");
    }

    #[test]
    fn what_operators_wrote_into_our_files_and_the_verifiers_is_kept() {
        let (folder, runs) = applied();
        for name in ["ours", "portcullis.toml"] {
            fs::write(folder.path().join(name), "mine").expect("written");
        }
        fs::write(folder.path().join("ours.kept"), "of an earlier time").expect("written");
        assert_eq!(taken_back(folder.path(), &runs).left, [""; 0]);
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("read");
        assert_eq!((read("ours.kept").as_str(), read("portcullis.toml").as_str()), ("of an earlier time", "mine"));
        assert_eq!(read("ours.kept.1"), "mine");
        assert!(!folder.path().join("ours").exists());
    }

    #[test]
    fn it_can_be_written_as_it_was_before() {
        let (folder, runs) = applied();
        let path = |name: &str| folder.path().join(name);
        // Somebody has put a password into it.
        fs::write(path("ours"), "mine").expect("written");
        fs::set_permissions(path("ours"), fs::Permissions::from_mode(0o640)).expect("a mode");
        let mode = |path: PathBuf| fs::metadata(path).expect("there").mode() & 0o7777;
        let files =
            || ["site", "ours", "portcullis.toml"].map(|name| (fs::read(path(name)).expect("read"), mode(path(name))));
        let before = files();
        let taken = taken_back(folder.path(), &runs);
        assert_eq!(mode(path("ours.kept")), 0o640);
        assert_eq!(taken.rewrite(), [""; 0]);
        assert_eq!(files(), before);
    }
}
