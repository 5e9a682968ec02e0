//! Visitors who go on asking, so many times a second, whatever is done to the verifier meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::wait::{SOON, until_due, until_true};

/// Requests a second, all visitors together, and how many visitors those are.
const PER_SECOND: u32 = 500;
const VISITORS: u32 = 25;
/// Longer than any test: then something hangs.
const LASTS_MAX: Duration = Duration::from_mins(2);
/// Failures that are told.
const TOLD_MAX: usize = 5;

/// What the visitors were answered so far.
#[derive(Debug, Default)]
pub struct Load {
    over: AtomicBool,
    answered: AtomicUsize,
    failed: AtomicUsize,
    told: Mutex<Vec<String>>,
}

/// Ends the visitors also where the test panics.
struct AtEnd<'l>(&'l Load);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// Does `work` while visitors ask `requests` in turn, each on a connection of its own as strangers do, and gives what came of
    /// it. Whatever is not answered 200 fails the test.
    pub fn during<T>(client: &Client, requests: &[Vec<u8>], work: impl FnOnce(&Self) -> T) -> T {
        let (load, begun) = (Self::default(), Instant::now());
        let done = thread::scope(|scope| {
            let _end = AtEnd(&load);
            for number in 0..VISITORS {
                let load = &load;
                scope.spawn(move || load.visit(client, requests, begun, number));
            }
            load.wait_for_more(100);
            let done = work(&load);
            load.wait_for_more(100);
            done
        });
        let (answered, lasted) = (load.answered.into_inner(), begun.elapsed().as_secs_f64());
        let per_second = f64::from(u32::try_from(answered).unwrap()) / lasted;
        println!("{answered} requests were answered in {lasted:.1} s, {per_second:.0} a second");
        // Who waits asks so much faster afterwards. A machine that cannot do half of it has tried something else.
        assert!(per_second >= f64::from(PER_SECOND) / 2.0, "only {per_second:.0} a second");
        let told = load.told.into_inner().unwrap();
        assert!(told.is_empty(), "{} of {answered} requests failed: {told:#?}", load.failed.into_inner());
        done
    }

    /// Waits until so many further requests have been answered.
    pub fn wait_for_more(&self, count: usize) {
        let answered = || self.answered.load(Ordering::Relaxed);
        let enough = answered() + count;
        until_true(SOON, "answers under load", || answered() >= enough);
    }

    fn visit(&self, client: &Client, requests: &[Vec<u8>], begun: Instant, number: u32) {
        let every = Duration::from_secs(1) * VISITORS / PER_SECOND;
        let mut due = begun + every * number / VISITORS;
        // Each visitor begins elsewhere, so that at any moment everything is asked.
        for request in requests.iter().cycle().skip(number as usize) {
            if self.over.load(Ordering::Relaxed) || begun.elapsed() > LASTS_MAX {
                return;
            }
            until_due(due);
            due += every;
            let failure = match client.send_raw(request) {
                Ok(reply) if reply.status == 200 => None,
                Ok(reply) => Some(format!("{}: {}", reply.status, reply.text().chars().take(200).collect::<String>())),
                Err(error) => Some(error.to_string()),
            };
            self.answered.fetch_add(1, Ordering::Relaxed);
            let Some(failure) = failure else { continue };
            self.failed.fetch_add(1, Ordering::Relaxed);
            let mut told = self.told.lock().unwrap();
            if told.len() < TOLD_MAX {
                let line = String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned();
                told.push(format!("{:.2} s, {line}: {failure}", begun.elapsed().as_secs_f64()));
            }
        }
    }
}
