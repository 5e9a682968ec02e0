//! Signs at run time that a request was given a proxy's own address: what the configuration alone cannot tell.

use super::original::{Peer, Visitor, contains, trusts};
use crate::config::{Config, Privacy};
use hyper::header::{HeaderMap, HeaderName};
use puzzle::ClientNetwork;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How often each kind of doubt is written at the most: strangers can cause one by what they send.
const SAY_EVERY: Duration = Duration::from_mins(10);

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The lines about addresses that were written of late.
#[derive(Debug)]
pub(super) struct Doubts {
    began: Instant,
    all_trusted: AtomicU64,
    not_trusted: AtomicU64,
    not_answered: AtomicU64,
    not_announced: AtomicU64,
}

impl Default for Doubts {
    fn default() -> Self {
        let never = || AtomicU64::new(0);
        Self {
            began: Instant::now(),
            all_trusted: never(),
            not_trusted: never(),
            not_answered: never(),
            not_announced: never(),
        }
    }
}

impl Doubts {
    /// Looks at whose address a request was given.
    pub(super) fn look(&self, config: &Config, peer: Peer, headers: &HeaderMap, visitor: &Visitor) {
        let address = visitor.address;
        if trusts(config, peer) {
            if contains(&config.trusted_proxies, address) && self.turn(&self.all_trusted) {
                tracing::warn!(
                    "a request was given the address of a trusted proxy, {address}: right for a program on that machine \
                     itself; if it was a visitor, the proxy in front does not pass his address on"
                );
            }
            return;
        }
        let (Peer::Address(from) | Peer::Announced(from, _)) = peer else { return };
        let header = config.family.as_ref().map_or(&X_FORWARDED_FOR, |family| &family.address);
        if headers.contains_key(header) && self.turn(&self.not_trusted) {
            let (from, address) = (told(config, from), told(config, address));
            let remedy = if config.beside.is_some() { "name it in trusted_proxies" } else { "name it with beside" };
            tracing::warn!(
                "a request from {from} says in {header} whose it is, and was given the address {address} all the same: if \
                 {from} is your web server or CDN, {remedy}; from anybody else it is right so"
            );
        }
    }

    /// Somebody who is not trusted asked what only a web server asks.
    pub(super) fn not_answered(&self, config: &Config, peer: Peer) {
        let (Peer::Address(from) | Peer::Announced(from, _)) = peer else { return };
        if self.turn(&self.not_answered) {
            let from = told(config, from);
            tracing::warn!(
                "{from} asked what only a web server asks, and got 404: if it is yours, name it in trusted_proxies, and see \
                 that `beside` names its kind"
            );
        }
    }

    /// A connection that had to begin with the PROXY protocol was closed.
    pub(super) fn not_announced(&self, config: &Config, from: Option<IpAddr>) {
        if self.turn(&self.not_announced) {
            let from = from.map_or_else(|| "a unix socket".to_owned(), |address| told(config, address));
            tracing::warn!(
                "a connection from {from} on listen_proxy_protocol was closed: only trusted_proxies may announce clients there"
            );
        }
    }

    fn turn(&self, said: &AtomicU64) -> bool {
        let now = self.began.elapsed().as_secs() + 1;
        let last = said.load(Ordering::Relaxed);
        let due = last == 0 || now >= last + SAY_EVERY.as_secs();
        due && said.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// An address as the log may have it: whole where it is no visitor's, or the operator asks for it.
fn told(config: &Config, address: IpAddr) -> String {
    let is_whole =
        config.privacy == Privacy::Address || address.is_loopback() || contains(&config.trusted_proxies, address);
    if is_whole { address.to_string() } else { ClientNetwork::of(address).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_kind_is_said_at_once_and_then_once_in_ten_minutes() {
        let doubts = Doubts::default();
        let said = |doubts: &Doubts| (0..1_000).filter(|_| doubts.turn(&doubts.not_trusted)).count();
        assert_eq!(said(&doubts), 1);
        assert!(doubts.turn(&doubts.all_trusted));
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(said(&doubts), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(said(&doubts), 1);
    }
}
