//! A file that is written, and the way back: whole or not at all, with the mode and owner it had, a link left a link.

use super::text::{self, Edit};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The mode of a file that was not there before.
const NEW_FILE_MODE: u32 = 0o644;

/// What each thing has in its name that another file would ask or include of ours.
const OUR_NAME: &[u8] = b"portcullis";

/// A file before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// The file itself, where every link to it leads.
    pub(super) path: PathBuf,
    /// As it was; `None` where there was none.
    before: Option<Before>,
    /// What is changed in it.
    edits: Vec<Edit>,
    /// All of a new file.
    #[serde(with = "super::base64")]
    content: Vec<u8>,
}

/// A file as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    #[serde(with = "super::base64")]
    content: Vec<u8>,
    mode: u32,
    user: u32,
    group: u32,
}

/// What became of a file that was to be as it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// It is, byte for byte.
    Back,
    /// It had been changed since: only our part was taken out.
    Ours,
    /// It is there no more, and our part with it.
    Gone,
    /// It had been changed since in our part too, and was left alone.
    LeftAlone,
}

impl Change {
    /// A file that is not there.
    pub(super) fn create(path: PathBuf, content: impl Into<Vec<u8>>) -> Self {
        Self { path, before: None, edits: Vec::new(), content: content.into() }
    }

    /// A file that is there, with `before` in it.
    ///
    /// # Errors
    /// Its mode cannot be read, or other names lead to the same file and would not follow.
    pub(super) fn edit(path: PathBuf, before: &[u8], mut edits: Vec<Edit>) -> io::Result<Self> {
        // What is added at a place stands before what is replaced there.
        edits.sort_by_key(|edit| (edit.at, edit.old.len()));
        let found = fs::metadata(&path)?;
        if found.nlink() > 1 {
            return Err(io::Error::other("it has more than one name (hard links), and only one would be changed"));
        }
        let before = Before {
            content: before.to_vec(),
            mode: found.permissions().mode() & 0o7777,
            user: found.uid(),
            group: found.gid(),
        };
        Ok(Self { path, before: Some(before), edits, content: Vec::new() })
    }

    /// What is in it afterwards.
    pub(super) fn after(&self) -> Vec<u8> {
        match &self.before {
            Some(before) => text::edited(&before.content, &self.edits),
            None => self.content.clone(),
        }
    }

    /// As a unified diff.
    pub(super) fn diff(&self) -> String {
        let path = self.path.display().to_string();
        match &self.before {
            Some(before) => text::diff(&path, &before.content, &self.edits),
            None => text::diff_of_new(&path, &self.content),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written, or is not as it was when the plan was made.
    pub(super) fn make(&self) -> io::Result<()> {
        if read(&self.path)? != self.before.as_ref().map(|before| before.content.clone()) {
            return Err(io::Error::other("it has been changed in the meantime"));
        }
        match &self.before {
            Some(before) => replace(&self.path, &self.after(), before.mode, Some((before.user, before.group))),
            None => replace(&self.path, &self.content, NEW_FILE_MODE, None),
        }
    }

    /// Whether it makes a file instead of changing one.
    pub(super) const fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// What is in the file once this is taken back, of what is in it now; also where it was never written.
    pub(super) fn undone(&self, current: Option<Vec<u8>>) -> (Undone, Option<Vec<u8>>) {
        let Some(before) = &self.before else { return (Undone::Back, None) };
        let Some(current) = current else { return (Undone::Gone, None) };
        if current == before.content || current == self.after() {
            return (Undone::Back, Some(before.content.clone()));
        }
        match text::taken_back(&current, &self.edits) {
            Some(rest) => (Undone::Ours, Some(rest)),
            None if self.is_nowhere_in(&current) => (Undone::Gone, Some(current)),
            None => (Undone::LeftAlone, Some(current)),
        }
    }

    /// What was in the file before; `None` where there was none.
    pub(super) fn before(&self) -> Option<&[u8]> {
        self.before.as_ref().map(|before| before.content.as_slice())
    }

    /// Whether nothing of ours is left in it: no line of what was written, nor what somebody has made of that.
    fn is_nowhere_in(&self, current: &[u8]) -> bool {
        let has = |text: &[u8]| current.windows(text.len().max(1)).any(|part| part.eq_ignore_ascii_case(text));
        let says_something = |line: &&[u8]| line.iter().filter(|byte| byte.is_ascii_alphanumeric()).count() > 2;
        let lines = self.edits.iter().flat_map(|edit| edit.new.split(|byte| *byte == b'\n'));
        !has(OUR_NAME) && !lines.map(<[u8]>::trim_ascii).filter(says_something).any(has)
    }

    /// What we put into it, for who has to take it out by hand.
    pub(super) fn told(&self) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        self.edits
            .iter()
            .map(|edit| {
                if edit.old.is_empty() {
                    format!("take out: {}", text(&edit.new))
                } else {
                    format!("write `{}` where there is: {}", text(&edit.old), text(&edit.new))
                }
            })
            .collect()
    }
}

/// What is in a file; `None` where there is none.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes beside it, under a name that no `*` finds, and puts that in its place.
fn replace(path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folder.join(format!(".{name}.portcullis-unfinished"));
    // What a crash left.
    let _ = fs::remove_file(&unfinished);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = (|| {
        file.write_all(content)?;
        if let Some((user, group)) = owner
            && differs(&file.metadata()?, user, group)
        {
            fchown(&file, Some(user), Some(group))?;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn differs(found: &Metadata, user: u32, group: u32) -> bool {
    (found.uid(), found.gid()) != (user, group)
}

/// Has this in a file, which keeps its mode and owner where it is there and else is given those it had; `None` takes it away.
///
/// # Errors
/// It cannot be written or taken away.
pub(super) fn write(path: &Path, content: Option<&[u8]>, had: Option<&Metadata>) -> io::Result<()> {
    let found = fs::metadata(path).ok();
    match (content, found.as_ref().or(had)) {
        (Some(content), Some(like)) => {
            replace(path, content, like.permissions().mode() & 0o7777, Some((like.uid(), like.gid())))
        }
        (Some(content), None) => replace(path, content, NEW_FILE_MODE, None),
        (None, _) if found.is_some() => remove(path),
        (None, _) => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo(change: &Change) -> Undone {
        let (undone, content) = change.undone(read(&change.path).expect("read"));
        write(&change.path, content.as_deref(), None).expect("written");
        undone
    }

    #[test]
    fn a_file_is_written_and_comes_back_with_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("site");
        fs::write(&path, "server {\n}\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        let change = Change::edit(path.clone(), b"server {\n}\n", vec![Edit::insert(8, "\n  x;")]).expect("one name");
        let new = Change::create(folder.path().join("new"), "y");
        change.make().expect("written");
        new.make().expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"server {\n  x;\n}\n");
        assert_eq!((undo(&change), undo(&new)), (Undone::Back, Undone::Back));
        assert_eq!(fs::read(&path).expect("read"), b"server {\n}\n");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert_eq!(undo(&change), Undone::Back);
    }

    #[test]
    fn what_others_wrote_since_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("site");
        fs::write(&path, "a {\n}\n").expect("written");
        let change = Change::edit(path.clone(), b"a {\n}\n", vec![Edit::insert(3, "\n  x;")]).expect("one name");
        change.make().expect("written");
        fs::write(&path, "a {\n  x;\n  mine;\n}\n").expect("written");
        assert_eq!(undo(&change), Undone::Ours);
        assert_eq!(fs::read(&path).expect("read"), b"a {\n  mine;\n}\n");
        for (text, undone) in [("a { include  Portcullis; }", Undone::LeftAlone), ("b", Undone::Gone)] {
            fs::write(&path, text).expect("written");
            assert_eq!(undo(&change), undone, "{text}");
            assert_eq!(fs::read(&path).expect("read"), text.as_bytes());
        }
        assert!(change.make().is_err(), "the plan is of another file");
    }

    #[test]
    fn a_part_of_ours_that_is_still_there_is_not_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("site");
        let before = b"<VirtualHost *:80>\n</VirtualHost>\n";
        fs::write(&path, before).expect("written");
        let ours = "<VirtualHost 127.0.0.1:8081>\n  Include portcullis-site.conf";
        let change = Change::edit(path, before, vec![Edit::replace(before, 0..18, ours)]).expect("one name");
        let undone = |text: &str| change.undone(Some(text.into())).0;
        assert_eq!(undone("<VirtualHost 127.0.0.1:8081>\n</VirtualHost>\n"), Undone::LeftAlone);
        assert_eq!(undone("<VirtualHost *:80>\n# mine\n</VirtualHost>\n"), Undone::Gone);
    }

    #[test]
    fn a_file_with_two_names_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("site");
        fs::write(&path, "a").expect("written");
        fs::hard_link(&path, folder.path().join("other")).expect("a link");
        assert!(Change::edit(path, b"a", Vec::new()).is_err());
    }
}
