//! What the demo's site can do when it is to be overloaded: a fixed number of workers, each busy for a fixed time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Requests that are worked on at once; all others wait, as at a small PHP site.
const WORKERS: u32 = 4;
/// How long a worker is busy with a page.
const PAGE_MILLISECONDS: u32 = 80;
/// A part of a page costs a tenth of it.
const PARTS_PER_PAGE: u32 = 10;

/// Pages a second that the site can do.
pub(super) const CAPACITY_PER_SECOND: u32 = WORKERS * 1_000 / PAGE_MILLISECONDS;

/// What is asked of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A page.
    Page,
    /// A part of one, such as its style sheet.
    Part,
}

/// The workers of the site, and how long pages took of late.
#[derive(Debug)]
pub(super) struct Workers {
    free: Semaphore,
    pages: Mutex<Pages>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pages {
    done: u32,
    took: Duration,
}

impl Workers {
    pub(super) fn new() -> Self {
        Self { free: Semaphore::new(WORKERS as usize), pages: Mutex::default() }
    }

    /// Waits for a worker, first come, first served, and until it has done its work.
    pub(super) async fn work(&self, task: Task) {
        let asked = Instant::now();
        let page = Duration::from_millis(u64::from(PAGE_MILLISECONDS));
        let worker = self.free.acquire().await;
        match task {
            Task::Page => tokio::time::sleep(page).await,
            Task::Part => tokio::time::sleep(page / PARTS_PER_PAGE).await,
        }
        drop(worker);
        if task == Task::Page {
            let mut pages = self.pages();
            pages.done += 1;
            pages.took += asked.elapsed();
        }
    }

    /// How long a page took in the mean, waiting included, since this was asked last; `None` if none was done.
    pub(super) fn take_delay(&self) -> Option<Duration> {
        let pages = std::mem::take(&mut *self.pages());
        (pages.done > 0).then(|| pages.took / pages.done)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::task::JoinSet;

    #[tokio::test(start_paused = true)]
    async fn a_site_does_what_it_can_and_no_more() {
        let workers = Arc::new(Workers::new());
        let begun = Instant::now();
        let mut asked = JoinSet::new();
        for _ in 0..2 * CAPACITY_PER_SECOND {
            let workers = Arc::clone(&workers);
            asked.spawn(async move { workers.work(Task::Page).await });
        }
        asked.join_all().await;
        let took = begun.elapsed();
        assert!((Duration::from_millis(1_900)..Duration::from_millis(2_300)).contains(&took), "{took:?}");
        let mean = workers.take_delay().expect("pages were done");
        assert!(mean > Duration::from_millis(900), "pages slow down when more is asked for: {mean:?}");
        assert_eq!(workers.take_delay(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_costs_a_tenth_and_is_no_page() {
        let workers = Workers::new();
        let begun = Instant::now();
        workers.work(Task::Part).await;
        assert!(begun.elapsed() < Duration::from_millis(20));
        assert_eq!(workers.take_delay(), None);
    }
}
