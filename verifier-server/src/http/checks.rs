//! Checks of `hashwx`: some 25 µs for each sub-puzzle, on threads of their own, so that who sends what solves nothing takes
//! nothing from the requests that are proxied. Only what has a guard that holds comes here.

use puzzle::{ClientNetwork, Guarded, Refusal, Solved};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use tokio::sync::oneshot;

/// Solutions that wait at the most. At a limit the client network with most of them loses one, which is answered `busy`; the
/// same solution can be sent again.
const WAITING_MAX: usize = 1024;
/// Rows that they wait in, each taken from in turn; a network has one of them.
const ROWS: usize = 256;
/// Solutions that are remembered because they failed: sent again they cost nothing more. 512 KiB.
const FAILED_CELLS: usize = 65_536;
/// One thread for so many cores, at least one.
const CORES_PER_THREAD: usize = 4;
/// How much less than others the threads get of a core that others want too.
const NICE: i32 = 10;

/// A solution that waits, and where its verdict goes.
struct Job {
    guarded: Guarded,
    first: u8,
    verdict: oneshot::Sender<Result<Solved, Refusal>>,
}

/// What waits, row by row.
struct Waiting {
    rows: Vec<VecDeque<Job>>,
    count: usize,
    next: usize,
}

impl Waiting {
    /// Lets a job wait. At the limit the newest of the longest row goes: perhaps the job itself.
    fn push(&mut self, row: usize, job: Job) {
        if self.count >= WAITING_MAX {
            let longest = (0..ROWS).max_by_key(|row| self.rows[*row].len()).unwrap_or(row);
            if self.rows[row].len() >= self.rows[longest].len() {
                return;
            }
            self.rows[longest].pop_back();
            self.count -= 1;
        }
        self.rows[row].push_back(job);
        self.count += 1;
    }

    /// The oldest of the next row that has one.
    fn pop(&mut self) -> Option<Job> {
        for _ in 0..ROWS {
            self.next = (self.next + 1) % ROWS;
            if let Some(job) = self.rows[self.next].pop_front() {
                self.count -= 1;
                return Some(job);
            }
        }
        None
    }
}

struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    hasher: RandomState,
    failed: Vec<AtomicU64>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One after the other, for ever.
    fn work(&self) {
        loop {
            let mut waiting = self.waiting();
            let job = loop {
                match waiting.pop() {
                    Some(job) => break job,
                    None => waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(waiting);
            // Whoever asked may be gone.
            if job.verdict.is_closed() {
                continue;
            }
            let mark = self.mark(&job.guarded);
            let verdict = job.guarded.solved(job.first);
            if verdict.is_err() {
                self.cell(mark).store(mark, Ordering::Relaxed);
            }
            let _ = job.verdict.send(verdict);
        }
    }

    /// By which a solution of a challenge is remembered: a stranger who does not know the key finds no two with the same.
    fn mark(&self, guarded: &Guarded) -> u64 {
        self.hasher.hash_one((guarded.challenge().bytes(), guarded.bytes())) | 1
    }

    fn cell(&self, mark: u64) -> &AtomicU64 {
        let place = usize::try_from(mark >> 1).unwrap_or(usize::MAX) % FAILED_CELLS;
        &self.failed[place]
    }
}

/// The threads and what waits for them. They start with the first solution.
pub(super) struct Checks {
    shared: Arc<Shared>,
    started: Once,
}

impl Default for Checks {
    fn default() -> Self {
        let waiting = Waiting { rows: (0..ROWS).map(|_| VecDeque::new()).collect(), count: 0, next: 0 };
        let shared = Shared {
            waiting: Mutex::new(waiting),
            arrived: Condvar::new(),
            hasher: RandomState::new(),
            failed: (0..FAILED_CELLS).map(|_| AtomicU64::new(0)).collect(),
        };
        Self { shared: Arc::new(shared), started: Once::new() }
    }
}

impl Checks {
    /// Checks the nonces of a solution for a client of `network`; `first` as for [`Guarded::solved`].
    ///
    /// # Errors
    /// [`Refusal::Unsolved`], or [`Refusal::Busy`] where others of that network wait already and there is no room.
    pub(super) async fn solved(&self, network: ClientNetwork, guarded: Guarded, first: u8) -> Result<Solved, Refusal> {
        let mark = self.shared.mark(&guarded);
        if self.shared.cell(mark).load(Ordering::Relaxed) == mark {
            return Err(Refusal::Unsolved);
        }
        self.started.call_once(|| self.start());
        let row = usize::try_from(self.shared.hasher.hash_one(network)).unwrap_or(usize::MAX) % ROWS;
        let (verdict, heard) = oneshot::channel();
        self.shared.waiting().push(row, Job { guarded, first, verdict });
        self.shared.arrived.notify_one();
        heard.await.unwrap_or(Err(Refusal::Busy))
    }

    fn start(&self) {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for number in 0..(cores / CORES_PER_THREAD).max(1) {
            let shared = Arc::clone(&self.shared);
            let begin = move || {
                // Without a lower priority they are still few.
                let _ = rustix::process::setpriority_process(None, NICE);
                shared.work();
            };
            if let Err(error) = thread::Builder::new().name(format!("hashwx-check-{number}")).spawn(begin) {
                tracing::error!(%error, "a thread that checks solutions could not be started");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use puzzle::{
        Algorithm, Audience, Difficulty, Expectations, KeyRing, Master, NewChallenge, Paid, Purpose, Shape, Solution,
        UnixSeconds, guard,
    };
    use std::num::NonZeroU16;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    /// A solution whose guard holds; at the highest difficulty its nonces do not.
    fn guarded(difficulty: u32) -> Guarded {
        let keys = KeyRing::new(&Master([7; 32]), None, NOW);
        let day = keys.signing(NOW).expect("the day of now");
        let difficulty = Difficulty::new(difficulty).expect("not 0");
        let challenge = day.issue(&NewChallenge {
            shape: Shape { algorithm: Algorithm::HashWx, count: 2, difficulty },
            issued_at: NOW,
            lifetime_seconds: NonZeroU16::MAX,
            purpose: Purpose::Gate,
            standing: false,
            random: [3; 16],
            binding: [0; 8],
            site: day.site_tag(Audience::Site("main")),
        });
        let mut bytes = vec![0; 16];
        bytes.extend(guard(challenge.bytes(), &bytes).to_be_bytes());
        let solution = Solution::parse(&bytes, challenge.shape()).expect("of its length");
        let audience = Audience::Site("main");
        let expected = Expectations { now: NOW, audience: &audience, strict_network: None, table_begins: NOW };
        match keys.authenticate(&challenge, &expected).expect("ours").paid_by(&solution, 0).expect("guarded") {
            Paid::Guarded(guarded) => guarded,
            Paid::Solved(_) => unreachable!("hashwx has a guard"),
        }
    }

    fn job(guarded: &Guarded) -> (Job, oneshot::Receiver<Result<Solved, Refusal>>) {
        let (verdict, heard) = oneshot::channel();
        (Job { guarded: guarded.clone(), first: 0, verdict }, heard)
    }

    fn waiting() -> Waiting {
        Waiting { rows: (0..ROWS).map(|_| VecDeque::new()).collect(), count: 0, next: 0 }
    }

    #[test]
    fn at_the_limit_the_row_with_most_loses_its_newest_and_a_newcomer_waits() {
        let (guarded, mut waiting) = (guarded(1), waiting());
        let mut flood: Vec<_> = (0..WAITING_MAX + 10)
            .map(|_| {
                let (job, heard) = job(&guarded);
                waiting.push(3, job);
                heard
            })
            .collect();
        assert_eq!(waiting.count, WAITING_MAX, "one row may fill it while nobody else wants it");
        let (visitor, mut heard) = job(&guarded);
        waiting.push(9, visitor);
        assert_eq!((waiting.count, waiting.rows[9].len()), (WAITING_MAX, 1));
        assert!(flood[WAITING_MAX - 1].try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
        // Taken from in turn: the visitor is second at the latest.
        drop((waiting.pop(), waiting.pop()));
        assert!(heard.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed), "it was taken");
    }

    #[tokio::test]
    async fn good_and_bad_solutions_are_told_apart_and_bad_ones_remembered() {
        let checks = Checks::default();
        let network = ClientNetwork::of([192, 0, 2, 1].into());
        for _ in 0..2 {
            assert!(checks.solved(network, guarded(1), 0).await.is_ok());
        }
        let bad = guarded(u32::MAX);
        let mark = checks.shared.mark(&bad);
        for _ in 0..2 {
            assert_eq!(checks.solved(network, bad.clone(), 1).await.map(|_| ()), Err(Refusal::Unsolved));
            assert_eq!(checks.shared.cell(mark).load(Ordering::Relaxed), mark);
        }
    }
}
