//! Requests that say that they are a crawler's: what is known of their addresses, and what is to be found out.

use super::service::Verifier;
use crate::clock;
use crate::config::Config;
use crate::gate::crawlers::{NamedAddresses, Wish};
use crate::gate::policy::{Action, Route};
use crate::telemetry::Lookup;
use hyper::header::HeaderMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Notify;

/// What is known of crawlers' addresses, and who waits to find out more.
pub(crate) struct Crawlers {
    /// What is known.
    pub(crate) addresses: NamedAddresses,
    /// Told when there is something to find out.
    pub(crate) wished: Notify,
}

/// What a request says of itself, and whether that is known to be so.
pub(super) struct Claim {
    address: IpAddr,
    name: Option<Arc<str>>,
}

impl Claim {
    /// The confirmed name of its address.
    pub(super) fn name(claim: Option<&Self>) -> Option<&str> {
        claim?.name.as_deref()
    }
}

impl Crawlers {
    pub(super) fn new(addresses: NamedAddresses) -> Self {
        Self { addresses, wished: Notify::new() }
    }

    /// `None` for a request that does not say that it is a crawler's, and where no crawler is known by names.
    pub(super) fn claim(&self, config: &Config, address: IpAddr, headers: &HeaderMap) -> Option<Claim> {
        let claims = config.crawlers.are_claimed(headers);
        claims.then(|| Claim { address, name: self.addresses.name_of(address, clock::now()) })
    }
}

impl Verifier {
    /// Has the name of an address found out in the background, after the rules have been asked: one that is refused anyway
    /// is not asked for.
    pub(super) fn find_out(&self, claim: Option<&Claim>, route: &Route) {
        let Some(claim) = claim.filter(|_| route.action != Action::Deny) else { return };
        match self.crawlers.addresses.wish(claim.address, clock::now()) {
            Wish::Idle => {}
            Wish::Waits => self.crawlers.wished.notify_one(),
            Wish::Dropped => self.metrics.looked_up(Lookup::Dropped),
        }
    }
}
