//! Crawlers that are known by the names of their addresses: whose name is theirs and leads back to the address
//! (forward-confirmed reverse DNS). What is known is kept here; asking name servers is the shell's.
//!
//! A request never waits for it: who is not known yet is a stranger. Strangers make us ask, so everything is bounded: what
//! waits to be asked, how much of it comes from one network, and what is remembered of those who turned out to be nobody.
//! Names and refusals are kept apart: no number of strangers pushes out a crawler.

mod generations;
mod waiting;

pub use waiting::{ASKED_OF_NETWORK_MAX, WAITING_MAX, WAITING_OF_NETWORK_MAX};

use super::networks::HashKey;
use generations::Generations;
use hyper::header::{HeaderMap, USER_AGENT};
use puzzle::UnixSeconds;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use waiting::{Networks, Waiting};

/// Addresses of crawlers that are remembered, twice as many at the most.
pub const CONFIRMED_MAX: usize = 4_096;
/// For how long at least, in seconds, and twice as long at the most. In the second half they are asked about anew.
pub const CONFIRMED_SECONDS: u32 = 21_600;
/// The same of addresses that are nobody's.
pub const REFUTED_MAX: usize = 16_384;
/// See [`REFUTED_MAX`].
pub const REFUTED_SECONDS: u32 = 600;
/// The same of addresses for which no answer came.
pub const UNANSWERED_MAX: usize = 4_096;
/// See [`UNANSWERED_MAX`].
pub const UNANSWERED_SECONDS: u32 = 60;
/// Bytes of a `User-Agent` in which a crawler is looked for.
const USER_AGENT_BYTES_MAX: usize = 512;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 253;

/// A crawler that is known by names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrawlerNames {
    /// What rules call it.
    pub name: String,
    /// Its names end with these, each on its own or below a dot; in small letters.
    pub domains: Vec<String>,
    /// What it calls itself, somewhere in its `User-Agent`, in any case.
    pub user_agent: String,
}

impl CrawlerNames {
    /// Whether a host is one of its own. `host` is in small letters, without a dot at its end.
    #[must_use]
    pub fn owns(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| {
            let before = host.strip_suffix(domain.as_str());
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        })
    }
}

/// All crawlers that are known by names.
#[derive(Clone, Debug, Default)]
pub struct CrawlerList {
    crawlers: Vec<Arc<CrawlerNames>>,
    /// What any of them calls itself.
    claims: Option<Regex>,
}

impl CrawlerList {
    /// Those that are configured. `None` if what they call themselves is too much to be looked for.
    #[must_use]
    pub fn new(crawlers: Vec<Arc<CrawlerNames>>) -> Option<Self> {
        let any: Vec<String> = crawlers.iter().map(|crawler| regex::escape(&crawler.user_agent)).collect();
        let claims = match any.as_slice() {
            [] => None,
            any => Some(RegexBuilder::new(&any.join("|")).case_insensitive(true).unicode(false).build().ok()?),
        };
        Some(Self { crawlers, claims })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Arc<CrawlerNames>] {
        &self.crawlers
    }

    /// Whether a request says that it is one of them. Anybody can.
    #[must_use]
    pub fn are_claimed(&self, headers: &HeaderMap) -> bool {
        let Some(claims) = &self.claims else { return false };
        let Some(user_agent) = headers.get(USER_AGENT).map(hyper::header::HeaderValue::as_bytes) else { return false };
        claims.is_match(user_agent.get(..USER_AGENT_BYTES_MAX).unwrap_or(user_agent))
    }

    /// Whether a host is one of theirs.
    #[must_use]
    pub fn own(&self, host: &str) -> bool {
        self.crawlers.iter().any(|crawler| crawler.owns(host))
    }
}

/// A name as a name server writes it, in small letters and without the dot at its end: a host's name. `None` if it is none,
/// or if it could be read in two ways.
#[must_use]
pub fn host_name<'l>(labels: impl Iterator<Item = &'l [u8]>) -> Option<String> {
    let mut name = String::new();
    for label in labels.filter(|label| !label.is_empty()) {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !label.iter().all(fits) || name.len() + label.len() > NAME_BYTES_MAX {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
    }
    (!name.is_empty()).then_some(name)
}

/// The domain of a crawler as the configuration may name it: a host's name of two parts or more.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    text.contains('.') && host_name(text.split('.').map(str::as_bytes)).is_some_and(|name| name == text)
}

/// What asking for an address came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This name is its name and leads back to it.
    Name(Arc<str>),
    /// It has no name, or none that counts, or none that leads back.
    Nobody,
    /// The name servers did not say.
    NoAnswer,
}

/// What became of the wish to know the name of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is known, or it was asked for lately, or is being asked for.
    Idle,
    /// It waits to be asked for.
    Waits,
    /// There is no room for it, or its network had its share.
    Dropped,
}

/// How much is known, for status and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrawlersReport {
    /// Addresses whose name is a crawler's.
    pub confirmed: usize,
    /// Addresses that are nobody's.
    pub refuted: usize,
    /// Addresses that wait to be asked for.
    pub waiting: usize,
}

/// What is known of the addresses of those who say that they are crawlers.
#[derive(Debug)]
pub struct NamedAddresses(Mutex<Known>);

#[derive(Debug)]
struct Known {
    confirmed: Generations<IpAddr, Arc<str>>,
    /// The networks that they are in: their neighbours are asked for first.
    near: Generations<Networks, ()>,
    refuted: Generations<IpAddr, ()>,
    unanswered: Generations<IpAddr, ()>,
    waiting: Waiting,
    /// Those that are being asked for.
    underway: HashSet<IpAddr, HashKey>,
}

impl NamedAddresses {
    /// Nothing known. By `key` addresses are placed.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self(Mutex::new(Known {
            confirmed: Generations::new(key.part("confirmed"), CONFIRMED_MAX, CONFIRMED_SECONDS),
            near: Generations::new(key.part("near"), CONFIRMED_MAX, CONFIRMED_SECONDS),
            refuted: Generations::new(key.part("refuted"), REFUTED_MAX, REFUTED_SECONDS),
            unanswered: Generations::new(key.part("unanswered"), UNANSWERED_MAX, UNANSWERED_SECONDS),
            waiting: Waiting::new(key.part("waiting")),
            underway: HashSet::with_hasher(key.part("underway")),
        }))
    }

    /// The name of an address, where it is confirmed.
    #[must_use]
    pub fn name_of(&self, address: IpAddr, now: UnixSeconds) -> Option<Arc<str>> {
        self.known().confirmed.get(&address.to_canonical(), now).cloned()
    }

    /// Somebody at this address says that they are a crawler: its name is asked for in the background, unless that is known
    /// or was asked lately.
    pub fn wish(&self, address: IpAddr, now: UnixSeconds) -> Wish {
        let address = address.to_canonical();
        let known = &mut *self.known();
        let is_settled = known.confirmed.is_fresh(&address, now)
            || known.refuted.get(&address, now).is_some()
            || known.unanswered.get(&address, now).is_some()
            || known.underway.contains(&address);
        if is_settled {
            return Wish::Idle;
        }
        let networks = Networks::of(address);
        let is_near = known.near.get(&networks, now).is_some();
        known.waiting.add(address, networks, is_near, now)
    }

    /// The next address whose name is to be asked for; [`NamedAddresses::found`] ends it.
    pub fn next(&self) -> Option<IpAddr> {
        let mut known = self.known();
        let address = known.waiting.next()?;
        known.underway.insert(address);
        Some(address)
    }

    /// Takes in what was found of an address.
    pub fn found(&self, address: IpAddr, found: Found, now: UnixSeconds) {
        let known = &mut *self.known();
        known.underway.remove(&address);
        match found {
            Found::Name(name) => {
                known.near.put(Networks::of(address), (), now);
                known.confirmed.put(address, name, now);
            }
            Found::Nobody => {
                known.confirmed.remove(&address);
                known.refuted.put(address, (), now);
            }
            // What was confirmed stays so until its time is over: a dead name server turns no crawler away at once.
            Found::NoAnswer => known.unanswered.put(address, (), now),
        }
    }

    /// Who was nobody may be somebody under another configuration.
    pub fn ask_again(&self) {
        let mut known = self.known();
        known.refuted.clear();
        known.unanswered.clear();
    }

    /// How much is known.
    #[must_use]
    pub fn report(&self, now: UnixSeconds) -> CrawlersReport {
        let known = &mut *self.known();
        CrawlersReport {
            confirmed: known.confirmed.len(now),
            refuted: known.refuted.len(now),
            waiting: known.waiting.len(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn known() -> NamedAddresses {
        NamedAddresses::new(HashKey([1; 16]))
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number))
    }

    fn name() -> Found {
        Found::Name("crawl-1.bot.example".into())
    }

    fn names(domains: &[&str], user_agent: &str) -> Arc<CrawlerNames> {
        let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        Arc::new(CrawlerNames { name: "bot".to_owned(), domains, user_agent: user_agent.to_owned() })
    }

    #[test]
    fn a_name_is_a_crawlers_by_whole_parts_only() {
        let bot = names(&["googlebot.com", "google.com"], "Googlebot");
        for host in ["googlebot.com", "crawl-66-249-66-1.googlebot.com", "a.b.google.com"] {
            assert!(bot.owns(host), "{host}");
        }
        for host in [
            "evilgooglebot.com",
            "googlebot.com.evil.net",
            "googlebot.co",
            "com",
            "",
            "googlebot.com.",
            "a.googlebot-com",
        ] {
            assert!(!bot.owns(host), "{host}");
        }
    }

    #[test]
    fn a_name_that_could_be_read_in_two_ways_is_none() {
        let host = |labels: &[&str]| host_name(labels.iter().map(|label| label.as_bytes()));
        assert_eq!(host(&["Crawl-1", "GoogleBot", "com", ""]).as_deref(), Some("crawl-1.googlebot.com"));
        for labels in [
            &["x.googlebot", "com"][..],
            &["a b", "googlebot", "com"],
            &["a\\", "googlebot", "com"],
            &["\u{e9}", "com"],
            &[""],
            &[],
        ] {
            assert_eq!(host(labels), None, "{labels:?}");
        }
        let long = "a".repeat(63);
        assert_eq!(host(&[&long, &long, &long, &long, "com"]), None);
        assert!(is_domain("googlebot.com") && is_domain("search.msn.com"));
        for text in
            ["com", ".com", "Googlebot.com", "*.googlebot.com", "googlebot.com.", "a..b", "1.2.3.4:5", "", "a b.com"]
        {
            assert!(!is_domain(text), "{text}");
        }
    }

    #[test]
    fn a_claim_is_looked_for_in_any_case_and_only_at_the_beginning() {
        let crawlers = CrawlerList::new(vec![names(&["a.example"], "Google.bot"), names(&["b.example"], "bingbot")]);
        let crawlers = crawlers.expect("a list");
        let claims = |text: &str| {
            let line = HeaderValue::from_str(text).expect("a value");
            crawlers.are_claimed(&HeaderMap::from_iter([(USER_AGENT, line)]))
        };
        assert!(claims("Mozilla/5.0 (compatible; google.BOT/2.1)") && claims("BingBot"));
        assert!(!claims("Googlexbot") && !claims("") && !claims(&format!("{}bingbot", "x".repeat(512))));
        assert!(!crawlers.are_claimed(&HeaderMap::new()));
        assert!(
            !CrawlerList::default()
                .are_claimed(&HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static("bingbot"))]))
        );
    }

    #[test]
    fn who_is_asked_for_is_known_by_the_name_that_was_found() {
        let known = known();
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
        assert_eq!((known.wish(mapped, NOW), known.wish(address(1), NOW)), (Wish::Waits, Wish::Idle));
        assert_eq!(known.name_of(address(1), NOW), None);
        assert_eq!((known.next(), known.next()), (Some(address(1)), None));
        assert_eq!(known.wish(address(1), NOW), Wish::Idle, "while it is being asked for");
        known.found(address(1), name(), NOW);
        assert_eq!(known.name_of(mapped, NOW).as_deref(), Some("crawl-1.bot.example"));
        assert_eq!(known.name_of(address(2), NOW), None, "a neighbour is nobody yet");
        assert_eq!(known.wish(address(1), NOW.plus(CONFIRMED_SECONDS - 1)), Wish::Idle);
    }

    #[test]
    fn a_name_is_asked_for_anew_in_good_time_and_stays_while_no_answer_comes() {
        let known = known();
        known.found(address(1), name(), NOW);
        let later = NOW.plus(CONFIRMED_SECONDS + 60);
        assert_eq!(known.wish(address(1), later), Wish::Waits);
        assert_eq!(known.next(), Some(address(1)));
        known.found(address(1), Found::NoAnswer, later);
        assert!(known.name_of(address(1), later).is_some());
        assert_eq!(known.wish(address(1), later.plus(UNANSWERED_SECONDS - 1)), Wish::Idle);
        let later = later.plus(2 * UNANSWERED_SECONDS);
        assert_eq!(known.wish(address(1), later), Wish::Waits);
        assert_eq!(known.next(), Some(address(1)));
        known.found(address(1), Found::Nobody, later);
        assert_eq!(known.name_of(address(1), later), None, "its address is somebody else's now");
        let known = self::known();
        known.found(address(2), name(), NOW);
        assert_eq!(known.name_of(address(2), NOW.plus(2 * CONFIRMED_SECONDS)), None, "nobody came for so long");
    }

    #[test]
    fn who_is_nobody_is_not_asked_for_again_for_a_while_unless_the_configuration_changes() {
        let known = known();
        known.found(address(1), Found::Nobody, NOW);
        assert_eq!(known.wish(address(1), NOW.plus(REFUTED_SECONDS - 1)), Wish::Idle);
        assert_eq!(known.wish(address(1), NOW.plus(2 * REFUTED_SECONDS)), Wish::Waits);
        known.found(address(2), Found::Nobody, NOW);
        known.ask_again();
        assert_eq!(known.wish(address(2), NOW), Wish::Waits);
    }

    #[test]
    fn a_million_strangers_push_out_no_crawler_and_take_no_memory() {
        let known = known();
        (0..100).for_each(|number| known.found(address(number), name(), NOW));
        for number in 1_000..1_001_000 {
            known.wish(address(number * 64), NOW);
            if let Some(asked) = known.next() {
                known.found(asked, Found::Nobody, NOW);
            }
            known.found(address(number), Found::Nobody, NOW);
            known.found(address(number), Found::NoAnswer, NOW);
        }
        let report = known.report(NOW);
        assert_eq!(report.confirmed, 100);
        assert!(report.refuted <= 2 * REFUTED_MAX && report.waiting <= WAITING_MAX, "{report:?}");
        assert!((0..100).all(|number| known.name_of(address(number), NOW).is_some()));
    }
}
