//! The queue before an origin: classes one before the other, and in each of them networks that take turns.

use super::lane::{Token, Waiter};
use super::newness::Newness;
use super::tree::Tree;
use super::waits::{Waits, speaker};
use super::{Class, Request, Turn};
use std::hash::RandomState;
use std::time::Duration;

/// Requests that wait at the most.
pub const QUEUE_REQUESTS_MAX: usize = 8_192;
/// How long a request waits at the most.
pub const WAIT_MAX: Duration = Duration::from_secs(6);

/// Which tree a request waits in, the first served before all others.
#[derive(Clone, Copy)]
enum Rank {
    Reserved,
    /// Paid for, or free, from a network that is new.
    New,
    /// The same from one that was served of late.
    Served,
    Unpaid,
}

/// Requests that wait for a slot.
#[derive(Debug)]
pub struct Queue<T> {
    /// By [`Rank`].
    trees: [Tree<T>; 4],
    newness: Newness,
    waits: Waits,
    hasher: RandomState,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            trees: std::array::from_fn(|_| Tree::default()),
            newness: Newness::default(),
            waits: Waits::default(),
            hasher: RandomState::new(),
        }
    }
}

impl<T: Token> Queue<T> {
    /// How many wait, those among them whose clients have gone unnoticed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trees.iter().map(Tree::len).sum()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trees.iter().all(|tree| tree.len() == 0)
    }

    /// How many of them pass unpaid while others pay.
    #[must_use]
    pub fn len_unpaid(&self) -> usize {
        self.trees[Rank::Unpaid as usize].len()
    }

    /// A request went on without waiting.
    pub fn passed(&mut self, request: &Request, now: Duration) {
        self.newness.served(&request.network, request.cost, now);
        if matches!(request.class, Class::Cleared | Class::Free) {
            self.waits.note(speaker(&request.network), Duration::ZERO);
        }
    }

    /// Lets a request wait, or returns its token where there is no room for it. `turns` gets whoever makes room.
    pub fn push(&mut self, request: &Request, token: T, now: Duration, turns: &mut Vec<Turn<T>>) -> Result<(), T> {
        let rank = self.rank(request, now);
        if self.len() >= QUEUE_REQUESTS_MAX {
            // Who is served last makes room first, and never for one that would be served after it.
            let others = self.trees[rank as usize..].iter_mut().rev();
            match others.filter(|tree| tree.len() > 0).find_map(Tree::drop_from_a_long_lane) {
                Some(dropped) => turns.push(Turn::Dropped(dropped)),
                None => return Err(token),
            }
        }
        let free = request.class == Class::Free;
        let waiter = Waiter { token, came: now, cost: request.cost.millionths(), free };
        let dropped = self.trees[rank as usize].push(request, &self.hasher, waiter, now);
        turns.extend(dropped.map(Turn::Dropped));
        Ok(())
    }

    /// Whoever is next. `turns` gets those who waited too long for it.
    pub fn pop(&mut self, now: Duration, turns: &mut Vec<Turn<T>>) -> Option<T> {
        let stale_before = now.saturating_sub(WAIT_MAX);
        for rank in [Rank::Reserved, Rank::New, Rank::Served, Rank::Unpaid] {
            loop {
                let mut dropped = |token| turns.push(Turn::Dropped(token));
                let Some(index) = self.trees[rank as usize].turn(stale_before, &mut dropped) else { break };
                if matches!(rank, Rank::New) && !self.is_still_new(index, now) {
                    let client = self.trees[rank as usize].take(index)?;
                    self.trees[Rank::Served as usize].adopt(client, now);
                    continue;
                }
                let served = self.trees[rank as usize].serve(index, now)?;
                self.newness.served(&served.network, crate::load::Amount::of_millionths(served.waiter.cost), now);
                if matches!(rank, Rank::New | Rank::Served) {
                    self.waits.note(speaker(&served.network), served.waited);
                }
                return Some(served.waiter.token);
            }
        }
        None
    }

    /// Drops everywhere who waited too long.
    pub fn drop_stale(&mut self, now: Duration, turns: &mut Vec<Turn<T>>) {
        let stale_before = now.saturating_sub(WAIT_MAX);
        for tree in &mut self.trees {
            tree.drop_stale(stale_before, &mut |token| turns.push(Turn::Dropped(token)));
        }
    }

    /// Takes away the requests of which nothing was asked.
    pub fn take_free(&mut self, mut taken: impl FnMut(T)) {
        for rank in [Rank::New, Rank::Served] {
            self.trees[rank as usize].take_free(&mut taken);
        }
    }

    /// How long cleared requests waited for others than their own network, or wait still, in the median over networks.
    /// Begins a new second.
    pub fn waits(&mut self, now: Duration) -> Duration {
        for rank in [Rank::New, Rank::Served] {
            self.trees[rank as usize].waits(now, |around, wait| self.waits.note(around, wait));
        }
        self.waits.take()
    }

    fn rank(&self, request: &Request, now: Duration) -> Rank {
        match request.class {
            Class::Reserved => Rank::Reserved,
            Class::Unpaid => Rank::Unpaid,
            Class::Cleared | Class::Free if self.newness.is_new(&request.network, request.shares, now) => Rank::New,
            Class::Cleared | Class::Free => Rank::Served,
        }
    }

    fn is_still_new(&self, index: usize, now: Duration) -> bool {
        let client = self.trees[Rank::New as usize].at(index);
        client.is_some_and(|client| self.newness.is_new(&client.network, client.shares, now))
    }
}
