//! The honest load: sessions that begin at random, each with a few pages.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::client::Destination;
use crate::networks;
use crate::origin::PAGES;
use crate::scale::{DEVICES, Scale};
use crate::seeded::Seeded;
use crate::solver::Solver;
use crate::visitor::{Fate, Group, Visitor};

/// Credits a second that visitors bring: ten pages of one credit, each with ten parts of a tenth.
pub const LEGITIMATE: f64 = 20.0;
/// Pages a second.
const PAGES_PER_SECOND: f64 = LEGITIMATE / 2.0;
/// Pages of a session.
const SESSION_PAGES: u32 = 3;
/// Seconds that a visitor reads a page, in the mean.
const READING_S: f64 = 6.0;
/// Which part of the visitors is behind which address.
pub const GROUPS: [(Group, f64); 3] = [(Group::Home, 0.4), (Group::Office, 0.2), (Group::Carrier, 0.4)];

/// A page that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Seconds from the begin of the run.
    pub begun_s: f64,
    /// Seconds to its last part, or to when it was given up; `None` while it is loading.
    pub took_s: Option<f64>,
    /// What became of it.
    pub fate: Fate,
    /// Whose it was.
    pub group: Group,
    /// What it was loaded with.
    pub device: &'static str,
    /// Challenges that were solved for it.
    pub solved: u32,
    /// Whether the gate was met.
    pub challenged: bool,
}

/// All pages of a run.
#[derive(Debug, Default)]
pub struct Pages {
    pages: Mutex<Vec<Page>>,
}

impl Pages {
    /// So far.
    #[must_use]
    pub fn all(&self) -> Vec<Page> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those still loading.
    #[must_use]
    pub fn loading(&self) -> usize {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|page| page.took_s.is_none()).count()
    }

    fn begin(&self, page: Page) -> usize {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.push(page);
        pages.len() - 1
    }

    fn end(&self, index: usize, page: Page) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)[index] = page;
    }
}

/// Whom visitors ask, and how they solve.
#[derive(Clone, Debug)]
pub struct Town {
    /// The site, or the verifier before it.
    pub to: Destination,
    /// By how much slower they hash.
    pub scale: Scale,
    /// Who hashes.
    pub solver: Arc<Solver>,
    /// When the run began.
    pub begun: Instant,
    /// When no further page is begun.
    pub until: Instant,
    /// Which visitors come when.
    pub seed: u64,
}

/// Lets visitors come and read, until the time is over; then waits for those still loading.
pub async fn come(town: Town, pages: Arc<Pages>) {
    let mut numbers = Seeded::new(town.seed);
    let mut sessions = JoinSet::new();
    let mut next = Instant::now();
    // Whoever reads their second page already when the run begins: else the load would build up first.
    let already = PAGES_PER_SECOND / f64::from(SESSION_PAGES) * READING_S * f64::from(SESSION_PAGES - 1) / 2.0;
    for _ in 0..already.round() as u32 {
        let pause = Duration::from_secs_f64(numbers.part() * READING_S);
        sessions.spawn(session(town.clone(), Arc::clone(&pages), numbers.next(), pause, SESSION_PAGES - 1));
    }
    while next < town.until {
        tokio::time::sleep_until(next.into()).await;
        sessions.spawn(session(town.clone(), Arc::clone(&pages), numbers.next(), Duration::ZERO, SESSION_PAGES));
        next += Duration::from_secs_f64(numbers.pause_s(PAGES_PER_SECOND / f64::from(SESSION_PAGES)));
    }
    while sessions.join_next().await.is_some() {}
}

async fn session(town: Town, pages: Arc<Pages>, seed: u64, pause: Duration, count: u32) {
    let mut numbers = Seeded::new(seed);
    let device = chosen(&mut numbers, &DEVICES.map(|device| (device, device.part)));
    let group = chosen(&mut numbers, &GROUPS);
    let address = (group, address_of(group, &mut numbers));
    let mut visitor = Visitor::new(address, device, town.to.clone(), town.scale, Arc::clone(&town.solver));
    tokio::time::sleep(pause).await;
    for number in 0..count {
        let begun = Instant::now();
        if begun >= town.until {
            return;
        }
        let solved = visitor.solved;
        visitor.challenged = false;
        let mut page = Page {
            begun_s: (begun - town.begun).as_secs_f64(),
            took_s: None,
            fate: Fate::TooLate,
            group,
            device: device.name,
            solved: 0,
            challenged: false,
        };
        let index = pages.begin(page);
        page.fate = visitor.load(&format!("/page/{}", numbers.below(PAGES))).await;
        page.took_s = Some(begun.elapsed().as_secs_f64());
        page.solved = visitor.solved - solved;
        page.challenged = visitor.challenged;
        pages.end(index, page);
        if number + 1 < count {
            tokio::time::sleep(Duration::from_secs_f64(numbers.pause_s(1.0 / READING_S))).await;
        }
    }
}

fn address_of(group: Group, numbers: &mut Seeded) -> Ipv4Addr {
    match group {
        Group::Home => networks::home(numbers.below(networks::HOMES_MAX)),
        Group::Office => networks::OFFICE,
        Group::Carrier => networks::CARRIER,
    }
}

/// One of them, each as often as its part says.
fn chosen<T: Copy>(numbers: &mut Seeded, of: &[(T, f64)]) -> T {
    let mut left = numbers.part();
    for (thing, part) in of {
        left -= part;
        if left < 0.0 {
            return *thing;
        }
    }
    of[of.len() - 1].0
}
