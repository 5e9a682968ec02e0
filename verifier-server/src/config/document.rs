//! TOML with line numbers: takes keys one by one, collects every problem, and finds the keys that nobody asked for.

use super::Problem;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::IntErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's text and what was found in it so far.
pub(super) struct Document<'t> {
    text: &'t str,
    /// Where each line ends.
    line_ends: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    /// Where each key stands first, as `key` or `section.key`.
    key_lines: RefCell<BTreeMap<String, usize>>,
    /// Other files that count as part of it.
    files: RefCell<Vec<PathBuf>>,
}

/// What is left of a document that was read.
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) key_lines: BTreeMap<String, usize>,
    pub(super) files: Vec<PathBuf>,
}

impl<'t> Document<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let line_ends = text.match_indices('\n').map(|(end, _)| end).collect();
        Self { text, line_ends, problems: RefCell::default(), key_lines: RefCell::default(), files: RefCell::default() }
    }

    /// Parses the text; every syntax error becomes a problem.
    pub(super) fn root(&self) -> Section<'_, 't> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = error.span().map_or(1, |span| self.line(span.start));
            self.problem(line, format!("this is not TOML: {}", error.message()), "see https://toml.io for the syntax");
        }
        Section { document: self, line: 1, name: String::new(), entries: table.into_inner(), known: Vec::new() }
    }

    pub(super) fn problem(&self, line: usize, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::at(line, message, remedy));
    }

    pub(super) fn into_findings(self) -> Findings {
        let (problems, key_lines) = (self.problems.into_inner(), self.key_lines.into_inner());
        Findings { problems, key_lines, files: self.files.into_inner() }
    }

    fn line(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|end| *end < offset) + 1
    }
}

/// A value and the line it stands on.
pub(super) struct Lined<T> {
    pub(super) line: usize,
    pub(super) value: T,
}

/// A table of the file whose keys are taken one by one.
pub(super) struct Section<'d, 't> {
    document: &'d Document<'t>,
    pub(super) line: usize,
    /// Its header as written, empty for the top level.
    name: String,
    entries: DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'d, 't> Section<'d, 't> {
    pub(super) fn problem(&self, line: usize, message: impl Into<String>, remedy: impl Into<String>) {
        self.document.problem(line, message, remedy);
    }

    /// Whether a key is there that nobody has taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.get(key).is_some()
    }

    /// Whether a key was written, right or wrong; after it was taken.
    pub(super) fn had(&self, key: &str) -> bool {
        let section = self.name.trim_matches(['[', ']']);
        let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        self.document.key_lines.borrow().get(&path).is_some_and(|line| *line >= self.line)
    }

    /// Notes a file whose content counts as the configuration's: when it changes, that is a new configuration.
    pub(super) fn names_file(&self, file: &Path) {
        self.document.files.borrow_mut().push(file.to_owned());
    }

    fn take(&mut self, key: &'static str) -> Option<Lined<DeValue<'t>>> {
        self.known.push(key);
        let value = self.entries.remove(key)?;
        let value = self.lined(value);
        let section = self.name.trim_matches(['[', ']']);
        let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        self.document.key_lines.borrow_mut().entry(path).or_insert(value.line);
        Some(value)
    }

    fn lined(&self, value: Spanned<DeValue<'t>>) -> Lined<DeValue<'t>> {
        Lined { line: self.document.line(value.span().start), value: value.into_inner() }
    }

    fn wrong_kind(&self, key: &str, line: usize, found: &DeValue<'_>, wanted: &str) {
        self.problem(line, format!("`{key}` is a {}", found.type_str()), format!("write {wanted}"));
    }

    /// A string.
    pub(super) fn string(&mut self, key: &'static str, example: &str) -> Option<Lined<String>> {
        let Lined { line, value } = self.take(key)?;
        if let DeValue::String(text) = value {
            return Some(Lined { line, value: text.into_owned() });
        }
        self.wrong_kind(key, line, &value, &format!("a string, for example {key} = \"{example}\""));
        None
    }

    /// A string or a list of strings; `None` where the key is missing or wrong.
    pub(super) fn strings(&mut self, key: &'static str, example: &str) -> Option<Vec<Lined<String>>> {
        let Lined { line, value } = self.take(key)?;
        let wanted = format!("a string or a list of strings, for example {key} = [\"{example}\"]");
        let items = match value {
            DeValue::String(text) => return Some(vec![Lined { line, value: text.into_owned() }]),
            DeValue::Array(items) => items,
            other => {
                self.wrong_kind(key, line, &other, &wanted);
                return None;
            }
        };
        let mut strings = Vec::new();
        for item in items {
            let Lined { line, value } = self.lined(item);
            match value {
                DeValue::String(text) => strings.push(Lined { line, value: text.into_owned() }),
                other => self.wrong_kind(key, line, &other, &wanted),
            }
        }
        Some(strings)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let Lined { line, value } = self.take(key)?;
        let boolean = value.as_bool();
        if boolean.is_none() {
            self.wrong_kind(key, line, &value, &format!("{key} = true or {key} = false"));
        }
        boolean
    }

    /// A whole number within `range`.
    pub(super) fn integer(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Lined<u64>> {
        let Lined { line, value } = self.take(key)?;
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.as_integer() else {
            self.wrong_kind(key, line, &value, &wanted);
            return None;
        };
        match u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()) {
            Ok(value) if range.contains(&value) => Some(Lined { line, value }),
            Err(error) if !matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::InvalidDigit) => None,
            _ => {
                self.problem(
                    line,
                    format!("`{key}` = {} is out of range", integer.as_str()),
                    format!("write {wanted}"),
                );
                None
            }
        }
    }

    /// A number with at most two decimals, in hundredths.
    pub(super) fn hundredths(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<Lined<u32>> {
        let Lined { line, value } = self.take(key)?;
        let text = match &value {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => "",
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{}{decimals:0<2}", whole.replace('_', ""));
        let hundredths = digits.parse().ok().filter(|hundredths| decimals.len() <= 2 && range.contains(hundredths));
        if hundredths.is_none() {
            let (least, most) = (f64::from(*range.start()) / 100.0, f64::from(*range.end()) / 100.0);
            let wanted = format!("write a number from {least} to {most} with at most two decimals");
            self.problem(line, format!("`{key}` is not a number that fits"), wanted);
        }
        hundredths.map(|value| Lined { line, value })
    }

    /// A name out of a list.
    pub(super) fn choice<T>(
        &mut self,
        key: &'static str,
        names: &[&str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.string(key, names.first().copied().unwrap_or_default())?;
        let parsed = parse(&text.value);
        if parsed.is_none() {
            let remedy = format!("write one of: {}", names.join(", "));
            self.problem(
                text.line,
                format!("`{key}` = \"{}\" is not known", text.value),
                suggest(&text.value, names, remedy),
            );
        }
        parsed
    }

    /// The table `[key]`; an empty one where it is left out.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'d, 't> {
        let (line, entries) = match self.take(key) {
            None => (self.line, DeTable::new()),
            Some(Lined { line, value: DeValue::Table(entries) }) => (line, entries),
            Some(Lined { line, value }) => {
                self.wrong_kind(key, line, &value, &format!("a table: [{key}]"));
                (line, DeTable::new())
            }
        };
        let parent = self.name.trim_matches(['[', ']']);
        let name = if parent.is_empty() { format!("[{key}]") } else { format!("[{parent}.{key}]") };
        Section { document: self.document, line, name, entries, known: Vec::new() }
    }

    /// The tables `[[key]]`, in order.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'d, 't>> {
        let Some(Lined { line, value }) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.wrong_kind(key, line, &value, &format!("tables with double brackets: [[{key}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            let Lined { line, value } = self.lined(item);
            match value {
                DeValue::Table(entries) => {
                    let name = format!("[[{key}]]");
                    sections.push(Section { document: self.document, line, name, entries, known: Vec::new() });
                }
                other => self.wrong_kind(key, line, &other, &format!("tables with double brackets: [[{key}]]")),
            }
        }
        sections
    }

    /// The tables of a list in braces, `key = [{ … }]`, or the one of `key = { … }`.
    pub(super) fn tables(&mut self, key: &'static str, example: &str) -> Vec<Section<'d, 't>> {
        let Some(Lined { line, value }) = self.take(key) else { return Vec::new() };
        let items = match value {
            DeValue::Array(items) => items.into_iter().map(|item| self.lined(item)).collect(),
            single => vec![Lined { line, value: single }],
        };
        let mut tables = Vec::new();
        for Lined { line, value } in items {
            match value {
                DeValue::Table(entries) => {
                    let name = format!("`{key}`");
                    tables.push(Section { document: self.document, line, name, entries, known: Vec::new() });
                }
                other => self.wrong_kind(key, line, &other, example),
            }
        }
        tables
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        let place = if self.name.is_empty() { "at the top level".to_owned() } else { format!("in {}", self.name) };
        for (key, _) in &self.entries {
            let line = self.document.line(key.span().start);
            let name = key.get_ref();
            let remedy = format!("known {place}: {}", self.known.join(", "));
            self.problem(line, format!("`{name}` is not a key {place}"), suggest(name, &self.known, remedy));
        }
    }
}

/// `did you mean …?` where a name is close, else `otherwise`.
fn suggest(written: &str, names: &[&str], otherwise: String) -> String {
    let closest = names.iter().map(|name| (strsim::damerau_levenshtein(written, name), name)).min();
    match closest {
        Some((distance, name)) if distance <= 2.max(name.len() / 3) => format!("did you mean `{name}`?"),
        _ => otherwise,
    }
}
