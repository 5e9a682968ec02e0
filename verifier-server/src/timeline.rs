//! The attack timeline: attacks are noticed, numbered, and kept in `state_dir` with what came and what was done.
//!
//! `detect` says when an attack begins and ends, `counts`, `curve` and `sources` what belongs to it, `record` is all of that
//! together, and `archive` its file. Nothing here asks for the time; once a second the shell hands a step over.

mod archive;
mod counts;
mod curve;
mod detect;
mod record;
mod sources;

pub use archive::{ATTACKS_MAX, Archive, Found};
pub use counts::{Counts, Waits};
pub use curve::{COLUMNS, Curve, POINTS_MAX, Point};
pub use detect::{Name, SAME_WITHIN_SECONDS, SiteWatch, Step, Turn};
pub use record::{ACTIONS_MAX, Action, ActionKind, Attack, Before, Ending, Peaks, Signal, Summary, VERSION};
pub use sources::{Gathering, Generation, SOURCES_LOOKED_AT, SOURCES_MAX, Source, Sources, Spared};

use crate::config::Mode;
use crate::gate::price::State;
use crate::state_file::StateFileError;
use puzzle::UnixSeconds;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often the heavy hitters are looked at while an attack goes on, in seconds.
const LOOK_EVERY_SECONDS: u32 = 5;
/// How often an attack that goes on is written, in seconds: so much is lost by a crash.
const WRITE_EVERY_SECONDS: u32 = 10;
/// How often it is looked whether records have become too old, in seconds.
const TIDY_EVERY_SECONDS: u32 = 3_600;
/// Records that are kept where there is no `state_dir`, and that wait for a disk that takes nothing.
const IN_MEMORY_MAX: usize = 10;

/// All attacks of a verifier.
#[derive(Debug)]
pub struct Timeline {
    archive: Option<Archive>,
    state: Mutex<Attacks>,
}

#[derive(Debug, Default)]
struct Attacks {
    watches: Vec<SiteWatch>,
    /// The last number that was given.
    number_last: u32,
    /// All that are kept, those that go on among them; the newest first.
    summaries: Vec<Summary>,
    /// Records that are not on the disk: yet, or at all. By number.
    held: BTreeMap<u32, Attack>,
    /// Numbers of records that are to be removed from the disk.
    outdated: Vec<u32>,
    looked_at: UnixSeconds,
    written_at: UnixSeconds,
    tidied_at: UnixSeconds,
}

/// What a step changed at a site.
#[derive(Clone, Debug)]
pub struct Changed {
    /// What happened.
    pub turn: Turn,
    /// The attack as it is now.
    pub attack: Summary,
}

impl Timeline {
    /// Nothing has happened yet, and nothing is read. Without a folder attacks are kept in memory, the last ten.
    #[must_use]
    pub fn new(state_dir: Option<&Path>) -> Self {
        Self { archive: state_dir.map(Archive::new), state: Mutex::default() }
    }

    /// Whether attacks outlast the process.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.archive.is_some()
    }

    /// Takes over what an earlier process kept. `gates`: each site with its mark, what its gate does, and its mode.
    /// Returns what could not be used.
    pub fn resume(&self, gates: &[(&str, u16, State, Mode)], now: UnixSeconds) -> Found {
        let Some(archive) = &self.archive else { return Found::default() };
        let mut found = archive.read_all();
        let mut attacks = self.attacks();
        attacks.number_last = found.number_last;
        attacks.summaries = std::mem::take(&mut found.summaries);
        for attack in std::mem::take(&mut found.open) {
            let gate = gates.iter().find(|(site, ..)| *site == attack.site);
            let (mark, state, mode) =
                gate.map_or((0, State::Calm, Mode::Off), |(_, mark, state, mode)| (*mark, *state, *mode));
            let mut watch = SiteWatch::new(&attack.site, mark, now);
            watch.resume(attack, state, mode, now);
            if let Some(attack) = watch.open().or_else(|| watch.ended()).cloned() {
                attacks.hold(attack);
            }
            // Of a site that is gone, or of an earlier one, the record is all there is.
            attacks.watches.retain(|other| other.site() != watch.site());
            if gate.is_some() {
                attacks.watches.push(watch);
            }
        }
        found
    }

    /// Which generations of the heavy hitters are wanted: one that ended, if any, and the current one. Now and then while an
    /// attack goes on, and when one ends: the gate of its site is not down any more.
    #[must_use]
    pub fn wanted(&self, is_down: impl Fn(&str) -> bool, now: UnixSeconds) -> Option<(Option<u32>, u32)> {
        let attacks = self.attacks();
        let ends = attacks.watches.iter().any(|watch| watch.open().is_some() && !is_down(watch.site()));
        let due = ends || now.since(attacks.looked_at) >= LOOK_EVERY_SECONDS || now < attacks.looked_at;
        let wanted = attacks.watches.iter().filter_map(|watch| watch.wanted(now));
        let (ended, current) = wanted.reduce(|(ended, current), (other, _)| (ended.or(other), current))?;
        (due || ended.is_some()).then_some((ended, current))
    }

    /// Takes in generations of the heavy hitters, the earlier one first.
    pub fn take(&self, generations: &[Generation], now: UnixSeconds) {
        let mut attacks = self.attacks();
        attacks.looked_at = now;
        for watch in &mut attacks.watches {
            let Some((ended, current)) = watch.wanted(now) else { continue };
            let fits = |generation: &&Generation| Some(generation.number) == ended || generation.number == current;
            let fitting: Vec<&Generation> = generations.iter().filter(fits).collect();
            watch.take(&fitting, now);
        }
    }

    /// Takes in a step of a site with this name and mark. `id` is drawn for a new attack.
    pub fn step(
        &self,
        (site, mark): (&str, u16),
        process_began_at: UnixSeconds,
        step: Step,
        id: impl FnOnce() -> String,
    ) -> Option<Changed> {
        let mut attacks = self.attacks();
        let Attacks { watches, number_last, .. } = &mut *attacks;
        let index = watches.iter().position(|watch| watch.site() == site).unwrap_or_else(|| {
            watches.push(SiteWatch::new(site, mark, process_began_at));
            watches.len() - 1
        });
        let watch = watches.get_mut(index)?;
        let turn = watch.step(step, || {
            *number_last = number_last.saturating_add(1);
            Name { number: *number_last, id: id() }
        })?;
        let attack = watch.open().or_else(|| watch.ended())?.clone();
        let changed = Changed { turn, attack: attack.summary() };
        attacks.hold(attack);
        // There may be too many now.
        attacks.tidied_at = UnixSeconds(0);
        Some(changed)
    }

    /// Once a second, after the steps: sites that are gone, records that are due, and those that are too old.
    pub fn second(&self, sites: &[&str], keep_days: u32, now: UnixSeconds) -> Vec<Changed> {
        let mut attacks = self.attacks();
        let mut changed = Vec::new();
        let mut held = Vec::new();
        attacks.watches.retain_mut(|watch| {
            let stays = sites.contains(&watch.site());
            if !stays && let (Some(turn), Some(attack)) = (watch.remove(now), watch.ended()) {
                changed.push(Changed { turn, attack: attack.summary() });
                held.push(attack.clone());
            }
            stays
        });
        if now.since(attacks.written_at) >= WRITE_EVERY_SECONDS || now < attacks.written_at {
            attacks.written_at = now;
            held.extend(attacks.watches.iter().filter_map(|watch| watch.open().cloned()));
        }
        for attack in held {
            attacks.hold(attack);
        }
        if !changed.is_empty() || now.since(attacks.tidied_at) >= TIDY_EVERY_SECONDS || now < attacks.tidied_at {
            attacks.tidy(keep_days, now);
        }
        if self.archive.is_none() {
            attacks.forget_beyond(IN_MEMORY_MAX);
        }
        changed
    }

    /// All attacks in lines, the newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Summary> {
        self.newest(usize::MAX).0
    }

    /// So many attacks in lines at the most, the newest first, and how many there are.
    #[must_use]
    pub fn newest(&self, most: usize) -> (Vec<Summary>, usize) {
        let attacks = self.attacks();
        let latest = |number: u32| {
            let open = attacks.watches.iter().filter_map(SiteWatch::open).find(|attack| attack.number == number);
            open.map(Attack::summary)
        };
        let newest = attacks.summaries.iter().take(most);
        let lines = newest.map(|summary| latest(summary.number).unwrap_or_else(|| summary.clone())).collect();
        (lines, attacks.summaries.len())
    }

    /// The attack of this number as far as it is in memory.
    #[must_use]
    pub fn in_memory(&self, number: u32) -> Option<Attack> {
        let attacks = self.attacks();
        let open = attacks.watches.iter().filter_map(SiteWatch::open).find(|attack| attack.number == number);
        open.or_else(|| attacks.held.get(&number)).cloned()
    }

    /// The attack of this number, from memory or from the disk: for a thread that may wait.
    ///
    /// # Errors
    /// The record is there and cannot be used.
    pub fn get(&self, number: u32) -> Result<Option<Attack>, StateFileError> {
        match (self.in_memory(number), &self.archive) {
            (None, Some(archive)) => archive.read(number),
            (found, _) => Ok(found),
        }
    }

    /// Whether something is to be written or removed.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let attacks = self.attacks();
        self.archive.is_some() && !(attacks.held.is_empty() && attacks.outdated.is_empty())
    }

    /// Writes what is due and removes what is outdated: for a thread that may wait.
    ///
    /// # Errors
    /// The first that writing or removing reports; what was not written is due still.
    pub fn keep(&self) -> io::Result<()> {
        let Some(archive) = &self.archive else { return Ok(()) };
        let (held, outdated) = {
            let mut attacks = self.attacks();
            (attacks.held.clone(), std::mem::take(&mut attacks.outdated))
        };
        let mut failed = None;
        for (number, attack) in held {
            match archive.write(&attack) {
                Ok(()) => {
                    let mut attacks = self.attacks();
                    // It may have been changed meanwhile: then it is due again.
                    if attacks.held.get(&number).is_some_and(|held| *held == attack) {
                        attacks.held.remove(&number);
                    }
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        for number in outdated {
            if let Err(error) = archive.remove(number) {
                self.attacks().outdated.push(number);
                failed = failed.or(Some(error));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Makes everything due that goes on, before the process ends.
    pub fn hold_all(&self) {
        let mut attacks = self.attacks();
        let open: Vec<Attack> = attacks.watches.iter().filter_map(|watch| watch.open().cloned()).collect();
        for attack in open {
            attacks.hold(attack);
        }
    }

    fn attacks(&self) -> MutexGuard<'_, Attacks> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attacks {
    /// Keeps a record in memory until it is written, and its line in the list.
    fn hold(&mut self, attack: Attack) {
        let summary = attack.summary();
        match self.summaries.iter_mut().find(|known| known.number == summary.number) {
            Some(known) => *known = summary,
            None => self.summaries.insert(0, summary),
        }
        self.held.insert(attack.number, attack);
        if self.held.len() > IN_MEMORY_MAX + self.watches.len() {
            // A disk that takes nothing for so long: the oldest is lost.
            self.held.pop_first();
        }
    }

    fn tidy(&mut self, keep_days: u32, now: UnixSeconds) {
        self.tidied_at = now;
        let outdated = archive::outdated(&self.summaries, keep_days, now);
        self.summaries.retain(|summary| !outdated.contains(&summary.number));
        self.held.retain(|number, _| !outdated.contains(number));
        self.outdated.extend(outdated);
    }

    /// Where nothing is kept on a disk, the newest stay in memory.
    fn forget_beyond(&mut self, most: usize) {
        self.outdated.clear();
        while self.held.len() > most {
            self.held.pop_first();
        }
        self.summaries.retain(|summary| self.held.contains_key(&summary.number));
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use record::tests::attack as tests_attack;
