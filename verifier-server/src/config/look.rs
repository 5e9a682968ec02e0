//! `[site.page]`: the words and colours of the page that visitors see.

use super::colours::{self, Stylesheet};
use super::document::{Lined, Section};
use crate::html::Html;

/// Bytes of a title and of a text, as they stand in the page: it has to stay below 4 KiB.
const TITLE_BYTES_MAX: usize = 160;
const TEXT_BYTES_MAX: usize = 1_200;

/// The words of a challenge page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Its title and heading.
    pub title: Html,
    /// The first paragraph.
    pub text: Html,
    /// The language that they are in, where the configuration says so.
    pub language: Option<String>,
}

impl Default for Words {
    fn default() -> Self {
        Self {
            title: Html::of("One moment, please"),
            text: Html::of(
                "This site protects itself against a flood of automated requests. Before the page opens, your device does \
                 a short calculation. There is nothing for you to do. No other company takes part, and nothing about you \
                 is stored.",
            ),
            language: None,
        }
    }
}

/// How a site's pages look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What the challenge page says.
    pub words: Words,
    /// Its own colours.
    pub stylesheet: Option<Stylesheet>,
}

impl Look {
    pub(super) fn read(site: &mut Section<'_, '_>, name: &str, warnings: &mut Vec<String>) -> Self {
        let mut section = site.section("page");
        let title = section.string("title", "One moment, please");
        let title = title.and_then(|text| html(&section, "title", &text, TITLE_BYTES_MAX));
        let text = section.string("text", "This site is under attack.");
        let text = text.and_then(|text| html(&section, "text", &text, TEXT_BYTES_MAX));
        let language = section.string("language", "de");
        if let Some(language) = &language {
            if !is_language_tag(&language.value) {
                let message = format!("`{}` is not a language tag", language.value);
                section.problem(language.line, message, "write it like \"de\" or \"pt-BR\"");
            }
            if title.is_none() || text.is_none() {
                let message = "`language` is for your own words, and one of `title` and `text` is not there";
                section.problem(language.line, message, "write both, or remove `language`");
            }
        }
        let stylesheet = colours::read(&mut section, name, warnings);
        section.finish();
        let usual = Words::default();
        let words = Words {
            title: title.unwrap_or(usual.title),
            text: text.unwrap_or(usual.text),
            language: language.map(|language| language.value),
        };
        Self { words, stylesheet }
    }
}

fn html(section: &Section<'_, '_>, key: &str, text: &Lined<String>, bytes_max: usize) -> Option<Html> {
    let html = Html::of(text.value.trim());
    let bytes = html.as_str().len();
    if bytes == 0 || bytes > bytes_max || text.value.chars().any(char::is_control) {
        let message = format!("`{key}` cannot be used: it has {bytes} bytes in HTML");
        let remedy = format!("write 1 to {bytes_max} bytes in one line; & < > and quotes take up to six each");
        section.problem(text.line, message, remedy);
        return None;
    }
    Some(html)
}

/// Whether `text` looks like a tag of BCP 47: what browsers do not know they ignore.
fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && text.len() <= 35
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
