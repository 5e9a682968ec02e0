//! A line of an access log in the common or combined format, as nginx and Apache write it by default.
//!
//! ```text
//! 203.0.113.9 - - [25/Nov/2026:02:11:03 +0000] "GET /page HTTP/1.1" 200 5120 "https://example.org/" "Mozilla/5.0 …"
//! ```
//!
//! A host name before the address (Apache's `vhost_combined`) and more fields behind it do no harm.

use crate::calendar;
use puzzle::UnixSeconds;
use std::net::IpAddr;
use std::ops::Range;

/// What a line says. Where the request stands in the line is kept as its place: lines are read one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was answered.
    pub time: UnixSeconds,
    /// Who asked.
    pub address: IpAddr,
    /// The status of the answer.
    pub status: u16,
    /// Whether the User-Agent is one of a browser, or could be: none is logged.
    pub browser: bool,
    method: Range<usize>,
    target: Range<usize>,
}

impl Entry {
    /// Reads a line; `None` for whatever is no such line. A request that is none, such as TLS on a plain port, has an empty
    /// method and target.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let first = words.next()?;
        let address = first.parse().ok().or_else(|| words.next()?.parse().ok());
        let address: IpAddr = address?;
        let time_begins = line.find(" [")? + 2;
        let time_ends = time_begins + line.get(time_begins..)?.find("] \"")?;
        let time = calendar::of_log(line.get(time_begins..time_ends)?)?;
        let request_begins = time_ends + 3;
        let request_ends = quote_ends(line, request_begins)?;
        let rest = line.get(request_ends + 1..)?.strip_prefix(' ')?;
        let status = rest.split(' ').next()?;
        let status = status.parse().ok().filter(|_| status.len() == 3)?;
        let (method, target) = request(line, request_begins..request_ends);
        Some(Self { time, address: address.to_canonical(), status, browser: is_browser(rest), method, target })
    }

    /// The method, in the line that it was read from.
    #[must_use]
    pub fn method<'a>(&self, line: &'a str) -> &'a str {
        line.get(self.method.clone()).unwrap_or_default()
    }

    /// The target as it was sent, in the line that it was read from.
    #[must_use]
    pub fn target<'a>(&self, line: &'a str) -> &'a str {
        line.get(self.target.clone()).unwrap_or_default()
    }

    /// Whether the site gave what was asked for.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        matches!(self.status, 200..=299 | 304)
    }
}

/// Where a quoted field that begins at `from` ends: at the first quote without a backslash before it.
fn quote_ends(line: &str, from: usize) -> Option<usize> {
    let mut escaped = false;
    let end = line.as_bytes().get(from..)?.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    Some(from + end)
}

/// Method and target of a request line.
fn request(line: &str, place: Range<usize>) -> (Range<usize>, Range<usize>) {
    let none = (0..0, 0..0);
    let Some(text) = line.get(place.clone()) else { return none };
    let Some((method, rest)) = text.split_once(' ') else { return none };
    if method.is_empty() || method.len() > 16 || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return none;
    }
    let target =
        rest.rsplit_once(' ').filter(|(_, version)| version.starts_with("HTTP/")).map_or(rest, |(target, _)| target);
    let begins = place.start + method.len() + 1;
    (place.start..place.start + method.len(), begins..begins + target.len())
}

/// Whether the User-Agent in `200 5120 "referer" "agent"` is one of a browser.
fn is_browser(rest: &str) -> bool {
    let agent = rest.find('"').and_then(|referer| {
        let ends = quote_ends(rest, referer + 1)?;
        let begins = ends + 1 + rest.get(ends + 1..)?.find('"')? + 1;
        rest.get(begins..quote_ends(rest, begins)?)
    });
    agent.is_none_or(|agent| agent.contains("Mozilla/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str =
        "203.0.113.9 - ada [25/Nov/2026:02:11:03 +0000] \"GET /page?x=1 HTTP/1.1\" 200 5120 \"-\" \"curl/8\"";

    fn read(line: &str) -> (String, String, u16, bool) {
        let entry = Entry::parse(line).expect("a line");
        (entry.method(line).to_owned(), entry.target(line).to_owned(), entry.status, entry.browser)
    }

    #[test]
    fn the_formats_of_nginx_and_apache_are_read() {
        let expected = ("GET".to_owned(), "/page?x=1".to_owned(), 200, false);
        assert_eq!(read(LINE), expected);
        assert_eq!(read(&format!("example.org:443 {LINE}")), expected, "vhost_combined");
        assert_eq!(read(&format!("{LINE} \"more\" 0.123")), expected);
        let common = LINE.split(" \"-\"").next().expect("the common part");
        assert!(read(common).3, "where no agent is logged, nobody is known to be a program");
        assert!(read(&LINE.replace("curl/8", "Mozilla/5.0 (X11)")).3);
        let entry = Entry::parse(&LINE.replace("203.0.113.9", "::ffff:203.0.113.9")).expect("a line");
        assert_eq!((entry.address.to_string().as_str(), entry.time), ("203.0.113.9", UnixSeconds(1_795_572_663)));
    }

    #[test]
    fn what_strangers_write_into_a_line_stays_in_its_place() {
        let quoted = LINE.replace("/page?x=1", "/a\\\" 500 1 \\\"b");
        assert_eq!(read(&quoted).2, 200, "an escaped quote ends nothing");
        let user = LINE.replace(" ada ", " a b [c ");
        assert!(Entry::parse(&user).is_none_or(|entry| entry.status == 200));
        let tls = LINE.replace("GET /page?x=1 HTTP/1.1", "\\x16\\x03\\x01");
        assert_eq!(read(&tls), (String::new(), String::new(), 200, false));
        for odd in
            ["", "x", "not an address - - [25/Nov/2026:02:11:03 +0000] \"GET / HTTP/1.1\" 200 1", "203.0.113.9 - -"]
        {
            assert_eq!(Entry::parse(odd), None, "{odd}");
        }
        assert_eq!(Entry::parse(&LINE.replace(" 200 ", " 2000 ")), None);
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_line_reading_it_ends(line in ".{0,300}") {
            if let Some(entry) = Entry::parse(&line) {
                let _ = (entry.method(&line), entry.target(&line));
            }
        }

        #[test]
        fn a_line_that_was_cut_or_changed_does_no_harm(cut in 0_usize..100, position in 0_usize..100, byte in any::<char>()) {
            let mut line: String = LINE.chars().take(cut).collect();
            line.insert(line.char_indices().map(|(index, _)| index).nth(position).unwrap_or(line.len()), byte);
            let _ = Entry::parse(&line);
        }
    }
}
