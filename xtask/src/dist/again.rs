//! The same source in another folder, with another home of crates: it must give the same bytes.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use super::{Release, Target, binary, sums};
use crate::steps::{WORKSPACE, output_of, run, step, workspace};

/// Longer than the workspace's own name, and another number of folders deep: what is aligned or cut by a path's length shows.
const ELSEWHERE: &str = "target/distribution/again/a folder with quite another name/source";

/// Builds everything a second time from a copy of the source, and compares the checksums.
pub(crate) fn compare(release: &Release, targets: &[Target], files: &Path) -> anyhow::Result<()> {
    let elsewhere = workspace().join(ELSEWHERE);
    step("A copy of the source elsewhere", || copy(&elsewhere))?;
    let home =
        step("Another home of the same crates", || home_of_crates(&workspace().join("target/distribution/crates")))?;
    step("The same, built there", || {
        let mut again = Command::new(env::current_exe()?);
        again.arg("dist").args(targets.iter().flat_map(|target| ["--only", target.name()]));
        again.env(WORKSPACE, &elsewhere).env("CARGO_HOME", home).current_dir(&elsewhere);
        run(again.env("SOURCE_DATE_EPOCH", release.epoch.to_string()))
    })?;
    step("Both compared", || {
        let (here, there) = (sums::of(files)?, sums::of(&elsewhere.join("target/distribution/files"))?);
        let differ: Vec<&str> =
            here.iter().filter(|(name, sum)| there.get(*name) != Some(*sum)).map(|(name, _)| name.as_str()).collect();
        if !differ.is_empty() || here.len() != there.len() {
            bail!("built in two folders, these are not the same: {}", differ.join(", "));
        }
        println!("    {} files, the same bytes", here.len());
        fs::remove_dir_all(workspace().join("target/distribution/again"))?;
        Ok(())
    })
}

/// Copies what is versioned, and what would be if it were added.
fn copy(elsewhere: &Path) -> anyhow::Result<()> {
    super::empty(elsewhere)?;
    let mut git = Command::new("git");
    git.current_dir(workspace()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    for name in output_of(&mut git)?.split_terminator('\0') {
        let from = workspace().join(name);
        // A file that was deleted and not yet committed.
        if !from.exists() {
            continue;
        }
        let to = elsewhere.join(name);
        fs::create_dir_all(to.parent().unwrap_or(elsewhere))?;
        fs::copy(from, to)?;
    }
    Ok(())
}

/// A folder with links to what cargo has fetched: the crates have other paths, and need not be fetched again.
fn home_of_crates(folder: &Path) -> anyhow::Result<PathBuf> {
    super::empty(folder)?;
    for entry in fs::read_dir(binary::cargo_home()?)? {
        let entry = entry?;
        symlink(entry.path(), folder.join(entry.file_name()))?;
    }
    Ok(folder.to_owned())
}
