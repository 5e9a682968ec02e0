//! Asks name servers for the names of crawlers' addresses, in the background: the name of an address, and where that is a
//! crawler's, whether it leads back to the address. Without the second step whoever has a network could call it as he likes.

use crate::clock;
use crate::config::Config;
use crate::gate::crawlers::{CrawlerList, Found, host_name};
use crate::http::Verifier;
use crate::telemetry::Lookup;
use domain::base::iana::Rtype;
use domain::base::name::{Label, Name, ToName};
use domain::base::{Message, ParsedName};
use domain::rdata::{A, Aaaa, Ptr};
use domain::resolv::StubResolver;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Addresses that are asked for at a time.
const AT_ONCE_MAX: usize = 8;
/// The least time between two beginnings: twenty a second.
const BETWEEN: Duration = Duration::from_millis(50);
/// How long the names of one address may take.
const ANSWER_SECONDS_MAX: Duration = Duration::from_secs(4);
/// Names of one address that are looked at.
const NAMES_MAX: usize = 4;
/// How long the system's name servers stay as they were read.
const SYSTEM_READ_EVERY: Duration = Duration::from_mins(5);

/// Finds out what is wished for, for as long as the verifier runs.
pub(crate) async fn run(verifier: Arc<Verifier>) {
    let permits = Arc::new(Semaphore::new(AT_ONCE_MAX));
    let mut servers: Option<NameServers> = None;
    loop {
        let Some(address) = verifier.crawlers.addresses.next() else {
            verifier.crawlers.wished.notified().await;
            continue;
        };
        let config = verifier.config.load_full();
        let current = servers.take().filter(|known| known.are_those_of(&config));
        let known = servers.insert(current.unwrap_or_else(|| NameServers::of(&config)));
        let resolver = Arc::clone(&known.resolver);
        // The semaphore is never closed.
        let permit = Arc::clone(&permits).acquire_owned().await;
        let verifier = Arc::clone(&verifier);
        tokio::spawn(async move {
            let found = find(&resolver, &config.crawlers, address).await;
            let lookup = match &found {
                Found::Name(_) => Lookup::Confirmed,
                Found::Nobody => Lookup::Refuted,
                Found::NoAnswer => Lookup::NoAnswer,
            };
            verifier.metrics.looked_up(lookup);
            verifier.crawlers.addresses.found(address, found, clock::now());
            drop(permit);
        });
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Who is asked.
struct NameServers {
    resolver: Arc<StubResolver>,
    /// As configured; none for those of the system.
    configured: Vec<SocketAddr>,
    read: Instant,
}

impl NameServers {
    fn of(config: &Config) -> Self {
        let configured = config.name_servers.clone();
        let mut conf = if configured.is_empty() { ResolvConf::default() } else { ResolvConf::new() };
        conf.servers.extend(configured.iter().map(|server| ServerConf::new(*server, Transport::UdpTcp)));
        conf.finalize();
        Self { resolver: Arc::new(StubResolver::from_conf(conf)), configured, read: Instant::now() }
    }

    fn are_those_of(&self, config: &Config) -> bool {
        self.configured == config.name_servers
            && (!self.configured.is_empty() || self.read.elapsed() < SYSTEM_READ_EVERY)
    }
}

async fn find(resolver: &StubResolver, crawlers: &CrawlerList, address: IpAddr) -> Found {
    let asked = tokio::time::timeout(ANSWER_SECONDS_MAX, confirmed_name(resolver, crawlers, address));
    match asked.await {
        Ok(Ok(Some(name))) => Found::Name(name.into()),
        Ok(Ok(None)) => Found::Nobody,
        Ok(Err(_)) | Err(_) => Found::NoAnswer,
    }
}

/// The first name of an address that is a crawler's and leads back to it.
async fn confirmed_name(
    resolver: &StubResolver,
    crawlers: &CrawlerList,
    address: IpAddr,
) -> io::Result<Option<String>> {
    let reverse: Name<Vec<u8>> = Name::reverse_from_addr(address).map_err(io::Error::other)?;
    let answer = resolver.query((reverse, Rtype::PTR)).await?;
    if !answer.is_final() {
        return Err(no_answer());
    }
    let mut unanswered = None;
    for name in names(answer.as_ref(), crawlers) {
        let host: Name<Vec<u8>> = name.parse().map_err(io::Error::other)?;
        let rtype = if address.is_ipv4() { Rtype::A } else { Rtype::AAAA };
        match resolver.query((host, rtype)).await {
            Ok(answer) if !answer.is_final() => unanswered = Some(no_answer()),
            Ok(answer) if leads_to(answer.as_ref(), address) => return Ok(Some(name)),
            Ok(_) => {}
            Err(error) => unanswered = Some(error),
        }
    }
    unanswered.map_or(Ok(None), Err)
}

/// A server that says it failed has said nothing of the name.
fn no_answer() -> io::Error {
    io::Error::other("the name server has no answer")
}

/// The names in an answer that are a crawler's, at most so many as are looked at.
fn names(answer: &Message<impl AsRef<[u8]> + ?Sized>, crawlers: &CrawlerList) -> Vec<String> {
    let answer = answer.for_slice();
    let (Some(owner), Ok(section)) = (answer.canonical_name(), answer.answer()) else { return Vec::new() };
    let records = section.limit_to::<Ptr<ParsedName<&[u8]>>>().filter_map(Result::ok);
    let own = records.filter(|record| record.owner().name_eq(&owner)).take(NAMES_MAX);
    let hosts = own.filter_map(|record| host_name(record.data().ptrdname().iter().map(Label::as_slice)));
    hosts.filter(|host| crawlers.own(host)).collect()
}

fn leads_to(answer: &Message<impl AsRef<[u8]> + ?Sized>, address: IpAddr) -> bool {
    let answer = answer.for_slice();
    let (Some(owner), Ok(section)) = (answer.canonical_name(), answer.answer()) else { return false };
    match address {
        IpAddr::V4(address) => section
            .limit_to::<A>()
            .filter_map(Result::ok)
            .any(|record| record.owner().name_eq(&owner) && record.data().addr() == address),
        IpAddr::V6(address) => section
            .limit_to::<Aaaa>()
            .filter_map(Result::ok)
            .any(|record| record.owner().name_eq(&owner) && record.data().addr() == address),
    }
}
