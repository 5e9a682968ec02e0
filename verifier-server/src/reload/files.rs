//! Whether the files of a configuration have changed: they are looked at once a second, which works on every file system
//! and however an editor replaces them.

use super::Reload;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often the files are looked at. A change counts once they were left alone for as long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What tells one state of a file from another; `None` where there is none.
pub(super) type Mark = Option<FileMark>;

/// A file that was written, replaced by another, or given other permissions has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileMark {
    device: u64,
    inode: u64,
    bytes: u64,
    written_at: (i64, i64),
    changed_at: (i64, i64),
}

/// The marks of files, in order. Links are followed.
pub(super) fn marks(files: &[PathBuf]) -> Vec<Mark> {
    files.iter().map(|file| mark(file)).collect()
}

fn mark(file: &Path) -> Mark {
    let found = std::fs::metadata(file).ok()?;
    Some(FileMark {
        device: found.dev(),
        inode: found.ino(),
        bytes: found.size(),
        written_at: (found.mtime(), found.mtime_nsec()),
        changed_at: (found.ctime(), found.ctime_nsec()),
    })
}

/// Waits until files that change are left alone: an editor may be in the middle of one, or between two.
#[derive(Debug, Default)]
pub(super) struct Settling {
    last: Vec<Mark>,
}

impl Settling {
    /// Whether the files, as they are `now`, are others than those `tried` and the same as at the last look.
    pub(super) fn look(&mut self, tried: &[Mark], now: Vec<Mark>) -> bool {
        let settled = now != tried && now == self.last;
        self.last = now;
        settled
    }
}

/// Reloads whenever the files have changed, until the process ends.
pub(crate) async fn follow(reload: Arc<Reload>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let reload = Arc::clone(&reload);
        // How it went is in the log.
        let _ = tokio::task::spawn_blocking(move || reload.run_if_changed()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_counts_when_the_files_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("portcullis.toml");
        fs::write(&file, "mode = 'on'").expect("written");
        let files = [file.clone(), folder.path().join("absent")];
        let tried = marks(&files);
        let mut settling = Settling::default();
        let mut look = || settling.look(&tried, marks(&files));
        assert!(!look() && !look(), "nothing has changed");
        fs::write(&file, "mode").expect("half written");
        assert!(!look());
        fs::write(&file, "mode = 'off'").expect("written");
        assert!(!look(), "it is another one than at the last look");
        assert!(look(), "and now it was left alone");
        fs::write(folder.path().join("new"), "mode = 'off'").expect("written");
        fs::rename(folder.path().join("new"), &file).expect("replaced");
        assert!(!look() && look(), "a file that replaces it is another one, whatever is in it");
        fs::write(&files[1], "").expect("written");
        assert!(!look() && look(), "so is one that was not there");
    }
}
