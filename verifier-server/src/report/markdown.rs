//! The report in Markdown: names of strangers are code, in which nothing is read as anything but itself.

use super::document::{Block, Document, Line, Span};
use super::escape::{markdown_code, markdown_words};
use std::fmt::Write;

/// The whole text. Pictures are left out.
pub(super) fn text(document: &Document) -> String {
    let mut text = format!("# {}\n", line(&document.title, false));
    for section in &document.sections {
        // A string takes everything.
        let _ = write!(text, "\n## {}\n", section.heading);
        for block in &section.blocks {
            text += &of_block(block);
        }
    }
    text
}

fn of_block(block: &Block) -> String {
    match block {
        Block::Paragraph(spans) => format!("\n{}\n", line(spans, false)),
        Block::List(lines) => lines.iter().fold("\n".to_owned(), |text, item| text + "- " + &line(item, false) + "\n"),
        Block::Table { caption, head, rows } => {
            let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            let mut table = format!("\n{}:\n\n", markdown_words(caption));
            table += &row(head.iter().map(|&cell| cell.to_owned()).collect());
            table += &row(vec!["---".to_owned(); head.len()]);
            for cells in rows {
                table += &row(cells.iter().map(|cell| line(cell, true)).collect());
            }
            table
        }
        Block::Curve => String::new(),
    }
}

fn line(spans: &Line, in_table: bool) -> String {
    let of = |span: &Span| match span {
        Span::Words(words) => markdown_words(words),
        Span::Name(name) => markdown_code(name, in_table),
    };
    spans.iter().map(of).collect()
}
