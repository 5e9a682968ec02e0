//! The ways in which servers are known to read a path. A rule holds for each of them.

use super::path_behind_script;
use percent_encoding::percent_decode_str;

/// All ways to read a path, each once.
pub(super) fn readings(path: &str) -> Vec<String> {
    let path = match path.split_once("://") {
        // Absolute form: what follows the authority. What begins with a slash is a path, whatever comes later.
        Some((_, rest)) if !path.starts_with('/') => rest.find('/').map_or("/", |start| &rest[start..]),
        _ => path,
    };
    let once = decoded(path);
    let twice = decoded(&once);
    let mut readings = vec![path.to_owned()];
    for text in [path.to_owned(), once, twice, leniently_decoded(path)] {
        let slashed = text.replace('\\', "/");
        let whole = slashed.replace(char::is_control, "");
        // Some end a path at a control character, some a decoded one at the question mark in it.
        let cut = slashed.split(char::is_control).next().unwrap_or_default();
        for part in [whole.as_str(), cut, cut.split(['?', '#']).next().unwrap_or_default()] {
            for empty_segments in [Empty::Merged, Empty::Kept] {
                readings.push(resolved(part, empty_segments, |segment| segment));
                readings.push(resolved(part, empty_segments, bare_segment));
            }
            readings.push(part.to_owned());
        }
    }
    readings.sort_unstable();
    readings.dedup();
    let behind: Vec<String> = readings.iter().filter_map(|path| path_behind_script(path)).collect();
    readings.extend(behind);
    readings
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// With what only old servers take: `%u0061`, letters in more bytes than UTF-8 allows (`%c1%a1`), and letters of full
/// width.
fn leniently_decoded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("%u").or_else(|| rest.find("%U")) {
        plain.push_str(&rest[..start]);
        let digits = rest.get(start + 2..start + 6);
        let letter = digits.and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
        let (read, used) = letter.map_or(("%", 1), |_| ("", 6));
        plain.push_str(read);
        plain.extend(letter);
        rest = &rest[start + used..];
    }
    plain.push_str(rest);
    let bytes: Vec<u8> = percent_decode_str(&plain).collect();
    let mut shortest = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let [first, tail @ ..] = rest {
        let (byte, after) = match (first, tail) {
            (0xc0..=0xc1, [second @ 0x80..=0xbf, after @ ..]) => ((first & 1) << 6 | second & 0x3f, after),
            (0xe0, [second @ 0x80..=0x81, third @ 0x80..=0xbf, after @ ..]) => {
                ((second & 1) << 6 | third & 0x3f, after)
            }
            _ => (*first, tail),
        };
        shortest.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&shortest).chars().map(of_common_width).collect()
}

fn of_common_width(letter: char) -> char {
    if is_of_full_width(letter) { char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter) } else { letter }
}

/// Whether a letter is a printable one of ASCII in full width.
pub(super) fn is_of_full_width(letter: char) -> bool {
    ('\u{ff01}'..='\u{ff5e}').contains(&letter)
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
    fn every_spelling_of_admin_has_a_reading_that_says_admin() {
        for spelling in [
            "//admin",
            "/%61dmin",
            "/%2561dmin",
            "/%c1%a1dmin",
            "/%e0%81%a1dmin",
            "/%u0061dmin",
            "/%U0061dmin",
            "/%ef%bd%81dmin",
            "/admin%00.css",
            "/admin%0a",
            "/ad%09min",
            "/admin%3fx",
            "/admin%23x",
            "/admin;x",
            "/;x/admin",
            "/admin.",
            "/admin%20",
            "/.%2f/admin",
            "/x%5c..%5cadmin",
            "/x\\..\\admin",
            "/x/..;/admin",
            "/%c0%ae%c0%ae/admin",
            "/%c0%afadmin",
            "/index.php//admin",
            "http://example.org/admin",
        ] {
            let readings = readings(spelling);
            assert!(readings.iter().any(|reading| reading == "/admin"), "{spelling}: {readings:?}");
        }
    }

    #[test]
    fn percent_u_without_digits_is_left_alone() {
        for odd in ["/%u", "/%u12", "/%uzzzz", "/%u00é1", "/%ud800"] {
            assert!(!leniently_decoded(odd).is_empty(), "{odd}");
        }
    }
}
