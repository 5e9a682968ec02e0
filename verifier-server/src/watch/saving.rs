//! Writes what must survive, away from the loop that sees to it: a disk that takes nothing must not stop that, nor have the
//! verifier taken for dead.

use crate::clock;
use crate::config::Config;
use crate::http::Verifier;
use crate::telemetry::Sampled;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often mode, price, hold and capacity are written to `state_dir`, besides whenever mode or state change.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// How long one save may take before the log says so, and how often it says so.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// One save at a time: what changes meanwhile is in the next one.
pub(super) struct Saving {
    verifier: Arc<Verifier>,
    running: Option<JoinHandle<()>>,
    begun: Instant,
    prices_begun: Instant,
    told: Instant,
    /// Whether mode or state differ from what was handed over last.
    differs: bool,
    log: Arc<Sampled>,
}

impl Saving {
    pub(super) fn new(verifier: Arc<Verifier>) -> Self {
        let now = Instant::now();
        Self { verifier, running: None, begun: now, prices_begun: now, told: now, differs: false, log: Arc::default() }
    }

    /// Once a second: begins a save where one is due and none is under way. `differs` says that mode or state have changed.
    pub(super) fn second(&mut self, config: &Arc<Config>, differs: bool) {
        self.differs |= differs;
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            self.tell_if_slow();
            return;
        }
        let prices_due = self.differs || self.prices_begun.elapsed() >= SAVE_EVERY;
        let others_due = self.verifier.gate.passes_changed() || self.verifier.timeline.is_due();
        let Some(state_dir) = config.state_dir.clone().filter(|_| prices_due || others_due) else { return };
        let now = Instant::now();
        (self.begun, self.told) = (now, now);
        if prices_due {
            (self.prices_begun, self.differs) = (now, false);
        }
        let (verifier, config, log) = (Arc::clone(&self.verifier), Arc::clone(config), Arc::clone(&self.log));
        self.running = Some(tokio::task::spawn_blocking(move || {
            save(&verifier, prices_due.then_some(&*config), &state_dir, &log);
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

/// The prices under a configuration, where they are due, and what changed of passes and attacks.
fn save(verifier: &Verifier, prices: Option<&Config>, state_dir: &Path, log: &Sampled) {
    if let Some(config) = prices {
        tell(verifier.gate.keep_prices(config, state_dir, clock::now()), "the price cannot be saved", log);
    }
    if verifier.gate.passes_changed() {
        tell(verifier.gate.keep_passes(state_dir), "the passes cannot be kept", log);
    }
    if verifier.timeline.is_due() {
        tell(verifier.timeline.keep(), "the attacks cannot be kept", log);
    }
}

fn tell(written: io::Result<()>, what: &str, log: &Sampled) {
    if let Err(error) = written
        && let Some(left_out) = log.turn()
    {
        tracing::error!(left_out, "{what} in state_dir: {error}");
    }
}
