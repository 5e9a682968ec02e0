//! A line of the web server's log, as a datagram: `deploy/nginx/portcullis-log.conf` says how nginx writes it.
//!
//! ```text
//! <190>Nov 25 02:11:03 portcullis: 6f1c… 200 "200" "0.012" "text/html"
//! ```
//!
//! The syslog header (RFC 3164, as nginx writes it) may be missing. Then come `$request_id`, `$status`, and in quotes
//! `$upstream_status`, `$upstream_header_time` and `$upstream_http_content_type`. Where nginx asked several servers, the
//! two hold a value for each, with commas or colons between them.

use std::time::Duration;

/// Bytes of a line at the most; a longer one is no line of ours.
pub const LINE_BYTES_MAX: usize = 1_024;
/// Characters of a request id at the most.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// No head takes longer to come, in seconds: whatever says so is not read.
const HEAD_SECONDS_MAX: f64 = 3_600.0;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line<'a> {
    /// The web server's own id of the request.
    pub request_id: &'a str,
    /// The status that the visitor got.
    pub status: u16,
    /// What came from the origin; `None` where the web server answered by itself, or the head never came.
    pub upstream: Option<OfUpstream>,
    /// Whether the answer was an event stream.
    pub event_stream: bool,
}

/// What came from the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfUpstream {
    /// The status of the last server that was asked.
    pub status: u16,
    /// To the head of its answer, over all servers that were asked.
    pub delay: Duration,
}

impl<'a> Line<'a> {
    /// Reads a datagram; `None` for whatever is not such a line.
    #[must_use]
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        if datagram.len() > LINE_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(datagram).ok()?.trim_end_matches(['\n', '\r', '\0']);
        let (request_id, rest) = without_header(text)?.split_once(' ')?;
        let id_fits = (1..=REQUEST_ID_BYTES_MAX).contains(&request_id.len())
            && request_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let (status, rest) = rest.split_once(' ')?;
        let mut quoted = rest.strip_prefix('"')?.strip_suffix('"')?.split("\" \"");
        let (upstream_status, head_time, content_type) = (quoted.next()?, quoted.next()?, quoted.next()?);
        if !id_fits || quoted.next().is_some() {
            return None;
        }
        let event_stream = content_type.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"));
        Some(Self {
            request_id,
            status: of_status(status)?,
            upstream: of_upstream(upstream_status, head_time)?.0,
            event_stream,
        })
    }
}

/// What stands behind the syslog header, if there is one.
fn without_header(text: &str) -> Option<&str> {
    match text.strip_prefix('<') {
        // `190>Nov 25 02:11:03 host tag: …`: in the time no blank follows a colon.
        Some(header) => header.split_once(": ").map(|(_, message)| message),
        None => Some(text),
    }
}

/// What `$upstream_status` and `$upstream_header_time` say.
struct Upstream(Option<OfUpstream>);

/// `None` where the two say nothing that nginx writes.
fn of_upstream(statuses: &str, times: &str) -> Option<Upstream> {
    let status = match each(statuses).last()? {
        "-" => None,
        status => Some(of_status(status)?),
    };
    let mut seconds = None;
    for time in each(times) {
        if time != "-" {
            let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let time = time.parse::<f64>().ok().filter(|_| digits)?;
            seconds = Some(seconds.unwrap_or(0.0) + time);
        }
    }
    if seconds.is_some_and(|seconds| seconds > HEAD_SECONDS_MAX) {
        return None;
    }
    let upstream = status.zip(seconds);
    let of = |(status, seconds)| OfUpstream { status, delay: Duration::from_secs_f64(seconds) };
    Some(Upstream(upstream.map(of)))
}

/// The values of all servers that were asked, in order.
fn each(values: &str) -> impl Iterator<Item = &str> {
    values.split([',', ':']).map(str::trim)
}

fn of_status(text: &str) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn upstream(line: &str) -> Option<OfUpstream> {
        Line::parse(line.as_bytes()).expect("a line").upstream
    }

    #[test]
    fn a_line_of_nginx_is_read_with_and_without_its_header() {
        let message = "6f1c2ab4 200 \"200\" \"0.012\" \"text/html; charset=utf-8\"";
        let expected = Line {
            request_id: "6f1c2ab4",
            status: 200,
            upstream: Some(OfUpstream { status: 200, delay: Duration::from_millis(12) }),
            event_stream: false,
        };
        for header in ["", "<190>Nov 25 02:11:03 portcullis: ", "<190>Nov  5 02:11:03 web1 nginx: "] {
            assert_eq!(Line::parse(format!("{header}{message}\n").as_bytes()), Some(expected), "{header}");
        }
    }

    #[test]
    fn several_servers_that_were_asked_are_one_delay_and_the_last_status() {
        let of = |status, millis| Some(OfUpstream { status, delay: Duration::from_millis(millis) });
        assert_eq!(upstream("a 200 \"502, 200\" \"0.001, 0.120\" \"-\""), of(200, 121));
        assert_eq!(upstream("a 200 \"200 : 204\" \"0.010 : 0.005\" \"-\""), of(204, 15));
        assert_eq!(upstream("a 504 \"504\" \"-\" \"-\""), None, "no head came");
        assert_eq!(upstream("a 200 \"-\" \"-\" \"-\""), None, "a file of the web server's own");
        assert_eq!(upstream("a 499 \"-, 200\" \"-, 0.100\" \"-\""), of(200, 100));
    }

    #[test]
    fn an_event_stream_is_told_by_its_type() {
        let stream = |kind: &str| {
            Line::parse(format!("a 200 \"200\" \"0.001\" \"{kind}\"").as_bytes()).expect("a line").event_stream
        };
        assert!(stream("text/event-stream") && stream("Text/Event-Stream;charset=utf-8"));
        assert!(!stream("-") && !stream("text/html"));
    }

    #[test]
    fn whatever_is_no_line_is_not_read() {
        let long = format!("{} 200 \"200\" \"0.1\" \"-\"", "a".repeat(65));
        let padded = format!("a 200 \"200\" \"0.1\" \"{}\"", "x".repeat(LINE_BYTES_MAX));
        for odd in [
            "",
            "a",
            "<190>Nov 25 02:11:03",
            " 200 \"200\" \"0.1\" \"-\"",
            "a 2000 \"200\" \"0.1\" \"-\"",
            "a 200 200 0.1 -",
            "a 200 \"200\" \"0.1\"",
            "a 200 \"200\" \"0.1\" \"-\" \"more\"",
            "a 200 \"20x\" \"0.1\" \"-\"",
            "a 200 \"200\" \"-0.1\" \"-\"",
            "a 200 \"200\" \"1e9\" \"-\"",
            "a 200 \"200\" \"inf\" \"-\"",
            "a 200 \"200\" \"99999\" \"-\"",
            "a\"b 200 \"200\" \"0.1\" \"-\"",
            &long,
            &padded,
        ] {
            assert_eq!(Line::parse(odd.as_bytes()), None, "{odd}");
        }
        assert_eq!(Line::parse(&[0xff, 0xfe, b' ', b'2']), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_reading_it_ends_and_no_delay_is_absurd(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(Line { upstream: Some(upstream), .. }) = Line::parse(&bytes) {
                prop_assert!(upstream.delay <= Duration::from_hours(1));
            }
        }

        #[test]
        fn every_line_that_nginx_could_write_is_read(
            id in "[0-9a-f]{32}",
            status in 100_u16..600,
            servers in prop::collection::vec((100_u16..600, 0_u32..600_000), 1..4),
            kind in "[a-z/;=. -]{0,40}",
        ) {
            let statuses: Vec<String> = servers.iter().map(|(status, _)| status.to_string()).collect();
            let times: Vec<String> =
                servers.iter().map(|(_, ms)| format!("{}.{:03}", ms / 1_000, ms % 1_000)).collect();
            let line = format!(
                "<190>Jan  1 00:00:00 portcullis: {id} {status} \"{}\" \"{}\" \"{kind}\"",
                statuses.join(", "),
                times.join(", ")
            );
            let read = Line::parse(line.as_bytes()).expect("a line");
            let all_ms: u32 = servers.iter().map(|(_, ms)| ms).sum();
            let upstream = read.upstream.expect("an answer");
            prop_assert_eq!((read.request_id, read.status), (id.as_str(), status));
            prop_assert_eq!(upstream.status, servers[servers.len() - 1].0);
            prop_assert!(upstream.delay.abs_diff(Duration::from_millis(all_ms.into())) < Duration::from_millis(1));
        }
    }
}
