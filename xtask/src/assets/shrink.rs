//! Comments and white space that no browser needs are left out. Names stay: an error report from a visitor stays readable.

use anyhow::{bail, ensure};

use super::script::{Kind, pieces};

/// A script without comments, indentation, and blanks beside signs. Lines stay lines, so that no statement changes.
pub(crate) fn script(source: &str) -> anyhow::Result<String> {
    let mut shrunk = String::with_capacity(source.len());
    for piece in pieces(source)? {
        match piece.kind {
            Kind::Literal => shrunk.push_str(piece.text),
            Kind::Comment => push_blank(&mut shrunk, if piece.text.contains('\n') { '\n' } else { ' ' }),
            Kind::Code => {
                for character in piece.text.chars() {
                    if character.is_whitespace() {
                        push_blank(&mut shrunk, character);
                    } else {
                        push_sign(&mut shrunk, character);
                    }
                }
            }
        }
    }
    Ok(shrunk.trim().to_owned() + "\n")
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

/// Signs beside which a blank separates nothing. Not among them: plus, minus and slash, which blanks keep apart.
fn stands_alone(character: char) -> bool {
    "{}()[];,:?=<>!&|*%^~".contains(character)
}

fn push_blank(shrunk: &mut String, blank: char) {
    match shrunk.chars().last() {
        Some(' ') if blank == '\n' => {
            shrunk.pop();
            shrunk.push('\n');
        }
        // After these a statement cannot have ended or ends anyway, so the line may go on.
        None | Some('\n' | ' ' | '{' | '(' | '[' | ',' | ';') => {}
        Some(_) if blank == '\n' => shrunk.push('\n'),
        Some(last) if stands_alone(last) => {}
        Some(_) => shrunk.push(' '),
    }
}

fn push_sign(shrunk: &mut String, character: char) {
    if stands_alone(character) && shrunk.ends_with(' ') {
        shrunk.pop();
    }
    shrunk.push(character);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_keeps_its_literals_and_its_statements() {
        let source = "// first\n/** two\n * lines */\nconst a = `x\n  ${ b } // y`;\nif (a === 'p  q') {\n    return\n}\nb = a + +c;\n\nlet r = d / /[ ]/ .test(e) // end";
        let shrunk = script(source).expect("a script");
        assert_eq!(shrunk, "const a=`x\n  ${b } // y`;if(a==='p  q'){return\n}\nb=a + +c;let r=d / /[ ]/ .test(e)\n");
        assert_eq!(script(&shrunk).expect("a script"), shrunk);
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
