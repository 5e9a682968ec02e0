//! The checks that admitted a request whose line has not come, in a table of fixed size.

use super::{LINE_WITHIN, Line};
use crate::gate::networks::{HashKey, Nested, Prefix};
use crate::load::{Amount, Answer, Outcome, PathPlace, SiteLoad};
use puzzle::{ClientNetwork, UnixSeconds};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Checks that are remembered: 2,000 a second for as long as a line may take, in 6 MiB that are handed out when they are
/// needed.
const BUCKETS: usize = 16_384;
const BUCKET_CHECKS: usize = 4;

/// A check that admitted a request.
#[derive(Clone, Debug)]
pub struct Check {
    /// The mark of its site.
    pub site: u16,
    /// What is measured of it.
    pub load: Arc<SiteLoad>,
    /// Who asked.
    pub network: ClientNetwork,
    /// The place of its path in what is measured.
    pub place: PathPlace,
    /// What it costs by its route.
    pub cost: Amount,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It counts as an answer of the origin.
    Counted {
        /// The mark of the site.
        site: u16,
        /// How long its head took.
        delay: Duration,
        /// Whether it is an error.
        failed: bool,
    },
    /// It belongs to a check and tells nothing of the origin: a file of the web server's own, a request that was given up,
    /// a WebSocket, an event stream.
    Ignored,
    /// Its check is not waited for any more.
    Late,
    /// It belongs to no check: forged, sent twice, or forgotten.
    Unmatched,
}

#[derive(Debug)]
struct Cell {
    key: u64,
    check: Check,
    /// Since the start of the verifier.
    admitted: Duration,
    /// Whether it counts as missing.
    late: bool,
}

type Bucket = Mutex<[Option<Cell>; BUCKET_CHECKS]>;

/// The checks of all sites. A full bucket forgets the oldest: its line is missing then.
#[derive(Debug)]
pub struct Checks {
    hasher: HashKey,
    /// Made with the first check: most verifiers are told no log.
    buckets: OnceLock<Box<[Bucket]>>,
}

impl Checks {
    /// Nobody was admitted yet.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self { hasher: key, buckets: OnceLock::new() }
    }

    /// A check admitted the request of this id at `now`, since the start of the verifier. A second check of the same
    /// request changes nothing: web servers ask again on internal redirects, and write one line.
    pub fn admitted(&self, request_id: &str, check: Check, now: Duration) {
        if request_id.is_empty() {
            return;
        }
        let key = self.hasher.hash_one(request_id);
        let buckets = self.buckets.get_or_init(|| (0..BUCKETS).map(|_| Bucket::default()).collect());
        let mut cells = lock(&buckets[index(key)]);
        if cells.iter().flatten().any(|cell| cell.key == key) {
            return;
        }
        let age = |cell: &Option<Cell>| cell.as_ref().map(|cell| (cell.late, now.saturating_sub(cell.admitted)));
        let place = (0..BUCKET_CHECKS).find(|place| cells[*place].is_none());
        let place = place.or_else(|| (0..BUCKET_CHECKS).max_by_key(|place| age(&cells[*place]))).unwrap_or_default();
        let forgotten = cells[place].replace(Cell { key, check, admitted: now, late: false });
        drop(cells);
        if let Some(forgotten) = forgotten.filter(|cell| !cell.late) {
            forgotten.check.load.arrivals.is_missing(forgotten.check.narrowest());
        }
    }

    /// A line came at `now`, since the start of the verifier.
    pub fn came(&self, line: &Line<'_>, now: Duration, second: UnixSeconds) -> Came {
        let Some(Cell { check, admitted, late, .. }) = self.take(line.request_id) else { return Came::Unmatched };
        let network = check.narrowest();
        if late {
            check.load.arrivals.came_late(network);
            return Came::Late;
        }
        if now.saturating_sub(admitted) > LINE_WITHIN {
            check.load.arrivals.came(network, None);
            return Came::Late;
        }
        let told = line.upstream.filter(|upstream| {
            !line.event_stream && line.status != 101 && upstream.status != 101 && upstream.status >= 200
        });
        check.load.arrivals.came(network, told.map(|upstream| upstream.delay));
        let Some(upstream) = told else { return Came::Ignored };
        let network = Nested::of(check.network);
        let outcome = Outcome::of(Some(upstream.status));
        let Check { site, place, cost, .. } = check;
        check.load.answered_at(&Answer { network: &network, place, cost, delay: upstream.delay, outcome }, second);
        Came::Counted { site, delay: upstream.delay, failed: outcome.is_error() }
    }

    /// Once a second, after [`super::Arrivals::next_second`] of every site: who waits, and whose line is missing.
    pub fn look(&self, now: Duration) {
        let Some(buckets) = self.buckets.get() else { return };
        for bucket in buckets {
            for cell in lock(bucket).iter_mut().flatten().filter(|cell| !cell.late) {
                let (age, network) = (now.saturating_sub(cell.admitted), cell.check.narrowest());
                if age > LINE_WITHIN {
                    cell.late = true;
                    cell.check.load.arrivals.is_missing(network);
                } else {
                    cell.check.load.arrivals.may_wait(network, age);
                }
            }
        }
    }

    fn take(&self, request_id: &str) -> Option<Cell> {
        let key = self.hasher.hash_one(request_id);
        let mut cells = lock(&self.buckets.get()?[index(key)]);
        cells.iter_mut().find(|cell| cell.as_ref().is_some_and(|cell| cell.key == key))?.take()
    }
}

impl Check {
    fn narrowest(&self) -> Prefix {
        match Nested::of(self.network) {
            Nested::V4([narrow, _]) | Nested::V6([narrow, ..]) => narrow,
        }
    }
}

fn index(key: u64) -> usize {
    // The upper bits choose the bucket, all of them are compared.
    usize::try_from(key >> 50).unwrap_or_default() % BUCKETS
}

fn lock(bucket: &Bucket) -> MutexGuard<'_, [Option<Cell>; BUCKET_CHECKS]> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::demand::DemandBuckets;
    use crate::load::{Measured, Surroundings, Told};
    use puzzle::Credits;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
    const ONE: Duration = Duration::from_secs(1);
    const KEY: HashKey = HashKey([1; 16]);

    struct Scene {
        checks: Checks,
        load: Arc<SiteLoad>,
        now: Duration,
    }

    /// What a line with this status after so many milliseconds counts as.
    fn counted(failed: bool, millis: u64) -> Came {
        Came::Counted { site: 1, delay: Duration::from_millis(millis), failed }
    }

    impl Scene {
        fn new() -> Self {
            let load = SiteLoad::new(1, Arc::new(DemandBuckets::new(KEY)), KEY);
            Self { checks: Checks::new(KEY), load: Arc::new(load), now: ONE }
        }

        fn admit(&self, id: &str, third: u8) {
            let network = ClientNetwork::of([203, 0, third, 9].into());
            let (load, place) = (Arc::clone(&self.load), self.load.place_of("/page"));
            self.checks.admitted(id, Check { site: 1, load, network, place, cost: Amount::of(Credits::ONE) }, self.now);
        }

        fn line(&self, line: &str) -> Came {
            self.checks.came(&Line::parse(line.as_bytes()).expect("a line"), self.now, NOW)
        }

        fn ends(&self, id: &str, millis: u32) -> Came {
            self.line(&format!("{id} 200 \"200\" \"{}.{:03}\" \"text/html\"", millis / 1_000, millis % 1_000))
        }

        fn second(&mut self) -> Measured {
            self.now += ONE;
            self.load.arrivals.next_second();
            self.checks.look(self.now);
            self.load.step(&Told::default(), false, &Surroundings::default(), ONE, NOW)
        }
    }

    #[test]
    fn a_line_counts_once_and_only_for_a_check() {
        let mut scene = Scene::new();
        scene.admit("a", 1);
        assert_eq!(scene.ends("b", 20), Came::Unmatched, "forged");
        assert_eq!(scene.ends("a", 20), counted(false, 20));
        assert_eq!(scene.ends("a", 20), Came::Unmatched, "sent twice");
        scene.admit("c", 1);
        assert_eq!(scene.line("c 502 \"502\" \"0.030\" \"text/html\""), counted(true, 30));
        let origin = scene.second().origin.expect("an answer");
        assert!((origin.goodput - 1.0).abs() < 1e-9, "{origin:?}");
    }

    #[test]
    fn asked_twice_for_one_request_it_is_one_check() {
        let mut scene = Scene::new();
        (0..3).for_each(|_| scene.admit("a", 1));
        assert_eq!(scene.second().origin.expect("a check").waiting, 1);
        assert_eq!(scene.ends("a", 20), counted(false, 20));
        assert_eq!(scene.second().origin.expect("an answer").waiting, 0);
    }

    #[test]
    fn what_the_web_server_answered_by_itself_and_what_lasts_tells_nothing() {
        let mut scene = Scene::new();
        for (id, line) in [
            ("file", "file 200 \"-\" \"-\" \"-\""),
            ("left", "left 499 \"-\" \"-\" \"-\""),
            ("socket", "socket 101 \"101\" \"0.001\" \"-\""),
            ("events", "events 200 \"200\" \"0.001\" \"text/event-stream\""),
        ] {
            scene.admit(id, 1);
            assert_eq!(scene.line(line), Came::Ignored, "{id}");
        }
        let measured = scene.second();
        assert!(measured.origin.is_none_or(|origin| origin.goodput == 0.0 && origin.waiting == 0), "{measured:?}");
        assert_eq!(measured.log.expect("checks").missing_share, None);
    }

    #[test]
    fn a_line_after_half_a_minute_is_late_and_moves_nothing() {
        let mut scene = Scene::new();
        (0..20).for_each(|number| scene.admit(&format!("a{number}"), number));
        for _ in 0..31 {
            scene.second();
        }
        let measured = scene.second();
        assert_eq!(measured.origin.expect("checks").waiting, 0, "they do not wait any more");
        assert!(!measured.log.expect("checks").is_reliable());
        for number in 0..20 {
            assert_eq!(scene.ends(&format!("a{number}"), 1), Came::Late);
        }
        let measured = scene.second();
        assert!(measured.log.expect("checks").is_reliable(), "late, and not lost");
        assert_eq!(measured.origin.expect("checks").goodput.to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_full_table_forgets_the_oldest_and_says_that_their_lines_are_missing() {
        let mut scene = Scene::new();
        let many = BUCKETS * BUCKET_CHECKS * 2;
        (0..many).for_each(|number| scene.admit(&number.to_string(), u8::try_from(number % 200).expect("below 200")));
        let held = (0..many).filter(|number| scene.ends(&number.to_string(), 20) == counted(false, 20)).count();
        assert!(held <= BUCKETS * BUCKET_CHECKS);
        assert!(size_of::<Bucket>() * BUCKETS <= 6 << 20, "{} bytes", size_of::<Bucket>() * BUCKETS);
        let log = scene.second().log.expect("checks");
        assert!(!log.is_reliable(), "{log:?}");
    }

    /// What is learned of a site of 200 credits/s that is asked for more, with the lines as `tamper` leaves them.
    fn capacity(tamper: impl Fn(u32, u32) -> &'static [&'static str]) -> Option<f64> {
        let mut scene = Scene::new();
        for second in 0..80_u32 {
            let millis = if second < 20 { 20 } else { 200 };
            for number in 0..200_u32 {
                let id = format!("{second}-{number}");
                scene.admit(&id, u8::try_from(number % 50).expect("below 50"));
                for how in tamper(second, number) {
                    match *how {
                        "forged" => scene.ends(&format!("f{id}"), 1),
                        _ => scene.ends(&id, millis),
                    };
                }
                // Those that wait when the second ends.
                if number >= 100 && second >= 20 {
                    scene.admit(&format!("w{id}"), u8::try_from(number % 50).expect("below 50"));
                }
            }
            scene.second();
            for number in 100..200_u32 {
                scene.line(&format!("w{second}-{number} 499 \"-\" \"-\" \"-\""));
            }
        }
        scene.load.learned_capacity()
    }

    #[test]
    fn forged_doubled_and_missing_lines_never_raise_what_a_site_can_do() {
        let honest = capacity(|_, _| &["true"]).expect("it was learned");
        assert!((190.0..=210.0).contains(&honest), "{honest}");
        for (name, tampered) in [
            ("forged", capacity(|_, _| &["forged", "true", "forged"])),
            ("doubled", capacity(|_, _| &["true", "true", "true"])),
            ("a few missing", capacity(|_, number| if number % 25 == 0 { &[] } else { &["true"] })),
            ("half missing", capacity(|_, number| if number % 2 == 0 { &[] } else { &["true"] })),
            ("all missing", capacity(|_, _| &[])),
            ("missing late on", capacity(|second, _| if second > 40 { &[] } else { &["true"] })),
        ] {
            let tampered = tampered.unwrap_or(0.0);
            assert!(tampered <= honest * 1.001, "{name}: {tampered} instead of {honest}");
        }
    }
}
