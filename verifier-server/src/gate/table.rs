//! The table of live ids: fixed in size, sharded, and never forgetful. A full table refuses.

use super::entry::{ENTRY_BYTES, Entry};
use puzzle::{ClearanceId, UnixSeconds};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a slot: 16 of the id, 48 of the entry.
pub const SLOT_BYTES: usize = 16 + ENTRY_BYTES;
const SHARDS: usize = 64;
/// Slots of a bucket; an id may stand in either of two buckets.
const BUCKET_SLOTS: usize = 8;

/// Slots that are swept under one lock.
const SWEEP_SLOTS_MAX: usize = 4096;

const ID_WORDS: usize = 2;
const ENTRY_WORDS: usize = ENTRY_BYTES / 8;
/// Words of a bucket before its entries.
const IDS_WORDS: usize = BUCKET_SLOTS * ID_WORDS;

/// Words of a bucket: first the ids of its slots and then their entries. Whoever looks for an id, or for a slot without
/// one, reads a quarter of the bucket and no more.
const BUCKET_WORDS: usize = BUCKET_SLOTS * SLOT_BYTES / 8;
/// The id of a slot that is empty. No clearance has it: ids are outputs of a PRF.
const NO_ID: [u64; ID_WORDS] = [0; ID_WORDS];

/// What an insertion found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted<E> {
    /// The id was absent and is now in the table.
    Fresh(Entry),
    /// The id stood there already; nothing changed.
    Existing(Entry),
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
        make: impl FnOnce() -> Result<Entry, E>,
    ) -> Inserted<E>;

    /// Runs `change` on the entry of `id` in one atomic step; `None` where there is none.
    fn change<R>(&self, id: ClearanceId, now: UnixSeconds, change: impl FnOnce(&mut Entry) -> R) -> Option<R>;

    /// Entries held, live or not yet swept.
    fn used(&self) -> usize;

    /// Entries bought by standing challenges.
    fn standing(&self) -> usize;

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
                    self.count_out(&buckets.entry(place));
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

    /// Every entry that is still live, for saving; shard by shard, so that requests wait only for one of them.
    pub fn for_each_live(&self, now: UnixSeconds, mut visit: impl FnMut(ClearanceId, &Entry)) {
        for shard in &self.shards {
            let buckets = lock(shard);
            for place in (0..self.slots / SHARDS).map(Place::of_slot).filter(|place| buckets.id(*place) != NO_ID) {
                let entry = buckets.entry(place);
                if now < entry.forgotten_at() {
                    visit(id_of(buckets.id(place)), &entry);
                }
            }
        }
    }

    fn shard(&self, id: ClearanceId) -> MutexGuard<'_, Buckets> {
        lock(&self.shards[usize::from(id.0[0]) % SHARDS])
    }

    fn count_out(&self, entry: &Entry) {
        self.used.fetch_sub(1, Ordering::Relaxed);
        if entry.standing {
            self.standing.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn count_in(&self, entry: &Entry) {
        self.used.fetch_add(1, Ordering::Relaxed);
        if entry.standing {
            self.standing.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LiveIds for Table {
    fn insert_if_absent<E>(
        &self,
        id: ClearanceId,
        now: UnixSeconds,
        make: impl FnOnce() -> Result<Entry, E>,
    ) -> Inserted<E> {
        let mut buckets = self.shard(id);
        if self.closed.load(Ordering::SeqCst) {
            return Inserted::Full;
        }
        let found = buckets.find(id);
        if let Some(place) = found {
            let entry = buckets.entry(place);
            if now < entry.forgotten_at() {
                return Inserted::Existing(entry);
            }
        }
        let entry = match make() {
            Ok(entry) => entry,
            Err(error) => return Inserted::Declined(error),
        };
        let Some(place) = found.or_else(|| buckets.free_place(id, now)) else { return Inserted::Full };
        if buckets.id(place) != NO_ID {
            self.count_out(&buckets.entry(place));
        }
        buckets.set_id(place, id_words(id));
        buckets.set_entry(place, &entry);
        self.count_in(&entry);
        Inserted::Fresh(entry)
    }

    fn change<R>(&self, id: ClearanceId, now: UnixSeconds, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let mut buckets = self.shard(id);
        if self.closed.load(Ordering::SeqCst) {
            return None;
        }
        let place = buckets.find(id)?;
        let mut entry = buckets.entry(place);
        if now >= entry.forgotten_at() {
            return None;
        }
        let before = entry;
        let result = change(&mut entry);
        if entry != before {
            buckets.set_entry(place, &entry);
        }
        Some(result)
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn standing(&self) -> usize {
        self.standing.load(Ordering::Relaxed)
    }

    fn slots(&self) -> usize {
        self.slots
    }
}

/// A panic elsewhere cannot leave a slot half written: what writes them cannot fail.
fn lock(shard: &Mutex<Buckets>) -> MutexGuard<'_, Buckets> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slot of a shard.
#[derive(Clone, Copy, Debug)]
struct Place {
    bucket: usize,
    slot: usize,
}

impl Place {
    /// The slot of this number, counted over a shard's buckets.
    const fn of_slot(number: usize) -> Self {
        Self { bucket: number / BUCKET_SLOTS, slot: number % BUCKET_SLOTS }
    }
}

/// Buckets of a shard at the most, so that 32 bits choose one.
const BUCKETS_MAX: usize = u32::MAX as usize;

/// The buckets of one shard, at least one, as single words: zeroed ones come from the system unwritten, so that an
/// untouched table is memory that it has not handed out yet. (Zeroed arrays of more than 16 words are written.)
struct Buckets(Vec<u64>);

impl Buckets {
    fn new(buckets: usize) -> Self {
        Self(vec![0; buckets * BUCKET_WORDS])
    }

    fn bucket(&self, index: usize) -> &[u64; BUCKET_WORDS] {
        &self.0.as_chunks().0[index]
    }

    fn bucket_mut(&mut self, index: usize) -> &mut [u64; BUCKET_WORDS] {
        &mut self.0.as_chunks_mut().0[index]
    }

    /// The two buckets in which `id` may stand. Ids are outputs of a keyed PRF: nobody can choose where theirs fall.
    fn choices(&self, id: ClearanceId) -> [usize; 2] {
        [1, 5].map(|start| {
            let word = u32::from_be_bytes([id.0[start], id.0[start + 1], id.0[start + 2], id.0[start + 3]]);
            // The word's part of 2^32, of the buckets: as even as a remainder, without the division.
            usize::try_from((u64::from(word) * (self.0.len() / BUCKET_WORDS) as u64) >> 32).unwrap_or_default()
        })
    }

    fn ids(&self, bucket: usize) -> &[[u64; ID_WORDS]] {
        self.bucket(bucket)[..IDS_WORDS].as_chunks().0
    }

    fn find(&self, id: ClearanceId) -> Option<Place> {
        let wanted = id_words(id);
        let mut found = None;
        // Whole words, all slots, no early exit on a partial match: the time tells nothing about stored ids.
        for bucket in self.choices(id) {
            for (slot, stored) in self.ids(bucket).iter().enumerate() {
                if ((stored[0] ^ wanted[0]) | (stored[1] ^ wanted[1])) == 0 {
                    found = Some(Place { bucket, slot });
                }
            }
        }
        found
    }

    /// A place for `id`: an empty slot in the emptier of its two buckets, or else one that may be forgotten.
    fn free_place(&self, id: ClearanceId, now: UnixSeconds) -> Option<Place> {
        let choices = self.choices(id);
        let empty = |bucket: usize| self.ids(bucket).iter().filter(|stored| **stored == NO_ID).count();
        let [first, second] = choices;
        let emptier = if empty(first) >= empty(second) { first } else { second };
        if let Some(slot) = self.ids(emptier).iter().position(|stored| *stored == NO_ID) {
            return Some(Place { bucket: emptier, slot });
        }
        let places = choices.into_iter().flat_map(|bucket| (0..BUCKET_SLOTS).map(move |slot| Place { bucket, slot }));
        places.into_iter().find(|place| now >= self.forgotten_at(*place))
    }

    fn id(&self, place: Place) -> [u64; ID_WORDS] {
        self.ids(place.bucket)[place.slot]
    }

    fn set_id(&mut self, place: Place, id: [u64; ID_WORDS]) {
        self.bucket_mut(place.bucket)[..IDS_WORDS].as_chunks_mut().0[place.slot] = id;
    }

    fn entry_words(&self, place: Place) -> &[u64; ENTRY_WORDS] {
        &self.bucket(place.bucket)[IDS_WORDS..].as_chunks().0[place.slot]
    }

    fn entry(&self, place: Place) -> Entry {
        let mut bytes = [0; ENTRY_BYTES];
        for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.entry_words(place)) {
            *chunk = word.to_be_bytes();
        }
        Entry::from_bytes(&bytes)
    }

    fn set_entry(&mut self, place: Place, entry: &Entry) {
        let rest = &mut self.bucket_mut(place.bucket)[IDS_WORDS..];
        let words: &mut [u64; ENTRY_WORDS] = &mut rest.as_chunks_mut().0[place.slot];
        for (word, bytes) in words.iter_mut().zip(entry.to_bytes().as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
    }

    /// [`Entry::forgotten_at`] of a slot, without unpacking the rest.
    fn forgotten_at(&self, place: Place) -> UnixSeconds {
        let words = self.entry_words(place);
        let [.., e0, e1, e2, e3] = words[1].to_be_bytes();
        let [k0, k1, ..] = words[2].to_be_bytes();
        UnixSeconds(u32::from_be_bytes([e0, e1, e2, e3])).plus(u32::from(u16::from_be_bytes([k0, k1])))
    }
}

fn id_words(id: ClearanceId) -> [u64; ID_WORDS] {
    let [high, low] = [id.0.first_chunk(), id.0.last_chunk()];
    [high, low].map(|half| half.copied().map_or(0, u64::from_be_bytes))
}

fn id_of(words: [u64; ID_WORDS]) -> ClearanceId {
    ClearanceId((u128::from(words[0]) << 64 | u128::from(words[1])).to_be_bytes())
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
        table.insert_if_absent(id(number), BORN, || Ok(entry(100)))
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
        assert!(matches!(table.insert_if_absent(id(0), later, || Ok::<_, ()>(entry(100))), Inserted::Fresh(_)));
    }

    #[test]
    fn a_closed_table_changes_nothing_any_more() {
        let table = Table::new(1);
        insert(&table, 1);
        table.close();
        assert_eq!(insert(&table, 2), Inserted::Full);
        assert_eq!(table.change(id(1), BORN, |entry| entry.left = 0), None);
        let mut live = 0;
        table.for_each_live(BORN, |_, entry| live += entry.left);
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
    fn the_short_way_to_an_entrys_end_is_the_long_one() {
        for (expires, keep) in [(0, 0), (1_800_000_000, 600), (u32::MAX, u16::MAX), (1 << 24, 1 << 8)] {
            let entry = Entry { expires_at: UnixSeconds(expires), keep_seconds: keep, ..entry(7) };
            let (mut buckets, place) = (Buckets::new(1), Place::of_slot(7));
            buckets.set_entry(place, &entry);
            assert_eq!(buckets.forgotten_at(place), entry.forgotten_at());
            assert_eq!(buckets.entry(place), entry);
        }
    }

    #[test]
    fn a_slot_has_at_most_64_bytes() {
        assert_eq!(BUCKET_WORDS * size_of::<u64>(), BUCKET_SLOTS * 64);
    }
}
