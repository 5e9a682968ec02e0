//! nginx's configuration as nginx reads it: words, blocks and includes, each with its file, line and place.

use super::super::glob;
use super::super::plan::Problem;
use super::super::source::Sources;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Includes inside includes, and blocks inside blocks.
const DEPTH_MAX: usize = 32;

/// A directive, with a block or without.
#[derive(Debug)]
pub(super) struct Directive {
    /// Its name.
    pub(super) name: String,
    /// What follows the name, without quotation marks.
    pub(super) arguments: Vec<String>,
    /// Which of the sources it is in.
    pub(super) file: usize,
    /// In which line it begins, from 1.
    pub(super) line: usize,
    /// From its name to its `;` or `}`.
    pub(super) span: Range<usize>,
    /// What is in its block.
    pub(super) block: Option<Block>,
    /// What an `include` brings.
    pub(super) included: Vec<Directive>,
}

/// A block.
#[derive(Debug)]
pub(super) struct Block {
    /// Just behind its `{`.
    pub(super) open: usize,
    /// What is in it.
    pub(super) directives: Vec<Directive>,
}

impl Directive {
    /// What is in its block, with what is included there in the place of the includes.
    pub(super) fn children(&self) -> Vec<&Directive> {
        self.block.as_ref().map(|block| flat(&block.directives)).unwrap_or_default()
    }

    /// All directives below it, at any depth.
    pub(super) fn below(&self) -> Vec<&Directive> {
        let mut all = Vec::new();
        for child in self.children() {
            all.push(child);
            all.extend(child.below());
        }
        all
    }

    /// Its arguments as a text.
    pub(super) fn told(&self) -> String {
        self.arguments.join(" ")
    }
}

/// Directives with what is included in the place of the includes.
pub(super) fn flat(directives: &[Directive]) -> Vec<&Directive> {
    let mut all = Vec::new();
    for directive in directives {
        all.push(directive);
        all.extend(flat(&directive.included));
    }
    all
}

/// A whole configuration.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// Its files, the main one first.
    pub(super) sources: Sources,
    /// What stands in the main file.
    pub(super) directives: Vec<Directive>,
}

impl Configuration {
    /// Reads `main` and all that it includes.
    ///
    /// # Errors
    /// What cannot be read or understood.
    pub(super) fn read(main: &Path) -> Result<Self, Problem> {
        let mut configuration = Self::default();
        let folder = main.parent().unwrap_or(Path::new("/")).to_owned();
        let mut reader = Reader { sources: &mut configuration.sources, folder };
        configuration.directives = reader.file(main, 0)?;
        Ok(configuration)
    }

    /// A problem at a directive.
    pub(super) fn problem(&self, at: &Directive, what: impl Into<String>, paste: impl Into<String>) -> Problem {
        Problem { file: self.sources.path(at.file).to_owned(), line: at.line, what: what.into(), paste: paste.into() }
    }

    /// File and line of a directive.
    pub(super) fn place(&self, at: &Directive) -> String {
        format!("{}:{}", self.sources.path(at.file).display(), at.line)
    }
}

struct Reader<'a> {
    sources: &'a mut Sources,
    /// Where relative includes begin.
    folder: PathBuf,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<Vec<Directive>, Problem> {
        if depth > DEPTH_MAX {
            return Err(Problem {
                file: path.to_owned(),
                line: 1,
                what: format!("more than {DEPTH_MAX} includes inside each other"),
                paste: "mend that first: nginx needs it as well".to_owned(),
            });
        }
        let file = self.sources.read(path)?;
        let bytes = self.sources.bytes(file).to_vec();
        let mut tokens = Tokens { bytes: &bytes, at: 0, line: 1 };
        let parsed = self.directives(&mut tokens, file, depth, false);
        parsed.map_err(|(line, what)| match what {
            Wrong::Here(what) => Problem {
                file: path.to_owned(),
                line,
                what,
                paste: "nothing is changed: by hand, follow deploy/nginx (docs/OPERATING.md, \"Beside nginx\")"
                    .to_owned(),
            },
            Wrong::Elsewhere(problem) => problem,
        })
    }

    fn directives(
        &mut self,
        tokens: &mut Tokens<'_>,
        file: usize,
        depth: usize,
        in_block: bool,
    ) -> Result<Vec<Directive>, (usize, Wrong)> {
        let here = |line, what: &str| Err((line, Wrong::Here(what.to_owned())));
        let mut directives = Vec::new();
        loop {
            let Some(first) = tokens.next()? else {
                return if in_block { here(tokens.line, "a `{` is never closed") } else { Ok(directives) };
            };
            let (line, start) = (first.line, first.span.start);
            let name = match first.kind {
                Kind::Word(name) => name,
                Kind::Close if in_block => return Ok(directives),
                _ => return here(line, "a name was expected here"),
            };
            if name.ends_with("_by_lua_block") {
                return here(line, &format!("`{name}` holds another language, which is not understood"));
            }
            let mut directive = Directive {
                name,
                arguments: Vec::new(),
                file,
                line,
                span: start..start,
                block: None,
                included: Vec::new(),
            };
            loop {
                let Some(token) = tokens.next()? else { return here(line, "this line does not end in `;`") };
                directive.span.end = token.span.end;
                match token.kind {
                    Kind::Word(word) => directive.arguments.push(word),
                    Kind::End => break,
                    Kind::Open if depth < DEPTH_MAX => {
                        let directives = self.directives(tokens, file, depth + 1, true)?;
                        directive.span.end = tokens.at;
                        directive.block = Some(Block { open: token.span.end, directives });
                        break;
                    }
                    Kind::Open | Kind::Close => return here(token.line, "a brace was not expected here"),
                }
            }
            if directive.name == "include" && directive.block.is_none() {
                directive.included =
                    self.included(&directive, depth).map_err(|problem| (line, Wrong::Elsewhere(problem)))?;
            }
            directives.push(directive);
        }
    }

    fn included(&mut self, include: &Directive, depth: usize) -> Result<Vec<Directive>, Problem> {
        let pattern = include.arguments.first().map(String::as_str).unwrap_or_default();
        let path = self.folder.join(pattern);
        let files = if glob::is_plain(pattern) { vec![path] } else { glob::files(&path) };
        let mut directives = Vec::new();
        for file in files {
            directives.extend(self.file(&file, depth + 1)?);
        }
        Ok(directives)
    }
}

/// What is wrong, in this file or in one that it includes.
enum Wrong {
    Here(String),
    Elsewhere(Problem),
}

enum Kind {
    Word(String),
    /// `;`
    End,
    /// `{`
    Open,
    /// `}`
    Close,
}

struct Token {
    kind: Kind,
    span: Range<usize>,
    line: usize,
}

struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, (usize, Wrong)> {
        self.skip();
        let (start, line) = (self.at, self.line);
        let Some(byte) = self.step() else { return Ok(None) };
        let kind = match byte {
            b';' => Kind::End,
            b'{' => Kind::Open,
            b'}' => Kind::Close,
            b'"' | b'\'' => Kind::Word(
                self.quoted(byte).ok_or_else(|| (line, Wrong::Here("a quotation mark is never closed".to_owned())))?,
            ),
            _ => {
                self.word(byte);
                Kind::Word(String::from_utf8_lossy(self.bytes.get(start..self.at).unwrap_or_default()).into_owned())
            }
        };
        Ok(Some(Token { kind, span: start..self.at, line }))
    }

    fn step(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn skip(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'#' => {
                    while self.bytes.get(self.at).is_some_and(|byte| *byte != b'\n') {
                        self.at += 1;
                    }
                }
                byte if byte.is_ascii_whitespace() => {
                    self.step();
                }
                _ => return,
            }
        }
    }

    fn quoted(&mut self, mark: u8) -> Option<String> {
        let mut text = Vec::new();
        loop {
            match self.step()? {
                b'\\' => match self.step()? {
                    escaped @ (b'"' | b'\'' | b'\\') => text.push(escaped),
                    other => text.extend([b'\\', other]),
                },
                byte if byte == mark => return Some(String::from_utf8_lossy(&text).into_owned()),
                byte => text.push(byte),
            }
        }
    }

    /// The rest of a word that begins with `first`: `{` ends it, but for that of `${name}`.
    fn word(&mut self, first: u8) {
        let mut before = first;
        if first == b'\\' {
            self.step();
        }
        while let Some(byte) = self.bytes.get(self.at).copied() {
            let ends = byte.is_ascii_whitespace() || byte == b';' || (byte == b'{' && before != b'$');
            if ends {
                return;
            }
            self.step();
            if byte == b'\\' {
                self.step();
            }
            before = byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Result<Configuration, Problem> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("nginx.conf"), text).expect("written");
        fs::write(folder.path().join("more"), "c;\nd e;\n").expect("written");
        Configuration::read(&folder.path().join("nginx.conf"))
    }

    #[test]
    fn words_blocks_and_includes_are_read_with_their_lines() {
        let text = "# {\nuser \"a b\";\nhttp {\n  log_format x '$a;{' \"\\\"\";\n  include more;\n  if ($x ~ \"{\") { return 1; }\n  map ${x}y z { \"~*#\" 1; }\n}\n";
        let read = read(text).expect("understood");
        let http = &read.directives[1];
        let told: Vec<String> =
            http.children().iter().map(|child| format!("{}:{} {}", child.name, child.line, child.told())).collect();
        assert_eq!(
            told,
            ["log_format:4 x $a;{ \"", "include:5 more", "c:1 ", "d:2 e", "if:6 ($x ~ { )", "map:7 ${x}y z"]
        );
        assert_eq!(read.directives[0].arguments, ["a b"]);
        assert_eq!(http.children()[3].file, 1);
        let block = http.block.as_ref().expect("a block");
        assert_eq!(&text[block.open - 1..block.open], "{");
        assert_eq!(&text[http.span.clone()], text[text.find("http").expect("there")..].trim_end());
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (text, line, what) in [
            ("a;\nb {\n", 3, "never closed"),
            ("a;\n}\n", 2, "a name"),
            ("a;\nb", 2, "does not end"),
            ("a 'b;\n", 1, "quotation mark"),
            ("http {\n content_by_lua_block { a = '}' }\n}", 2, "another language"),
            ("include missing;\n", 1, "cannot be read"),
            ("include nginx.conf;\n", 1, "inside each other"),
        ] {
            let problem = read(text).expect_err("not understood");
            assert!(problem.line == line && problem.what.contains(what), "{text}: {problem}");
        }
    }
}
