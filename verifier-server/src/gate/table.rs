//! The table of live ids: fixed in size, sharded, and never forgetful. A full table refuses.

mod buckets;

use super::entry::{ENTRY_BYTES, Entry};
use super::live::Live;
use super::token_mark::TokenMark;
use buckets::{BUCKET_SLOTS, BUCKETS_MAX, Buckets, NO_ID, Place, id_of, id_words};
use puzzle::{ClearanceId, UnixSeconds};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a slot: 16 of the id, 48 of the entry.
pub const SLOT_BYTES: usize = 16 + ENTRY_BYTES;
const SHARDS: usize = 64;

/// Slots that are swept under one lock.
const SWEEP_SLOTS_MAX: usize = 4096;

/// What an insertion found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted<E> {
    /// The id was absent and is now in the table.
    Fresh(Live),
    /// The id stood there already; nothing changed.
    Existing(Live),
    /// The id was absent and the entry could not be made.
    Declined(E),
    /// Both buckets are full of live entries.
    Full,
}

/// Where replay marks and budgets live. One implementation keeps them in memory; a store shared by several verifiers
/// would be another.
pub trait LiveIds {
    /// Inserts what `make` returns unless `id` is there already, in one atomic step.
    fn insert_if_absent<E>(
        &self,
        id: ClearanceId,
        now: UnixSeconds,
        make: impl FnOnce() -> Result<Live, E>,
    ) -> Inserted<E>;

    /// Runs `change` on the clearance `id` in one atomic step; `None` where there is none.
    fn change<R>(&self, id: ClearanceId, now: UnixSeconds, change: impl FnOnce(&mut Entry) -> R) -> Option<R>;

    /// Runs `change` on the mark of the token `id` in one atomic step; `None` where there is none.
    fn change_token<R>(&self, id: ClearanceId, now: UnixSeconds, change: impl FnOnce(&mut TokenMark) -> R)
    -> Option<R>;

    /// Entries held, live or not yet swept.
    fn used(&self) -> usize;

    /// Entries bought by standing challenges.
    fn standing(&self) -> usize;

    /// Entries of tokens.
    fn tokens(&self) -> usize;

    /// Entries that fit.
    fn slots(&self) -> usize;
}

/// The table in memory.
pub struct Table {
    shards: Vec<Mutex<Buckets>>,
    /// Known without a lock: whoever makes an entry asks for it while its shard is locked.
    slots: usize,
    used: AtomicUsize,
    standing: AtomicUsize,
    tokens: AtomicUsize,
    /// The slot, counted over all shards, at which the next sweep begins.
    next_sweep: AtomicUsize,
    /// Set before the table is saved: nothing is sold or spent any more that the file might miss.
    closed: AtomicBool,
}

impl Table {
    /// A table of `mib` mebibytes. Memory is taken from the system only as entries come.
    #[must_use]
    pub fn new(mib: u32) -> Self {
        let slots = usize::try_from(mib).unwrap_or(usize::MAX).saturating_mul(1024 * 1024) / SLOT_BYTES;
        Self::with_slots_per_shard(slots / SHARDS)
    }

    fn with_slots_per_shard(slots: usize) -> Self {
        let buckets = (slots / BUCKET_SLOTS).clamp(1, BUCKETS_MAX);
        Self {
            slots: buckets * BUCKET_SLOTS * SHARDS,
            shards: (0..SHARDS).map(|_| Mutex::new(Buckets::new(buckets))).collect(),
            used: AtomicUsize::new(0),
            standing: AtomicUsize::new(0),
            tokens: AtomicUsize::new(0),
            next_sweep: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Frees the slots of a part of the table whose entries may be forgotten; called once a second it comes round in
    /// about a minute, and holds no lock for longer than a few thousand slots take.
    pub fn sweep(&self, now: UnixSeconds) {
        if self.used() == 0 {
            return;
        }
        let per_shard = self.slots / SHARDS;
        let mut left = self.slots / SHARDS;
        while left > 0 {
            let count = left.min(SWEEP_SLOTS_MAX);
            left -= count;
            let start = self.next_sweep.fetch_add(count, Ordering::Relaxed) % self.slots;
            let (shard, first) = (start / per_shard, start % per_shard);
            let mut buckets = lock(&self.shards[shard]);
            for place in (first..per_shard.min(first + count)).map(Place::of_slot) {
                if buckets.id(place) != NO_ID && now >= buckets.forgotten_at(place) {
                    self.count_out(&buckets.live(place));
                    buckets.set_id(place, NO_ID);
                }
            }
        }
    }

    /// From now on the table refuses every change. What is saved after this is all there is.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // Whoever was inside a shard is out of it once its lock has been held.
        for shard in &self.shards {
            drop(lock(shard));
        }
    }

    /// Whether it refuses every change.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Every entry that is still live, for saving; shard by shard, so that requests wait only for one of them.
    pub fn for_each_live(&self, now: UnixSeconds, mut visit: impl FnMut(ClearanceId, &Live)) {
        for shard in &self.shards {
            let buckets = lock(shard);
            for place in (0..self.slots / SHARDS).map(Place::of_slot).filter(|place| buckets.id(*place) != NO_ID) {
                let live = buckets.live(place);
                if now < live.forgotten_at() {
                    visit(id_of(buckets.id(place)), &live);
                }
            }
        }
    }

    fn shard(&self, id: ClearanceId) -> MutexGuard<'_, Buckets> {
        lock(&self.shards[usize::from(id.0[0]) % SHARDS])
    }

    fn count_out(&self, live: &Live) {
        self.used.fetch_sub(1, Ordering::Relaxed);
        if let Some(kind) = self.count_of(live) {
            kind.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn count_in(&self, live: &Live) {
        self.used.fetch_add(1, Ordering::Relaxed);
        if let Some(kind) = self.count_of(live) {
            kind.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Of which it may hold a quarter.
    const fn count_of(&self, live: &Live) -> Option<&AtomicUsize> {
        match live {
            Live::Clearance(entry) if entry.standing => Some(&self.standing),
            Live::Clearance(_) => None,
            Live::Token(_) => Some(&self.tokens),
        }
    }

    /// Runs `change` on what `id` names in one atomic step; `None` where there is nothing.
    fn alter<R>(&self, id: ClearanceId, now: UnixSeconds, change: impl FnOnce(&mut Live) -> Option<R>) -> Option<R> {
        let mut buckets = self.shard(id);
        if self.is_closed() {
            return None;
        }
        let place = buckets.find(id)?;
        let mut live = buckets.live(place);
        if now >= live.forgotten_at() {
            return None;
        }
        let before = live;
        let result = change(&mut live);
        if live != before {
            buckets.set_live(place, &live);
        }
        result
    }
}

impl LiveIds for Table {
    fn insert_if_absent<E>(
        &self,
        id: ClearanceId,
        now: UnixSeconds,
        make: impl FnOnce() -> Result<Live, E>,
    ) -> Inserted<E> {
        let mut buckets = self.shard(id);
        if self.is_closed() {
            return Inserted::Full;
        }
        let found = buckets.find(id);
        if let Some(place) = found {
            let live = buckets.live(place);
            if now < live.forgotten_at() {
                return Inserted::Existing(live);
            }
        }
        let live = match make() {
            Ok(live) => live,
            Err(error) => return Inserted::Declined(error),
        };
        let Some(place) = found.or_else(|| buckets.free_place(id, now)) else { return Inserted::Full };
        if buckets.id(place) != NO_ID {
            self.count_out(&buckets.live(place));
        }
        buckets.set_id(place, id_words(id));
        buckets.set_live(place, &live);
        self.count_in(&live);
        Inserted::Fresh(live)
    }

    fn change<R>(&self, id: ClearanceId, now: UnixSeconds, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.alter(id, now, |live| match live {
            Live::Clearance(entry) => Some(change(entry)),
            Live::Token(_) => None,
        })
    }

    fn change_token<R>(
        &self,
        id: ClearanceId,
        now: UnixSeconds,
        change: impl FnOnce(&mut TokenMark) -> R,
    ) -> Option<R> {
        self.alter(id, now, |live| match live {
            Live::Clearance(_) => None,
            Live::Token(mark) => Some(change(mark)),
        })
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn standing(&self) -> usize {
        self.standing.load(Ordering::Relaxed)
    }

    fn tokens(&self) -> usize {
        self.tokens.load(Ordering::Relaxed)
    }

    fn slots(&self) -> usize {
        self.slots
    }
}

/// A panic elsewhere cannot leave a slot half written: what writes them cannot fail.
fn lock(shard: &Mutex<Buckets>) -> MutexGuard<'_, Buckets> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{BORN, entry};
    use super::*;

    fn id(number: u64) -> ClearanceId {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(number.to_be_bytes());
        ClearanceId(std::array::from_fn(|i| digest[i]))
    }

    fn insert(table: &Table, number: u64) -> Inserted<()> {
        table.insert_if_absent(id(number), BORN, || Ok(Live::Clearance(entry(100))))
    }

    #[test]
    fn an_id_is_inserted_once_across_threads() {
        let table = Table::new(1);
        let fresh: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..64).map(|_| scope.spawn(|| usize::from(matches!(insert(&table, 1), Inserted::Fresh(_))))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
        });
        assert_eq!(fresh, 1);
        assert_eq!(table.used(), 1);
    }

    #[test]
    fn a_full_table_refuses_and_forgets_no_live_entry() {
        let table = Table::with_slots_per_shard(64);
        let mut held = Vec::new();
        let mut refused = 0;
        for number in 0..10_000 {
            match insert(&table, number) {
                Inserted::Fresh(_) => held.push(number),
                Inserted::Full => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(refused > 0);
        assert!(held.len() * 100 >= table.slots() * 90, "{} of {} before it refused", held.len(), table.slots());
        assert_eq!(held.len(), table.used());
        for number in held {
            assert!(matches!(insert(&table, number), Inserted::Existing(_)), "{number} was forgotten");
        }
    }

    #[test]
    fn forgotten_entries_give_their_place_back() {
        let table = Table::with_slots_per_shard(8);
        for number in 0..1_000 {
            insert(&table, number);
        }
        let later = entry(100).forgotten_at();
        for _ in 0..=SHARDS {
            table.sweep(later);
        }
        assert_eq!(table.used(), 0);
        assert_eq!(table.change(id(0), later, |_| ()), None);
        assert!(matches!(
            table.insert_if_absent(id(0), later, || Ok::<_, ()>(Live::Clearance(entry(100)))),
            Inserted::Fresh(_)
        ));
    }

    #[test]
    fn a_closed_table_changes_nothing_any_more() {
        let table = Table::new(1);
        insert(&table, 1);
        table.close();
        assert_eq!(insert(&table, 2), Inserted::Full);
        assert_eq!(table.change(id(1), BORN, |entry| entry.left = 0), None);
        let mut live = 0;
        table.for_each_live(BORN, |_, held| {
            if let Live::Clearance(entry) = held {
                live += entry.left;
            }
        });
        assert_eq!(live, entry(100).left);
    }

    #[test]
    fn a_change_is_kept() {
        let table = Table::new(1);
        insert(&table, 1);
        table.change(id(1), BORN, |entry| entry.left = 5);
        assert_eq!(table.change(id(1), BORN, |entry| entry.left), Some(5));
        assert_eq!(table.change(id(2), BORN, |entry| entry.left), None);
    }

    #[test]
    fn a_token_is_no_clearance_and_a_clearance_no_token() {
        let table = Table::new(1);
        insert(&table, 1);
        let mark = TokenMark::new([3; 16], BORN, 300);
        assert!(matches!(
            table.insert_if_absent(id(2), BORN, || Ok::<_, ()>(Live::Token(mark))),
            Inserted::Fresh(Live::Token(_))
        ));
        assert_eq!((table.used(), table.tokens(), table.standing()), (2, 1, 0));
        assert_eq!(table.change(id(2), BORN, |_| ()), None);
        assert_eq!(table.change_token(id(1), BORN, |_| ()), None);
        assert_eq!(table.change_token(id(2), BORN, |mark| *mark), Some(mark));
    }
}
