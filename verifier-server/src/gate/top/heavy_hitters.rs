//! A space-saving sketch in sets: a key belongs to the one set that its keyed hash names, and takes the place of the lightest
//! there.
//!
//! Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams" (2005). The
//! sets make a count cost one hash, one lock that is hardly ever waited for, and a look at eight places; nobody without the
//! key of the hash can choose whom to push out.

use super::GENERATION_SECONDS;
use super::label::Label;
use crate::gate::networks::HashKey;
use puzzle::UnixSeconds;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

/// Places of a set.
pub const WAYS: usize = 8;

/// One of the heaviest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heavy {
    /// The mark of its site; 0 where all sites count together.
    pub site: u16,
    /// What it is.
    pub name: String,
    /// How many requests were counted.
    pub requests: u64,
    /// How many of them were challenged, denied or found no room.
    pub turned_away: u64,
}

/// A table of the heaviest keys of the last two generations. Its size never changes.
#[derive(Debug)]
pub struct HeavyHitters {
    hasher: HashKey,
    sets: Box<[Mutex<Set>]>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u64,
    /// What decides who goes: what was counted, and what had been counted of those before in this place.
    weight: u32,
    /// Requests of this key since it took the place.
    requests: u32,
    turned_away: u32,
    site: u16,
    label: Label,
}

const FREE: Place = Place { hash: 0, weight: 0, requests: 0, turned_away: 0, site: 0, label: Label::EMPTY };

#[derive(Debug)]
struct Set {
    generation: u32,
    current: [Place; WAYS],
    previous: [Place; WAYS],
}

impl HeavyHitters {
    /// An empty table of `sets` sets.
    #[must_use]
    pub fn new(sets: usize, key: HashKey) -> Self {
        let set = |_| Mutex::new(Set { generation: 0, current: [FREE; WAYS], previous: [FREE; WAYS] });
        Self { hasher: key, sets: (0..sets.max(1)).map(set).collect() }
    }

    /// What a table of `sets` sets takes, in bytes.
    #[must_use]
    pub const fn bytes_of(sets: usize) -> usize {
        size_of::<Self>() + sets * size_of::<Mutex<Set>>()
    }

    /// Counts one request of a key.
    pub fn count(&self, site: u16, label: &Label, turned_away: bool, now: UnixSeconds) {
        let hash = self.hasher.hash_one((site, label.bytes()));
        let Some(set) = self.sets.get(usize::try_from(hash % self.sets.len() as u64).unwrap_or(0)) else { return };
        // A panic elsewhere leaves counts, which are as good as any.
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        set.turn(now);
        set.count(hash, site, label, turned_away);
    }

    /// The heaviest `most`, heaviest first.
    #[must_use]
    pub fn heaviest(&self, most: usize, now: UnixSeconds) -> Vec<Heavy> {
        let mut found: Vec<Heavy> = Vec::new();
        for set in &self.sets {
            let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
            set.turn(now);
            // No set can have more than all its places among the heaviest.
            let mut of_set: Vec<(Place, [u64; 2])> = Vec::with_capacity(2 * WAYS);
            for place in set.current.iter().chain(&set.previous).filter(|place| place.requests > 0) {
                let counts = [u64::from(place.requests), u64::from(place.turned_away)];
                match of_set.iter_mut().find(|(known, _)| known.hash == place.hash) {
                    Some((_, known)) => known.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count),
                    None => of_set.push((*place, counts)),
                }
            }
            drop(set);
            found.extend(of_set.into_iter().map(|(place, [requests, turned_away])| Heavy {
                site: place.site,
                name: place.label.text(),
                requests,
                turned_away,
            }));
        }
        found.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.name.cmp(&b.name)));
        found.truncate(most);
        found
    }
}

impl Set {
    /// Begins the generation of `now`, if it has not begun. A clock that goes back changes nothing.
    fn turn(&mut self, now: UnixSeconds) {
        let generation = now.0 / GENERATION_SECONDS;
        if generation <= self.generation {
            return;
        }
        let follows = generation == self.generation + 1;
        self.previous = if follows { self.current } else { [FREE; WAYS] };
        self.current = [FREE; WAYS];
        self.generation = generation;
    }

    fn count(&mut self, hash: u64, site: u16, label: &Label, turned_away: bool) {
        let known = self.current.iter().position(|place| place.requests > 0 && place.hash == hash);
        let lightest = || (0..WAYS).min_by_key(|place| self.current[*place].weight).unwrap_or(0);
        let index = known.unwrap_or_else(lightest);
        let place = &mut self.current[index];
        if known.is_none() {
            *place = Place { hash, weight: place.weight, requests: 0, turned_away: 0, site, label: *label };
        }
        place.weight = place.weight.saturating_add(1);
        place.requests = place.requests.saturating_add(1);
        place.turned_away = place.turned_away.saturating_add(u32::from(turned_away));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn after(seconds: u32) -> UnixSeconds {
        UnixSeconds(NOW.0 + seconds)
    }

    #[test]
    fn two_generations_count_and_older_ones_do_not() {
        let table = HeavyHitters::new(4, HashKey([1; 16]));
        table.count(0, &Label::of(b"a"), false, NOW);
        table.count(0, &Label::of(b"a"), true, after(GENERATION_SECONDS));
        let heavy = Heavy { site: 0, name: "a".to_owned(), requests: 2, turned_away: 1 };
        assert_eq!(table.heaviest(5, after(GENERATION_SECONDS)), vec![heavy.clone()]);
        let one = Heavy { requests: 1, ..heavy };
        assert_eq!(table.heaviest(5, after(2 * GENERATION_SECONDS)), [one]);
        assert_eq!(table.heaviest(5, after(3 * GENERATION_SECONDS)), []);
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let table = HeavyHitters::new(1, HashKey([1; 16]));
        table.count(0, &Label::of(b"a"), false, after(GENERATION_SECONDS));
        table.count(0, &Label::of(b"a"), false, NOW);
        assert_eq!(table.heaviest(1, after(GENERATION_SECONDS))[0].requests, 2);
    }

    #[test]
    fn the_same_name_at_two_sites_is_two() {
        let table = HeavyHitters::new(1, HashKey([1; 16]));
        table.count(1, &Label::of(b"/"), false, NOW);
        table.count(2, &Label::of(b"/"), false, NOW);
        assert_eq!(table.heaviest(5, NOW).len(), 2);
    }
}
