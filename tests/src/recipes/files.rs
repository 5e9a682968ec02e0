//! Files of `deploy/`, and the few changes that an operator makes in them.

use std::fs;
use std::path::Path;

use super::{Failure, Place};

/// A file of a recipe, as it is shipped.
pub fn shipped(folder: &str, file: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = workspace.join("deploy").join(folder).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A shipped file with changes; each has to find what it changes, exactly so often.
pub(super) fn changed(folder: &str, file: &str, changes: &[(&str, &str, usize)]) -> String {
    let mut text = shipped(folder, file);
    for (from, to, times) in changes {
        assert_eq!(text.matches(from).count(), *times, "{folder}/{file} has `{from}` {times} times");
        text = text.replace(from, to);
    }
    text
}

/// A line that is commented out in the shipped file, with its `#` taken off where the operator chose so.
pub(super) fn chosen(text: &str, line: &str, failure: Failure) -> String {
    let commented = format!("# {line}");
    assert_eq!(text.matches(&commented).count(), 1, "there is one line `{commented}`");
    if failure == Failure::Open { text.replace(&commented, line) } else { text.to_owned() }
}

/// Writes a file into the server's folder, broken where that is wanted; gives its path.
pub(super) fn write(place: &Place<'_>, name: &str, text: &str) -> String {
    let mut text = text.to_owned();
    for (from, to) in place.breaks {
        if text.contains(from) {
            text = text.replace(from, to);
            place.broken.set(place.broken.get() + 1);
        }
    }
    let path = place.folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The group of Debian's web servers, where this runs as root and they give it up.
pub fn web_group() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let line = groups.lines().find_map(|line| line.strip_prefix("www-data:"))?;
    line.split(':').nth(1)?.parse().ok()
}
