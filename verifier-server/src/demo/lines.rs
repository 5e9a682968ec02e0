//! Lines for a terminal of any width from 80 columns on, and for a pipe: plain text, no control characters.

use std::time::Duration;

/// Columns of a line.
const COLUMNS: usize = 80;
/// Where text begins beside the time.
const BESIDE_TIME: usize = 6;

/// Minutes and seconds.
pub(super) fn clock(at: Duration) -> String {
    format!("{}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

/// Text without a time.
pub(super) fn paragraph(text: &str) -> Vec<String> {
    wrapped("", text)
}

/// Text that belongs to a time.
pub(super) fn note(at: Duration, text: &str) -> Vec<String> {
    wrapped(&format!("{:>4}  ", clock(at)), text)
}

/// The text in lines that break between words; all but the first begin with blanks instead of `before`.
fn wrapped(before: &str, text: &str) -> Vec<String> {
    let after = if before.is_empty() { String::new() } else { " ".repeat(BESIDE_TIME) };
    let mut lines = vec![before.to_owned()];
    let mut is_begin = true;
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if is_begin {
            *line += word;
        } else if line.chars().count() + 1 + word.chars().count() <= COLUMNS {
            *line += " ";
            *line += word;
        } else {
            lines.push(format!("{after}{word}"));
        }
        is_begin = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_goes_on_below_its_begin_and_loses_no_word() {
        let text = "word ".repeat(60);
        let lines = note(Duration::from_secs(75), &text);
        assert!(lines[0].starts_with("1:15  word") && lines.len() > 3, "{lines:?}");
        assert!(lines[1..].iter().all(|line| line.starts_with("      word")), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= COLUMNS), "{lines:?}");
        let words = lines.join(" ").split_whitespace().filter(|word| *word == "word").count();
        assert_eq!(words, 60);
        assert_eq!(paragraph("two words"), ["two words"]);
    }
}
