//! Tickets of browsers without script: signed, waited for, and not remembered anywhere (PROTOCOL §8).

use super::policy::Action;
use super::{Gate, RequestFacts};
use crate::config::{Bind, Config};
use puzzle::{ClientNetwork, NewTicket, TagSource, Ticket, TicketRefusal, UnixSeconds};
use std::num::NonZeroU16;

/// Tickets that are looked at in one request.
pub const TICKETS_MAX: usize = 4;
/// How long a ticket is good, from the end of its wait.
pub const TICKET_SECONDS: u16 = 600;
/// How much longer than configured the wait becomes at the most.
const WAIT_TIMES_MAX: f64 = 8.0;
/// The longest wait of all.
const WAIT_SECONDS_MAX: f64 = 3_600.0;

/// What a visitor without script is offered on the page of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketOffer {
    /// A ticket, good in so many seconds.
    New {
        /// The ticket.
        ticket: Ticket,
        /// Seconds until it is good.
        wait_seconds: u32,
    },
    /// Nothing new: one that is there already is good in so many seconds.
    Wait {
        /// Seconds, at least 1.
        seconds: u32,
    },
    /// Nothing new: a good one is there, and there was no room for it.
    Crowded,
}

impl Gate {
    /// What the page offers a visitor without script; `None` where nothing is: while nobody else pays, where no capacity
    /// is known of which there could be a share, where the configuration says so, and on routes that waiting does not open.
    #[must_use]
    pub fn offer_ticket(
        &self,
        config: &Config,
        facts: &RequestFacts<'_>,
        now: UnixSeconds,
        random: [u8; 16],
    ) -> Option<TicketOffer> {
        let route = facts.route.without_allowance();
        let pricing = self.pricing(config, facts.site);
        let unpaid = self.sites.of(facts.site).supplies.unpaid.report();
        let supply = unpaid.supply?;
        let least = config.ticket.wait_seconds;
        if least == 0 || !pricing.others_pay() || route.action != Action::Price {
            return None;
        }
        match self.ticket_state(config, facts, now) {
            Some(Ok(())) => return Some(TicketOffer::Crowded),
            Some(Err(seconds)) => return Some(TicketOffer::Wait { seconds }),
            None => {}
        }
        let load = (crate::load::float(pricing.price) / crate::load::float(pricing.floor.max(1))).sqrt();
        let wait_seconds = wait(least, load.max(unpaid.demand / supply));
        let secrets = self.secrets.load();
        let keys = secrets.keys.signing(now)?;
        let strict = config.clearance.bind == Bind::Strict;
        let new = NewTicket {
            issued_at: now,
            wait_seconds,
            lifetime_seconds: wait_seconds.saturating_add(TICKET_SECONDS),
            random,
            binding: if strict { keys.binding(facts.network) } else { [0; 8] },
            site: secrets.tags.of(facts.site).tag(keys),
        };
        Some(TicketOffer::New { ticket: Ticket::issue(keys, &new), wait_seconds: wait_seconds.get().into() })
    }

    /// Whether one of the request's tickets is good now.
    pub(super) fn holds_good_ticket(&self, config: &Config, facts: &RequestFacts<'_>, now: UnixSeconds) -> bool {
        self.ticket_state(config, facts, now) == Some(Ok(()))
    }

    /// The best of the request's tickets: good now, or good in so many seconds. `None` without one that ever is.
    fn ticket_state(&self, config: &Config, facts: &RequestFacts<'_>, now: UnixSeconds) -> Option<Result<(), u32>> {
        // Without a share there is nothing that a ticket could be good for.
        if config.ticket.wait_seconds == 0 || facts.tickets.is_empty() {
            return None;
        }
        self.sites.of(facts.site).supplies.unpaid.report().supply?;
        let secrets = self.secrets.load();
        let audience = secrets.tags.of(facts.site);
        let strict_network: Option<ClientNetwork> = (config.clearance.bind == Bind::Strict).then_some(facts.network);
        let states = facts.tickets.iter().take(TICKETS_MAX).filter_map(|bytes| {
            let ticket = Ticket::parse(bytes).ok()?;
            match secrets.keys.admits(&ticket, now, &audience, strict_network) {
                Ok(()) => Some(Ok(())),
                Err(TicketRefusal::Early { seconds }) => Some(Err(seconds)),
                Err(TicketRefusal::Refused(_)) => None,
            }
        });
        states.min_by_key(|state| state.err().unwrap_or(0))
    }
}

/// The wait for a new ticket: the configured one, longer by as much as `load` is above 1.
fn wait(least: u16, load: f64) -> NonZeroU16 {
    let seconds = (f64::from(least) * load.clamp(1.0, WAIT_TIMES_MAX)).min(WAIT_SECONDS_MAX);
    let seconds = u16::try_from(crate::load::whole(seconds.ceil())).unwrap_or(u16::MAX);
    NonZeroU16::new(seconds).unwrap_or(NonZeroU16::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_load_and_not_for_ever() {
        let seconds = |load| wait(15, load).get();
        assert_eq!([0.0, 1.0, 1.5, 4.0, 8.0, 1e9].map(seconds), [15, 15, 23, 60, 120, 120]);
        assert_eq!(wait(600, 100.0).get(), 3_600);
    }
}
