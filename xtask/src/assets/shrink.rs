//! What no browser needs is left out: comments, white space, and in the script long names and words that say a thing twice.

use anyhow::{bail, ensure};
use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_minifier::{CompressOptions, MangleOptions, Minifier, MinifierOptions};
use oxc_parser::Parser;
use oxc_span::SourceType;

/// An ES module that does the same in fewer bytes. Names of its own become short; properties and what it exports keep
/// theirs, because messages to workers and to tabs of another version carry them.
pub(crate) fn script(source: &str) -> anyhow::Result<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    ensure!(parsed.diagnostics.is_empty(), "the joined script is not JavaScript: {:?}", parsed.diagnostics);
    let mut program = parsed.program;
    let minifier = Minifier::new(MinifierOptions {
        mangle: Some(MangleOptions { top_level: Some(true), ..MangleOptions::default() }),
        mangle_properties: None,
        compress: Some(CompressOptions::smallest()),
    });
    let outcome = minifier.minify(&allocator, &mut program);
    let written = Codegen::new()
        .with_options(CodegenOptions::minify())
        .with_scoping(outcome.scoping)
        .with_private_member_mappings(outcome.class_private_mappings)
        .build(&program);
    Ok(written.code + "\n")
}

/// A style sheet without comments and without blanks that mean nothing.
pub(crate) fn style(source: &str) -> anyhow::Result<String> {
    let mut shrunk = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("/*") {
            let Some(end) = rest.find("*/") else { bail!("a comment does not end") };
            rest = &rest[end + 2..];
            continue;
        }
        let length = if first == '"' || first == '\'' {
            let Some(end) = rest[1..].find(first) else { bail!("a string does not end") };
            shrunk.push_str(&rest[..end + 2]);
            end + 2
        } else {
            if first.is_whitespace() {
                if !shrunk.ends_with([' ', '{', '}', ';', ',', ':']) && !shrunk.is_empty() {
                    shrunk.push(' ');
                }
            } else {
                if "{};,".contains(first) && shrunk.ends_with(' ') {
                    shrunk.pop();
                }
                if first == '}' && shrunk.ends_with(';') {
                    shrunk.pop();
                }
                shrunk.push(first);
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    Ok(shrunk.trim_end().to_owned() + "\n")
}

/// A page without comments, indentation and empty lines.
pub(crate) fn page(source: &str) -> anyhow::Result<String> {
    for element in ["<pre", "<textarea", "<script>", "<style"] {
        ensure!(!source.contains(element), "{element}: white space inside it would be lost");
    }
    let mut without_comments = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("<!--") {
        without_comments.push_str(before);
        let Some((_, behind)) = comment.split_once("-->") else { bail!("a comment does not end") };
        rest = behind;
    }
    without_comments.push_str(rest);
    let lines = without_comments.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_keeps_what_others_call_and_see() {
        let source = "/** why */\nexport function begin(first, { second }) {\n  return `${first}  {${second}}`;\n}\n\
                      globalThis.found = /[/]  x/.test(location.href);\n";
        let expected =
            "export function begin(e,{second:t}){return`${e}  {${t}}`}globalThis.found=/[/]  x/.test(location.href);\n";
        assert_eq!(script(source).expect("a script"), expected);
        assert!(script("let a = ;").is_err());
    }

    #[test]
    fn a_style_sheet_keeps_what_it_says() {
        let source = "/* c */\na:hover, b > c {\n  color: red;\n  content: \"  ; \";\n}\n@media (width < 20em) { p :focus { margin: 0 1px } }\n";
        let expected = "a:hover,b > c{color:red;content:\"  ; \"}@media (width < 20em){p :focus{margin:0 1px}}\n";
        assert_eq!(style(source).expect("a style sheet"), expected);
    }

    #[test]
    fn a_page_keeps_its_lines() {
        let source = "<!doctype html>\n<!-- why\n -->\n<p>\n  {{challenge}} text\n</p>\n";
        assert_eq!(page(source).expect("a page"), "<!doctype html>\n<p>\n{{challenge}} text\n</p>\n");
        assert!(page("<!-- open").is_err() && page("<pre>").is_err());
    }
}
