//! Once a second: what slow transfers and streams pay, and who makes room where the origin is short of it.

use super::crowds::most_crowded;
use super::origin_heads::OriginHeads;
use super::service::Verifier;
use super::streams::{Count, STREAMS_UNKNOWN_CAPACITY_MAX};
use super::transfers::Transfer;
use crate::clock;
use crate::config::{Config, Mode, Site};
use crate::gate::PaidAgain;
use crate::load::whole;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an origin is silent before slow transfers are closed for those who wait.
const SILENT_CLOSES_TRANSFERS: Duration = Duration::from_secs(1);
/// How long it is silent before streams that never paid are cut as well, and only while the gate is down.
const SILENT_CUTS_STREAMS: Duration = Duration::from_secs(5);
/// Streams with a place, as a part of what the site can do in a second.
const STREAMS_OF_CAPACITY: f64 = 0.25;

/// Whether the origin of each site answers.
#[derive(Default)]
pub(super) struct Origins {
    by_mark: ArcSwap<Vec<(u16, Arc<OriginHeads>)>>,
}

impl Origins {
    /// That of a site.
    pub(super) fn of(&self, site: &Site) -> Arc<OriginHeads> {
        let known = |sites: &[(u16, Arc<OriginHeads>)]| {
            sites.iter().find(|(mark, _)| *mark == site.mark).map(|(_, known)| Arc::clone(known))
        };
        if let Some(known) = known(&self.by_mark.load()) {
            return known;
        }
        let fresh = Arc::new(OriginHeads::default());
        self.by_mark.rcu(|sites| {
            let mut sites = Vec::clone(sites);
            if known(&sites).is_none() {
                sites.push((site.mark, Arc::clone(&fresh)));
            }
            sites
        });
        known(&self.by_mark.load()).unwrap_or(fresh)
    }

    /// Forgets the sites that are configured no more.
    fn keep_only(&self, config: &Config) {
        let configured = |mark: u16| config.sites.iter().any(|site| site.mark == mark);
        if self.by_mark.load().iter().any(|(mark, _)| !configured(*mark)) {
            self.by_mark.rcu(|sites| sites.iter().filter(|(mark, _)| configured(*mark)).cloned().collect::<Vec<_>>());
        }
    }
}

/// Who is at an origin and goes slowly, and how many streams it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lasting {
    pub(super) slow: usize,
    pub(super) streams: Count,
    pub(super) stream_places: usize,
}

impl Verifier {
    /// Charges slow transfers for each second and streams for each minute, and closes who makes room.
    pub(crate) fn second_of_transfers(&self) {
        let config = self.config.load();
        self.origin_heads.keep_only(&config);
        let now = Instant::now();
        let slow = self.slow_transfers(&config, now);
        self.streams.second(now, |mark, receipt| match site_of(&config, mark) {
            Some(site) => self.gate.pay_again(&config, site, receipt, 1, clock::now()),
            None => PaidAgain::Lacking,
        });
        if self.gate.mode() == Mode::Off {
            return;
        }
        for site in &config.sites {
            let (closable, silent) = (at_origin(&slow, site), self.origin_heads.of(site).silent());
            let (_, queued) = self.admissions.of(site).fill();
            let unanswered = silent.filter(|(_, since)| *since >= SILENT_CLOSES_TRANSFERS).map_or(0, |(count, _)| count);
            let wanted = queued.max(unanswered);
            let closed = self.close_slowest(closable, wanted);
            let asked = self.gate.pricing(&config, site).price > 0;
            if let Some((count, _)) = silent.filter(|(_, since)| asked && *since >= SILENT_CUTS_STREAMS) {
                let cut = self.streams.cut_free(site.mark, count.saturating_sub(closed), |of| self.shares_of(of));
                self.metrics.streams_cut.inc_by(u64::try_from(cut).unwrap_or(u64::MAX));
            }
        }
    }

    /// How many streams of a site may hold a place.
    pub(super) fn stream_places(&self, config: &Config, site: &Site) -> usize {
        let learned = || self.gate.load_of(site).last().capacity.map(crate::load::Capacity::credits_per_second);
        let capacity = config.capacity_of(site).or_else(learned);
        let places = capacity.map_or(u64::MAX, |capacity| whole(capacity * STREAMS_OF_CAPACITY));
        usize::try_from(places).ok().filter(|_| capacity.is_some()).unwrap_or(STREAMS_UNKNOWN_CAPACITY_MAX).max(1)
    }

    /// What lasts at a site, for status and metrics.
    pub(super) fn lasting(&self, config: &Config, site: &Site) -> Lasting {
        let now = Instant::now();
        let slow = self.transfers.all().iter().filter(|transfer| transfer.is_of(site) && transfer.is_slow(now)).count();
        Lasting { slow, streams: self.streams.count(site.mark), stream_places: self.stream_places(config, site) }
    }

    /// Those that are slow now. Each pays for the seconds in which it was.
    fn slow_transfers(&self, config: &Config, now: Instant) -> Vec<Arc<Transfer>> {
        let mut slow = Vec::new();
        for transfer in self.transfers.all() {
            let look = transfer.look(now);
            let paid = match (&look.receipt, site_of(config, transfer.party.site)) {
                (Some(receipt), Some(site)) if look.owed > 0 => {
                    self.gate.pay_again(config, site, receipt, look.owed, clock::now())
                }
                _ => PaidAgain::Free,
            };
            if paid == PaidAgain::Lacking {
                transfer.cannot_pay();
            }
            if look.slow {
                slow.push(transfer);
            }
        }
        slow
    }

    /// Closes so many of them: first those that do not pay, and of the network that has most of them the oldest.
    fn close_slowest(&self, slow: Vec<&Arc<Transfer>>, count: usize) -> usize {
        if count == 0 {
            return 0;
        }
        let of = |transfer: &&Arc<Transfer>| (transfer.party.network, transfer.began());
        let (paying, free): (Vec<_>, Vec<_>) = slow.into_iter().partition(|transfer| transfer.pays());
        let mut closed = 0;
        for class in [free, paying] {
            let chosen = most_crowded(class.into_iter(), count - closed, of, |network| self.shares_of(network));
            closed += chosen.len();
            chosen.iter().for_each(|transfer| transfer.close());
        }
        self.metrics.slow_closed.inc_by(u64::try_from(closed).unwrap_or(u64::MAX));
        closed
    }
}

fn site_of(config: &Config, mark: u16) -> Option<&Site> {
    config.sites.iter().find(|site| site.mark == mark)
}

fn at_origin<'a>(slow: &'a [Arc<Transfer>], site: &Site) -> Vec<&'a Arc<Transfer>> {
    slow.iter().filter(|transfer| transfer.is_of(site) && transfer.is_at_origin()).collect()
}
