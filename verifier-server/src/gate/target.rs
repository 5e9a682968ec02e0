//! The path of a request as rules see it: normalised, so that no spelling slips past a rule that the origin honours.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A path, without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Every server reads it the same way: percent-decoded.
    Plain(Cow<'a, str>),
    /// Servers may differ: all the ways to read it. It pays for the dearest of them.
    Odd(Vec<String>),
}

impl<'a> Target<'a> {
    /// Reads the target of a request: `path?query`, an absolute form, or `*`.
    #[must_use]
    pub fn parse(target: &'a str) -> Self {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        if is_plain(path) {
            if !path.contains('%') {
                return Self::Plain(Cow::Borrowed(path));
            }
            return match percent_decode_str(path).decode_utf8() {
                Ok(decoded) => Self::Plain(decoded),
                Err(_) => Self::Odd(readings(path)),
            };
        }
        Self::Odd(readings(path))
    }
}

/// Whether a path leaves no doubt: no empty, dot or dotted segment, no parameter, no backslash, and nothing encoded
/// that needs no encoding or that stands for a separator, a dot, a parameter, a percent sign or a control character.
fn is_plain(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    let last = inner.rsplit('/').next().unwrap_or_default();
    let folders = inner.len() - last.len();
    let no_empty_folder = !inner.as_bytes().get(..folders).unwrap_or_default().windows(2).any(|pair| pair == b"//")
        && !inner.starts_with('/');
    no_empty_folder && inner.split('/').all(|segment| !segment.ends_with('.')) && characters_are_plain(path.as_bytes())
}

fn characters_are_plain(path: &[u8]) -> bool {
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'%' {
            if !(byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(byte)) {
                return false;
            }
            continue;
        }
        let [high, low, after @ ..] = rest else { return false };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return false };
        let value = u8::try_from(high * 16 + low).unwrap_or_default();
        let needed = value >= 0x80 || b" \"<>[]^`{|}?#".contains(&value);
        if !needed {
            return false;
        }
        rest = after;
    }
    true
}

/// The ways in which servers are known to read a path.
fn readings(path: &str) -> Vec<String> {
    let path = match path.split_once("://") {
        // Absolute form: what follows the authority. What begins with a slash is a path, whatever comes later.
        Some((_, rest)) if !path.starts_with('/') => rest.find('/').map_or("/", |start| &rest[start..]),
        _ => path,
    };
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let once = decode(path);
    let twice = decode(&once);
    let mut readings = Vec::with_capacity(16);
    for text in [path, &once, &twice] {
        let slashed = text.replace('\\', "/");
        let cut = slashed.split('\0').next().unwrap_or_default();
        for empty_segments in [Empty::Merged, Empty::Kept] {
            readings.push(resolved(cut, empty_segments, |segment| segment));
            readings.push(resolved(cut, empty_segments, bare_segment));
        }
        readings.push(cut.to_owned());
    }
    readings.push(path.to_owned());
    readings.dedup();
    readings
}

/// A segment without its parameters, trailing dots and spaces.
fn bare_segment(segment: &str) -> &str {
    let bare = segment.split(';').next().unwrap_or_default();
    // `..;x` is `..` to some servers; only names lose their trailing dots.
    if matches!(bare, "." | "..") { bare } else { bare.trim_end_matches(['.', ' ']) }
}

/// What becomes of `//`: servers do either.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Merged,
    Kept,
}

/// The path with dot segments resolved; a trailing slash stays.
fn resolved<'t>(path: &'t str, empty: Empty, segment_of: impl Fn(&'t str) -> &'t str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let inner = path.strip_prefix('/').unwrap_or(path);
    for segment in inner.split('/').map(segment_of) {
        match segment {
            "" if empty == Empty::Merged => {}
            "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    let ends_open = path.ends_with('/') && segments.last().is_some_and(|last| !last.is_empty());
    let slash = if ends_open { "/" } else { "" };
    format!("/{}{slash}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_plain_and_decoded() {
        for (written, read) in [
            ("/", "/"),
            ("/a/b.html", "/a/b.html"),
            ("/a/b/?q=//x/../y", "/a/b/"),
            ("/stra%C3%9Fe/%20x", "/straße/ x"),
            ("/caf\u{e9}".trim_end_matches('\u{e9}'), "/caf"),
            ("/@user/it's,ok:yes", "/@user/it's,ok:yes"),
        ] {
            assert_eq!(Target::parse(written), Target::Plain(read.into()), "{written}");
        }
    }

    #[test]
    fn everything_that_servers_read_differently_is_odd() {
        for path in [
            "", "*", "a", "//a", "/a//b", "/./a", "/a/..", "/a;b", "/a%2fb", "/%61", "/a%25", "/a%zz", "/a%", "/a.",
            "/a\\b", "/%ff",
        ] {
            assert!(matches!(Target::parse(path), Target::Odd(_)), "{path}");
        }
    }

    #[test]
    fn an_absolute_form_is_read_from_its_path() {
        let Target::Odd(readings) = Target::parse("http://example.org/admin") else { panic!("plain") };
        assert!(readings.contains(&"/admin".to_owned()));
    }
}
