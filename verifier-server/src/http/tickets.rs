//! The tickets that a request carries, and the cookie that gives one (PROTOCOL §8).

use super::clearances::{HOST_TICKET_COOKIE, PLAIN_TICKET_COOKIE, cookies};
use super::original::Scheme;
use crate::gate::{TICKET_SECONDS, TICKETS_MAX};
use hyper::header::{HeaderMap, HeaderValue};
use puzzle::{CHALLENGE_BYTES, Ticket};

/// The tickets in `headers`, at most [`TICKETS_MAX`], in order. Nothing in them is believed yet.
pub(super) fn of(headers: &HeaderMap, scheme: Scheme) -> Vec<[u8; CHALLENGE_BYTES]> {
    let name = name(scheme).as_bytes();
    cookies(headers)
        .filter(|(found, _)| *found == name)
        .take(TICKETS_MAX)
        .filter_map(|(_, value)| parse(value))
        .collect()
}

/// The `Set-Cookie` value that gives a ticket which is good in `wait_seconds`.
pub(super) fn set_cookie(ticket: &Ticket, wait_seconds: u32, scheme: Scheme) -> Option<HeaderValue> {
    let value = puzzle::encode(ticket.bytes());
    let age = wait_seconds.saturating_add(TICKET_SECONDS.into());
    format!("{}={value}; Path=/; Max-Age={age}; {}", name(scheme), attributes(scheme)).try_into().ok()
}

/// The `Set-Cookie` value that takes a ticket back from a browser that works after all; `None` where it has none.
pub(super) fn take_back(headers: &HeaderMap, scheme: Scheme) -> Option<HeaderValue> {
    let name = name(scheme);
    let there = cookies(headers).any(|(found, _)| found == name.as_bytes());
    there.then(|| format!("{name}=; Path=/; Max-Age=0; {}", attributes(scheme)).try_into().ok())?
}

const fn name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => PLAIN_TICKET_COOKIE,
        Scheme::Https => HOST_TICKET_COOKIE,
    }
}

const fn attributes(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "HttpOnly; SameSite=Lax",
        Scheme::Https => "HttpOnly; SameSite=Lax; Secure",
    }
}

fn parse(value: &[u8]) -> Option<[u8; CHALLENGE_BYTES]> {
    let mut bytes = [0; CHALLENGE_BYTES];
    let len = puzzle::decode(value, &mut bytes)?.len();
    (len == bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::COOKIE;

    fn carrying(line: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(line).expect("a header"))])
    }

    fn value(first: u8) -> String {
        puzzle::encode(&[first; CHALLENGE_BYTES]).to_string()
    }

    #[test]
    fn at_most_four_count_and_broken_ones_give_nothing() {
        let many: Vec<String> = (0..9).map(|first| format!("portcullis-ticket={}", value(first))).collect();
        let found = of(&carrying(&many.join("; ")), Scheme::Http);
        assert_eq!(found, [0, 1, 2, 3].map(|first| [first; CHALLENGE_BYTES]));
        let broken = format!("portcullis-ticket=; portcullis-ticket=AAAA; portcullis-ticket={}A", value(1));
        assert_eq!(of(&carrying(&broken), Scheme::Http).len(), 0);
    }

    #[test]
    fn over_https_only_a_cookie_of_this_very_host_counts() {
        let both = format!("portcullis-ticket={}; __Host-portcullis-ticket={}", value(1), value(2));
        assert_eq!(of(&carrying(&both), Scheme::Http), [[1; CHALLENGE_BYTES]]);
        assert_eq!(of(&carrying(&both), Scheme::Https), [[2; CHALLENGE_BYTES]]);
    }

    #[test]
    fn it_is_taken_back_from_whoever_has_one_and_from_nobody_else() {
        assert_eq!(take_back(&carrying("a=1"), Scheme::Http), None);
        let taken = take_back(&carrying("a=1; portcullis-ticket=x"), Scheme::Http).expect("a cookie");
        assert_eq!(taken, "portcullis-ticket=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
