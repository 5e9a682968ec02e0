//! What a reload has changed, in the words of `check-config`.

use std::collections::HashSet;

/// Lines that are told of one reload; a long list of rules is not copied into the log.
const LINES_MAX: usize = 40;

/// Sentences that are true now and were not before, and the other way round.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    lines: Vec<String>,
    left_out: usize,
}

impl Changes {
    /// What differs between two explanations, line by line.
    pub(super) fn between(old: &str, new: &str) -> Self {
        let before: HashSet<&str> = old.lines().collect();
        let after: HashSet<&str> = new.lines().collect();
        // Warnings are told in full, every time.
        let told = |line: &&str| !line.starts_with("warning: ");
        let gone = old.lines().filter(|line| !after.contains(line)).filter(told).map(|line| format!("before: {line}"));
        let come = new.lines().filter(|line| !before.contains(line)).filter(told).map(|line| format!("now: {line}"));
        let mut lines: Vec<String> = gone.chain(come).collect();
        let left_out = lines.len().saturating_sub(LINES_MAX);
        lines.truncate(LINES_MAX);
        Self { lines, left_out }
    }

    /// Each of them, at most forty: `before: …` first, then `now: …`.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// How many there are, in words.
    #[must_use]
    pub fn summary(&self) -> String {
        match (self.lines.len(), self.left_out) {
            (0, _) => "nothing that check-config tells has changed".to_owned(),
            (told, 0) => format!("{told} lines of check-config differ"),
            (told, more) => format!("{} lines of check-config differ, the first {told} of them", told + more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let changes = Changes::between("a\nb\nwarning: w\n", "a\nc\nwarning: v\n");
        assert_eq!(changes.lines(), ["before: b", "now: c"]);
        assert_eq!(changes.summary(), "2 lines of check-config differ");
        let same = Changes::between("a\nb\n", "a\nb\n");
        assert_eq!((same.lines().len(), same.left_out), (0, 0));
    }

    #[test]
    fn ten_thousand_new_rules_do_not_fill_the_log() {
        let rules = (0..10_000).map(|rule| format!("rule {rule}")).collect::<Vec<_>>().join("\n");
        let changes = Changes::between("", &rules);
        assert_eq!((changes.lines().len(), changes.left_out), (LINES_MAX, 10_000 - LINES_MAX));
        assert!(changes.summary().starts_with("10000 lines"));
    }
}
