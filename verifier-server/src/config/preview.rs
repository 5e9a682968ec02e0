//! `[site.preview]`: what the fetchers of link previews are told while they cannot see the page.

use super::document::{Lined, Section};
use crate::html::Html;
use hyper::Uri;
use hyper::http::uri::Scheme;

/// Bytes of each part, as it stands in the stub: all of that together stays below 1 KiB.
const TITLE_BYTES_MAX: usize = 90;
const DESCRIPTION_BYTES_MAX: usize = 240;
const PICTURE_BYTES_MAX: usize = 200;

/// What a preview shows, ready for HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The title.
    pub title: Html,
    /// A sentence or two.
    pub description: Option<Html>,
    /// The address of a picture.
    pub picture: Option<Html>,
}

impl Preview {
    /// Reads the section of a site; `None` where there is none.
    pub(super) fn read(site: &mut Section<'_, '_>) -> Option<Self> {
        if !site.has("preview") {
            return None;
        }
        let mut section = site.section("preview");
        let title = section.string("title", "Example");
        if title.is_none() {
            section.problem(section.line, "`preview` has no title", "write title = \"…\": the site's name");
        }
        let title = title.and_then(|text| part(&section, "title", &text, TITLE_BYTES_MAX));
        let description = section.string("description", "What the site is about");
        let description = description.and_then(|text| part(&section, "description", &text, DESCRIPTION_BYTES_MAX));
        let picture = section.string("picture", "https://cdn.example.org/card.png");
        let picture = picture.and_then(|text| picture_address(&section, &text));
        section.finish();
        Some(Self { title: title?, description, picture })
    }
}

fn part(section: &Section<'_, '_>, key: &str, text: &Lined<String>, bytes_max: usize) -> Option<Html> {
    let html = Html::of(text.value.trim());
    let bytes = html.as_str().len();
    if bytes == 0 || bytes > bytes_max || text.value.chars().any(char::is_control) {
        let message = format!("`{key}` of `preview` cannot be used: it has {bytes} bytes in HTML");
        let remedy = format!("write 1 to {bytes_max} bytes in one line; & < > and quotes take up to six each");
        section.problem(text.line, message, remedy);
        return None;
    }
    Some(html)
}

fn picture_address(section: &Section<'_, '_>, text: &Lined<String>) -> Option<Html> {
    let uri = text.value.parse::<Uri>().ok();
    let plain = |uri: &Uri| {
        let scheme = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
        scheme && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    };
    if !uri.as_ref().is_some_and(plain) {
        let message = format!("the picture `{}` cannot be used", text.value);
        section.problem(text.line, message, "write its whole address, https://cdn.example.org/card.png");
        return None;
    }
    part(section, "picture", text, PICTURE_BYTES_MAX)
}
