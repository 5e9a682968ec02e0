//! Changes of a file: what stands in the place of what, how to take that back, and how it reads as a diff.

use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::ops::Range;

/// Lines around a change that a diff shows.
const CONTEXT_LINES: usize = 3;

/// Bytes at a place that are others afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Edit {
    /// Offset in the file as it was.
    pub(super) at: usize,
    /// What stood there; empty where something is added.
    #[serde(with = "super::base64")]
    pub(super) old: Vec<u8>,
    /// What stands there now.
    #[serde(with = "super::base64")]
    pub(super) new: Vec<u8>,
}

impl Edit {
    /// `text` added at an offset.
    pub(super) fn insert(at: usize, text: impl Into<Vec<u8>>) -> Self {
        Self { at, old: Vec::new(), new: text.into() }
    }

    /// `text` in the place of a range of `before`.
    pub(super) fn replace(before: &[u8], range: Range<usize>, text: impl Into<Vec<u8>>) -> Self {
        Self { at: range.start, old: before.get(range).unwrap_or_default().to_vec(), new: text.into() }
    }

    fn end(&self) -> usize {
        self.at + self.old.len()
    }
}

/// The file with all edits made; `edits` are in the order of their places and do not overlap.
pub(super) fn edited(before: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut after = Vec::with_capacity(before.len());
    let mut from = 0;
    for edit in edits {
        after.extend(before.get(from..edit.at).unwrap_or_default());
        after.extend(&edit.new);
        from = edit.end();
    }
    after.extend(before.get(from..).unwrap_or_default());
    after
}

/// Takes the edits out of a file that has been changed since in other places; `None` where one of them is not to be found, or
/// stands there more often than it was made.
pub(super) fn taken_back(current: &[u8], edits: &[Edit]) -> Option<Vec<u8>> {
    let mut text = current.to_vec();
    let mut done: Vec<&Edit> = Vec::new();
    for edit in edits {
        if done.iter().any(|other| other.old == edit.old && other.new == edit.new) {
            continue;
        }
        let alike = edits.iter().filter(|other| other.old == edit.old && other.new == edit.new).count();
        let places = places(&text, &edit.new);
        if places.len() != alike {
            return None;
        }
        let back: Vec<Edit> =
            places.into_iter().map(|at| Edit { at, old: edit.new.clone(), new: edit.old.clone() }).collect();
        text = edited(&text, &back);
        done.push(edit);
    }
    Some(text)
}

fn places(text: &[u8], what: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut from = 0;
    while !what.is_empty() && from + what.len() <= text.len() {
        if text[from..].starts_with(what) {
            places.push(from);
            from += what.len();
        } else {
            from += 1;
        }
    }
    places
}

/// A unified diff of a file that is new.
pub(super) fn diff_of_new(path: &str, content: &[u8]) -> String {
    let lines = lines(content);
    let added: String = lines.iter().map(|line| shown('+', line)).collect();
    format!("--- /dev/null\n+++ {path}\n@@ -0,0 +1,{} @@\n{added}", lines.len())
}

/// A unified diff of a file with edits.
pub(super) fn diff(path: &str, before: &[u8], edits: &[Edit]) -> String {
    let old = lines(before);
    let mut told = format!("--- {path}\n+++ {path}\n");
    let mut shift = 0_isize;
    for hunk in hunks(&changes(before, &old, edits)) {
        let (first, last) = (&hunk[0], &hunk[hunk.len() - 1]);
        let from = first.lines.start.saturating_sub(CONTEXT_LINES);
        let to = (last.lines.end + CONTEXT_LINES).min(old.len());
        let mut body = String::new();
        let (mut at, mut added, mut removed) = (from, 0_usize, 0_usize);
        for change in hunk {
            body.extend(old[at..change.lines.start].iter().map(|line| shown(' ', line)));
            body.extend(old[change.lines.clone()].iter().map(|line| shown('-', line)));
            body.extend(change.new.iter().map(|line| shown('+', line)));
            at = change.lines.end;
            removed += change.lines.len();
            added += change.new.len();
        }
        body.extend(old[at..to].iter().map(|line| shown(' ', line)));
        let (old_count, new_count) = (to - from, to - from + added - removed);
        let start = |count: usize, shift: isize| from.saturating_add_signed(shift) + usize::from(count > 0);
        // A string takes everything.
        let _ =
            write!(told, "@@ -{},{old_count} +{},{new_count} @@\n{body}", start(old_count, 0), start(new_count, shift));
        shift += added.cast_signed() - removed.cast_signed();
    }
    told
}

/// Lines that are others afterwards.
struct Change {
    lines: Range<usize>,
    new: Vec<Vec<u8>>,
}

fn changes(before: &[u8], old: &[Vec<u8>], edits: &[Edit]) -> Vec<Change> {
    let starts: Vec<usize> = old
        .iter()
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some(start)
        })
        .collect();
    let line_of = |at: usize| starts.partition_point(|start| *start <= at).saturating_sub(1);
    let mut changes: Vec<(Range<usize>, Vec<Edit>)> = Vec::new();
    for edit in edits {
        let lines = line_of(edit.at)..(line_of(edit.end()) + 1).min(old.len());
        match changes.last_mut() {
            Some((range, of_range)) if lines.start < range.end => {
                range.end = lines.end;
                of_range.push(edit.clone());
            }
            _ => changes.push((lines, vec![edit.clone()])),
        }
    }
    let of_range = |(range, mut edits): (Range<usize>, Vec<Edit>)| {
        let (start, end) = (
            starts.get(range.start).copied().unwrap_or(before.len()),
            starts.get(range.end).copied().unwrap_or(before.len()),
        );
        for edit in &mut edits {
            edit.at -= start;
        }
        let mut new = lines(&edited(&before[start..end], &edits));
        let mut range = range;
        while !range.is_empty() && new.first() == old.get(range.start) {
            new.remove(0);
            range.start += 1;
        }
        while !range.is_empty() && new.last() == old.get(range.end - 1) {
            new.pop();
            range.end -= 1;
        }
        Change { lines: range, new }
    };
    changes.into_iter().map(of_range).collect()
}

/// Changes whose contexts touch are shown together.
fn hunks(changes: &[Change]) -> Vec<&[Change]> {
    changes.chunk_by(|one, next| next.lines.start <= one.lines.end + 2 * CONTEXT_LINES).collect()
}

/// Lines with what ends them.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn shown(mark: char, line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let ended = text.ends_with('\n');
    format!("{mark}{text}{}", if ended { "" } else { "\n\\ No newline at end of file\n" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\nserver {\n  x;\n}\nend";

    fn edits() -> Vec<Edit> {
        let at = TEXT.windows(8).position(|window| window == b"server {").expect("there") + 8;
        vec![Edit::replace(TEXT, 2..3, "two"), Edit::insert(at, "\n  include y;")]
    }

    #[test]
    fn edits_are_made_and_taken_back() {
        let after = edited(TEXT, &edits());
        assert_eq!(String::from_utf8_lossy(&after).matches("include y;").count(), 1);
        assert!(after.starts_with(b"1\ntwo\n3\n"));
        assert_eq!(taken_back(&after, &edits()).as_deref(), Some(TEXT));
        let more = [b"# mine\n".as_slice(), &after].concat();
        assert_eq!(taken_back(&more, &edits()), Some([b"# mine\n".as_slice(), TEXT].concat()));
        let twice = [&after[..], b"\n  include y;"].concat();
        assert_eq!(taken_back(&twice, &edits()), None, "which of them is ours?");
        assert_eq!(taken_back(TEXT, &edits()), None);
    }

    #[test]
    fn a_diff_is_one_that_git_applies() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, TEXT).expect("written");
        let diff = diff("file", TEXT, &edits());
        assert!(diff.contains("\n-2\n+two\n") && diff.contains("\n server {\n+  include y;\n"), "{diff}");
        let told =
            diff.replace("--- file", "--- a/file").replace("+++ file", "+++ b/file") + &diff_of_new("b/new", b"a\nb");
        std::fs::write(folder.path().join("patch"), told).expect("written");
        let mut git = std::process::Command::new("git");
        let output = git.args(["apply", "patch"]).current_dir(folder.path()).output().expect("git runs");
        assert!(output.status.success(), "{diff}\n{output:?}");
        assert_eq!(std::fs::read(&file).expect("read"), edited(TEXT, &edits()));
        assert_eq!(std::fs::read(folder.path().join("new")).expect("read"), b"a\nb");
    }
}
