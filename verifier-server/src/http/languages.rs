//! In which language a page speaks: the first of the visitor's list that there is, else the site's, else English.

use crate::html::Html;
use hyper::header::HeaderValue;
use serde::Deserialize;
use std::sync::LazyLock;

/// What is read of `Accept-Language`: bytes, and languages. More is a list that no person has made.
const LIST_BYTES_MAX: usize = 512;
const LIST_LANGUAGES_MAX: usize = 24;

/// What is embedded of a language.
struct Embedded {
    tag: &'static str,
    gate_script: &'static str,
    pass_script: &'static str,
    /// Its file of `www/languages`.
    words: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/languages.rs"));

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| EMBEDDED.iter().map(Language::read).collect());

/// The language of who names none that is there.
const USUAL: &str = "en";

/// One language.
#[derive(Debug)]
pub(super) struct Language {
    /// As in `<html lang>`.
    pub(super) tag: &'static str,
    /// The names of its scripts.
    pub(super) gate_script: &'static str,
    pub(super) pass_script: &'static str,
    pub(super) words: Words,
}

/// What the server itself says in its pages; `{…}` is filled in.
#[derive(Debug, Deserialize)]
pub(super) struct Words {
    pub(super) direction: String,
    pub(super) title: Html,
    pub(super) lead: Html,
    pub(super) cancel: Html,
    pub(super) retry: Html,
    pub(super) request: Html,
    pub(super) progress_name: Html,
    pub(super) done_form: Html,
    pub(super) server_late: Html,
    pub(super) server_seconds: Html,
    pub(super) server_minutes: Html,
    pub(super) server_noscript_needed: Html,
    pub(super) server_noscript_waits: Html,
    pub(super) server_noscript_crowded: Html,
    pub(super) server_noscript_form: Html,
    pub(super) server_again: Html,
    pub(super) server_denied_title: Html,
    pub(super) server_denied: Html,
    pub(super) server_overloaded_title: Html,
    pub(super) server_overloaded: Html,
    pub(super) server_overloaded_form: Html,
    pub(super) server_unreachable_title: Html,
    pub(super) server_unreachable: Html,
    pub(super) pass_title: Html,
    pub(super) pass_lead: Html,
    pub(super) pass_noscript: Html,
    pub(super) pass_use: Html,
    pub(super) pass_open: Html,
}

impl Language {
    fn read(embedded: &Embedded) -> Self {
        let Embedded { tag, gate_script, pass_script, words } = *embedded;
        let words = serde_json::from_str(words).expect("a test reads every language that is embedded");
        Self { tag, gate_script, pass_script, words }
    }

    /// The line with the number of a request.
    pub(super) fn request(&self, id: &str) -> String {
        self.words.request.as_str().replace("{id}", Html::of(id).as_str())
    }
}

/// All of them.
#[cfg(test)]
pub(super) fn all() -> &'static [Language] {
    &LANGUAGES
}

/// English, in which a page speaks that only operators and programs meet.
pub(super) fn english() -> &'static Language {
    named(USUAL).expect("English is embedded")
}

/// The language for a visitor who sends this `Accept-Language`; `usual` is the site's own.
pub(super) fn preferred(list: Option<&HeaderValue>, usual: Option<&str>) -> &'static Language {
    let list = list.and_then(|list| list.to_str().ok()).unwrap_or_default();
    let list = list.get(..LIST_BYTES_MAX).unwrap_or(list);
    let mut best: Option<(u16, &'static Language)> = None;
    for item in list.split(',').take(LIST_LANGUAGES_MAX) {
        let (tag, weight) = item.split_once(';').map_or((item, 1_000), |(tag, weight)| (tag, thousandths(weight)));
        let better = best.is_none_or(|(most, _)| weight > most);
        if weight > 0
            && better
            && let Some(language) = named(tag.trim())
        {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language).or_else(|| named(usual?)).unwrap_or_else(english)
}

/// The language of a tag (RFC 5646), by its first part: a region or a script of its own there is not.
fn named(tag: &str) -> Option<&'static Language> {
    let first = tag.split('-').next().unwrap_or_default();
    // What Java and old systems still call Hebrew.
    let first = if first.eq_ignore_ascii_case("iw") { "he" } else { first };
    LANGUAGES.iter().find(|language| language.tag.eq_ignore_ascii_case(first))
}

/// The weight in ` q=0.8`, in thousandths (RFC 9110 §12.4.2); 0 for what is none.
fn thousandths(weight: &str) -> u16 {
    let Some(number) = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q=")) else { return 0 };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, digits) {
        ("1", true) => 1_000,
        ("0", true) => format!("{decimals:0<3}").parse().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(list: &'static str) -> &'static str {
        preferred(Some(&HeaderValue::from_static(list)), None).tag
    }

    #[test]
    fn every_language_is_read_and_has_its_scripts() {
        assert!(LANGUAGES.len() >= 20);
        for language in all() {
            let tag = language.tag;
            assert!(language.gate_script.starts_with(&format!("gate-{tag}.")), "{}", language.gate_script);
            assert!(language.pass_script.starts_with(&format!("pass-{tag}.")), "{}", language.pass_script);
            assert!(["ltr", "rtl"].contains(&language.words.direction.as_str()));
        }
    }

    #[test]
    fn the_first_language_of_the_list_is_chosen_that_there_is() {
        assert_eq!(chosen("de"), "de");
        assert_eq!(chosen("de-AT, en;q=0.8"), "de");
        assert_eq!(chosen("sw, FR-ca;q=0.5, en;q=0.7"), "en");
        assert_eq!(chosen("en;q=0, he;q=0.1"), "he");
        assert_eq!(chosen("iw"), "he");
        assert_eq!(chosen("pl;q=0.30,cs;q=0.3,uk;q=0.301"), "uk");
        for none in ["", "*", "sw", "xx-yy;q=1", "de;q=2", "de;q=x", "de;q=0.0000", "deutsch", ";;,,", "de;level=1"] {
            assert_eq!(chosen(none), "en", "{none}");
        }
    }

    #[test]
    fn who_names_no_language_that_there_is_reads_the_sites_own() {
        let sites = |list| preferred(Some(&HeaderValue::from_static(list)), Some("pt-BR")).tag;
        assert_eq!((sites("sw"), sites("it")), ("pt", "it"));
        assert_eq!(preferred(None, Some("de")).tag, "de");
        assert_eq!(preferred(None, Some("sw")).tag, "en");
    }

    #[test]
    fn a_list_that_no_person_has_made_is_not_read_to_its_end() {
        let long = ["sw"; LIST_LANGUAGES_MAX].join(",") + ",de";
        let value = HeaderValue::from_str(&long).expect("a header");
        assert_eq!(preferred(Some(&value), None).tag, "en");
        let value = HeaderValue::from_str(&format!("{},de", "x".repeat(LIST_BYTES_MAX))).expect("a header");
        assert_eq!(preferred(Some(&value), None).tag, "en");
        assert_eq!(preferred(Some(&HeaderValue::from_bytes(b"\xff,de").expect("a header")), None).tag, "en");
    }
}
