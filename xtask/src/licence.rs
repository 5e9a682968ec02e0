//! Whether a licence expression (SPDX 2.3, annex D) can be met with the licences that are allowed here.

use anyhow::{Context as _, bail};

/// Licences under which others may use the whole without conditions beyond naming the authors.
const ALLOWED: [&str; 12] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether one of the allowed choices is offered. `/` between licences is the old way to write `OR`.
pub(crate) fn allowed(expression: &str) -> anyhow::Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { words: spaced.split_whitespace().collect(), next: 0 };
    let allowed = words.any_of()?;
    match words.take() {
        None => Ok(allowed),
        Some(word) => bail!("`{word}` was not expected"),
    }
}

struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl<'a> Words<'a> {
    /// Alternatives between `OR`, which binds least.
    fn any_of(&mut self) -> anyhow::Result<bool> {
        let mut allowed = self.all_of()?;
        while self.take_if("OR") {
            allowed |= self.all_of()?;
        }
        Ok(allowed)
    }

    fn all_of(&mut self) -> anyhow::Result<bool> {
        let mut allowed = self.one()?;
        while self.take_if("AND") {
            allowed &= self.one()?;
        }
        Ok(allowed)
    }

    fn one(&mut self) -> anyhow::Result<bool> {
        let word = self.take().context("a licence is missing")?;
        if word == "(" {
            let allowed = self.any_of()?;
            if !self.take_if(")") {
                bail!("a parenthesis is not closed");
            }
            return Ok(allowed);
        }
        if matches!(word, ")" | "AND" | "OR" | "WITH") {
            bail!("`{word}` stands where a licence should");
        }
        if self.take_if("WITH") {
            let exception = self.take().context("an exception is missing")?;
            return Ok(ALLOWED.contains(&format!("{word} WITH {exception}").as_str()));
        }
        Ok(ALLOWED.contains(&word))
    }

    fn take(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.next).copied();
        self.next += usize::from(word.is_some());
        word
    }

    fn take_if(&mut self, expected: &str) -> bool {
        let meets = self.words.get(self.next) == Some(&expected);
        self.next += usize::from(meets);
        meets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_needs_one_and_a_union_needs_all() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only OR MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "(MIT OR GPL-3.0-only) AND Unicode-3.0",
            "GPL-2.0 AND BSL-1.0 OR ISC",
            "((Zlib))",
        ] {
            assert!(allowed(expression).expect(expression), "{expression}");
        }
        for expression in [
            "GPL-3.0-only",
            "mit",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-2.0 OR LGPL-3.0)",
            "Apache-2.0 WITH Classpath-exception-2.0",
            "GPL-2.0 OR ISC AND AGPL-3.0",
        ] {
            assert!(!allowed(expression).expect(expression), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for expression in ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT WITH", "()"] {
            assert!(allowed(expression).is_err(), "{expression}");
        }
    }
}
