//! Once a second: what the system and the probes tell goes to the gate, and what must survive is handed over to be written.

mod saving;

use crate::attack_keeper;
use crate::client;
use crate::clock;
use crate::config::{Config, Mode, Probe};
use crate::gate::price::State;
use crate::http::Verifier;
use crate::load::{PROBE_EVERY, PROBE_TIMEOUT, Pressure, SiteLoad, Surroundings};
use saving::Saving;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What drives the controllers of a verifier.
pub(crate) struct Watch {
    verifier: Arc<Verifier>,
    stepped: Instant,
    /// The mode at the last step, and those that were set for single sites, by their marks.
    mode: Mode,
    by_hand: Vec<(u16, Mode)>,
    saving: Saving,
}

impl Watch {
    pub(crate) fn new(verifier: Arc<Verifier>) -> Self {
        let (mode, saving) = (verifier.gate.mode(), Saving::new(Arc::clone(&verifier)));
        let config = verifier.config.load_full();
        let by_hand = by_hand(&verifier, &config);
        // What comes in the first second is part of it.
        verifier.note_second(&config, Duration::ZERO);
        Self { verifier, stepped: Instant::now(), mode, by_hand, saving }
    }

    /// A second has passed, or a little more.
    pub(crate) async fn second(&mut self) {
        let config = self.verifier.config.load_full();
        let pressure_dir = config.pressure_dir.clone();
        let pressure = tokio::task::spawn_blocking(move || Pressure::read(&pressure_dir)).await.unwrap_or_default();
        let now = self.verifier.started.elapsed();
        let surroundings = Surroundings { pressure, told_load: self.verifier.told_load.load(now) };
        let elapsed = self.stepped.elapsed();
        if elapsed < Duration::from_millis(200) {
            return;
        }
        self.stepped = Instant::now();
        self.verifier.take_in_queues(&config);
        self.verifier.take_in_log(&config);
        let changed = self.verifier.gate.step(&config, &surroundings, now, elapsed, clock::now());
        self.verifier.set_slots(&config);
        self.verifier.note_second(&config, elapsed);
        attack_keeper::second(&self.verifier, &config, now, elapsed);
        for site in &changed {
            self.tell(&config, site, now);
        }
        let mode = self.verifier.gate.mode();
        if mode == Mode::On && mode != self.mode {
            config.sites.iter().for_each(|site| self.verifier.tell_turned_away(&config, site));
        }
        let by_hand = by_hand(&self.verifier, &config);
        for (mark, _) in by_hand.iter().filter(|set| set.1 == Mode::On && !self.by_hand.contains(set)) {
            let site = config.sites.iter().filter(|site| site.mark == *mark);
            site.for_each(|site| self.verifier.tell_turned_away(&config, site));
        }
        let differs = !changed.is_empty() || mode != self.mode || by_hand != self.by_hand;
        (self.mode, self.by_hand) = (mode, by_hand);
        self.saving.second(&config, differs);
    }

    fn tell(&self, config: &Config, name: &str, now: Duration) {
        let Some(site) = config.sites.iter().find(|site| site.name == name) else { return };
        let report = self.verifier.gate.report(site, now);
        if report.state == State::Calm {
            tracing::warn!(site = name, "the gate lets go");
            return;
        }
        let why = report.overload.names().collect::<Vec<_>>().join(", ");
        let hold_seconds = report.hold.as_secs();
        tracing::warn!(site = name, why, hold_seconds, "the site is overloaded: the gate goes down");
        self.verifier.tell_turned_away(config, site);
    }
}

fn by_hand(verifier: &Verifier, config: &Config) -> Vec<(u16, Mode)> {
    let sites = config.sites.iter();
    sites.filter_map(|site| Some((site.mark, verifier.gate.mode_by_hand(site)?))).collect()
}

/// Probes every site that has a `probe_url` until the verifier stops. The next round waits for the slowest.
pub(crate) async fn probe(verifier: Arc<Verifier>, mut stopped: Receiver<bool>) {
    let rounds = async {
        loop {
            tokio::time::sleep(PROBE_EVERY).await;
            let config = verifier.config.load_full();
            let mut round = JoinSet::new();
            for site in &config.sites {
                if let Some(probe) = site.probe.clone() {
                    round.spawn(probe_once(verifier.gate.load_of(site), probe));
                }
            }
            round.join_all().await;
        }
    };
    tokio::select! {
        () = rounds => {}
        _ = stopped.changed() => {}
    }
}

async fn probe_once(load: Arc<SiteLoad>, probe: Probe) {
    let asked = Instant::now();
    let answered = tokio::time::timeout(PROBE_TIMEOUT, client::head_of(&probe.url, probe.tls.as_ref())).await;
    let took = if matches!(answered, Ok(Ok(()))) { asked.elapsed() } else { PROBE_TIMEOUT };
    load.probed(took);
}
