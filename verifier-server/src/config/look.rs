//! `[site.page]`: what makes the pages that visitors see the site's own.

use super::colours::{self, Stylesheet};
use super::document::{Lined, Section};
use super::logo;
use crate::html::{Html, shown_of_address};
use std::path::Path;

pub use super::logo::Logo;

/// Bytes of what a site says, as it stands in the page: that has to stay below 4 KiB with everything at once.
const TITLE_BYTES_MAX: usize = 120;
const TEXT_BYTES_MAX: usize = 560;
const NAME_BYTES_MAX: usize = 80;
/// All links together, with the address of each.
const LINKS_BYTES_MAX: usize = 320;
/// Sets of words in other languages.
const TRANSLATIONS_MAX: usize = 32;

/// A site's own words on its challenge page; where it has none, the page speaks the visitor's language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Its title and heading.
    pub title: Option<Html>,
    /// The first paragraph.
    pub text: Option<Html>,
    /// The language that they are in, where the configuration says so.
    pub language: Option<String>,
}

/// Where visitors may go instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub text: Html,
    /// Where it leads: `https://…`, `tel:…` or `mailto:…`.
    pub address: Html,
}

/// How a site's pages look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What the challenge page says.
    pub words: Words,
    /// The same in other languages, each of which is named.
    pub translations: Vec<Words>,
    /// What the site is called, in place of its host.
    pub name: Option<Html>,
    /// A picture before it.
    pub logo: Option<Logo>,
    /// Where visitors may go instead.
    pub links: Vec<Link>,
    /// Its own colours.
    pub stylesheet: Option<Stylesheet>,
}

impl Look {
    pub(super) fn read(site: &mut Section<'_, '_>, name: &str, folder: &Path, warnings: &mut Vec<String>) -> Self {
        let mut section = site.section("page");
        let words = Words::read(&mut section);
        let mut translations: Vec<Words> = Vec::new();
        for mut section in section.sections("translation") {
            let line = section.line;
            let words = Words::read(&mut section);
            section.finish();
            if words.language.is_none() {
                site.problem(line, "a translation does not say its language", "write language = \"fr\"");
            }
            translations.push(words);
        }
        if translations.len() > TRANSLATIONS_MAX {
            site.problem(section.line, "there are too many translations", format!("at most {TRANSLATIONS_MAX}"));
        }
        let own_name = section.string("name", "The Example");
        let own_name = own_name.and_then(|text| html(&section, "name", &text, NAME_BYTES_MAX));
        let logo = logo::read(&mut section, folder);
        let links = links(&mut section);
        let stylesheet = colours::read(&mut section, name, warnings);
        section.finish();
        Self { words, translations, name: own_name, logo, links, stylesheet }
    }

    /// The site's own words for a visitor who reads the language `tag`: the translation, or the words that are for all.
    #[must_use]
    pub fn words_in(&self, tag: &str) -> &Words {
        let first = |language: &str| language.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let same = |words: &&Words| words.language.as_deref().is_some_and(|language| first(language) == tag);
        self.translations.iter().find(same).unwrap_or(&self.words)
    }
}

impl Words {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let title = section.string("title", "One moment, please");
        let title = title.and_then(|text| html(section, "title", &text, TITLE_BYTES_MAX));
        let text = section.string("text", "This site is under attack.");
        let text = text.and_then(|text| html(section, "text", &text, TEXT_BYTES_MAX));
        let language = section.string("language", "de");
        if let Some(language) = language.as_ref().filter(|language| !is_language_tag(&language.value)) {
            let message = format!("`{}` is not a language tag", language.value);
            section.problem(language.line, message, "write it like \"de\" or \"pt-BR\"");
        }
        Self { title, text, language: language.map(|language| language.value) }
    }
}

/// `links = [{ text = "Donate", to = "https://…" }]`.
fn links(page: &mut Section<'_, '_>) -> Vec<Link> {
    let mut links = Vec::new();
    let mut bytes = 0;
    for mut section in
        page.tables("links", "a list: links = [{ text = \"Donate\", to = \"https://example.org/donate\" }]")
    {
        let line = section.line;
        let (text, to) = (section.string("text", "Donate"), section.string("to", "https://example.org/donate"));
        let (Some(text), Some(to)) = (text, to) else {
            section.problem(
                line,
                "a link lacks its text or where it leads",
                "write { text = \"Donate\", to = \"https://…\" }",
            );
            section.finish();
            continue;
        };
        let text = html(&section, "text", &text, LINKS_BYTES_MAX);
        let mail = to
            .value
            .strip_prefix("mailto:")
            .is_some_and(|rest| rest.contains('@') && !rest.contains(char::is_whitespace));
        if !mail && shown_of_address(&to.value).is_none() {
            let message = format!("a link cannot lead to `{}`", to.value);
            section.problem(to.line, message, "write https://…, tel:… or mailto:…");
        }
        section.finish();
        let address = Html::of(&to.value);
        if let Some(text) = text {
            bytes += text.as_str().len() + address.as_str().len();
            links.push(Link { text, address });
        }
    }
    if bytes > LINKS_BYTES_MAX {
        let message = format!("the links have {bytes} bytes in HTML, with their addresses");
        page.problem(page.line, message, format!("at most {LINKS_BYTES_MAX} in all"));
    }
    links
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
pub(crate) fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && text.len() <= 35
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}
