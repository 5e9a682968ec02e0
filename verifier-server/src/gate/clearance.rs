//! What a clearance is worth to a request, without spending it.

use super::pricing::kind;
use super::table::LiveIds;
use super::{Gate, RequestFacts, cost, payment};
use crate::config::Config;
use crate::gate::policy::Action;
use puzzle::UnixSeconds;

/// The answer to `GET clearance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Nothing would be asked of the request.
    NotNeeded,
    /// The request would be admitted now.
    Admits {
        /// Whole credits left.
        credits: u32,
        /// Seconds until the clearance expires.
        expires_in: u32,
        /// The site's price now.
        price: u64,
    },
    /// It would not.
    Lacking,
}

impl Gate {
    /// Whether the request would be admitted now, toll included. Changes nothing.
    #[must_use]
    pub fn worth(&self, config: &Config, facts: &RequestFacts<'_>, now: UnixSeconds) -> Worth {
        let route = facts.route;
        if route.action == Action::Deny {
            return Worth::Lacking;
        }
        let quote = self.quote(config, facts.site, facts.network, &route, now);
        if quote.price == 0 {
            return Worth::NotNeeded;
        }
        let kind = kind(facts, &route);
        let admitting = facts.clearances.iter().find_map(|id| {
            let entry = self.table.change(*id, now, |entry| *entry)?;
            let network = self.secrets.load().network_mark(facts.network, entry.issued_day);
            let payment = payment(config, kind, &route, quote, network);
            let pays = self.honours(&entry, *id) && entry.clone().pay(&payment, now);
            let admits = entry.site == facts.site.mark
                && (pays || self.would_enter(config, facts.site, (*id, &entry), (&payment, cost(&route)), now));
            admits.then_some(entry)
        });
        admitting.map_or(Worth::Lacking, |entry| Worth::Admits {
            credits: entry.credits_left(),
            expires_in: entry.expires_at.since(now),
            price: self.pricing(config, facts.site).price,
        })
    }
}
