//! A Caddyfile as Caddy reads it: blocks of lines of words, snippets and imports, each with its file, line and place.

use super::super::glob;
use super::super::plan::Problem;
use super::super::source::Sources;
use std::ops::Range;
use std::path::Path;

/// Imports inside imports, and blocks inside blocks.
const DEPTH_MAX: usize = 32;

/// A directive with its block, or a site with its directives.
#[derive(Debug)]
pub(super) struct Line {
    /// Its words, without quotation marks: of a site its addresses.
    pub(super) words: Vec<String>,
    /// Which of the sources it is in.
    pub(super) file: usize,
    /// Its number, from 1.
    pub(super) number: usize,
    /// From its first word to its last, or to its `}`.
    pub(super) span: Range<usize>,
    /// What is in its block.
    pub(super) block: Option<Vec<Line>>,
}

impl Line {
    /// Its first word.
    pub(super) fn name(&self) -> &str {
        self.words.first().map(String::as_str).unwrap_or_default()
    }

    /// What is in its block.
    pub(super) fn children(&self) -> &[Line] {
        self.block.as_deref().unwrap_or_default()
    }
}

/// A whole configuration.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// Its files, the main one first.
    pub(super) sources: Sources,
    /// What stands at the top, of files that are imported there too.
    pub(super) top: Vec<Line>,
}

impl Configuration {
    /// Reads `main` and all that is imported at its top.
    ///
    /// # Errors
    /// What cannot be read or understood.
    pub(super) fn read(main: &Path) -> Result<Self, Problem> {
        let mut configuration = Self::default();
        configuration.top = configuration.file(main, 0)?;
        Ok(configuration)
    }

    fn file(&mut self, path: &Path, depth: usize) -> Result<Vec<Line>, Problem> {
        let file = self.sources.read(path)?;
        let bytes = self.sources.bytes(file).to_vec();
        let problem = |(number, what): (usize, &str)| Problem {
            file: path.to_owned(),
            line: number,
            what: what.to_owned(),
            paste: "nothing is changed: by hand, follow deploy/caddy (docs/OPERATING.md, \"Beside Caddy\")".to_owned(),
        };
        if depth > DEPTH_MAX {
            return Err(problem((1, "imports inside each other without an end")));
        }
        let mut parser = Parser { tokens: tokens(&bytes).map_err(problem)?, at: 0, file };
        let (lines, _) = parser.lines(0, None).map_err(problem)?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut top = Vec::new();
        for line in lines {
            let import =
                (line.name() == "import" && line.block.is_none()).then(|| line.words.get(1).cloned()).flatten();
            top.push(line);
            let Some(pattern) = import else { continue };
            for imported in glob::files(&folder.join(&pattern)) {
                top.extend(self.file(&imported, depth + 1)?);
            }
        }
        Ok(top)
    }

    /// A problem at a line.
    pub(super) fn problem(&self, at: &Line, what: impl Into<String>, paste: impl Into<String>) -> Problem {
        Problem { file: self.sources.path(at.file).to_owned(), line: at.number, what: what.into(), paste: paste.into() }
    }

    /// File and number of a line.
    pub(super) fn place(&self, at: &Line) -> String {
        format!("{}:{}", self.sources.path(at.file).display(), at.number)
    }

    /// What a snippet holds.
    pub(super) fn snippet(&self, name: &str) -> Option<&[Line]> {
        let name = format!("({name})");
        self.top.iter().find(|line| line.name() == name).map(Line::children)
    }
}

#[derive(Debug)]
struct Token {
    text: String,
    /// `{` and `}` are braces only without quotation marks.
    quoted: bool,
    number: usize,
    span: Range<usize>,
    /// A backslash at the end of the line before joins it to that.
    joined: bool,
}

impl Token {
    fn is(&self, brace: &str) -> bool {
        !self.quoted && self.text == brace
    }
}

type Wrong = (usize, &'static str);

fn tokens(bytes: &[u8]) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let (mut at, mut number, mut joined) = (0, 1, false);
    while let Some(byte) = bytes.get(at).copied() {
        if byte == b'\n' {
            number += 1;
        }
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if bytes[at..].starts_with(b"\\\n") {
            joined = true;
            at += 1;
            continue;
        }
        if byte == b'#' {
            at += bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at);
            continue;
        }
        if bytes[at..].starts_with(b"<<") {
            return Err((number, "a text over several lines (<<) is not understood"));
        }
        let (start, first) = (at, number);
        let (text, quoted) = if matches!(byte, b'"' | b'`') {
            at += 1;
            let mut text = Vec::new();
            loop {
                let Some(next) = bytes.get(at).copied() else {
                    return Err((first, "a quotation mark is never closed"));
                };
                at += 1;
                number += usize::from(next == b'\n');
                if next == byte {
                    break;
                }
                if next == b'\\' && byte == b'"' && bytes.get(at) == Some(&b'"') {
                    text.push(b'"');
                    at += 1;
                } else {
                    text.push(next);
                }
            }
            (text, true)
        } else {
            let length = bytes[at..].iter().position(u8::is_ascii_whitespace).unwrap_or(bytes.len() - at);
            at += length;
            (bytes[start..at].to_vec(), false)
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        tokens.push(Token { text, quoted, number: first, span: start..at, joined: std::mem::take(&mut joined) });
    }
    Ok(tokens)
}

/// Tokens become lines and blocks.
struct Parser {
    tokens: Vec<Token>,
    at: usize,
    file: usize,
}

impl Parser {
    fn take_if(&mut self, wanted: impl FnOnce(&Token) -> bool) -> Option<&Token> {
        let token = self.tokens.get(self.at).filter(|token| wanted(token))?;
        self.at += 1;
        Some(token)
    }

    /// Lines up to the end, or up to the `}` of the block that began in line `opened`; and where that ends.
    fn lines(&mut self, depth: usize, opened: Option<usize>) -> Result<(Vec<Line>, usize), Wrong> {
        let mut lines = Vec::new();
        while let Some(first) = self.tokens.get(self.at) {
            if first.is("}") {
                let (end, number) = (first.span.end, first.number);
                self.at += 1;
                return if opened.is_some() {
                    Ok((lines, end))
                } else {
                    Err((number, "a `}` closes what is not open"))
                };
            }
            if depth > DEPTH_MAX {
                return Err((first.number, "blocks inside each other without an end"));
            }
            let line = self.line(depth)?;
            lines.push(line);
        }
        match opened {
            Some(number) => Err((number, "a `{` is never closed")),
            None => Ok((lines, 0)),
        }
    }

    fn line(&mut self, depth: usize) -> Result<Line, Wrong> {
        let first = &self.tokens[self.at];
        let (number, span) = (first.number, first.span.clone());
        let mut line = Line { words: Vec::new(), file: self.file, number, span, block: None };
        let (mut last, mut goes_on) = (number, true);
        while let Some(token) =
            self.take_if(|token| (token.number == last || token.joined || goes_on) && !token.is("}"))
        {
            last = token.number;
            line.span.end = token.span.end;
            if token.is("{") {
                let (lines, end) = self.lines(depth + 1, Some(last))?;
                line.span.end = end;
                line.block = Some(lines);
                break;
            }
            // Addresses of a site may go on in the next line.
            goes_on = depth == 0 && token.text.ends_with(',');
            line.words.extend(token.text.split(',').filter(|word| depth == 0 && !word.is_empty()).map(str::to_owned));
            if depth > 0 {
                line.words.push(token.text.clone());
            }
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Result<Configuration, Problem> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("sites")).expect("a folder");
        fs::write(folder.path().join("Caddyfile"), text).expect("written");
        fs::write(folder.path().join("sites/b"), "b.test {\n}\n").expect("written");
        Configuration::read(&folder.path().join("Caddyfile"))
    }

    #[test]
    fn sites_blocks_and_imports_are_read_with_their_places() {
        let text = "{\n\tadmin off # {\n}\n(s) {\n\theader X \"a } b\"\n}\nimport sites/*\na.test,\nwww.a.test, x.test {\n\timport s\n\tphp \\\n\t\tx {env.Y} {\n\t\tz\n\t}\n}\n";
        let read = read(text).expect("understood");
        let told: Vec<String> =
            read.top.iter().map(|line| format!("{}:{}", line.number, line.words.join(" "))).collect();
        assert_eq!(told, ["1:", "4:(s)", "7:import sites/*", "1:b.test", "8:a.test www.a.test x.test"]);
        let site = &read.top[4];
        assert_eq!(site.children()[1].words, ["php", "x", "{env.Y}"]);
        assert_eq!(site.children()[1].children()[0].words, ["z"]);
        assert!(text[site.span.clone()].ends_with("\n\t}\n}"));
        assert!(
            text[site.children()[1].span.clone()].starts_with("php")
                && text[site.children()[1].span.clone()].ends_with('}')
        );
        assert_eq!(read.snippet("s").expect("there")[0].words, ["header", "X", "a } b"]);
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (text, line, what) in [
            ("a {\n", 1, "never closed"),
            ("a {\n}\n}\n", 3, "not open"),
            ("a {\n\trespond `x\n}\n", 2, "quotation mark"),
            ("a {\n\trespond <<X\n\tX\n}\n", 2, "several lines"),
            ("import Caddyfile\n", 1, "inside each other"),
        ] {
            let problem = read(text).expect_err("not understood");
            assert!(problem.line == line && problem.what.contains(what), "{text}: {problem}");
        }
    }
}
