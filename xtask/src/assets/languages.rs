//! The words of every language: a flat file each in `www/languages`, held against the English one, and cut into what a
//! visit loads at once, what a page fetches when it is needed, and what only the server says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value};

/// The language that all others are held against, and the one for who names none that is there.
pub(crate) const SOURCE: &str = "en";
/// The module `words.js`, and what stands in it for the words.
pub(crate) const MODULE: (&str, &str) = ("words.js", "export const WORDS = PORTCULLIS_WORDS;\n");
const PLACE: &str = "PORTCULLIS_WORDS";
/// What a file says of itself. `reviewed` names who has read it, or says that nobody has.
const OF_FILE: [&str; 3] = ["name", "direction", "reviewed"];
/// How the keys begin of what only the server writes, and of what only the page of a staff pass says.
const OF_SERVER: &str = "server_";
const OF_PASS: &str = "pass_";
/// And of what only the script tag says: by itself, and in its widget for forms.
const OF_TAG: [&str; 2] = ["tag_", "widget_"];
/// What the tag says as the challenge page does.
const SHARED_WITH_TAG: [&str; 4] = ["direction", "failure", "progress_name", "retry"];
/// What the page of a staff pass says as the challenge page does.
const SHARED_WITH_PASS: [&str; 9] = [
    "name",
    "direction",
    "language",
    "title",
    "request",
    "failed_busy",
    "failed_cross_site",
    "failed_network",
    "failed_unknown",
];
/// What the script of the challenge page says seldom, or finds on the page: it fetches these when they are needed.
/// [`WITHOUT_NETWORK`] is not among them.
const SELDOM: [&str; 14] = [
    "title_failed",
    "failure",
    "title_framed",
    "framed",
    "open_tab",
    "help",
    "waits",
    "done_form",
    "back",
    "lead",
    "waiting",
    "paused",
    "title_cancelled",
    "cancelled",
];
const SELDOM_FAILED: &str = "failed_";
const WITHOUT_NETWORK: &str = "failed_network";

/// One language.
pub(crate) struct Language {
    /// As in `<html lang>`.
    pub(crate) tag: String,
    words: Map<String, Value>,
}

/// Reads all languages, and fails where one lacks a word, has one that nobody knows, or fills in something else.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Vec<Language>> {
    let mut languages = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = entry?.path();
        let tag = file.file_stem().context("a language has a name")?.to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let words = serde_json::from_str(&text).with_context(|| format!("{} is no flat JSON", file.display()))?;
        languages.push(Language { tag, words });
    }
    languages.sort_by(|one, other| one.tag.cmp(&other.tag));
    let source = languages.iter().find(|language| language.tag == SOURCE).context("there is no en.json")?;
    for language in &languages {
        language.check(source).with_context(|| format!("www/languages/{}.json", language.tag))?;
    }
    Ok(languages)
}

impl Language {
    /// What it says under a key, and nothing where it says nothing.
    pub(crate) fn say(&self, key: &str) -> &str {
        self.words.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// The words in the script of the challenge page: what nearly every visit says, and `more`, where the rest is.
    pub(crate) fn for_page(&self, more: &str) -> String {
        let mut words = self.pick(|key| is_of_page(key) && !is_seldom(key));
        words.insert("tag".into(), self.tag.clone().into());
        words.insert("more".into(), more.into());
        literal(&words)
    }

    /// The words in the script of the page of a staff pass.
    pub(crate) fn for_pass(&self) -> String {
        let mut words = self.pick(|key| key.starts_with(OF_PASS) || SHARED_WITH_PASS.contains(&key));
        words.insert("tag".into(), self.tag.clone().into());
        literal(&words)
    }

    /// Everything that the script tag says.
    pub(crate) fn for_tag(&self) -> Value {
        Value::Object(self.pick(|key| is_of_tag(key) || SHARED_WITH_TAG.contains(&key)))
    }

    /// Everything that the challenge page says, for a visitor who changes to this language or reads of a failure, and that of a
    /// staff pass.
    pub(crate) fn whole_page(&self) -> String {
        let mut words = self.pick(|key| is_of_page(key) || key.starts_with(OF_PASS));
        words.insert("tag".into(), self.tag.clone().into());
        Value::Object(words).to_string()
    }

    fn pick(&self, wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
        let picked = self.words.iter().filter(|(key, _)| wanted(key));
        picked.map(|(key, text)| (key.clone(), text.clone())).collect()
    }

    fn check(&self, source: &Self) -> anyhow::Result<()> {
        let keys = |language: &Self| language.words.keys().cloned().collect::<BTreeSet<_>>();
        let (own, wanted) = (keys(self), keys(source));
        ensure!(own.is_superset(&wanted), "missing: {:?}", &wanted - &own);
        ensure!(wanted.is_superset(&own), "not in {SOURCE}.json: {:?}", &own - &wanted);
        for key in &own {
            let text = self.say(key);
            ensure!(!text.is_empty() && text.trim() == text, "`{key}` is empty, no text, or has blanks around it");
            ensure!(!text.chars().any(char::is_control), "`{key}` has more than one line");
            let (own, wanted) = (blanks(text), blanks(source.say(key)));
            ensure!(own == wanted, "`{key}` has {own:?} filled in, and {SOURCE}.json {wanted:?}");
        }
        let name =
            |key: &String| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        ensure!(own.iter().all(name), "keys are small letters, digits and _");
        ensure!(OF_FILE.iter().all(|key| own.contains(*key)), "it must say {OF_FILE:?} of itself");
        ensure!(["ltr", "rtl"].contains(&self.say("direction")), "`direction` is ltr or rtl");
        Ok(())
    }
}

/// The module `languages-list.js`: tag → name and the file with everything.
pub(crate) fn list(languages: &[Language], file: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<String> {
    let entry = |language: &Language| {
        let names = [language.say("name").to_owned(), file(&language.tag)?];
        anyhow::Ok((language.tag.clone(), Value::from(names.to_vec())))
    };
    let entries: Map<String, Value> = languages.iter().map(entry).collect::<anyhow::Result<_>>()?;
    Ok(format!("export const LANGUAGES = {};\n", Value::Object(entries)))
}

/// The module `tag-words.js`: the English words, and tag → the file with those of another language.
pub(crate) fn tag_words(
    languages: &[Language],
    file: impl Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let others = languages.iter().filter(|language| language.tag != SOURCE);
    let files = others.map(|language| anyhow::Ok((language.tag.clone(), Value::from(file(&language.tag)?))));
    let files: Map<String, Value> = files.collect::<anyhow::Result<_>>()?;
    let source = languages.iter().find(|language| language.tag == SOURCE).context("there is no en.json")?;
    let (words, files) = (source.for_tag(), Value::Object(files));
    Ok(format!("export const ENGLISH_WORDS = {words};\nexport const TAG_LANGUAGES = {files};\n"))
}

/// Puts words into a script that was shrunk with [`MODULE`] in it: once for all languages.
pub(crate) fn speaking(script: &str, words: &str) -> anyhow::Result<String> {
    ensure!(script.matches(PLACE).count() == 1, "the words stand once in a script");
    Ok(script.replace(PLACE, words))
}

/// An object in JavaScript; every key is a name there.
fn literal(words: &Map<String, Value>) -> String {
    let members: Vec<String> = words.iter().map(|(key, text)| format!("{key}:{text}")).collect();
    format!("{{{}}}", members.join(","))
}

fn is_of_page(key: &str) -> bool {
    ![OF_SERVER, OF_PASS].iter().any(|beginning| key.starts_with(beginning)) && !is_of_tag(key) && key != "reviewed"
}

fn is_of_tag(key: &str) -> bool {
    OF_TAG.iter().any(|beginning| key.starts_with(beginning))
}

fn is_seldom(key: &str) -> bool {
    SELDOM.contains(&key) || (key.starts_with(SELDOM_FAILED) && key != WITHOUT_NETWORK)
}

/// The names in `{…}`, sorted.
fn blanks(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::workspace;

    fn language(tag: &str, text: &str) -> Language {
        Language { tag: tag.to_owned(), words: serde_json::from_str(text).expect("flat JSON") }
    }

    fn read_all() -> Vec<Language> {
        read(&workspace().join("www/languages")).unwrap_or_else(|error| panic!("{error:#}"))
    }

    #[test]
    fn there_are_20_languages_and_each_says_who_has_reviewed_it() {
        let languages = read_all();
        assert!(languages.len() >= 20, "{}", languages.len());
        for language in &languages {
            assert!(language.say("reviewed").len() > 5, "{}", language.tag);
        }
        assert!(languages.iter().any(|language| language.say("direction") == "rtl"));
    }

    #[test]
    fn no_word_is_there_that_nobody_says() {
        let sources = |folder: &str, extension: &str| -> String {
            let files = fs::read_dir(workspace().join(folder)).expect("a folder").flatten().map(|entry| entry.path());
            let files = files.filter(|file| file.extension().is_some_and(|found| found == extension));
            files.map(|file| fs::read_to_string(file).expect("a source")).collect()
        };
        let (page, server) = (sources("www/src", "js"), sources("verifier-server/src/http", "rs"));
        let codes = fs::read_to_string(workspace().join("puzzle/src/refusal.rs")).expect("the codes");
        let said = |key: &str| {
            let in_page = |word: &str| page.contains(&format!("'{word}'")) || page.contains(&format!("WORDS.{word}"));
            let code = key.strip_prefix(SELDOM_FAILED);
            let refused = key.strip_prefix("pass_refused_");
            let of_tag = is_of_tag(key) && page.contains(&format!("texts.{key}"));
            OF_FILE.contains(&key)
                || of_tag
                || in_page(key)
                || server.contains(&format!(".{key}"))
                || code.is_some_and(|code| codes.contains(&format!("\"{code}\"")) || in_page(code))
                || refused.is_some_and(|code| server.contains(&format!("\"{code}\"")))
        };
        let languages = read_all();
        let unsaid: Vec<&String> = languages[0].words.keys().filter(|key| !said(key)).collect();
        assert!(unsaid.is_empty(), "{unsaid:?}");
    }

    #[test]
    fn a_language_that_lacks_a_word_or_has_one_too_many_is_an_error() {
        let of_file = r#""name":"x","direction":"ltr","reviewed":"nobody""#;
        let source = language(SOURCE, &format!(r#"{{{of_file},"a":"{{n}} left"}}"#));
        let check = |words: &str| language("xx", &format!("{{{of_file}{words}}}")).check(&source);
        assert!(check(r#","a":"noch {n}""#).is_ok());
        for (words, message) in [
            ("", "missing: {\"a\"}"),
            (r#","a":"{n}","b":"c""#, "not in en.json: {\"b\"}"),
            (r#","a":"noch {m}""#, "`a` has [\"m\"] filled in"),
            (r#","a":" {n}""#, "`a` is empty"),
            (r#","a":["{n}"]"#, "`a` is empty"),
            (r#","a":"{n}\n""#, "`a` is empty"),
        ] {
            let error = check(words).expect_err(words).to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_visit_loads_what_it_says_and_fetches_the_rest_where_it_needs_it() {
        let languages = read_all();
        let german = languages.iter().find(|language| language.tag == "de").expect("German");
        let page = german.for_page("texts-de.json");
        assert!(page.contains("more:\"texts-de.json\"") && page.contains("tag:\"de\""));
        assert!(page.contains(WITHOUT_NETWORK) && !page.contains("failed_cookies") && !page.contains(OF_SERVER));
        assert!(!page.contains(OF_PASS), "{page}");
        assert!(["failed_cookies", "pass_lead"].iter().all(|key| german.whole_page().contains(key)));
        assert!(german.for_pass().contains(OF_PASS) && german.for_pass().contains("tag:\"de\""));
        assert!(!OF_TAG.iter().any(|of_tag| german.whole_page().contains(of_tag)), "a visit brings no word of the tag");
        let tag = german.for_tag();
        assert!(["widget_done", "tag_note"].iter().all(|key| tag[key] == german.say(key)), "{tag}");
        assert!(tag["direction"] == "ltr" && tag.get("lead").is_none(), "{tag}");
        let words = tag_words(&languages, |tag| Ok(format!("tag-{tag}.json"))).expect("words");
        assert!(words.contains("tag-he.json") && !words.contains("tag-en.json"), "{words}");
    }
}
