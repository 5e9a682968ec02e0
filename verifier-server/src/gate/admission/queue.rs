//! The queue before an origin: classes one before the other, and in each of them networks that take turns.

use super::lane::{Token, Waiter};
use super::newness::{Newness, Standing};
use super::tree::Tree;
use super::waits::{Waits, speaker};
use super::{Class, Request, Turn};
use crate::gate::networks::HashKey;
use crate::load::Amount;
use std::time::Duration;

/// Requests that wait at the most.
pub const QUEUE_REQUESTS_MAX: usize = 8_192;
/// How long a request waits at the most.
pub const WAIT_MAX: Duration = Duration::from_secs(6);

/// Which tree a request waits in, the first served before all others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Reserved,
    /// Paid for, or free, from a network that is new and has been served something: a page is finished before others
    /// are begun.
    Begun,
    /// The same from a network that is new.
    New,
    /// The same from one that has had its page.
    Served,
    Unpaid,
}

impl Rank {
    const ALL: [Self; 5] = [Self::Reserved, Self::Begun, Self::New, Self::Served, Self::Unpaid];
    /// Those of requests that are paid for, or free.
    const CLEARED: [Self; 3] = [Self::Begun, Self::New, Self::Served];

    const fn of(standing: Standing) -> Self {
        match standing {
            Standing::New => Self::New,
            Standing::Begun => Self::Begun,
            Standing::Served => Self::Served,
        }
    }
}

/// Requests that wait for a slot.
#[derive(Debug)]
pub struct Queue<T> {
    /// By [`Rank`].
    trees: [Tree<T>; 5],
    newness: Newness,
    waits: Waits,
    hasher: HashKey,
}

impl<T> Queue<T> {
    /// Nobody waits.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self {
            trees: std::array::from_fn(|_| Tree::default()),
            newness: Newness::new(key.part("newness")),
            waits: Waits::new(key.part("waits")),
            hasher: key.part("clearances"),
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
        self.newness.served(&request.network, request.shares, request.cost, now);
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
        let (cost, part) = (request.cost.millionths(), request.part);
        let waiter = Waiter { token, came: now, cost, free, part };
        let dropped = self.trees[rank as usize].push(request, &self.hasher, waiter, now);
        turns.extend(dropped.map(Turn::Dropped));
        Ok(())
    }

    /// Whoever is next. `turns` gets those who waited too long for it.
    pub fn pop(&mut self, now: Duration, turns: &mut Vec<Turn<T>>) -> Option<T> {
        let stale_before = now.saturating_sub(WAIT_MAX);
        loop {
            let mut dropped = |token| turns.push(Turn::Dropped(token));
            let mut turn = |rank: Rank| Some((rank, self.trees[rank as usize].turn(stale_before, &mut dropped)?));
            let (rank, index) = Rank::ALL.into_iter().find_map(&mut turn)?;
            if !self.moves_on(rank, index, now) {
                let served = self.trees[rank as usize].serve(index, now)?;
                let cost = Amount::of_millionths(served.waiter.cost);
                self.newness.served(&served.network, served.shares, cost, now);
                if Rank::CLEARED.contains(&rank) {
                    self.waits.note(speaker(&served.network), served.waited);
                    // What else of it waits is in its new place when the next slot is free.
                    self.moves_on(rank, index, now);
                }
                return Some(served.waiter.token);
            }
        }
    }

    /// Takes the network at `index` to where it belongs by what it was served, if it has gone beyond `rank`.
    fn moves_on(&mut self, rank: Rank, index: usize, now: Duration) -> bool {
        if !matches!(rank, Rank::New | Rank::Begun) {
            return false;
        }
        let Some(client) = self.trees[rank as usize].at(index) else { return false };
        let standing = self.newness.standing(&client.network, client.shares, now);
        let moved = Rank::of(standing);
        if moved == rank {
            return false;
        }
        let Some(client) = self.trees[rank as usize].take(index) else { return false };
        self.trees[moved as usize].adopt(client, now);
        true
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
        for rank in Rank::CLEARED {
            self.trees[rank as usize].take_free(&mut taken);
        }
    }

    /// How long cleared requests waited for others than their own network, or wait still, in the median over networks.
    /// Begins a new second.
    pub fn waits(&mut self, now: Duration) -> Duration {
        for rank in Rank::CLEARED {
            self.trees[rank as usize].waits(now, |around, wait| self.waits.note(around, wait));
        }
        self.waits.take()
    }

    fn rank(&self, request: &Request, now: Duration) -> Rank {
        match request.class {
            Class::Reserved => Rank::Reserved,
            Class::Unpaid => Rank::Unpaid,
            Class::Cleared | Class::Free => Rank::of(self.newness.standing(&request.network, request.shares, now)),
        }
    }
}
