//! Callers that look like programs: one network, one method, one path, on many days.
//!
//! Nothing in a log proves who a caller is: whoever wants a rule sends a request a minute for weeks, under any name. So
//! nothing here is by User-Agent or by path alone, nothing that browsers ask for too is a program's, and what anybody
//! could have sent is only a question to the operator. A rule without a question comes from addresses that no stranger
//! can have: those of the machine itself. A private one is anybody's who shares a network with the site.

use super::entry::Entry;
use puzzle::{ClientNetwork, UnixSeconds};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// Days on which a caller must have been seen.
pub const DAYS_MIN: u32 = 7;
/// Callers that are kept count of; beyond, those seen on the fewest days go.
const CALLERS_MAX: usize = 32_768;
/// Bytes of a path that may stand in a rule.
const PATH_BYTES_MAX: usize = 128;
/// Days that are told apart.
pub(super) const DAYS_MAX: u32 = 90;
/// Paths by which browsers are told, in a table that mixes some up: a mix-up costs a suggestion.
const PATHS: usize = 65_536;
/// What browsers of so many networks ask for is no program's.
const BROWSER_NETWORKS: u32 = 3;
/// Of a caller's requests one in so many may fail.
const FAILURES_ONE_IN: u32 = 10;
/// Where one in so many requests of browsers comes from the machine's own addresses, they are those of a proxy before the site.
const BROWSERS_ONE_IN: u64 = 20;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    network: ClientNetwork,
    method: Box<str>,
    path: Box<str>,
}

#[derive(Clone, Debug)]
struct Calls {
    /// A bit for each day before the end.
    days: u128,
    answered: u32,
    failed: u32,
    browser: bool,
    /// All addresses it came from, as far as they have leading bits in common.
    address: IpAddr,
    bits: u8,
    last: UnixSeconds,
}

/// A caller that looks like a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where all of its requests came from, as narrow as it can be said.
    pub network: ipnet::IpNet,
    /// Its method.
    pub method: String,
    /// Its path; it holds no character that means something in a rule.
    pub path: String,
    /// Days on which it was answered.
    pub days: u32,
    /// Requests that were answered.
    pub requests: u32,
    /// When it came last.
    pub last: UnixSeconds,
    /// Whether no stranger can have that address.
    pub own: bool,
}

/// Everybody who might be one. Bounded.
#[derive(Debug)]
pub(super) struct Callers {
    hasher: RandomState,
    until: UnixSeconds,
    seen: HashMap<Key, Calls>,
    /// Networks whose browsers asked for a path, one bit each.
    browsers: Vec<u64>,
    /// Requests of browsers, and those of them from the machine's own addresses.
    of_browsers: (u64, u64),
}

impl Callers {
    pub(super) fn new(until: UnixSeconds) -> Self {
        let (seen, browsers) = (HashMap::new(), vec![0; PATHS]);
        Self { hasher: RandomState::new(), until, seen, browsers, of_browsers: (0, 0) }
    }

    /// Takes in a request for `path`.
    pub(super) fn asked(&mut self, entry: &Entry, method: &str, path: &str) {
        let network = ClientNetwork::of(entry.address);
        if entry.browser {
            self.of_browsers.0 += 1;
            self.of_browsers.1 += u64::from(entry.address.is_loopback());
            if entry.succeeded() {
                let place = self.place_of(method, path);
                self.browsers[place] |= 1 << (self.hasher.hash_one(network) % 64);
            }
        }
        if path.len() > PATH_BYTES_MAX || !is_plain(path) || method.is_empty() {
            return;
        }
        let key = Key { network, method: method.into(), path: path.into() };
        if let Some(calls) = self.seen.get_mut(&key) {
            calls.take_in(entry, self.until);
            return;
        }
        // Who was never answered is not kept, and a browser is only of interest where a program calls too.
        if entry.browser || !entry.succeeded() {
            return;
        }
        if self.seen.len() >= CALLERS_MAX {
            self.make_room();
        }
        let mut calls = Calls {
            days: 0,
            answered: 0,
            failed: 0,
            browser: false,
            address: entry.address,
            bits: if entry.address.is_ipv4() { 32 } else { 128 },
            last: entry.time,
        };
        calls.take_in(entry, self.until);
        self.seen.insert(key, calls);
    }

    /// Those that look like programs, those seen on the most days first.
    pub(super) fn found(&self) -> Vec<Caller> {
        let own_are_own = self.of_browsers.1 * BROWSERS_ONE_IN <= self.of_browsers.0;
        let mut found: Vec<Caller> = self
            .seen
            .iter()
            .filter(|(_, calls)| calls.days.count_ones() >= DAYS_MIN && !calls.browser)
            .filter(|(_, calls)| calls.failed <= calls.answered / FAILURES_ONE_IN)
            .filter(|(key, _)| self.browsers[self.place_of(&key.method, &key.path)].count_ones() < BROWSER_NETWORKS)
            .filter_map(|(key, calls)| {
                Some(Caller {
                    network: ipnet::IpNet::new(calls.address, calls.bits).ok()?.trunc(),
                    method: key.method.to_string(),
                    path: key.path.to_string(),
                    days: calls.days.count_ones(),
                    requests: calls.answered,
                    last: calls.last,
                    own: own_are_own && calls.address.is_loopback(),
                })
            })
            .collect();
        found.sort_by(|a, b| {
            (b.own, b.days, b.requests).cmp(&(a.own, a.days, a.requests)).then_with(|| a.path.cmp(&b.path))
        });
        found
    }

    /// Those seen on the fewest days go, and of those the ones that asked least: half of all.
    fn make_room(&mut self) {
        let mut order: Vec<(u32, u32)> =
            self.seen.values().map(|calls| (calls.days.count_ones(), calls.answered)).collect();
        let middle = order.len() / 2;
        let (_, middle, _) = order.select_nth_unstable(middle);
        let least = *middle;
        let mut stay = CALLERS_MAX / 2;
        self.seen.retain(|_, calls| {
            // Of many that are alike only as many stay as there is room for.
            let stays = (calls.days.count_ones(), calls.answered) > least
                || ((calls.days.count_ones(), calls.answered) == least && stay > 0);
            stay = stay.saturating_sub(usize::from(stays));
            stays
        });
    }

    fn place_of(&self, method: &str, path: &str) -> usize {
        usize::try_from(self.hasher.hash_one((method, path))).unwrap_or_default() % PATHS
    }
}

impl Calls {
    fn take_in(&mut self, entry: &Entry, until: UnixSeconds) {
        self.browser |= entry.browser;
        if !entry.succeeded() {
            self.failed = self.failed.saturating_add(1);
            return;
        }
        self.answered = self.answered.saturating_add(1);
        self.days |= 1 << (until.since(entry.time) / 86_400).min(DAYS_MAX);
        self.last = self.last.max(entry.time);
        let common = match (self.address, entry.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => 0,
        };
        self.bits = self.bits.min(u8::try_from(common).unwrap_or(0));
    }
}

/// Whether a path means itself in a rule: no pattern, no encoding, nothing that servers read in several ways.
pub(super) fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains("//")
        && path.split('/').all(|segment| !segment.ends_with('.') && !segment.starts_with(".."))
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: UnixSeconds = UnixSeconds(1_795_572_600);

    struct Log(Callers);

    impl Log {
        fn new() -> Self {
            Self(Callers::new(UNTIL))
        }

        /// A request `minutes` before the end.
        fn ask(&mut self, minutes: u32, address: &str, request: &str, status: u16, agent: &str) {
            let time = UnixSeconds(UNTIL.0 - minutes * 60);
            let (date, of_day) = (crate::calendar::date(time), time.0 % 86_400);
            let (year, month, day) = (&date[..4], &date[5..7], &date[8..]);
            let month = ["Sep", "Oct", "Nov"][month.parse::<usize>().expect("a month") - 9];
            let (hour, minute) = (of_day / 3_600, of_day / 60 % 60);
            let line = format!(
                "{address} - - [{day}/{month}/{year}:{hour:02}:{minute:02}:00 +0000] \"{request} HTTP/1.1\" {status} 1 \"-\" \"{agent}\""
            );
            let entry = Entry::parse(&line).expect("a line");
            let (method, path) = request.split_once(' ').expect("a request");
            self.0.asked(&entry, method, path);
        }
    }

    const DAY: u32 = 24 * 60;

    #[test]
    fn a_payment_provider_that_calls_back_every_day_is_found_with_its_own_network_method_and_path() {
        let mut log = Log::new();
        for day in 0..10 {
            log.ask(day * DAY + 7, "198.51.100.20", "POST /pay/callback", 200, "Provider/1.0");
            log.ask(day * DAY + 9, "198.51.100.21", "POST /pay/callback", 200, "Provider/1.0");
            log.ask(day * DAY + 9, "192.0.2.7", "POST /pay/callback", 403, "Provider/1.0");
        }
        let found = log.0.found();
        assert_eq!(found.len(), 1, "who only knows the path and the name is not answered: {found:?}");
        let caller = &found[0];
        assert_eq!((caller.network.to_string().as_str(), caller.days), ("198.51.100.20/31", 10));
        assert_eq!((caller.method.as_str(), caller.path.as_str(), caller.own), ("POST", "/pay/callback", false));
    }

    #[test]
    fn weeks_of_one_forged_request_a_minute_earn_no_rule() {
        let mut log = Log::new();
        for minute in (0..21 * DAY).step_by(2) {
            // Under a provider's name, for what visitors ask for, for what the site answers to everybody, for all at once.
            log.ask(minute, "192.0.2.7", "GET /", 200, "Provider/1.0");
            log.ask(minute, "192.0.2.7", "POST /xmlrpc.php", 200, "Provider/1.0");
            log.ask(minute, "192.0.2.7", "POST /pay/callback", 403, "Provider/1.0");
            log.ask(minute, "192.0.2.7", "GET /**", 200, "Provider/1.0");
            log.ask(minute, &format!("192.0.{}.7", minute % 250), "GET /app", 200, "Provider/1.0");
            log.ask(minute, &format!("203.0.{}.9", minute % 200), "GET /", 200, "Mozilla/5.0");
        }
        let found = log.0.found();
        assert!(found.iter().all(|caller| !caller.own), "no rule without a question: {found:?}");
        assert!(found.iter().all(|caller| caller.path == "/xmlrpc.php" || caller.path == "/app"), "{found:?}");
        let of_app = found.iter().filter(|caller| caller.path == "/app");
        assert!(of_app.clone().all(|caller| caller.network.prefix_len() >= 24), "no rule for everybody: {found:?}");
    }

    #[test]
    fn what_the_machine_asks_of_itself_is_its_own_unless_visitors_come_from_there() {
        let mut log = Log::new();
        for day in 0..8 {
            log.ask(day * DAY + 7, "127.0.0.1", "POST /wp-cron.php", 200, "WordPress/6");
            (0..40).for_each(|n| log.ask(day * DAY + n, &format!("203.0.{n}.9"), "GET /", 200, "Mozilla/5.0"));
        }
        assert_eq!(log.0.found().iter().map(|caller| caller.own).collect::<Vec<_>>(), [true]);
        for day in 0..8 {
            (0..40).for_each(|minute| log.ask(day * DAY + minute, "127.0.0.1", "GET /", 200, "Mozilla/5.0"));
        }
        assert_eq!(log.0.found().iter().map(|caller| caller.own).collect::<Vec<_>>(), [false], "a proxy's address");
    }

    #[test]
    fn what_comes_from_a_private_address_is_a_question_to_the_operator() {
        let mut log = Log::new();
        let private = ["10.1.2.3", "172.16.0.9", "192.168.1.7", "fd00::7", "100.64.0.1"];
        for day in 0..8 {
            for address in private {
                log.ask(day * DAY + 7, address, "POST /hook", 200, "Hook/1");
            }
            (0..40).for_each(|n| log.ask(day * DAY + n, &format!("203.0.{n}.9"), "GET /", 200, "Mozilla/5.0"));
        }
        assert_eq!(log.0.found().iter().map(|caller| caller.own).collect::<Vec<_>>(), [false; 5]);
    }

    #[test]
    fn six_days_are_too_few_and_a_browser_behind_the_same_address_is_no_program() {
        let mut log = Log::new();
        for day in 0..6 {
            log.ask(day * DAY + 7, "198.51.100.20", "POST /hook", 200, "Hook/1");
        }
        for day in 0..9 {
            log.ask(day * DAY + 7, "198.51.101.20", "POST /hook", 200, "Hook/1");
            log.ask(day * DAY + 8, "198.51.101.20", "POST /hook", 200, "Mozilla/5.0");
        }
        assert_eq!(log.0.found(), []);
    }

    #[test]
    fn a_flood_of_callers_keeps_no_more_than_there_is_room_for_and_those_of_many_days() {
        let mut log = Log::new();
        for day in 1..9 {
            log.ask(day * DAY, "198.51.100.20", "POST /hook", 200, "Hook/1");
        }
        for number in 0..100_000_u32 {
            let address = format!("10.{}.{}.1", number / 256 % 256, number % 256);
            log.ask(5, &address, &format!("GET /{}", number / 7), 200, "x");
        }
        assert!(log.0.seen.len() <= CALLERS_MAX, "{}", log.0.seen.len());
        log.ask(3, "198.51.100.20", "POST /hook", 200, "Hook/1");
        assert_eq!(log.0.found().len(), 1);
    }
}
