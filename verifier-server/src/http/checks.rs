//! Checks of `hashwx`: some 25 µs for each sub-puzzle, on threads of their own, so that who sends what solves nothing takes
//! nothing from the requests that are proxied. Only what has a guard that holds comes here, and what was checked before is
//! not checked again.

mod known;
mod threads;
mod waiting;

use known::Known;
use puzzle::{ClientNetwork, Guarded, Refusal, Solved};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use threads::Threads;
use tokio::sync::oneshot;
use waiting::{Job, Waiting};

struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    known: Known,
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
            // It may have been sent many times before the first of them was checked.
            let verdict = self.known.verdict(&job.mark).unwrap_or_else(|| {
                let verdict = job.guarded.solved(job.first);
                self.known.note(&job.mark, &verdict);
                verdict
            });
            let _ = job.verdict.send(verdict);
        }
    }
}

/// The threads, what waits for them, and what they have checked. They start with the first solution.
pub(super) struct Checks {
    shared: Arc<Shared>,
    threads: Threads,
}

impl Default for Checks {
    fn default() -> Self {
        Self::on(Threads::default())
    }
}

impl Checks {
    fn on(threads: Threads) -> Self {
        let shared = Shared { waiting: Mutex::new(Waiting::new()), arrived: Condvar::new(), known: Known::default() };
        Self { shared: Arc::new(shared), threads }
    }

    /// Checks the nonces of a solution for a client of `network`; `first` as for [`Guarded::solved`].
    ///
    /// # Errors
    /// [`Refusal::Unsolved`], or [`Refusal::Busy`] where others of that network wait already and there is no room, or where
    /// nobody checks.
    pub(super) async fn solved(&self, network: ClientNetwork, guarded: Guarded, first: u8) -> Result<Solved, Refusal> {
        let mark = self.shared.known.mark(&guarded);
        if let Some(verdict) = self.shared.known.verdict(&mark) {
            return verdict;
        }
        let work = || {
            let shared = Arc::clone(&self.shared);
            move || shared.work()
        };
        if !self.threads.run(work) {
            return Err(Refusal::Busy);
        }
        let (verdict, heard) = oneshot::channel();
        self.shared.waiting().push(network, Job { guarded, mark, first, verdict });
        self.shared.arrived.notify_one();
        heard.await.unwrap_or(Err(Refusal::Busy))
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
    pub(super) fn guarded(difficulty: u32) -> Guarded {
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

    #[tokio::test]
    async fn good_and_bad_solutions_are_told_apart_and_both_remembered() {
        let checks = Checks::default();
        let network = ClientNetwork::of([192, 0, 2, 1].into());
        let (good, bad) = (guarded(1), guarded(u32::MAX));
        for _ in 0..2 {
            assert!(checks.solved(network, good.clone(), 0).await.is_ok());
            assert_eq!(checks.solved(network, bad.clone(), 1).await.map(|_| ()), Err(Refusal::Unsolved));
        }
        // Without a thread that checks, what is known is answered still.
        let idle = Checks { shared: Arc::clone(&checks.shared), threads: Threads::none() };
        assert!(idle.solved(network, good, 0).await.is_ok());
        assert_eq!(idle.solved(network, bad, 1).await.map(|_| ()), Err(Refusal::Unsolved));
        assert_eq!(idle.solved(network, guarded(2), 1).await.map(|_| ()), Err(Refusal::Busy));
    }

    #[tokio::test]
    async fn where_no_thread_can_be_started_it_is_busy_until_one_can() {
        let checks = Checks::on(Threads::given_none_at_first());
        let network = ClientNetwork::of([192, 0, 2, 1].into());
        assert_eq!(checks.solved(network, guarded(1), 0).await.map(|_| ()), Err(Refusal::Busy));
        checks.threads.forget_failure();
        assert!(checks.solved(network, guarded(1), 0).await.is_ok());
    }
}
