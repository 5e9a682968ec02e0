//! One run of a scenario: the site, the verifier where there is one, visitors, and after a while the attack.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use puzzle::Algorithm;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use crate::arena::Arena;
use crate::client::Destination;
use crate::guard::{Guard, Place};
use crate::lessons::Lessons;
use crate::origin::{self, Origin};
use crate::outcome::Outcome;
use crate::proc::ProcessState;
use crate::scenario::{CONNECTIONS_MAX, HOST, Scenario, Stand};
use crate::solver::Solver;
use crate::tally::Tally;
use crate::visitors::{self, Pages, Town};
use crate::watch::{self, Readings};
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
    /// The attack before a verifier that starts cold is there.
    pub cold: Duration,
    /// Hours of the log that `portcullis learn` reads.
    pub log_hours: u32,
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
        calm: Duration::from_secs(3),
        bare: Duration::from_secs(5),
        fresh: Duration::from_secs(9),
        profiled: Duration::from_secs(15),
        cold: Duration::from_mins(1),
        log_hours: 24,
        waiting: [Duration::from_secs(2), Duration::from_secs(6), Duration::from_secs(12)],
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
        cold: Duration::from_secs(1),
        log_hours: 2,
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
    /// What `portcullis learn` found, once it was asked.
    lessons: OnceCell<Lessons>,
    timing: Timing,
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
        Ok(Self { solver: Arc::new(Solver::start()?), weeks, lessons: OnceCell::new(), timing })
    }

    /// All runs of a scenario, one after the other. `say` is told of each as it ends.
    ///
    /// # Errors
    /// Where a run cannot be made.
    pub async fn play(&self, scenario: &Scenario, mut say: impl FnMut(&Outcome)) -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        // What is installed in the middle of an attack finds the site as the attack has left it.
        let mut swamped = None;
        let stands = scenario.stands.iter().filter(|stand| self.timing.all_stands || **stand == scenario.main_stand());
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
        let is_late = matches!(stand, Stand::Cold | Stand::Learned);
        if stand == Stand::Learned {
            self.lessons().await?;
        }
        let place = match stand {
            Stand::Bare => None,
            _ => Some(Place::prepare(scenario, origin.address, is_late).await?),
        };
        let mut guard = match &place {
            Some(place) if !is_late => Some(self.guard(place, scenario, stand, origin.address).await?),
            _ => None,
        };
        let port = place.as_ref().map_or(origin.address.port(), Place::port);
        let to = destination(port, HOST);
        let (calm, lasting, after) = self.times(scenario, stand);
        let late = if is_late { self.timing.cold } else { Duration::ZERO };
        let waiting = self.waiting(stand);
        let (pages, readings) = (Arc::new(Pages::default()), Arc::new(Readings::default()));

        let own_before = (ProcessState::own(), self.solver.figures());
        let begun = Instant::now();
        let watch = |guard: Option<&Guard>| {
            let watched = guard.map(Guard::watched);
            Running(
                tokio::spawn(watch::watch(watched, Arc::clone(origin), begun, Arc::clone(&readings))).abort_handle(),
            )
        };
        let mut watching = (!is_late).then(|| watch(guard.as_ref()));
        let town = Town {
            to: to.clone(),
            scale: scenario.scale,
            solver: Arc::clone(&self.solver),
            begun,
            until: begun + calm + late + lasting + after,
            seed: SEED,
        };
        let visiting = Running(tokio::spawn(visitors::come(town, Arc::clone(&pages))).abort_handle());

        tokio::time::sleep_until((begun + calm).into()).await;
        // From here, and not from when it was planned: on a busy machine everything may have stood still meanwhile.
        let mut attacked = Instant::now();
        let arena = Arc::new(Arena {
            to,
            gated: place.is_some(),
            scale: scenario.scale,
            algorithm: if scenario.hashwx { Algorithm::HashWx } else { Algorithm::Sha256 },
            solver: Arc::clone(&self.solver),
            tally: Tally::default(),
            begun: attacked,
            connections_max: if place.is_some() { CONNECTIONS_MAX } else { origin::CONNECTIONS_MAX },
        });
        let attacking = scenario.attack.map(|attack| Running(tokio::spawn(attack(Arc::clone(&arena))).abort_handle()));
        if let Some(place) = place.as_ref().filter(|_| is_late) {
            tokio::time::sleep_until((attacked + late).into()).await;
            guard = Some(self.guard(place, scenario, stand, origin.address).await?);
            watching = Some(watch(guard.as_ref()));
            // What came before the verifier is not its affair.
            attacked = Instant::now();
        }
        let attack_ends = attacked + lasting;
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
        let broken = guard.as_ref().is_some_and(Guard::is_broken);
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
            Stand::Cold | Stand::Learned => (Duration::ZERO, profiled, Duration::ZERO),
            Stand::Profiled => match scenario.seconds.filter(|_| own_times) {
                Some((attack, after)) => (calm, seconds(attack), seconds(after)),
                None => (calm, profiled, Duration::ZERO),
            },
        }
    }

    /// What visitors who still wait get at most.
    const fn waiting(&self, stand: Stand) -> Duration {
        let [bare, fresh, profiled] = self.timing.waiting;
        match stand {
            Stand::Bare => bare,
            Stand::Fresh => fresh,
            Stand::Profiled | Stand::Cold | Stand::Learned => profiled,
        }
    }

    /// What `portcullis learn` finds; asked for before a run, because it takes a while.
    async fn lessons(&self) -> anyhow::Result<&Lessons> {
        self.lessons.get_or_try_init(|| Lessons::learn(self.timing.log_hours, SEED)).await
    }

    /// A verifier that has begun to serve.
    async fn guard(
        &self,
        place: &Place,
        scenario: &Scenario,
        stand: Stand,
        origin: SocketAddr,
    ) -> anyhow::Result<Guard> {
        match stand {
            Stand::Profiled => Guard::start(place, scenario, origin, Some(self.weeks.path()), None).await,
            Stand::Learned => {
                let lessons = self.lessons().await?;
                Guard::start(place, scenario, origin, Some(lessons.folder()), lessons.at_least).await
            }
            Stand::Bare | Stand::Fresh | Stand::Cold => Guard::start(place, scenario, origin, None, None).await,
        }
    }
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
