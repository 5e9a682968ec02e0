//! What strangers sent, made fit to be shown: nothing of it is unseen, moves what stands beside it, or begins a command.

use crate::gate::top::is_unseen;
use std::fmt::Write;

/// The text with everything replaced by its number that is unseen, or written from right to left: `\u{202e}`. What is left
/// is seen where it stands.
pub(super) fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_unseen(letter) || is_right_to_left(letter) || (!letter.is_ascii() && letter.is_whitespace()) {
            // A string takes everything.
            let _ = write!(seen, "\\u{{{:x}}}", u32::from(letter));
        } else {
            seen.push(letter);
        }
    }
    seen
}

/// Letters of scripts that run from right to left: they would take digits and signs beside them along.
const fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// A code span of `CommonMark`: nothing in it is read as anything but itself. In a table every bar needs a backslash besides.
pub(super) fn markdown_code(text: &str, in_table: bool) -> String {
    let text = visible(text);
    if text.trim().is_empty() {
        return "(nothing)".to_owned();
    }
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    let text = if in_table { text.replace('|', "\\|") } else { text };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Our own words in Markdown: digits, letters and the signs of sentences, but a name of a site may have others.
pub(super) fn markdown_words(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// A cell of a CSV table (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front, which shows: also
/// behind a separator inside of the cell, because spreadsheets of many countries separate by semicolons, whatever is quoted.
pub(super) fn csv_cell(text: &str) -> String {
    let (mut safe, mut begins) = (String::new(), true);
    for letter in visible(text).chars() {
        if begins && matches!(letter, '=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠') {
            safe.push('\'');
        }
        begins = matches!(letter, ';' | ',' | '"' | '\t') || (begins && matches!(letter, ' ' | '\u{a0}'));
        safe.push(letter);
    }
    let text = safe;
    if text.contains([',', ';', '"', ' ']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// A string in a STIX pattern.
pub(super) fn stix_string(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_unseen_or_runs_the_other_way() {
        assert_eq!(visible("/a\u{202e}fdp.exe"), "/a\\u{202e}fdp.exe");
        assert_eq!(visible("\x1b[2J\u{9b}31m\r\n\u{2028}"), "\\u{1b}[2J\\u{9b}31m\\u{d}\\u{a}\\u{2028}");
        assert_eq!(visible("a\u{5d0}1\u{200b}\u{3000}\u{e0041}"), "a\\u{5d0}1\\u{200b}\\u{3000}\\u{e0041}");
        assert_eq!(visible("/süße/路径?x=<y>"), "/süße/路径?x=<y>");
    }

    #[test]
    fn a_spreadsheet_calculates_nothing() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("=HYPERLINK(\"http://evil\",\"x\")", "\"'=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\""),
            ("+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\""),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("  =1", "\"  '=1\""),
            ("\t=1", "\\u{9}=1"),
            ("＝1", "'＝1"),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("a,b", "\"a,b\""),
            ("x;=cmd|' /C calc'!A0;", "\"x;'=cmd|' /C calc'!A0;\""),
            ("x; +1", "\"x; '+1\""),
        ] {
            assert_eq!(csv_cell(text), cell, "{text}");
        }
    }

    #[test]
    fn a_pattern_ends_where_it_should() {
        assert_eq!(stix_string("a'] OR [x:y = 'b\\"), "'a\\'] OR [x:y = \\'b\\\\'");
    }
}
