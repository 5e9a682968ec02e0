//! One run of a scenario: the site, the verifier where there is one, visitors, and after a while the attack.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tempfile::TempDir;
use tests::verifier::Verifier;
use tokio::task::AbortHandle;

use crate::arena::Arena;
use crate::client::Destination;
use crate::origin::{self, Origin};
use crate::outcome::Outcome;
use crate::proc::ProcessState;
use crate::scenario::{self, CONNECTIONS_MAX, HOST, Scenario, Stand};
use crate::solver::Solver;
use crate::tally::Tally;
use crate::visitors::{self, Pages, Town};
use crate::watch::{self, Readings, Watched};
use crate::weeks;

/// The same visitors come in every run.
const SEED: u64 = 1;
/// How often it is looked whether the last pages are there.
const LOOK: Duration = Duration::from_millis(100);

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Days of the profile.
    pub days: u32,
    /// Before the attack, where the verifier was there before it.
    pub calm: Duration,
    /// The attack without Portcullis, with Portcullis installed in the middle of it, and where it was there before.
    pub bare: Duration,
    /// See `bare`.
    pub fresh: Duration,
    /// See `bare`.
    pub profiled: Duration,
    /// What visitors who are still waiting get at most, while the attack goes on: without, installed, with a profile.
    pub waiting: [Duration; 3],
    /// Whether a scenario's own times count.
    pub own_times: bool,
    /// Whether every scenario is played in all its ways, or only with a profile.
    pub all_stands: bool,
}

impl Timing {
    /// For the report.
    pub const WHOLE: Self = Self {
        days: 21,
        calm: Duration::from_secs(4),
        bare: Duration::from_secs(8),
        fresh: Duration::from_secs(12),
        profiled: Duration::from_secs(18),
        waiting: [Duration::from_secs(4), Duration::from_secs(8), Duration::from_secs(12)],
        own_times: true,
        all_stands: true,
    };
    /// For a test: the machinery, not the performance.
    pub const SHORT: Self = Self {
        days: 2,
        calm: Duration::from_secs(1),
        bare: Duration::from_secs(2),
        fresh: Duration::from_secs(2),
        profiled: Duration::from_secs(2),
        waiting: [Duration::from_millis(500); 3],
        own_times: false,
        all_stands: false,
    };
}

/// What all runs share.
#[derive(Debug)]
pub struct Lab {
    solver: Arc<Solver>,
    /// Where the profile is kept that runs begin with.
    weeks: TempDir,
    timing: Timing,
}

/// A verifier and the folder that it keeps its state in.
struct Guard {
    verifier: Verifier,
    _state: Option<TempDir>,
}

/// Ends a task when dropped.
struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lab {
    /// Learns the profile and starts the solver.
    ///
    /// # Errors
    /// Where the system gives no thread or no folder.
    pub fn open(timing: Timing) -> anyhow::Result<Self> {
        let weeks = TempDir::with_prefix("portcullis-siege-")?;
        weeks::learn(weeks.path(), timing.days, SEED)?;
        Ok(Self { solver: Arc::new(Solver::start()?), weeks, timing })
    }

    /// All runs of a scenario, one after the other. `say` is told of each as it ends.
    ///
    /// # Errors
    /// Where a run cannot be made.
    pub async fn play(&self, scenario: &Scenario, mut say: impl FnMut(&Outcome)) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        // What is installed in the middle of an attack finds the site as the attack has left it.
        let mut swamped = None;
        let stands = scenario.stands.iter().filter(|stand| self.timing.all_stands || **stand == Stand::Profiled);
        for stand in stands {
            let origin = match swamped.take() {
                Some(origin) if *stand == Stand::Fresh => origin,
                _ => Arc::new(Origin::start().await.context("no origin")?),
            };
            let outcome = self.run(scenario, *stand, &origin).await?;
            say(&outcome);
            outcomes.push(outcome);
            if *stand == Stand::Bare {
                swamped = Some(origin);
            }
        }
        Ok(outcomes)
    }

    async fn run(&self, scenario: &Scenario, stand: Stand, origin: &Arc<Origin>) -> anyhow::Result<Outcome> {
        let guard = match stand {
            Stand::Bare => None,
            Stand::Fresh | Stand::Profiled => Some(self.verifier(scenario, stand, origin.address).await?),
        };
        let verifier = guard.as_ref().map(|guard| &guard.verifier);
        let port = verifier.map_or(origin.address.port(), |verifier| verifier.port);
        let to = destination(port, HOST);
        let (calm, lasting, after) = self.times(scenario, stand);
        let waiting = self.timing.waiting[stand as usize];
        let (pages, readings) = (Arc::new(Pages::default()), Arc::new(Readings::default()));

        let own_before = (ProcessState::own(), self.solver.figures());
        let begun = Instant::now();
        let watched = verifier
            .map(|verifier| Watched { admin: destination(verifier.admin_port, "127.0.0.1"), id: verifier.id() });
        let watching = Running(
            tokio::spawn(watch::watch(watched, Arc::clone(origin), begun, Arc::clone(&readings))).abort_handle(),
        );
        let town = Town {
            to: to.clone(),
            scale: scenario.scale,
            solver: Arc::clone(&self.solver),
            begun,
            until: begun + calm + lasting + after,
            seed: SEED,
        };
        let visiting = Running(tokio::spawn(visitors::come(town, Arc::clone(&pages))).abort_handle());

        tokio::time::sleep_until((begun + calm).into()).await;
        // From here, and not from when it was planned: on a busy machine everything may have stood still meanwhile.
        let attacked = Instant::now();
        let attack_ends = attacked + lasting;
        let arena = Arc::new(Arena {
            to,
            gated: verifier.is_some(),
            scale: scenario.scale,
            solver: Arc::clone(&self.solver),
            tally: Tally::default(),
            begun: attacked,
            connections_max: if verifier.is_some() { CONNECTIONS_MAX } else { origin::CONNECTIONS_MAX },
        });
        let attacking = scenario.attack.map(|attack| Running(tokio::spawn(attack(Arc::clone(&arena))).abort_handle()));
        tokio::time::sleep_until(attack_ends.into()).await;
        if after.is_zero() {
            // Whoever waits goes on waiting, and the attack goes on.
            wait_for_visitors(&pages, attack_ends + waiting).await;
            drop(attacking);
        } else {
            drop(attacking);
            tokio::time::sleep_until((attack_ends + after).into()).await;
            wait_for_visitors(&pages, attack_ends + after + waiting).await;
        }
        drop(visiting);
        let lasted_s = begun.elapsed().as_secs_f64();
        drop(watching);

        let (own, solving) = (ProcessState::own(), self.solver.figures());
        let solver_cores = (solving.cpu_s - own_before.1.cpu_s) / lasted_s;
        let broken = verifier.is_some_and(is_broken);
        Ok(Outcome {
            stand,
            scale: scenario.scale,
            attack_s: ((attacked - begun).as_secs_f64(), (attack_ends - begun).as_secs_f64()),
            pages: pages.all(),
            readings: readings.all(),
            sent: arena.tally.requests(),
            heard: arena.tally.notes(),
            sales: arena.tally.sales(),
            generator_cores: (own.cpu_s - own_before.0.cpu_s) / lasted_s - solver_cores,
            solver_cores,
            solver_late_s: solving.late_s_max,
            broken,
        })
    }

    fn times(&self, scenario: &Scenario, stand: Stand) -> (Duration, Duration, Duration) {
        let Timing { calm, bare, fresh, profiled, own_times, .. } = self.timing;
        match stand {
            Stand::Bare => (Duration::ZERO, bare, Duration::ZERO),
            Stand::Fresh => (Duration::ZERO, fresh, Duration::ZERO),
            Stand::Profiled => match scenario.seconds.filter(|_| own_times) {
                Some((attack, after)) => (calm, seconds(attack), seconds(after)),
                None => (calm, profiled, Duration::ZERO),
            },
        }
    }

    /// A verifier that has begun to serve.
    async fn verifier(&self, scenario: &Scenario, stand: Stand, origin: SocketAddr) -> anyhow::Result<Guard> {
        let state = (stand == Stand::Profiled).then(|| self.copied_profile()).transpose()?;
        let scenario = scenario.clone();
        let started = tokio::task::spawn_blocking(move || {
            let settings = scenario::settings(&scenario, &format!("http://{origin}"));
            let settings = match &state {
                Some(state) => settings.set("state_dir", state.path().display().to_string()),
                None => settings,
            };
            Guard { verifier: Verifier::start(settings), _state: state }
        });
        started.await.context("the verifier does not start")
    }

    /// A `state_dir` with the profile in it, read at the start.
    fn copied_profile(&self) -> anyhow::Result<TempDir> {
        let folder = TempDir::with_prefix("portcullis-siege-state-")?;
        for entry in std::fs::read_dir(self.weeks.path())? {
            copy_into(folder.path(), &entry?.path())?;
        }
        Ok(folder)
    }
}

fn copy_into(folder: &Path, file: &PathBuf) -> anyhow::Result<()> {
    let name = file.file_name().context("a file has a name")?;
    std::fs::copy(file, folder.join(name))?;
    Ok(())
}

/// Where a port of loopback is asked under this host name.
#[must_use]
pub fn destination(port: u16, host: &str) -> Destination {
    Destination { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), host: format!("{host}:{port}") }
}

const fn seconds(count: u32) -> Duration {
    Duration::from_secs(count as u64)
}

async fn wait_for_visitors(pages: &Pages, until: Instant) {
    while Instant::now() < until && pages.loading() > 0 {
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether it panicked or is gone.
fn is_broken(verifier: &Verifier) -> bool {
    ProcessState::of(verifier.id()).is_none() || verifier.log().contains("panicked")
}
