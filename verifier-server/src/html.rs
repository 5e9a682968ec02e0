//! Text that may stand in HTML, by type.

use hyper::Uri;
use serde::{Deserialize, Deserializer};
use std::fmt;

/// Text with everything escaped that means something in HTML, in an attribute too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// `text`, escaped.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut escaped = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
        }
        Self(escaped)
    }

    /// `text`, escaped, where words that are addresses, `https://…` or `tel:…`, are links. Only these two: nothing that is
    /// written here can become a script.
    #[must_use]
    pub fn linked(text: &str) -> Self {
        let words: Vec<String> = text.split(' ').map(linked_word).collect();
        Self(words.join(" "))
    }

    /// As it goes into a page.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Text of a file of words, escaped as it is read.
impl<'de> Deserialize<'de> for Html {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::of(&text))
    }
}

/// One word; a sign that ends a sentence is no part of an address.
fn linked_word(word: &str) -> String {
    let address = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
    let escaped = Html::of(word).0;
    let Some(shown) = shown_of_address(address) else { return escaped };
    let behind = &word[address.len()..];
    format!("<a href=\"{}\">{}</a>{}", Html::of(address), Html::of(shown), Html::of(behind))
}

/// What is shown of an address that may be a link: all but its scheme.
pub(crate) fn shown_of_address(address: &str) -> Option<&str> {
    if let Some(number) = address.strip_prefix("tel:") {
        let dialled = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
        return (number.len() >= 3 && number.bytes().all(dialled)).then_some(number);
    }
    let shown = address.strip_prefix("https://")?;
    let uri: Uri = address.parse().ok()?;
    uri.authority().is_some_and(|authority| !authority.as_str().contains('@')).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_links_and_everything_else_stays_text() {
        let linked = |text| Html::linked(text).to_string();
        assert_eq!(
            linked("Vote: https://example.org/vote?a=1&b=2. Call tel:+49-30-123!"),
            "Vote: <a href=\"https://example.org/vote?a=1&amp;b=2\">example.org/vote?a=1&amp;b=2</a>. \
             Call <a href=\"tel:+49-30-123\">+49-30-123</a>!"
        );
        for text in [
            "javascript:alert(1)",
            "http://example.org",
            "https://",
            "https://user@example.org/",
            "tel:",
            "tel:alert(1)",
            "data:text/html,x",
            "xhttps://example.org",
            "HTTPS://example.org",
        ] {
            assert_eq!(linked(text), Html::of(text).to_string(), "{text}");
        }
        let markup = linked("<b>https://example.org/\"onclick=x</b>");
        assert!(!markup.contains('<') && !markup.contains('"'), "{markup}");
        let quoted = linked("https://example.org/\"><script>");
        assert!(!quoted.contains("<script") && !quoted.contains("\">"), "{quoted}");
    }
}
