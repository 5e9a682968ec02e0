//! Reading JavaScript as far as joining modules and leaving out comments needs it: strings, templates, regular
//! expressions and comments told apart from code, and the statements at the top of a module.

use anyhow::bail;

/// What a stretch of a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    /// A string, a template's text, or a regular expression: never altered.
    Literal,
    Comment,
}

/// A stretch of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

/// A statement at the top of a module, without comments.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Line of the file on which it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Cuts a script into code, literals and comments.
pub(crate) fn pieces(source: &str) -> anyhow::Result<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = source;
    // For every template substitution that is open: how many braces are open inside it.
    let mut substitutions: Vec<usize> = Vec::new();
    let mut last_code = String::new();
    while let Some(first) = rest.chars().next() {
        let (kind, length) = if rest.starts_with("//") {
            (Kind::Comment, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            let Some(end) = rest.find("*/") else { bail!("a comment does not end") };
            (Kind::Comment, end + 2)
        } else if first == '\'' || first == '"' {
            (Kind::Literal, quoted_length(rest, first)?)
        } else if first == '`' || (first == '}' && substitutions.last() == Some(&0)) {
            if first == '}' {
                substitutions.pop();
            }
            let (length, substitution) = template_length(rest)?;
            if substitution {
                substitutions.push(0);
            }
            (Kind::Literal, length)
        } else if first == '/' && regular_expression_may_follow(&last_code) {
            (Kind::Literal, regular_expression_length(rest)?)
        } else {
            match (first, substitutions.last_mut()) {
                ('{', Some(open)) => *open += 1,
                ('}', Some(open)) => *open -= 1,
                _ => {}
            }
            (Kind::Code, first.len_utf8())
        };
        let (text, behind) = rest.split_at(length);
        match kind {
            Kind::Code => last_code.push_str(text),
            Kind::Literal => last_code = String::from("x"),
            Kind::Comment => {}
        }
        push(&mut pieces, source, Piece { kind, text });
        rest = behind;
    }
    if !substitutions.is_empty() {
        bail!("a template does not end");
    }
    Ok(pieces)
}

/// Cuts a module into the statements at its top.
pub(crate) fn statements(source: &str) -> anyhow::Result<Vec<Statement>> {
    let mut statements = Vec::new();
    let mut current = Statement { line: 1, text: String::new() };
    let mut line = 1;
    let mut depth = 0_usize;
    for piece in pieces(source)? {
        let characters = piece.text.chars();
        if piece.kind != Kind::Code {
            if piece.kind == Kind::Literal {
                begin(&mut current, line);
                current.text.push_str(piece.text);
            } else if !current.text.trim().is_empty() {
                current.text.push(if piece.text.contains('\n') { '\n' } else { ' ' });
            }
            line += characters.filter(|character| *character == '\n').count();
            continue;
        }
        for character in characters {
            if !character.is_whitespace() {
                begin(&mut current, line);
            }
            current.text.push(character);
            match character {
                '\n' => line += 1,
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => {
                    let Some(outer) = depth.checked_sub(1) else { bail!("line {line}: {character} closes nothing") };
                    depth = outer;
                }
                _ => {}
            }
            let ends = character == ';' || (character == '}' && ends_with_block(&current.text));
            if depth == 0 && ends {
                statements.push(std::mem::replace(&mut current, Statement { line, text: String::new() }));
            }
        }
    }
    if depth != 0 {
        bail!("a bracket is not closed");
    }
    if !current.text.trim().is_empty() {
        statements.push(current);
    }
    Ok(statements)
}

/// Words and single signs of code; literals are left out.
pub(crate) fn words(source: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for piece in pieces(source)?.iter().filter(|piece| piece.kind == Kind::Code) {
        let mut word = String::new();
        for character in piece.text.chars() {
            if is_word(character) {
                word.push(character);
                continue;
            }
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            if !character.is_whitespace() {
                words.push(character.to_string());
            }
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    Ok(words)
}

/// Whether a character can stand in a name.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

fn begin(statement: &mut Statement, line: usize) {
    if statement.text.trim().is_empty() {
        statement.text.clear();
        statement.line = line;
    }
}

fn ends_with_block(statement: &str) -> bool {
    let mut words = statement.split(|character| !is_word(character));
    let first = words.find(|word| !matches!(*word, "export" | "async")).unwrap_or_default();
    matches!(first, "function" | "class" | "if" | "else" | "for" | "while" | "try" | "catch" | "finally" | "switch")
        || statement.starts_with('{')
}

/// Adds a piece, or lengthens the one before it when both are code.
fn push<'a>(pieces: &mut Vec<Piece<'a>>, source: &'a str, piece: Piece<'a>) {
    if let Some(last) = pieces.last_mut()
        && last.kind == Kind::Code
        && piece.kind == Kind::Code
    {
        let start = last.text.as_ptr().addr() - source.as_ptr().addr();
        last.text = &source[start..start + last.text.len() + piece.text.len()];
        return;
    }
    pieces.push(piece);
}

fn quoted_length(rest: &str, quote: char) -> anyhow::Result<usize> {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => break,
            _ if character == quote => return Ok(at + 1),
            _ => {}
        }
    }
    bail!("a string does not end: {}", rest.lines().next().unwrap_or_default())
}

/// Up to the end of the template or to its next substitution; the second is true for the latter.
fn template_length(rest: &str) -> anyhow::Result<(usize, bool)> {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '`' => return Ok((at + 1, false)),
            '$' if rest[at..].starts_with("${") => return Ok((at + 2, true)),
            _ => {}
        }
    }
    bail!("a template does not end: {}", rest.lines().next().unwrap_or_default())
}

/// After a value a slash divides, elsewhere it begins a regular expression.
fn regular_expression_may_follow(code: &str) -> bool {
    let code = code.trim_end();
    let word = code.rsplit(|character| !is_word(character)).next().unwrap_or_default();
    match code.chars().last() {
        None => true,
        Some(last) if is_word(last) => matches!(word, "return" | "typeof" | "case" | "in" | "of" | "await" | "yield"),
        Some(last) => !matches!(last, ')' | ']' | '}'),
    }
}

fn regular_expression_length(rest: &str) -> anyhow::Result<usize> {
    let (mut escaped, mut in_class) = (false, false);
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '\n' => break,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => {
                let flags = rest[at + 1..].chars().take_while(char::is_ascii_alphabetic).count();
                return Ok(at + 1 + flags);
            }
            _ => {}
        }
    }
    bail!("a regular expression does not end: {}", rest.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(source: &str) -> Vec<&str> {
        let pieces = pieces(source).expect("a script");
        assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), source);
        pieces.iter().filter(|piece| piece.kind == Kind::Literal).map(|piece| piece.text).collect()
    }

    #[test]
    fn strings_templates_and_regular_expressions_are_told_apart() {
        assert_eq!(literals(r#"a = 'it\'s // no' + "/* no */";"#), [r"'it\'s // no'", r#""/* no */""#]);
        assert_eq!(literals("a = b / c / d; e = /[/`]\\//g.test(f)"), ["/[/`]\\//g"]);
        assert_eq!(literals("`a ${b({c: `d ${e}`})} // f`"), ["`a ${", "`d ${", "}`", "} // f`"]);
        assert_eq!(literals("x = 1; // `'\n/* ` */ y = '`'"), ["'`'"]);
        assert!(pieces("'open").is_err() && pieces("`${a").is_err() && pieces("/* a").is_err());
    }

    #[test]
    fn a_module_falls_into_its_statements() {
        let source = "import { a } from './a.js';\n\n// why\nexport function f() {\n  if (a) { g(); }\n}\nconst o = {\n  a: 1,\n};\nf();";
        let found: Vec<_> = statements(source).expect("a script").into_iter().map(|s| (s.line, s.text)).collect();
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 4, 7, 10]);
        assert_eq!(found[1].1, "export function f() {\n  if (a) { g(); }\n}");
        assert_eq!(found[3].1, "f();");
    }
}
