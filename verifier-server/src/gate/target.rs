//! The path of a request as rules see it: normalised, so that no spelling slips past a rule that the origin honours.

mod readings;

use percent_encoding::percent_decode_str;
use readings::readings;
use std::borrow::Cow;
use std::ops::Range;

/// Bytes of a path that are read in every way that servers are known to: reading a long one so takes long.
const ODD_PATH_BYTES_MAX: usize = 1_024;
/// By how the name of a program on the server ends: what follows it in a path is the program's to read.
const SCRIPT_ENDINGS: [&str; 16] = [
    ".php", ".php3", ".php4", ".php5", ".php7", ".php8", ".phtml", ".cgi", ".fcgi", ".pl", ".asp", ".aspx", ".ashx",
    ".jsp", ".do", ".cfm",
];

/// A path, without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Every server reads it the same way: percent-decoded.
    Plain(Cow<'a, str>),
    /// Servers may differ: all the ways to read it. It pays for the dearest of them.
    Odd(Vec<String>),
    /// Servers may differ, and it is too long to be read in all ways.
    TooLong,
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
                Ok(decoded) if !decoded.contains(readings::is_of_full_width) => Self::Plain(decoded),
                _ => Self::odd(path),
            };
        }
        Self::odd(path)
    }

    fn odd(path: &str) -> Self {
        if path.len() > ODD_PATH_BYTES_MAX { Self::TooLong } else { Self::Odd(readings(path)) }
    }
}

/// Whether a segment of a path is the name of a program on the server.
pub(crate) fn is_script(segment: &str) -> bool {
    let Some(dot) = segment.rfind('.') else { return false };
    SCRIPT_ENDINGS.iter().any(|ending| segment[dot..].eq_ignore_ascii_case(ending))
}

/// The path that a program in a path is asked for: `/admin` of `/index.php/admin`. Front controllers answer both alike.
pub(super) fn path_behind_script(path: &str) -> Option<String> {
    let name = script_in(path)?;
    Some(format!("{}{}", &path[..name.start.saturating_sub(1)], &path[name.end..]))
}

/// The program in a path that goes on behind it: `/index.php` of `/index.php/admin`.
pub(super) fn path_up_to_script(path: &str) -> Option<&str> {
    Some(&path[..script_in(path)?.end])
}

/// Where the name of the first program stands that a slash follows.
fn script_in(path: &str) -> Option<Range<usize>> {
    let mut begin = 0;
    for (slash, _) in path.match_indices('/') {
        if slash > begin && is_script(&path[begin..slash]) {
            return Some(begin..slash);
        }
        begin = slash + 1;
    }
    None
}

/// Whether a path leaves no doubt: no empty, dot or dotted segment, no segment that ends in a space, no parameter, no
/// backslash, and nothing encoded that needs no encoding or that stands for a separator, a dot, a parameter, a query, a
/// percent sign or a control character.
fn is_plain(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    let last = inner.rsplit('/').next().unwrap_or_default();
    let folders = inner.len() - last.len();
    let no_empty_folder = !inner.as_bytes().get(..folders).unwrap_or_default().windows(2).any(|pair| pair == b"//")
        && !inner.starts_with('/');
    let no_tail = |segment: &str| !segment.ends_with('.') && !segment.ends_with("%20");
    no_empty_folder && inner.split('/').all(no_tail) && characters_are_plain(path.as_bytes())
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
        let needed = value >= 0x80 || b" \"<>[]^`{|}".contains(&value);
        if !needed {
            return false;
        }
        rest = after;
    }
    true
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
            "",
            "*",
            "a",
            "//a",
            "/a//b",
            "/./a",
            "/a/..",
            "/a;b",
            "/a%2fb",
            "/%61",
            "/a%25",
            "/a%zz",
            "/a%",
            "/a.",
            "/a\\b",
            "/%ff",
            "/a%20",
            "/a%3fb",
            "/a%23",
            "/%c1%a1",
            "/%u0061",
            "/a%0a",
            "/%ef%bd%81",
        ] {
            assert!(matches!(Target::parse(path), Target::Odd(_)), "{path}");
        }
    }

    #[test]
    fn a_long_odd_path_is_not_read_in_every_way() {
        let long = format!("/{}", "a/../".repeat(1_000));
        assert_eq!(Target::parse(&long), Target::TooLong);
        let long = format!("/{}", "a/b".repeat(10_000));
        assert!(matches!(Target::parse(&long), Target::Plain(_)));
    }

    #[test]
    fn what_stands_behind_a_program_is_found() {
        for (path, behind) in [
            ("/index.php/admin", Some("/admin")),
            ("/shop/APP.PHP/a/b", Some("/shop/a/b")),
            ("/index.php", None),
            ("/index.php/", Some("/")),
            ("/a.b/c", None),
            ("/php/x", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(path_behind_script(path).as_deref(), behind, "{path}");
        }
    }

    #[test]
    fn an_absolute_form_is_read_from_its_path() {
        let Target::Odd(readings) = Target::parse("http://example.org/admin") else { panic!("plain") };
        assert!(readings.contains(&"/admin".to_owned()));
    }
}
