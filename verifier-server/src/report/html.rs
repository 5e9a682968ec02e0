//! The report as a page that stands for itself: no script, nothing from elsewhere, light and dark, and fit to be printed.

use super::Facts;
use super::chart;
use super::document::{Block, Document, Line, Span};
use super::escape::visible;
use crate::html::Html;
use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Its style. The page's policy allows this one and no other.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--soft:#f2f2ef;--line:#c9c9c2;--away:#b3261e;--paid:#1d6f42;\
--unpaid:#3a66b1}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e4;--paper:#161615;--soft:#232321;--line:#4b4b46;--away:#f2756b;\
--paid:#5fc48b;--unpaid:#8fb3f5}}\
body{margin:0 auto;padding:1.5rem;max-width:60rem;font:1rem/1.55 system-ui,sans-serif;color:var(--ink);\
background:var(--paper)}\
h1{font-size:1.7rem;line-height:1.25}h2{font-size:1.25rem;margin-top:2rem;border-bottom:1px solid var(--line)}\
.wide{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0;font-size:.93rem}\
caption{text-align:start;font-weight:600;padding:.3rem 0}\
th,td{text-align:start;vertical-align:top;padding:.3rem .7rem;border-bottom:1px solid var(--line)}\
thead th{background:var(--soft)}code{font-size:.93em;overflow-wrap:anywhere;background:var(--soft);padding:0 .2em}\
svg{width:100%;height:auto;margin:1rem 0}svg text{fill:var(--ink);font-size:12px}.axis{stroke:var(--line);fill:none}\
.mark{stroke:var(--ink);stroke-dasharray:3 3}.away{fill:var(--away)}.paid{fill:var(--paid)}.unpaid{fill:var(--unpaid)}\
@media print{body{max-width:none;padding:0}h2{break-after:avoid}tr{break-inside:avoid}}";

/// The whole page.
pub(super) fn page(document: &Document, facts: &Facts<'_>) -> String {
    let hash = BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
    let title = line(&document.title);
    let plain: String = document.title.iter().map(|span| plain(span).to_string()).collect();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\" dir=\"ltr\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{plain}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    for section in &document.sections {
        // A string takes everything.
        let _ = writeln!(page, "<section>\n<h2>{}</h2>", Html::of(section.heading));
        for block in &section.blocks {
            page += &of_block(block, facts);
        }
        page += "</section>\n";
    }
    page += "</main>\n</body>\n</html>";
    page
}

fn of_block(block: &Block, facts: &Facts<'_>) -> String {
    match block {
        Block::Paragraph(spans) => format!("<p>{}</p>\n", line(spans)),
        Block::List(lines) => {
            let items = lines.iter().fold(String::new(), |items, item| items + "<li>" + &line(item) + "</li>\n");
            format!("<ul>\n{items}</ul>\n")
        }
        Block::Table { caption, head, rows } => {
            let column = |head: String, cell: &&str| head + "<th scope=\"col\">" + Html::of(cell).as_str() + "</th>";
            let head = head.iter().fold(String::new(), column);
            let rows: String = rows.iter().map(|cells| row(cells)).collect();
            format!(
                "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table>\n<caption>{caption}</caption>\n\
                 <thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
                caption = Html::of(caption)
            )
        }
        Block::Curve => chart::svg(facts),
    }
}

fn row(cells: &[Line]) -> String {
    let mut cells = cells.iter().map(line);
    let first = cells.next().unwrap_or_default();
    let rest = cells.fold(String::new(), |rest, cell| rest + "<td>" + &cell + "</td>");
    format!("<tr><th scope=\"row\">{first}</th>{rest}</tr>\n")
}

fn line(spans: &Line) -> String {
    let of = |span: &Span| match span {
        Span::Words(words) => Html::of(words).to_string(),
        Span::Name(name) if name.trim().is_empty() => "(nothing)".to_owned(),
        Span::Name(name) => format!("<code><bdi>{}</bdi></code>", Html::of(&visible(name))),
    };
    spans.iter().map(of).collect()
}

fn plain(span: &Span) -> Html {
    match span {
        Span::Words(text) => Html::of(text),
        Span::Name(text) => Html::of(&visible(text)),
    }
}
