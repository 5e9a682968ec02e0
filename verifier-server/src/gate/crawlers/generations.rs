//! A table of bounded size whose entries are forgotten by age: two generations, of which the older one is dropped.

use crate::gate::networks::HashKey;
use puzzle::UnixSeconds;
use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Entries live for one to two times `seconds`, and there are at most two times `most`.
#[derive(Debug)]
pub(super) struct Generations<K, V> {
    fresh: HashMap<K, V, HashKey>,
    old: HashMap<K, V, HashKey>,
    /// When the fresh ones begin.
    begun: UnixSeconds,
    most: usize,
    seconds: u32,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    pub(super) fn new(key: HashKey, most: usize, seconds: u32) -> Self {
        let empty = || HashMap::with_hasher(key);
        Self { fresh: empty(), old: empty(), begun: UnixSeconds(0), most, seconds }
    }

    pub(super) fn get(&mut self, key: &K, now: UnixSeconds) -> Option<&V> {
        self.turn(now);
        self.fresh.get(key).or_else(|| self.old.get(key))
    }

    /// Whether it is there and not in the second half of its life.
    pub(super) fn is_fresh(&mut self, key: &K, now: UnixSeconds) -> bool {
        self.turn(now);
        self.fresh.contains_key(key)
    }

    /// Keeps a value. Where a generation is full, the next one begins early: the oldest are forgotten first.
    pub(super) fn put(&mut self, key: K, value: V, now: UnixSeconds) {
        self.turn(now);
        self.old.remove(&key);
        if self.fresh.len() >= self.most && !self.fresh.contains_key(&key) {
            self.old = mem::replace(&mut self.fresh, HashMap::with_hasher(*self.old.hasher()));
            self.begun = now;
        }
        self.fresh.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.fresh.remove(key);
        self.old.remove(key);
    }

    pub(super) fn clear(&mut self) {
        self.fresh.clear();
        self.old.clear();
    }

    pub(super) fn len(&mut self, now: UnixSeconds) -> usize {
        self.turn(now);
        self.fresh.len() + self.old.len()
    }

    fn turn(&mut self, now: UnixSeconds) {
        let age = now.since(self.begun);
        if age >= self.seconds {
            let empty = HashMap::with_hasher(*self.old.hasher());
            self.old = mem::replace(&mut self.fresh, empty);
            self.begun = now;
            if age >= 2 * self.seconds {
                self.old.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    #[test]
    fn entries_live_for_one_to_two_times_their_seconds_and_the_oldest_make_room() {
        let mut table = Generations::new(HashKey([1; 16]), 10, 100);
        table.put(1, 'a', NOW);
        assert!(table.is_fresh(&1, NOW.plus(99)) && !table.is_fresh(&1, NOW.plus(100)));
        assert_eq!(table.get(&1, NOW.plus(199)), Some(&'a'));
        assert_eq!(table.get(&1, NOW.plus(200)), None);
        (0..25).for_each(|number| table.put(number, 'b', NOW.plus(300)));
        assert_eq!(table.len(NOW.plus(300)), 15);
        assert_eq!(table.get(&9, NOW.plus(300)), None);
        assert_eq!(table.get(&10, NOW.plus(300)), Some(&'b'));
        table.put(24, 'c', NOW.plus(300));
        assert_eq!(table.get(&24, NOW.plus(300)), Some(&'c'));
        assert_eq!(table.len(NOW.plus(300)), 15);
        table.remove(&24);
        assert_eq!(table.get(&24, NOW.plus(300)), None);
    }
}
