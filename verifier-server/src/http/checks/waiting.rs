//! What waits to be checked, row by row.

use super::known::Mark;
use puzzle::{ClientNetwork, Guarded, Refusal, Solved};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use tokio::sync::oneshot;

/// Solutions that wait at the most. At a limit the client network with most of them loses one, which is answered `busy`; the
/// same solution can be sent again.
const WAITING_MAX: usize = 1024;
/// Rows that they wait in, each taken from in turn; a network has one of them.
const ROWS: usize = 256;

/// A solution that waits, and where its verdict goes.
pub(super) struct Job {
    pub(super) guarded: Guarded,
    pub(super) mark: Mark,
    pub(super) first: u8,
    pub(super) verdict: oneshot::Sender<Result<Solved, Refusal>>,
}

/// What waits, row by row.
pub(super) struct Waiting {
    hasher: RandomState,
    rows: Vec<VecDeque<Job>>,
    count: usize,
    next: usize,
}

impl Waiting {
    pub(super) fn new() -> Self {
        let rows = (0..ROWS).map(|_| VecDeque::new()).collect();
        Self { hasher: RandomState::new(), rows, count: 0, next: 0 }
    }

    /// Lets a job of a network wait. At the limit the newest of the longest row goes: perhaps the job itself.
    pub(super) fn push(&mut self, network: ClientNetwork, job: Job) {
        let row = self.row_of(network);
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
    pub(super) fn pop(&mut self) -> Option<Job> {
        for _ in 0..ROWS {
            self.next = (self.next + 1) % ROWS;
            if let Some(job) = self.rows[self.next].pop_front() {
                self.count -= 1;
                return Some(job);
            }
        }
        None
    }

    fn row_of(&self, network: ClientNetwork) -> usize {
        usize::try_from(self.hasher.hash_one(network)).unwrap_or(usize::MAX) % ROWS
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::Known;
    use super::super::tests::guarded;
    use super::*;

    fn job(guarded: &Guarded) -> (Job, oneshot::Receiver<Result<Solved, Refusal>>) {
        let (verdict, heard) = oneshot::channel();
        let mark = Known::default().mark(guarded);
        (Job { guarded: guarded.clone(), mark, first: 0, verdict }, heard)
    }

    #[test]
    fn at_the_limit_the_row_with_most_loses_its_newest_and_a_newcomer_waits() {
        let (guarded, mut waiting) = (guarded(1), Waiting::new());
        let network = |third| ClientNetwork::of([192, 0, third, 1].into());
        let elsewhere = |third: &u8| waiting.row_of(network(*third)) != waiting.row_of(network(0));
        let other = network((1..=u8::MAX).find(elsewhere).expect("not all are in one row"));
        let mut flood: Vec<_> = (0..WAITING_MAX + 10)
            .map(|_| {
                let (job, heard) = job(&guarded);
                waiting.push(network(0), job);
                heard
            })
            .collect();
        assert_eq!(waiting.count, WAITING_MAX, "one row may fill it while nobody else wants it");
        let (visitor, mut heard) = job(&guarded);
        waiting.push(other, visitor);
        assert_eq!((waiting.count, waiting.rows[waiting.row_of(other)].len()), (WAITING_MAX, 1));
        assert!(flood[WAITING_MAX - 1].try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
        // Taken from in turn: the visitor is second at the latest.
        drop((waiting.pop(), waiting.pop()));
        assert!(heard.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed), "it was taken");
    }
}
