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
    /// How many of them were paid for.
    pub paid: u64,
}

/// What became of a request, as far as the tables tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passed without paying.
    Passed,
    /// It was paid for.
    Paid,
    /// It was challenged, denied, or found no room.
    TurnedAway,
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
    paid: u32,
    site: u16,
    label: Label,
}

const FREE: Place = Place { hash: 0, weight: 0, requests: 0, turned_away: 0, paid: 0, site: 0, label: Label::EMPTY };

/// What was counted of a key: requests, those that were turned away, and those that were paid for.
type Counts = [u64; 3];

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
    pub fn count(&self, site: u16, label: &Label, fate: Fate, now: UnixSeconds) {
        let hash = self.hasher.hash_one((site, label.bytes()));
        let Some(set) = self.sets.get(usize::try_from(hash % self.sets.len() as u64).unwrap_or(0)) else { return };
        // A panic elsewhere leaves counts, which are as good as any.
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        set.turn(now);
        set.count(hash, site, label, fate);
    }

    /// The heaviest `most` of the current generation and the one before, heaviest first.
    #[must_use]
    pub fn heaviest(&self, most: usize, now: UnixSeconds) -> Vec<Heavy> {
        let found = self.gather(|set| {
            set.turn(now);
            [set.current, set.previous].map(Some)
        });
        heaviest_of(found, most, |[requests, ..]| *requests)
    }

    /// Those of one generation, the current one or the one before, that were turned away most: at most `most`. Generations are
    /// numbered from the beginning of time.
    #[must_use]
    pub fn of_generation(&self, generation: u32, most: usize) -> Vec<Heavy> {
        let found = self.gather(|set| {
            let is_current = set.generation == generation;
            let is_previous = set.generation == generation.saturating_add(1);
            [is_current.then_some(set.current), is_previous.then_some(set.previous)]
        });
        heaviest_of(found, most, |[requests, turned_away, _]| (*turned_away, *requests))
    }

    /// Everything that is counted in what `choose` takes of each set, a key once.
    fn gather(&self, choose: impl Fn(&mut Set) -> [Option<[Place; WAYS]>; 2]) -> Vec<(Place, Counts)> {
        let mut found: Vec<(Place, Counts)> = Vec::new();
        for set in &self.sets {
            let chosen = choose(&mut set.lock().unwrap_or_else(PoisonError::into_inner));
            let begin = found.len();
            for place in chosen.iter().flatten().flatten().filter(|place| place.requests > 0) {
                let counts = [place.requests, place.turned_away, place.paid].map(u64::from);
                // A key has one set.
                match found[begin..].iter_mut().find(|(known, _)| known.hash == place.hash) {
                    Some((_, known)) => known.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count),
                    None => found.push((*place, counts)),
                }
            }
        }
        found
    }
}

fn heaviest_of<W: Ord>(mut found: Vec<(Place, Counts)>, most: usize, weight: impl Fn(&Counts) -> W) -> Vec<Heavy> {
    found.sort_by(|(a, counts_of_a), (b, counts_of_b)| {
        weight(counts_of_b).cmp(&weight(counts_of_a)).then_with(|| a.label.bytes().cmp(b.label.bytes()))
    });
    found.truncate(most);
    let heavy = |(place, [requests, turned_away, paid]): (Place, Counts)| Heavy {
        site: place.site,
        name: place.label.text(),
        requests,
        turned_away,
        paid,
    };
    found.into_iter().map(heavy).collect()
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

    fn count(&mut self, hash: u64, site: u16, label: &Label, fate: Fate) {
        let known = self.current.iter().position(|place| place.requests > 0 && place.hash == hash);
        let lightest = || (0..WAYS).min_by_key(|place| self.current[*place].weight).unwrap_or(0);
        let index = known.unwrap_or_else(lightest);
        let place = &mut self.current[index];
        if known.is_none() {
            *place = Place { weight: place.weight, hash, site, label: *label, ..FREE };
        }
        place.weight = place.weight.saturating_add(1);
        place.requests = place.requests.saturating_add(1);
        place.turned_away = place.turned_away.saturating_add(u32::from(fate == Fate::TurnedAway));
        place.paid = place.paid.saturating_add(u32::from(fate == Fate::Paid));
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
        table.count(0, &Label::of(b"a"), Fate::Paid, NOW);
        table.count(0, &Label::of(b"a"), Fate::TurnedAway, after(GENERATION_SECONDS));
        let heavy = Heavy { site: 0, name: "a".to_owned(), requests: 2, turned_away: 1, paid: 1 };
        assert_eq!(table.heaviest(5, after(GENERATION_SECONDS)), vec![heavy.clone()]);
        let one = Heavy { requests: 1, paid: 0, ..heavy };
        assert_eq!(table.heaviest(5, after(2 * GENERATION_SECONDS)), [one]);
        assert_eq!(table.heaviest(5, after(3 * GENERATION_SECONDS)), []);
    }

    #[test]
    fn a_generation_is_told_alone_as_long_as_it_is_there() {
        let table = HeavyHitters::new(1, HashKey([1; 16]));
        let number = NOW.0 / GENERATION_SECONDS;
        for _ in 0..3 {
            table.count(0, &Label::of(b"passes"), Fate::Passed, NOW);
        }
        table.count(0, &Label::of(b"challenged"), Fate::TurnedAway, NOW);
        let names = |generation: u32| {
            table.of_generation(generation, 5).into_iter().map(|heavy| heavy.name).collect::<Vec<_>>()
        };
        assert_eq!(names(number), ["challenged", "passes"], "who was turned away comes first");
        assert_eq!(names(number + 1), Vec::<String>::new());
        table.count(0, &Label::of(b"later"), Fate::Passed, after(GENERATION_SECONDS));
        assert_eq!(
            (names(number), names(number + 1)),
            (vec!["challenged".to_owned(), "passes".to_owned()], vec!["later".to_owned()])
        );
        table.count(0, &Label::of(b"much later"), Fate::Passed, after(3 * GENERATION_SECONDS));
        assert_eq!((names(number), names(number + 1)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let table = HeavyHitters::new(1, HashKey([1; 16]));
        table.count(0, &Label::of(b"a"), Fate::Passed, after(GENERATION_SECONDS));
        table.count(0, &Label::of(b"a"), Fate::Passed, NOW);
        assert_eq!(table.heaviest(1, after(GENERATION_SECONDS))[0].requests, 2);
    }

    #[test]
    fn the_same_name_at_two_sites_is_two() {
        let table = HeavyHitters::new(1, HashKey([1; 16]));
        table.count(1, &Label::of(b"/"), Fate::Passed, NOW);
        table.count(2, &Label::of(b"/"), Fate::Passed, NOW);
        assert_eq!(table.heaviest(5, NOW).len(), 2);
    }
}
