//! Real nonces for everybody, from one thread whose CPU time is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};
use solver_native::{Lane, find};
use tests::solver::Challenge;
use tokio::sync::oneshot;

use crate::scale::Scale;

/// Nonces looked at in one go.
const BLOCK: u64 = 1 << 20;

/// A solution and what it took.
#[derive(Clone, Debug)]
pub struct Solution {
    /// Eight bytes for each sub-puzzle.
    pub nonces: Vec<u8>,
    /// Nonces tried, as any solver would have.
    pub attempts: u64,
}

struct Job {
    challenge: Challenge,
    done: oneshot::Sender<Solution>,
}

/// The solver of this process.
#[derive(Debug)]
pub struct Solver {
    jobs: mpsc::Sender<Job>,
    figures: Arc<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    cpu_us: AtomicU64,
    attempts: AtomicU64,
    late_us_max: AtomicU64,
}

/// What the solver has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Solving {
    /// CPU seconds of its thread.
    pub cpu_s: f64,
    /// Nonces tried.
    pub attempts: u64,
    /// By how much a solution came later than the device would have had it, at most, in seconds.
    pub late_s_max: f64,
}

impl Solver {
    /// Starts the thread; it ends when the solver is dropped.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start() -> anyhow::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let figures = Arc::new(Figures::default());
        let work = Arc::clone(&figures);
        thread::Builder::new()
            .name("solver".into())
            .spawn(move || {
                for job in queue {
                    // Who waited for it has given up.
                    if job.done.is_closed() {
                        continue;
                    }
                    let solution = solve(&job.challenge);
                    work.attempts.fetch_add(solution.attempts, Ordering::Relaxed);
                    let cpu = clock_gettime(ClockId::ThreadCPUTime);
                    let cpu_us = u64::try_from(cpu.tv_sec * 1_000_000 + cpu.tv_nsec / 1_000).unwrap_or_default();
                    work.cpu_us.store(cpu_us, Ordering::Relaxed);
                    let _ = job.done.send(solution);
                }
            })
            .context("no thread for the solver")?;
        Ok(Self { jobs, figures })
    }

    /// Solves a challenge as a device of `rate` attempts a second, unscaled, would: no sooner.
    ///
    /// # Errors
    /// Where the solver has ended.
    pub async fn solve(&self, challenge: Challenge, scale: Scale, rate: f64) -> anyhow::Result<Solution> {
        let begun = Instant::now();
        let (done, solved) = oneshot::channel();
        self.jobs.send(Job { challenge, done }).ok().context("the solver has ended")?;
        let solution = solved.await.context("the solver has ended")?;
        let due = begun + scale.time(solution.attempts, rate);
        self.late(due);
        tokio::time::sleep_until(due.into()).await;
        Ok(solution)
    }

    fn late(&self, due: Instant) {
        let late = Instant::now().saturating_duration_since(due);
        let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.figures.late_us_max.fetch_max(late_us, Ordering::Relaxed);
    }

    /// What it has done so far; how late it was is reckoned anew from here.
    #[must_use]
    pub fn figures(&self) -> Solving {
        Solving {
            cpu_s: Duration::from_micros(self.figures.cpu_us.load(Ordering::Relaxed)).as_secs_f64(),
            attempts: self.figures.attempts.load(Ordering::Relaxed),
            late_s_max: Duration::from_micros(self.figures.late_us_max.swap(0, Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

fn solve(challenge: &Challenge) -> Solution {
    let lane = Lane::best();
    let mut solution = Solution { nonces: Vec::new(), attempts: 0 };
    for index in 0..challenge.count() {
        let mut start = 0;
        let nonce = loop {
            if let Some(nonce) = find(lane, &challenge.0, index, start, BLOCK) {
                break nonce;
            }
            start += BLOCK;
        };
        solution.attempts += nonce + 1;
        solution.nonces.extend(nonce.to_be_bytes());
    }
    solution
}
