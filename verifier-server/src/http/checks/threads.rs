//! The threads that check. One that could not be started, or that ended, is started with a later solution.

use crate::telemetry::Sampled;
use std::io;
use std::num::NonZero;
#[cfg(test)]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::time::Instant;

/// One thread for so many cores, at least one.
const CORES_PER_THREAD: usize = 4;
/// How much less than others the threads get of a core that others want too.
const NICE: i32 = 10;
/// How long after a thread could not be started it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

type Work = Box<dyn FnOnce() + Send>;

/// Threads that do the same.
pub(super) struct Threads {
    wanted: usize,
    running: Arc<AtomicUsize>,
    /// When one could not be started last.
    failed_at: Mutex<Option<Instant>>,
    start: fn(Work) -> io::Result<()>,
    log: Sampled,
}

impl Default for Threads {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::starting((cores / CORES_PER_THREAD).max(1), start)
    }
}

/// Counts a thread while it runs, also when it ends by a panic.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Threads {
    fn starting(wanted: usize, start: fn(Work) -> io::Result<()>) -> Self {
        Self { wanted, running: Arc::default(), failed_at: Mutex::default(), start, log: Sampled::default() }
    }

    /// Starts those that do not run, each with what `work` gives it. Whether any runs.
    pub(super) fn run<W: FnOnce() + Send + 'static>(&self, work: impl Fn() -> W) -> bool {
        if self.running.load(Ordering::Relaxed) < self.wanted {
            self.start_missing(work);
        }
        self.running.load(Ordering::Relaxed) > 0
    }

    fn start_missing<W: FnOnce() + Send + 'static>(&self, work: impl Fn() -> W) {
        let mut failed_at = self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if failed_at.is_some_and(|failed_at| failed_at.elapsed() < RETRY_AFTER) {
            return;
        }
        *failed_at = None;
        while self.running.load(Ordering::Relaxed) < self.wanted {
            self.running.fetch_add(1, Ordering::Relaxed);
            let (running, work) = (Running(Arc::clone(&self.running)), work());
            let counted = move || {
                let _running = running;
                work();
            };
            // Of an error the closure is dropped, and with it the count.
            if let Err(error) = (self.start)(Box::new(counted)) {
                *failed_at = Some(Instant::now());
                if let Some(left_out) = self.log.turn() {
                    let running = self.running.load(Ordering::Relaxed);
                    tracing::error!(
                        left_out,
                        running,
                        "a thread that checks solutions of hashwx could not be started; while none runs they are answered \
                         `busy`, and it is tried again: {error}"
                    );
                }
                return;
            }
        }
    }
}

fn start(work: Work) -> io::Result<()> {
    let begin = move || {
        // Without a lower priority they are still few.
        let _ = rustix::process::setpriority_process(None, NICE);
        work();
    };
    thread::Builder::new().name("hashwx-check".to_owned()).spawn(begin).map(|_| ())
}

#[cfg(test)]
impl Threads {
    /// Of a system that gives none.
    pub(super) fn none() -> Self {
        Self::starting(1, |_| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// Of a system that gives none the first time.
    pub(super) fn given_none_at_first() -> Self {
        Self::starting(1, |work| {
            static GIVES: AtomicBool = AtomicBool::new(false);
            if GIVES.swap(true, Ordering::Relaxed) { start(work) } else { Err(io::ErrorKind::WouldBlock.into()) }
        })
    }

    /// As if it had been long ago.
    pub(super) fn forget_failure(&self) {
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_started_is_tried_again_and_not_with_each_solution() {
        static TRIED: AtomicUsize = AtomicUsize::new(0);
        let threads = Threads::starting(2, |_| {
            TRIED.fetch_add(1, Ordering::Relaxed);
            Err(io::ErrorKind::WouldBlock.into())
        });
        for tried in 1..4 {
            for _ in 0..100 {
                assert!(!threads.run(|| || ()));
            }
            assert_eq!(TRIED.load(Ordering::Relaxed), tried);
            tokio::time::advance(RETRY_AFTER).await;
        }
    }

    #[test]
    fn one_that_ends_by_a_panic_is_started_again() {
        let threads = Threads::starting(1, start);
        let (says, hears) = mpsc::channel();
        for _ in 0..3 {
            threads.run(|| {
                let says = says.clone();
                move || {
                    says.send(()).expect("heard");
                    panic!("on purpose");
                }
            });
            hears.recv().expect("it began");
            while threads.running.load(Ordering::Relaxed) > 0 {
                thread::yield_now();
            }
        }
    }
}
