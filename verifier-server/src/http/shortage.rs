//! Once a second: what slow transfers and streams pay, and who makes room where the origin is short of it.

use super::crowds::most_crowded;
use super::origin_heads::OriginHeads;
use super::service::Verifier;
use super::streams::{Count, STREAMS_UNKNOWN_CAPACITY_MAX};
use super::transfers::Transfer;
use crate::by_site::BySite;
use crate::clock;
use crate::config::{Config, Mode, Site};
use crate::gate::PaidAgain;
use crate::load::whole;
use puzzle::ClientNetwork;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an origin is silent before slow transfers are closed for those who wait.
const SILENT_CLOSES_TRANSFERS: Duration = Duration::from_secs(1);
/// How long it is silent before streams that never paid are cut as well, and only while the gate is down.
const SILENT_CUTS_STREAMS: Duration = Duration::from_secs(5);
/// Client networks whose transfers held up a silent origin, from which on that is an overload and not bad luck. So many
/// can close the gate by what they ask for, too: no network counts for more than a part of this size of the capacity.
const HELD_UP_NETWORKS: usize = 16;
/// Streams with a place, as a part of what the site can do in a second.
const STREAMS_OF_CAPACITY: f64 = 0.25;

/// Whether the origin of each site answers.
#[derive(Default)]
pub(super) struct Origins {
    by_site: BySite<OriginHeads>,
}

impl Origins {
    /// That of a site.
    pub(super) fn of(&self, site: &Site) -> Arc<OriginHeads> {
        self.by_site.with(site, OriginHeads::default, Arc::clone)
    }

    /// Forgets the sites that are configured no more.
    fn keep_only(&self, config: &Config) {
        self.by_site.keep_only(config);
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
        let (slow, holding_up) = self.slow_transfers(&config, now);
        self.streams.second(now, |mark, receipt| match site_of(&config, mark) {
            Some(site) => self.gate.pay_again(&config, site, receipt, 1, clock::now()),
            None => PaidAgain::Lacking,
        });
        for site in config.sites.iter().filter(|site| self.gate.mode_of(site) != Mode::Off) {
            let (queue, heads) = (self.admissions.of(site), self.origin_heads.of(site));
            let (silent, (queued, queued_unpaid)) = (heads.silent(), queue.waiting());
            let unanswered =
                silent.filter(|(_, since)| *since >= SILENT_CLOSES_TRANSFERS).map_or(0, |(count, _)| count);
            let stands_still = unanswered > 0 || queue.stands_still();
            let mut closable = at_origin(&slow, site);
            closable.extend(at_origin(&holding_up, site).into_iter().filter(|_| stands_still));
            // How many wait in the origin's own line nobody knows, so all make room there that paid nothing. Nobody who pays
            // is closed for those who do not.
            let asked = self.gate.pricing(&config, site).price > 0;
            let all_free = unanswered > 0 || (asked && stands_still);
            let free = if all_free { usize::MAX } else { queued };
            let wanted = [free, queued.saturating_sub(queued_unpaid).max(unanswered)];
            let closed = self.close_slowest(closable, wanted);
            let held_up = unanswered > 0 && closed.of_free.len() >= HELD_UP_NETWORKS;
            if held_up {
                self.gate.load_of(site).is_held_up();
            }
            if held_up || (asked && stands_still && !closed.of_free.is_empty()) {
                // Behind those that held the workers more of the same networks wait at the origin for theirs.
                heads.cut(closed.of_free);
            }
            let closed = closed.count;
            if let Some((count, _)) = silent.filter(|(_, since)| asked && *since >= SILENT_CUTS_STREAMS) {
                let cut = self.streams.cut_free(site.mark, count.saturating_sub(closed), |of| self.shares_of(of));
                self.metrics.streams_cut.inc_by(u64::try_from(cut).unwrap_or(u64::MAX));
            }
        }
    }

    /// How many streams of a site may hold a place.
    pub(super) fn stream_places(&self, config: &Config, site: &Site) -> usize {
        let learned = || self.gate.load_of(site).last().capacity.and_then(crate::load::Capacity::known);
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

    /// Those that are slow now, and others that would hold up an origin that stands still. The slow ones pay for the seconds
    /// in which they were.
    fn slow_transfers(&self, config: &Config, now: Instant) -> (Vec<Arc<Transfer>>, Vec<Arc<Transfer>>) {
        let (mut slow, mut holding_up) = (Vec::new(), Vec::new());
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
            } else if look.holds_up {
                holding_up.push(transfer);
            }
        }
        (slow, holding_up)
    }

    /// Closes so many of those that do not pay, and then, up to the second number in all, of those that do; of the network
    /// that has most of them the oldest.
    fn close_slowest(&self, slow: Vec<&Arc<Transfer>>, counts: [usize; 2]) -> Closed {
        let of = |transfer: &&Arc<Transfer>| (transfer.party.network, transfer.began());
        let (paying, free): (Vec<_>, Vec<_>) = slow.into_iter().partition(|transfer| transfer.pays());
        let mut closed = Closed::default();
        for (class, count) in [free, paying].into_iter().zip(counts) {
            let Some(left) = count.checked_sub(closed.count) else { continue };
            let chosen = most_crowded(class.into_iter(), left, of, |network| self.shares_of(network));
            closed.count += chosen.len();
            for transfer in chosen {
                if !transfer.pays() {
                    closed.of_free.insert(transfer.party.network);
                }
                transfer.close();
            }
        }
        self.metrics.slow_closed.inc_by(u64::try_from(closed.count).unwrap_or(u64::MAX));
        closed
    }
}

/// Transfers that were closed.
#[derive(Debug, Default)]
struct Closed {
    count: usize,
    /// The networks of those that paid nothing.
    of_free: HashSet<ClientNetwork>,
}

fn site_of(config: &Config, mark: u16) -> Option<&Site> {
    config.sites.iter().find(|site| site.mark == mark)
}

fn at_origin<'a>(slow: &'a [Arc<Transfer>], site: &Site) -> Vec<&'a Arc<Transfer>> {
    slow.iter().filter(|transfer| transfer.is_of(site) && transfer.is_at_origin()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::activity::{Activity, Phase};
    use super::super::admission::Word;
    use super::super::transfers::Party;
    use super::*;
    use crate::config::Config;
    use crate::gate::admission::{Class, Request};
    use crate::gate::networks::{HashKey, Nested};
    use crate::gate::table::Table;
    use crate::gate::{Gate, Masters, Receipt};
    use crate::http::activity::Admittance;
    use crate::load::{Amount, Surroundings};
    use crate::telemetry::Metrics;
    use puzzle::{ClearanceId, Credits, Master, UnixSeconds};
    use std::path::Path;
    use std::task::Waker;

    fn verifier(mode: &str) -> (Arc<Verifier>, Site) {
        let text = format!("mode = \"{mode}\"\n[[site]]\norigin = \"http://127.0.0.1:1\"\n");
        let config = Config::parse(&text, Path::new("test.toml")).expect("a configuration");
        let masters = Masters { signing: Master([1; 32]), old: None };
        let now = UnixSeconds(1_800_000_000);
        let gate = Gate::new(masters, Table::new(1), now, config.mode, HashKey([1; 16]), now);
        let site = config.sites[0].clone();
        let metrics = Metrics::new().expect("metrics");
        (Arc::new(Verifier::new(gate, Arc::new(config), metrics)), site)
    }

    fn network(third: u8) -> ClientNetwork {
        ClientNetwork::of([203, 0, third, 9].into())
    }

    fn receipt() -> Receipt {
        Receipt {
            clearance: ClearanceId([9; 16]),
            network: network(9),
            charged: Credits::ONE,
            further: Credits::ONE,
            kept: Amount::of(Credits::ONE),
        }
    }

    /// A body at the origin of which nothing comes.
    fn upload(verifier: &Verifier, site: &Site, third: u8, receipt: Option<Receipt>) -> Arc<Transfer> {
        let connection = Arc::new(Activity::new(None));
        let party = Party { site: site.mark, network: network(third), connection, shared_connection: false };
        let transfer = verifier.transfers.begin(party);
        transfer.admitted(receipt, None);
        transfer.goes_to_origin();
        assert!(!transfer.waits_for_body(Waker::noop()));
        transfer
    }

    fn is_closed(transfer: &Transfer) -> bool {
        transfer.waits_for_body(Waker::noop())
    }

    /// Lets a request hold the only slot and so many wait for it.
    async fn queue(verifier: &Verifier, site: &Site, class: Class, count: usize) -> Vec<tokio::task::JoinHandle<Word>> {
        let queue = verifier.admissions.of(site);
        queue.set(1, true);
        let ask = |third| {
            let (queue, network) = (Arc::clone(&queue), Nested::of(network(third)));
            let (clearance, cost) = (ClearanceId([0; 16]), Amount::of(Credits::ONE));
            tokio::spawn(async move {
                queue.ask(Request { class, network, shares: [1; 3], clearance, cost, part: false }, || [1; 3]).await
            })
        };
        let asked: Vec<_> = (0..).map(ask).take(count + 1).collect();
        while queue.fill().1 < count {
            tokio::task::yield_now().await;
        }
        asked
    }

    const SLOW: Duration = Duration::from_secs(11);

    #[tokio::test(start_paused = true)]
    async fn nobody_is_closed_while_nobody_waits() {
        let (verifier, site) = verifier("auto");
        let transfer = upload(&verifier, &site, 1, None);
        tokio::time::advance(SLOW).await;
        verifier.second_of_transfers();
        assert!(!is_closed(&transfer));
        assert_eq!(verifier.lasting(&verifier.config.load(), &site).slow, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_are_closed_as_wait_and_first_those_that_do_not_pay() {
        let (verifier, site) = verifier("auto");
        let paying = upload(&verifier, &site, 1, Some(receipt()));
        let free: Vec<_> = (2..5).map(|third| upload(&verifier, &site, third, None)).collect();
        tokio::time::advance(SLOW).await;
        let _waiting = queue(&verifier, &site, Class::Cleared, 3).await;
        verifier.second_of_transfers();
        assert!(free.iter().all(|transfer| is_closed(transfer)) && !is_closed(&paying));
        verifier.second_of_transfers();
        assert!(is_closed(&paying), "then those that do");
        assert_eq!(verifier.metrics.slow_closed.get(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_pays_is_closed_for_those_who_do_not() {
        let (verifier, site) = verifier("auto");
        let (paying, free) = (upload(&verifier, &site, 1, Some(receipt())), upload(&verifier, &site, 2, None));
        tokio::time::advance(SLOW).await;
        let _waiting = queue(&verifier, &site, Class::Unpaid, 3).await;
        verifier.second_of_transfers();
        verifier.second_of_transfers();
        assert!(is_closed(&free) && !is_closed(&paying));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_transfer_is_never_closed() {
        let (verifier, site) = verifier("on");
        let fast = upload(&verifier, &site, 1, None);
        let _waiting = queue(&verifier, &site, Class::Cleared, 3).await;
        for _ in 0..60 {
            tokio::time::advance(Duration::from_secs(1)).await;
            fast.client_sent(9 * 1024);
            assert!(!fast.waits_for_body(Waker::noop()));
            verifier.second_of_transfers();
        }
        assert!(!is_closed(&fast));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_read_ahead_holds_nothing_and_is_not_closed() {
        let (verifier, site) = verifier("on");
        let connection = Arc::new(Activity::new(None));
        let party = Party { site: site.mark, network: network(1), connection, shared_connection: false };
        let reading = verifier.transfers.begin(party);
        assert!(!reading.waits_for_body(Waker::noop()));
        tokio::time::advance(SLOW).await;
        let _waiting = queue(&verifier, &site, Class::Cleared, 3).await;
        verifier.second_of_transfers();
        assert!(!is_closed(&reading));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_origin_is_a_shortage_also_where_nobody_queues() {
        let (verifier, site) = verifier("auto");
        let transfer = upload(&verifier, &site, 1, None);
        tokio::time::advance(SLOW).await;
        let heads = verifier.origin_heads.of(&site);
        let _asked: Vec<_> = (5..8).map(|third| heads.asked(network(third))).collect();
        verifier.second_of_transfers();
        assert!(!is_closed(&transfer), "they have only just been sent");
        tokio::time::advance(SILENT_CLOSES_TRANSFERS).await;
        verifier.second_of_transfers();
        assert!(is_closed(&transfer));
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_gets_a_slot_three_seconds_of_nothing_are_enough() {
        let (verifier, site) = verifier("on");
        let transfer = upload(&verifier, &site, 1, None);
        let _waiting = queue(&verifier, &site, Class::Cleared, 1).await;
        tokio::time::advance(Duration::from_secs(4)).await;
        verifier.second_of_transfers();
        assert!(!is_closed(&transfer), "a slot was taken just now, for all that is known");
        let queue = verifier.admissions.of(&site);
        queue.second();
        queue.second();
        assert!(queue.stands_still());
        verifier.second_of_transfers();
        assert!(is_closed(&transfer));
    }

    #[tokio::test(start_paused = true)]
    async fn behind_a_closed_gate_free_requests_of_the_same_networks_leave_a_silent_origin_with_their_transfers() {
        for (mode, cut) in [("auto", false), ("on", true)] {
            let (verifier, site) = verifier(mode);
            let _transfer = upload(&verifier, &site, 5, None);
            tokio::time::advance(SLOW).await;
            let heads = verifier.origin_heads.of(&site);
            let mut asked: Vec<_> = (5..8).map(|third| heads.asked(network(third))).collect();
            tokio::time::advance(SILENT_CLOSES_TRANSFERS).await;
            verifier.second_of_transfers();
            for (asked, of_closed) in asked.iter_mut().zip([true, false, false]) {
                let ended = tokio::time::timeout(Duration::from_millis(1), asked.cut()).await.is_ok();
                assert_eq!(ended, cut && of_closed, "mode {mode}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sixteen_networks_that_hold_up_a_silent_origin_are_an_overload_and_fifteen_are_not() {
        for (count, overload) in [(15, false), (16, true)] {
            let (verifier, site) = verifier("auto");
            let _transfers: Vec<_> = (0..count).map(|third| upload(&verifier, &site, third, None)).collect();
            tokio::time::advance(Duration::from_secs(4)).await;
            let heads = verifier.origin_heads.of(&site);
            let mut asked: Vec<_> = (0..60).map(|third| heads.asked(network(third))).collect();
            verifier.second_of_transfers();
            tokio::time::advance(SILENT_CLOSES_TRANSFERS).await;
            verifier.second_of_transfers();
            let second = UnixSeconds(1_800_000_005);
            let one = Duration::from_secs(1);
            verifier.gate.step(&verifier.config.load(), &Surroundings::default(), one * 5, one, second);
            assert_eq!(verifier.gate.report(&site, one * 5).overload.held_up, overload);
            let cut = tokio::time::timeout(Duration::from_millis(1), asked[0].cut()).await.is_ok();
            assert_eq!(cut, overload, "those behind them leave with them, also while the gate is open");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_transfer_that_cannot_pay_protects_its_connection_no_more() {
        let (verifier, site) = verifier("on");
        let transfer = upload(&verifier, &site, 1, None);
        let connection = &transfer.party.connection;
        // Its clearance is in no table.
        transfer.admitted(Some(receipt()), Some(Arc::new(Admittance::new(connection))));
        assert_eq!(connection.phase(), Phase::Admitted);
        tokio::time::advance(SLOW).await;
        verifier.second_of_transfers();
        assert!(!transfer.pays());
        assert_ne!(connection.phase(), Phase::Admitted);
        assert!(!is_closed(&transfer), "nobody waits");
    }

    #[tokio::test(start_paused = true)]
    async fn streams_that_never_paid_are_cut_only_for_a_closed_gate_before_a_silent_origin() {
        for (mode, cut) in [("auto", false), ("on", true)] {
            let (verifier, site) = verifier(mode);
            let stream = verifier.streams.open(site.mark, network(1), None, None).expect("open");
            let heads = verifier.origin_heads.of(&site);
            let _asked: Vec<_> = (5..8).map(|third| heads.asked(network(third))).collect();
            tokio::time::advance(SILENT_CUTS_STREAMS).await;
            verifier.second_of_transfers();
            let ended = tokio::time::timeout(Duration::from_millis(1), stream.cut()).await.is_ok();
            assert_eq!(ended, cut, "mode {mode}");
        }
    }

    #[test]
    fn a_site_has_places_for_a_quarter_of_its_capacity() {
        let (verifier, mut site) = verifier("on");
        let config = verifier.config.load();
        assert_eq!(verifier.stream_places(&config, &site), STREAMS_UNKNOWN_CAPACITY_MAX);
        site.capacity_per_second = Some(Credits::whole(200));
        assert_eq!(verifier.stream_places(&config, &site), 50);
        site.capacity_per_second = Some(Credits::ONE);
        assert_eq!(verifier.stream_places(&config, &site), 1);
    }
}
