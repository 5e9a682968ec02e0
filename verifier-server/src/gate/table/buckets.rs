//! The buckets of one shard of the table: where an id may stand, and the words it stands in.

use super::super::entry::ENTRY_BYTES;
use super::super::live::Live;
use super::SLOT_BYTES;
use puzzle::{ClearanceId, UnixSeconds};

/// Slots of a bucket; an id may stand in either of two buckets.
pub(super) const BUCKET_SLOTS: usize = 8;

const ID_WORDS: usize = 2;
const ENTRY_WORDS: usize = ENTRY_BYTES / 8;
/// Words of a bucket before its entries.
const IDS_WORDS: usize = BUCKET_SLOTS * ID_WORDS;

/// Words of a bucket: first the ids of its slots and then their entries. Whoever looks for an id, or for a slot without
/// one, reads a quarter of the bucket and no more.
const BUCKET_WORDS: usize = BUCKET_SLOTS * SLOT_BYTES / 8;
/// The id of a slot that is empty. No clearance has it: ids are outputs of a PRF.
pub(super) const NO_ID: [u64; ID_WORDS] = [0; ID_WORDS];

/// A slot of a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    bucket: usize,
    slot: usize,
}

impl Place {
    /// The slot of this number, counted over a shard's buckets.
    pub(super) const fn of_slot(number: usize) -> Self {
        Self { bucket: number / BUCKET_SLOTS, slot: number % BUCKET_SLOTS }
    }
}

/// Buckets of a shard at the most, so that 32 bits choose one.
pub(super) const BUCKETS_MAX: usize = u32::MAX as usize;

/// The buckets of one shard, at least one, as single words: zeroed ones come from the system unwritten, so that an
/// untouched table is memory that it has not handed out yet. (Zeroed arrays of more than 16 words are written.)
pub(super) struct Buckets(Vec<u64>);

impl Buckets {
    pub(super) fn new(buckets: usize) -> Self {
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

    pub(super) fn find(&self, id: ClearanceId) -> Option<Place> {
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
    pub(super) fn free_place(&self, id: ClearanceId, now: UnixSeconds) -> Option<Place> {
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

    pub(super) fn id(&self, place: Place) -> [u64; ID_WORDS] {
        self.ids(place.bucket)[place.slot]
    }

    pub(super) fn set_id(&mut self, place: Place, id: [u64; ID_WORDS]) {
        self.bucket_mut(place.bucket)[..IDS_WORDS].as_chunks_mut().0[place.slot] = id;
    }

    fn entry_words(&self, place: Place) -> &[u64; ENTRY_WORDS] {
        &self.bucket(place.bucket)[IDS_WORDS..].as_chunks().0[place.slot]
    }

    pub(super) fn live(&self, place: Place) -> Live {
        let mut bytes = [0; ENTRY_BYTES];
        for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.entry_words(place)) {
            *chunk = word.to_be_bytes();
        }
        Live::from_bytes(&bytes)
    }

    pub(super) fn set_live(&mut self, place: Place, live: &Live) {
        let rest = &mut self.bucket_mut(place.bucket)[IDS_WORDS..];
        let words: &mut [u64; ENTRY_WORDS] = &mut rest.as_chunks_mut().0[place.slot];
        for (word, bytes) in words.iter_mut().zip(live.to_bytes().as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
    }

    /// [`Live::forgotten_at`] of a slot, without unpacking the rest.
    pub(super) fn forgotten_at(&self, place: Place) -> UnixSeconds {
        let words = self.entry_words(place);
        let [.., e0, e1, e2, e3] = words[1].to_be_bytes();
        let [k0, k1, ..] = words[2].to_be_bytes();
        UnixSeconds(u32::from_be_bytes([e0, e1, e2, e3])).plus(u32::from(u16::from_be_bytes([k0, k1])))
    }
}

pub(super) fn id_words(id: ClearanceId) -> [u64; ID_WORDS] {
    let [high, low] = [id.0.first_chunk(), id.0.last_chunk()];
    [high, low].map(|half| half.copied().map_or(0, u64::from_be_bytes))
}

pub(super) fn id_of(words: [u64; ID_WORDS]) -> ClearanceId {
    ClearanceId((u128::from(words[0]) << 64 | u128::from(words[1])).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::super::entry::Entry;
    use super::super::super::entry::tests::entry;
    use super::*;

    #[test]
    fn the_short_way_to_an_entrys_end_is_the_long_one() {
        for (expires, keep) in [(0, 0), (1_800_000_000, 600), (u32::MAX, u16::MAX), (1 << 24, 1 << 8)] {
            let entry = Entry { expires_at: UnixSeconds(expires), keep_seconds: keep, ..entry(7) };
            let (mut buckets, place) = (Buckets::new(1), Place::of_slot(7));
            buckets.set_live(place, &Live::Clearance(entry));
            assert_eq!(buckets.forgotten_at(place), entry.forgotten_at());
            assert_eq!(buckets.live(place), Live::Clearance(entry));
        }
    }

    #[test]
    fn a_slot_has_at_most_64_bytes() {
        assert_eq!(BUCKET_WORDS * size_of::<u64>(), BUCKET_SLOTS * 64);
    }
}
