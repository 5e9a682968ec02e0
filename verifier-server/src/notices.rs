//! Notices of the operator on the pages of a site (where to vote, to donate, to call), changed while the verifier runs and
//! kept in `state_dir`.

use crate::html::Html;
use crate::state_file::{self, StateFileError};
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a notice as it stands in a page, which has to stay below 4 KiB.
pub const NOTICE_HTML_BYTES_MAX: usize = 600;

const FILE: &str = "notices";
const VERSION: u32 = 1;
/// Bytes of a file that is read: more than the notices of a thousand sites.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What is wrong with a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// Too long.
    #[error(
        "the notice has {0} bytes in HTML, and at most {NOTICE_HTML_BYTES_MAX} fit: & < > and quotes take up to six each, and an address counts twice"
    )]
    TooLong(usize),
    /// Not one line of text.
    #[error("a notice is one line of text")]
    NotOneLine,
    /// Its language is none.
    #[error("write the language as a tag, such as de or pt-BR")]
    Language,
}

/// What stands on the pages of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// As the operator wrote it.
    pub text: String,
    /// The language that it is in, where the operator said so.
    pub language: Option<String>,
    html: String,
}

impl Notice {
    /// A notice, ready for a page; `None` for an empty text, which takes the notice away.
    ///
    /// # Errors
    /// See [`NoticeError`].
    pub fn new(text: &str, language: Option<&str>) -> Result<Option<Self>, NoticeError> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(NoticeError::NotOneLine);
        }
        if text.is_empty() {
            return Ok(None);
        }
        let linked = Html::linked(text);
        let bytes = linked.as_str().len();
        if bytes > NOTICE_HTML_BYTES_MAX {
            return Err(NoticeError::TooLong(bytes));
        }
        let lang = match language {
            None => String::new(),
            Some(language) if crate::config::is_language_tag(language) => format!(" lang=\"{language}\""),
            Some(_) => return Err(NoticeError::Language),
        };
        let html = format!("<p id=\"notice\" dir=\"auto\"{lang}>{linked}</p>");
        Ok(Some(Self { text: text.to_owned(), language: language.map(str::to_owned), html }))
    }

    /// The paragraph of a page.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }
}

/// The notices of all sites, by the site's name.
#[derive(Debug, Default)]
pub struct Notices {
    shown: ArcSwap<BTreeMap<String, Arc<Notice>>>,
    /// Held while notices are changed or written.
    changing: Mutex<()>,
    /// Whether one has changed since they were written last.
    changed: AtomicBool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    notices: Vec<KeptNotice>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptNotice {
    site: String,
    text: String,
    language: Option<String>,
}

impl Notices {
    /// The notice of a site.
    #[must_use]
    pub fn of(&self, site: &str) -> Option<Arc<Notice>> {
        self.shown.load().get(site).cloned()
    }

    /// Puts a notice in the place of the site's old one; `None` takes it away.
    pub fn set(&self, site: &str, notice: Option<Notice>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notices = BTreeMap::clone(&self.shown.load());
        match notice {
            Some(notice) => notices.insert(site.to_owned(), Arc::new(notice)),
            None => notices.remove(site),
        };
        self.shown.store(Arc::new(notices));
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Whether one has changed since they were written last.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// Where they are kept.
    #[must_use]
    pub fn file(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Writes all notices to `state_dir`, whole or not at all.
    ///
    /// # Errors
    /// Whatever writing, syncing or renaming reports; the file before it then stays.
    pub fn keep(&self, state_dir: &Path) -> io::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.store(false, Ordering::Relaxed);
        let shown = self.shown.load();
        let notices = shown.iter().map(|(site, notice)| {
            let Notice { text, language, .. } = Notice::clone(notice);
            KeptNotice { site: site.clone(), text, language }
        });
        let kept = Kept { version: VERSION, notices: notices.collect() };
        let written = state_file::write_json(&Self::file(state_dir), &kept);
        if written.is_err() {
            self.changed.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Takes over what an earlier process kept.
    ///
    /// # Errors
    /// See [`StateFileError`]; then there are no notices.
    pub fn take(&self, state_dir: &Path) -> Result<(), StateFileError> {
        let kept = state_file::read_json::<Kept>(&Self::file(state_dir), VERSION, FILE_BYTES_MAX)?;
        let Some(kept) = kept else { return Ok(()) };
        let mut notices = BTreeMap::new();
        for KeptNotice { site, text, language } in kept.notices {
            let notice = Notice::new(&text, language.as_deref());
            let notice = notice.map_err(|error| StateFileError::damaged(&error.to_string()))?;
            notices.extend(notice.map(|notice| (site, Arc::new(notice))));
        }
        self.shown.store(Arc::new(notices));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_line_that_fits_and_is_escaped() {
        let notice =
            Notice::new(" <b>Vote</b> at https://example.org/ ", Some("de")).expect("fits").expect("not empty");
        assert_eq!(
            notice.html(),
            "<p id=\"notice\" dir=\"auto\" lang=\"de\">&lt;b&gt;Vote&lt;/b&gt; at <a href=\"https://example.org/\">example.org/</a></p>"
        );
        assert_eq!(Notice::new("  ", None), Ok(None));
        assert_eq!(Notice::new("a\nb", None), Err(NoticeError::NotOneLine));
        assert_eq!(Notice::new("a", Some("de\" onload=x")), Err(NoticeError::Language));
        assert!(Notice::new(&"a".repeat(NOTICE_HTML_BYTES_MAX), None).is_ok());
        assert_eq!(Notice::new(&"&".repeat(121), None), Err(NoticeError::TooLong(605)));
    }

    #[test]
    fn notices_outlast_a_restart_and_a_damaged_file_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let notices = Notices::default();
        notices.take(folder.path()).expect("nothing was kept");
        notices.set("main", Notice::new("Call tel:112", None).expect("fits"));
        notices.set("other", Notice::new("Bonjour", Some("fr")).expect("fits"));
        notices.set("other", None);
        notices.keep(folder.path()).expect("written");
        let resumed = Notices::default();
        resumed.take(folder.path()).expect("the same");
        assert_eq!(resumed.of("main"), notices.of("main"));
        assert_eq!(resumed.of("other"), None);
        for damaged in [
            "{}",
            "[]",
            r#"{"version":2,"notices":[]}"#,
            r#"{"version":1,"notices":[{"site":"a","text":"a\nb","language":null}]}"#,
        ] {
            std::fs::write(folder.path().join(FILE), damaged).expect("written");
            let resumed = Notices::default();
            assert!(resumed.take(folder.path()).is_err(), "{damaged}");
            assert_eq!(resumed.of("main"), None);
        }
    }
}
