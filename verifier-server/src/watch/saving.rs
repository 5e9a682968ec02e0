//! Writes what must survive, away from the loop that sees to it: a disk that takes nothing must not stop that, nor have the
//! verifier taken for dead.

use crate::clock;
use crate::config::Config;
use crate::http::Verifier;
use crate::kept::Kept;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often mode, price, hold and capacity are written to `state_dir`, besides whenever mode or state change.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// How long one save may take before the log says so, and how often it says so.
const SLOW_AFTER: Duration = Duration::from_secs(10);
/// How often the log hears of saves that fail.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// One save at a time: what changes meanwhile is in the next one.
pub(super) struct Saving {
    verifier: Arc<Verifier>,
    running: Option<JoinHandle<()>>,
    begun: Instant,
    prices_begun: Instant,
    told: Instant,
    /// Whether mode or state differ from what was handed over last.
    differs: bool,
    trouble: Arc<Mutex<Trouble>>,
}

/// What is not saved, and when the log was told last.
#[derive(Debug, Default)]
struct Trouble {
    failing: BTreeSet<&'static str>,
    told: Option<Instant>,
}

/// What the log is to hear of a save.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Failing,
    Mended,
}

impl Trouble {
    /// Notes how the save of `what` went. A disk that stays full is told of at once, and then once a minute.
    fn note(&mut self, what: &'static str, saved: bool, now: Instant) -> Option<Told> {
        if saved {
            let mended = self.failing.remove(what) && self.failing.is_empty();
            return mended.then_some(Told::Mended);
        }
        let is_new = self.failing.insert(what);
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY);
        if is_new || is_due {
            self.told = Some(now);
        }
        (is_new || is_due).then_some(Told::Failing)
    }
}

impl Saving {
    pub(super) fn new(verifier: Arc<Verifier>) -> Self {
        let now = Instant::now();
        Self {
            verifier,
            running: None,
            begun: now,
            prices_begun: now,
            told: now,
            // What the last process left may have been put aside, or may be of another configuration.
            differs: true,
            trouble: Arc::default(),
        }
    }

    /// Once a second: begins a save where one is due and none is under way. `differs` says that mode or state have changed.
    pub(super) fn second(&mut self, config: &Arc<Config>, differs: bool) {
        self.differs |= differs;
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            self.tell_if_slow();
            return;
        }
        let prices_due = self.differs || self.prices_begun.elapsed() >= SAVE_EVERY;
        let others_due = Kept::ALL.iter().any(|kept| kept.changed(&self.verifier)) || self.verifier.timeline.is_due();
        let Some(state_dir) = config.state_dir.clone().filter(|_| prices_due || others_due) else { return };
        let now = Instant::now();
        (self.begun, self.told) = (now, now);
        if prices_due {
            (self.prices_begun, self.differs) = (now, false);
        }
        let (verifier, config, trouble) = (Arc::clone(&self.verifier), Arc::clone(config), Arc::clone(&self.trouble));
        self.running = Some(tokio::task::spawn_blocking(move || {
            save(&verifier, prices_due.then_some(&*config), &state_dir, &trouble);
        }));
    }

    fn tell_if_slow(&mut self) {
        if self.told.elapsed() >= SLOW_AFTER {
            self.told = Instant::now();
            let seconds = self.begun.elapsed().as_secs();
            tracing::error!(
                seconds,
                "state_dir takes nothing: price, passes and attacks have not been saved since, everything else goes on"
            );
        }
    }
}

/// The prices under a configuration, where they are due, and what changed of everything else.
fn save(verifier: &Verifier, prices: Option<&Config>, state_dir: &Path, trouble: &Mutex<Trouble>) {
    let note = |what, written| note(trouble, what, state_dir, written);
    if let Some(config) = prices {
        note("the price", verifier.gate.keep_prices(config, state_dir, clock::now()));
    }
    for kept in Kept::ALL.into_iter().filter(|kept| kept.changed(verifier)) {
        note(kept.name(), kept.write(verifier, state_dir));
    }
    if verifier.timeline.is_due() {
        note("the attacks", verifier.timeline.keep());
    }
}

fn note(trouble: &Mutex<Trouble>, what: &'static str, state_dir: &Path, written: io::Result<()>) {
    let told = trouble.lock().unwrap_or_else(PoisonError::into_inner).note(what, written.is_ok(), Instant::now());
    let folder = state_dir.display();
    match (told, written) {
        (Some(Told::Failing), Err(error)) => tracing::error!(
            "{what} cannot be saved in {folder}: {error}. The file before stays, everything else goes on, and it is tried again"
        ),
        (Some(Told::Mended), _) => tracing::warn!("everything is saved in {folder} again"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_stays_full_is_told_of_once_a_minute_and_when_it_is_over() {
        let mut trouble = Trouble::default();
        let mut told = Vec::new();
        for second in 0..150 {
            let now = Instant::now();
            if let Some(said) = trouble.note("a", second >= 130, now) {
                told.push((second, said));
            }
            if second == 30
                && let Some(said) = trouble.note("b", false, now)
            {
                told.push((second, said));
            }
            if second == 140
                && let Some(said) = trouble.note("b", true, now)
            {
                told.push((second, said));
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // That of another file is told at once, and nothing is well before both are.
        let expected = [(0, Told::Failing), (30, Told::Failing), (90, Told::Failing), (140, Told::Mended)];
        assert_eq!(told, expected);
    }
}
