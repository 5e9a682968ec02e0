//! Apache's configuration as Apache reads it: lines, sections and includes, each with its file, line and place.

use super::super::glob;
use super::super::plan::Problem;
use super::super::source::Sources;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Includes inside includes, and sections inside sections.
const DEPTH_MAX: usize = 32;

/// A line, with the section that it opens or the files that it includes.
#[derive(Debug)]
pub(super) struct Line {
    /// Its name in lower case; of a section without `<`.
    pub(super) name: String,
    /// What follows the name, without quotation marks.
    pub(super) arguments: Vec<String>,
    /// As it is written, without what ends it.
    pub(super) text: String,
    /// Which of the sources it is in.
    pub(super) file: usize,
    /// Its number, from 1.
    pub(super) number: usize,
    /// From its first character to its last; of a section, its opening line.
    pub(super) span: Range<usize>,
    /// What is in its section.
    pub(super) section: Option<Vec<Line>>,
    /// What an `Include` brings.
    pub(super) included: Vec<Line>,
}

impl Line {
    /// What is in its section, with what is included there in the place of the includes.
    pub(super) fn children(&self) -> Vec<&Line> {
        self.section.as_deref().map(flat).unwrap_or_default()
    }

    /// All lines below it, at any depth.
    pub(super) fn below(&self) -> Vec<&Line> {
        self.children().into_iter().flat_map(|child| std::iter::once(child).chain(child.below())).collect()
    }
}

/// Lines with what is included in the place of the includes.
pub(super) fn flat(lines: &[Line]) -> Vec<&Line> {
    lines.iter().flat_map(|line| std::iter::once(line).chain(flat(&line.included))).collect()
}

/// A whole configuration.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// Its files, the main one first.
    pub(super) sources: Sources,
    /// What stands in the main file.
    pub(super) lines: Vec<Line>,
}

impl Configuration {
    /// Reads `main` and all that it includes.
    ///
    /// # Errors
    /// What cannot be read or understood.
    pub(super) fn read(main: &Path) -> Result<Self, Problem> {
        let mut reader =
            Reader { sources: Sources::default(), root: main.parent().unwrap_or(Path::new("/")).to_owned() };
        let lines = reader.file(main, 0)?;
        Ok(Self { sources: reader.sources, lines })
    }

    /// A problem at a line.
    pub(super) fn problem(&self, at: &Line, what: impl Into<String>, paste: impl Into<String>) -> Problem {
        Problem { file: self.sources.path(at.file).to_owned(), line: at.number, what: what.into(), paste: paste.into() }
    }

    /// File and number of a line.
    pub(super) fn place(&self, at: &Line) -> String {
        format!("{}:{}", self.sources.path(at.file).display(), at.number)
    }
}

struct Reader {
    sources: Sources,
    /// `ServerRoot`, where relative paths begin.
    root: PathBuf,
}

/// Lines of a file that go on in the next one are one.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    number: usize,
}

impl Lines<'_> {
    /// Number, place and text of the next line that says something.
    fn next(&mut self) -> Option<(usize, Range<usize>, String)> {
        loop {
            let (start, number) = (self.at, self.number);
            let mut end = start;
            loop {
                let rest = self.bytes.get(end..).filter(|rest| !rest.is_empty());
                let Some(rest) = rest else { break };
                let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |length| length + 1);
                end += length;
                self.number += 1;
                if !rest[..length].strip_suffix(b"\n").is_some_and(|line| line.ends_with(b"\\")) {
                    break;
                }
            }
            if end == start {
                return None;
            }
            self.at = end;
            let whole = self.bytes.get(start..end).unwrap_or_default();
            let first = whole.iter().position(|byte| !byte.is_ascii_whitespace());
            let Some(first) = first.filter(|first| whole[*first] != b'#') else { continue };
            let last = whole.iter().rposition(|byte| !byte.is_ascii_whitespace()).unwrap_or(first);
            let span = start + first..start + last + 1;
            let text = String::from_utf8_lossy(self.bytes.get(span.clone()).unwrap_or_default()).into_owned();
            return Some((number, span, text));
        }
    }
}

impl Reader {
    fn file(&mut self, path: &Path, depth: usize) -> Result<Vec<Line>, Problem> {
        let file = self.sources.read(path)?;
        let bytes = self.sources.bytes(file).to_vec();
        let mut lines = Lines { bytes: &bytes, at: 0, number: 1 };
        self.lines(&mut lines, (file, path), depth, None)
    }

    fn lines(
        &mut self,
        lines: &mut Lines<'_>,
        (file, path): (usize, &Path),
        depth: usize,
        section: Option<&str>,
    ) -> Result<Vec<Line>, Problem> {
        let problem = |number: usize, what: String| Problem {
            file: path.to_owned(),
            line: number,
            what,
            paste: "nothing is changed: by hand, follow deploy/apache (docs/OPERATING.md, \"Chained\")".to_owned(),
        };
        if depth > DEPTH_MAX {
            return Err(problem(1, format!("more than {DEPTH_MAX} includes or sections inside each other")));
        }
        let mut found = Vec::new();
        while let Some((number, span, text)) = lines.next() {
            if let Some(closing) = text.strip_prefix("</") {
                let closing = closing.trim_end_matches('>').trim().to_ascii_lowercase();
                return if Some(closing.as_str()) == section {
                    Ok(found)
                } else {
                    Err(problem(number, format!("`{text}` closes what is not open")))
                };
            }
            let inner = text.strip_prefix('<').map(|inner| inner.trim_end_matches('>').to_owned());
            let mut words = words(&text_of(inner.as_deref().unwrap_or(&text)));
            let name = if words.is_empty() { String::new() } else { words.remove(0).to_ascii_lowercase() };
            let mut line =
                Line { name, arguments: words, text, file, number, span, section: None, included: Vec::new() };
            if inner.is_some() {
                let name = line.name.clone();
                line.section = Some(self.lines(lines, (file, path), depth + 1, Some(&name))?);
            }
            match (line.name.as_str(), line.arguments.first()) {
                ("serverroot", Some(root)) => self.root = PathBuf::from(root),
                ("include" | "includeoptional", Some(pattern)) => {
                    if pattern.contains("${") {
                        return Err(problem(number, format!("what `{}` includes is not known", line.text)));
                    }
                    let optional = line.name == "includeoptional";
                    let pattern = self.root.join(pattern);
                    line.included = self.included(&pattern, optional, depth)?;
                }
                _ => {}
            }
            found.push(line);
        }
        match section {
            Some(section) => Err(problem(lines.number, format!("<{section}> is never closed"))),
            None => Ok(found),
        }
    }

    fn included(&mut self, pattern: &Path, optional: bool, depth: usize) -> Result<Vec<Line>, Problem> {
        let plain = glob::is_plain(&pattern.display().to_string());
        let files = match (plain, pattern.is_dir()) {
            (true, true) => glob::files(&pattern.join("*")),
            (true, false) if optional && !pattern.exists() => Vec::new(),
            (true, false) => vec![pattern.to_owned()],
            (false, _) => glob::files(pattern),
        };
        let mut lines = Vec::new();
        for file in files {
            lines.extend(self.file(&file, depth + 1)?);
        }
        Ok(lines)
    }
}

/// The same without the backslashes that join lines.
fn text_of(line: &str) -> String {
    line.replace("\\\n", " ")
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = if matches!(first, '"' | '\'') {
            let inner = &rest[1..];
            let end = inner.find(first).unwrap_or(inner.len());
            (&inner[..end], inner.get(end + 1..).unwrap_or_default())
        } else {
            rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()))
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Result<Configuration, Problem> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("sites")).expect("a folder");
        fs::write(folder.path().join("apache2.conf"), text).expect("written");
        fs::write(folder.path().join("sites/a.conf"), "<VirtualHost *:80>\n  ServerName \"a.test\"\n</VirtualHost>\n")
            .expect("written");
        Configuration::read(&folder.path().join("apache2.conf"))
    }

    #[test]
    fn lines_sections_and_includes_are_read_with_their_places() {
        let text = "# <no\nServerAdmin \"a b\" \\\n   c\n\nIncludeOptional sites/*.conf\nIncludeOptional missing\n<IfModule x>\n  Listen 80\n</IfModule>\n";
        let read = read(text).expect("understood");
        let told: Vec<String> = flat(&read.lines)
            .iter()
            .map(|line| format!("{}:{} {:?}", line.name, line.number, line.arguments))
            .collect();
        assert_eq!(
            told,
            [
                "serveradmin:2 [\"a b\", \"c\"]",
                "includeoptional:5 [\"sites/*.conf\"]",
                "virtualhost:1 [\"*:80\"]",
                "includeoptional:6 [\"missing\"]",
                "ifmodule:7 [\"x\"]"
            ]
        );
        assert_eq!(read.lines[3].children()[0].name, "listen");
        assert_eq!(&text[read.lines[3].span.clone()], "<IfModule x>");
        assert_eq!(flat(&read.lines)[2].children()[0].arguments, ["a.test"]);
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (text, line, what) in [
            ("A b\n<X>\n", 3, "never closed"),
            ("A b\n</X>\n", 2, "not open"),
            ("Include ${WHERE}/x.conf\n", 1, "not known"),
            ("Include missing.conf\n", 1, "cannot be read"),
            ("Include apache2.conf\n", 1, "inside each other"),
        ] {
            let problem = read(text).expect_err("not understood");
            assert!(problem.line == line && problem.what.contains(what), "{text}: {problem}");
        }
    }
}
