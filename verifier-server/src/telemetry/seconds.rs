//! The last minutes of each site, second by second, for the curves of the dashboard: rings of fixed size.

use super::request_metrics::SOLVE_BOUNDS;
use crate::timeline::Counts;
use puzzle::UnixSeconds;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Seconds that are kept of a site: about 100 bytes each.
pub const SECONDS_KEPT_MAX: usize = 600;
/// Sites that have curves: the first ones of the configuration.
pub const SITES_WITH_CURVES_MAX: usize = 32;

/// What is shown of a second, in the order of [`Second::numbers`].
const COLUMNS: [&str; 18] = [
    "at",
    "state",
    "price",
    "capacity",
    "raw",
    "offered",
    "paid",
    "admitted",
    "challenged",
    "solved",
    "failed",
    "denied",
    "busy",
    "delay",
    "errors",
    "cpu",
    "memory",
    "table",
];

/// What is measured at the end of a second and not counted. A number that is not known is NaN.
#[derive(Clone, Copy, Debug)]
pub struct Gauges {
    /// 0 while the gate is open, 1 while it is down, 2 while it is down and waits.
    pub state: f64,
    /// Attempts for a full clearance.
    pub price: f64,
    /// Credits a second: what the site can do, and what is asked of it.
    pub capacity: f64,
    /// Costs of all requests.
    pub raw: f64,
    /// The same with every client network up to its cap.
    pub offered: f64,
    /// Credits kept.
    pub paid: f64,
}

/// What the verifier itself takes.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// CPU time so far, of all threads.
    pub cpu_seconds: f64,
    /// Memory that is in RAM.
    pub resident_bytes: f64,
    /// The share of the table of live ids that is in use.
    pub table_fill: f64,
}

/// A second of a site: numbers by [`COLUMNS`] but the first, and how many challenges were redeemed after how long.
#[derive(Clone, Copy, Debug)]
struct Second {
    at: u32,
    numbers: [f32; COLUMNS.len() - 1],
    solved_after: [u16; SOLVE_BOUNDS.len() + 1],
}

#[derive(Debug)]
struct Kept {
    mark: u16,
    counted: Counts,
    seconds: VecDeque<Second>,
}

/// The rings of all sites.
#[derive(Debug, Default)]
pub struct Seconds(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sites: Vec<Kept>,
    cpu_seconds: f64,
    process: [f32; 3],
}

impl Seconds {
    /// A second has passed, or `elapsed`: what the verifier took meanwhile. Before [`Seconds::of_site`] of each site.
    pub fn of_process(&self, process: Process, elapsed: Duration) {
        let mut inner = self.lock();
        let used = (process.cpu_seconds - inner.cpu_seconds).max(0.0) / elapsed.as_secs_f64().max(0.001);
        inner.cpu_seconds = process.cpu_seconds;
        inner.process = [used, process.resident_bytes, process.table_fill].map(single);
    }

    /// The same of the site with this mark, of which so much was counted in all.
    pub fn of_site(&self, mark: u16, counts: Counts, gauges: &Gauges, elapsed: Duration, now: UnixSeconds) {
        let mut inner = self.lock();
        let process = inner.process;
        let Some(index) = inner.sites.iter().position(|site| site.mark == mark) else {
            if inner.sites.len() < SITES_WITH_CURVES_MAX {
                // What was counted before has no time.
                inner.sites.push(Kept { mark, counted: counts, seconds: VecDeque::new() });
            }
            return;
        };
        let Some(site) = inner.sites.get_mut(index) else { return };
        let added = counts.since(&site.counted);
        site.counted = counts;
        let per_second = |count: u64| number(count) / elapsed.as_secs_f64().max(0.001);
        let [cpu, memory, table] = process;
        let numbers = [
            single(gauges.state),
            single(gauges.price),
            single(gauges.capacity),
            single(gauges.raw),
            single(gauges.offered),
            single(gauges.paid),
            single(per_second(added.let_in())),
            single(per_second(added.challenged)),
            single(per_second(added.sold)),
            single(per_second(added.refused_in_all())),
            single(per_second(added.denied)),
            single(per_second(added.busy)),
            single(added.origin.mean().unwrap_or(f64::NAN)),
            single(per_second(added.origin_errors)),
            cpu,
            memory,
            table,
        ];
        let mut solved_after = [0; SOLVE_BOUNDS.len() + 1];
        for (place, count) in solved_after.iter_mut().zip(added.solving.between_bounds()) {
            *place = u16::try_from(count).unwrap_or(u16::MAX);
        }
        if site.seconds.len() >= SECONDS_KEPT_MAX {
            site.seconds.pop_front();
        }
        site.seconds.push_back(Second { at: now.0, numbers, solved_after });
    }

    /// Forgets the sites that `is_there` does not know any more.
    pub fn keep_only(&self, is_there: impl Fn(u16) -> bool) {
        self.lock().sites.retain(|site| is_there(site.mark));
    }

    /// The seconds of a site after `after`, oldest first, and how long those who solved took in all that is kept; and the
    /// newest of these seconds.
    #[must_use]
    pub fn told(&self, mark: u16, after: u32) -> (Value, u32) {
        let inner = self.lock();
        let seconds = inner.sites.iter().find(|site| site.mark == mark).map(|site| &site.seconds);
        let mut solved_after = [0_u32; SOLVE_BOUNDS.len() + 1];
        let (mut rows, mut newest) = (Vec::new(), after);
        for second in seconds.into_iter().flatten() {
            for (sum, count) in solved_after.iter_mut().zip(second.solved_after) {
                *sum += u32::from(count);
            }
            if second.at > after {
                newest = newest.max(second.at);
                rows.push(second.row());
            }
        }
        let solve = json!({ "bounds": SOLVE_BOUNDS, "counts": solved_after });
        (json!({ "columns": COLUMNS, "rows": rows, "solve": solve }), newest)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves curves, which are as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Second {
    fn row(&self) -> Value {
        let numbers = self.numbers.iter().map(|number| json!((f64::from(*number) * 1_000.0).round() / 1_000.0));
        std::iter::once(json!(self.at)).chain(numbers).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a curve needs seven digits")]
fn single(number: f64) -> f32 {
    number as f32
}

#[expect(clippy::cast_precision_loss, reason = "a curve needs seven digits")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Waits;

    const SECOND: Duration = Duration::from_secs(1);
    const CALM: Gauges = Gauges { state: 0.0, price: 0.0, capacity: f64::NAN, raw: 3.0, offered: 2.0, paid: 0.0 };

    fn counts(paid: u64, sold: u64) -> Counts {
        // All of them within the second bound.
        let within = SOLVE_BOUNDS.iter().enumerate().map(|(place, bound)| (*bound, if place == 0 { 0 } else { sold }));
        let solving = Waits { count: sold, seconds: 0.0, within: within.collect() };
        Counts { paid, sold, solving, ..Counts::default() }
    }

    fn column(told: &Value, name: &str) -> Vec<Value> {
        let place = COLUMNS.iter().position(|column| *column == name).expect("a column");
        told["rows"].as_array().expect("rows").iter().map(|row| row[place].clone()).collect()
    }

    #[test]
    fn what_was_counted_becomes_rates_and_only_new_seconds_are_told() {
        let seconds = Seconds::default();
        for (at, admitted) in [(10, 100), (11, 100), (12, 107)] {
            seconds.of_site(1, counts(admitted, admitted), &CALM, SECOND, UnixSeconds(at));
        }
        let (told, newest) = seconds.told(1, 0);
        assert_eq!(newest, 12);
        assert_eq!(column(&told, "at"), [11, 12], "the first one has nothing before it");
        assert_eq!(column(&told, "admitted"), [0.0, 7.0]);
        assert_eq!(column(&told, "capacity"), [Value::Null, Value::Null], "what is not known is no number");
        assert_eq!(told["solve"]["counts"][1], 7);
        assert_eq!(seconds.told(1, 11).0["rows"].as_array().map(Vec::len), Some(1));
        assert_eq!(seconds.told(2, 0).0["rows"].as_array().map(Vec::len), Some(0));
    }

    #[test]
    fn rings_and_sites_are_bounded() {
        let seconds = Seconds::default();
        for at in 0..2_000 {
            for mark in 0..40 {
                seconds.of_site(mark, counts(0, 0), &CALM, SECOND, UnixSeconds(at));
            }
        }
        let rows = |mark| seconds.told(mark, 0).0["rows"].as_array().map_or(0, Vec::len);
        assert_eq!((rows(0), rows(31), rows(32)), (SECONDS_KEPT_MAX, SECONDS_KEPT_MAX, 0));
        seconds.keep_only(|mark| mark == 5);
        assert_eq!((rows(0), rows(5)), (0, SECONDS_KEPT_MAX));
        const { assert!(size_of::<Second>() * SECONDS_KEPT_MAX * SITES_WITH_CURVES_MAX <= 2 * 1024 * 1024) };
    }
}
