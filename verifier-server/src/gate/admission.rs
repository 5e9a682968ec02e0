//! Who goes to the origin next when it cannot take everybody (DESIGN: fair per network).
//!
//! A number of slots, and a queue before them in which every client network has a share. Pure: time is an argument, and a
//! request that waits is a token of whoever asks.

mod lane;
mod newness;
mod queue;
mod tree;
mod waits;

pub use lane::{LANE_REQUESTS_MAX, LANE_REQUESTS_PER_SHARE, Token};
pub use newness::{FINISHED_FIRST, NEW_AGAIN_AFTER, NEW_CREDITS, Newness, Standing};
pub use queue::{QUEUE_REQUESTS_MAX, Queue, WAIT_MAX};

use super::networks::{HashKey, Nested};
use crate::load::Amount;
use puzzle::ClearanceId;
use std::time::Duration;

/// Slots of an open gate at the least: without an overload nobody waits, also not at a site that holds many requests
/// open because it has nothing to say yet.
pub const OPEN_SLOTS_MIN: u32 = 256;

/// In what order requests go to the origin, the first before all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Within a slice that a rule holds for itself.
    Reserved,
    /// Paid for.
    Cleared,
    /// Nothing is asked of anybody now: as if paid for, until the gate goes down.
    Free,
    /// Passes unpaid while others pay.
    Unpaid,
}

/// A request that wants to go to the origin.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its class.
    pub class: Class,
    /// Where it comes from.
    pub network: Nested,
    /// Whole shares of each of these networks, as many as there are levels, the narrowest first; at least 1 each.
    pub shares: [u32; 3],
    /// What pays for it; requests of one clearance wait behind each other.
    pub clearance: ClearanceId,
    /// What it costs by its route.
    pub cost: Amount,
    /// Whether it is part of a page, by rule.
    pub part: bool,
}

/// What becomes of a request that asks for a slot.
#[derive(Debug)]
pub enum Asked<T> {
    /// It has one.
    Now(T),
    /// It waits.
    Waits,
    /// There is no room for it to wait.
    Full(T),
}

/// A token whose waiting has ended.
#[derive(Debug)]
pub enum Turn<T> {
    /// It has a slot.
    Slot(T),
    /// It waited too long, or somebody else needed its place more.
    Dropped(T),
    /// The gate has gone down meanwhile: it asks again.
    AskAgain(T),
}

/// The slots of an origin and the queue before them.
#[derive(Debug)]
pub struct Admission<T> {
    queue: Queue<T>,
    slots: u32,
    in_use: u32,
    in_use_peak: u32,
    /// Whether a slot was taken since the last second.
    taken: bool,
}

impl<T: Token> Admission<T> {
    /// Nobody waits for `slots` slots. By `key` networks and clearances are placed.
    #[must_use]
    pub fn new(slots: u32, key: HashKey) -> Self {
        Self { queue: Queue::new(key), slots: slots.max(1), in_use: 0, in_use_peak: 0, taken: false }
    }

    /// Takes a slot where nobody has to wait for one. The shares of the request do not matter for that.
    pub fn take_free_slot(&mut self, request: &Request, now: Duration) -> bool {
        let is_free = self.in_use < self.slots && self.queue.is_empty();
        if is_free {
            self.take_slot();
            self.queue.passed(request, now);
        }
        is_free
    }

    /// Asks for a slot. `turns` gets whoever makes room for it.
    pub fn ask(&mut self, request: &Request, token: T, now: Duration, turns: &mut Vec<Turn<T>>) -> Asked<T> {
        if self.take_free_slot(request, now) {
            return Asked::Now(token);
        }
        match self.queue.push(request, token, now, turns) {
            Ok(()) => {
                self.fill(now, turns);
                Asked::Waits
            }
            Err(token) => Asked::Full(token),
        }
    }

    /// A slot is free again. `turns` gets whoever has it now, and who was dropped on the way.
    pub fn release(&mut self, now: Duration, turns: &mut Vec<Turn<T>>) {
        self.in_use = self.in_use.saturating_sub(1);
        self.fill(now, turns);
    }

    /// From now on there are so many slots. Where they are fewer than are in use, nobody gets one until enough are free.
    pub fn set_slots(&mut self, slots: u32, now: Duration, turns: &mut Vec<Turn<T>>) {
        self.slots = slots.max(1);
        self.fill(now, turns);
    }

    /// The gate has gone down: requests of which nothing was asked ask again.
    pub fn ask_free_again(&mut self, turns: &mut Vec<Turn<T>>) {
        self.queue.take_free(|token| turns.push(Turn::AskAgain(token)));
    }

    /// Once a second: drops who waits too long, and says how long cleared requests wait, in the median over networks.
    pub fn second(&mut self, now: Duration, turns: &mut Vec<Turn<T>>) -> Second {
        self.queue.drop_stale(now, turns);
        self.fill(now, turns);
        let in_use_peak = std::mem::replace(&mut self.in_use_peak, self.in_use);
        let taken = std::mem::take(&mut self.taken);
        let waiting = self.queue.len();
        Second { waits: self.queue.waits(now), waiting, in_use_peak, stands_still: waiting > 0 && !taken }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many of them pass unpaid while others pay.
    #[must_use]
    pub fn waiting_unpaid(&self) -> usize {
        self.queue.len_unpaid()
    }

    /// How many slots are in use, and how many there are.
    #[must_use]
    pub const fn slots(&self) -> (u32, u32) {
        (self.in_use, self.slots)
    }

    fn fill(&mut self, now: Duration, turns: &mut Vec<Turn<T>>) {
        while self.in_use < self.slots
            && let Some(token) = self.queue.pop(now, turns)
        {
            self.take_slot();
            turns.push(Turn::Slot(token));
        }
    }

    fn take_slot(&mut self) {
        self.in_use += 1;
        self.taken = true;
        self.in_use_peak = self.in_use_peak.max(self.in_use);
    }
}

/// What a second of the queue showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    /// How long cleared requests wait for others than their own network, in the median over networks.
    pub waits: Duration,
    /// How many wait now.
    pub waiting: usize,
    /// Most slots that were in use at once.
    pub in_use_peak: u32,
    /// Requests wait, and none got a slot.
    pub stands_still: bool,
}
