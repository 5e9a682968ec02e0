//! `portcullis demo --attack`: visitors, a flood, and a story of what happens to both.

use super::course::Course;
use super::networks::Networks;
use super::second::{Gate, Now, Second};
use super::story::Story;
use super::visitors::Visitors;
use super::workers::Workers;
use super::{flood, tell};
use crate::gate::price::State;
use crate::http::Verifier;
use std::io;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often it is looked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many looks make a second.
const LOOKS_PER_SECOND: u32 = 10;

/// What is under attack: the demo's own verifier, on a port of 127.0.0.1.
pub(super) struct Target<'a> {
    pub(super) verifier: &'a Verifier,
    pub(super) port: u16,
    pub(super) workers: &'a Workers,
}

impl Target<'_> {
    /// Runs the whole attack and tells about it. Dropped, it ends at once: its tasks end with it.
    ///
    /// # Errors
    /// Nobody reads what is told any more.
    pub(super) async fn attack(&self, flood_lasts: Duration) -> io::Result<()> {
        let course = Course::of(flood_lasts);
        let networks = Networks::find();
        let mut story = Story::new(course, networks);
        tell(&story.begin())?;
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        let visitors = Visitors::begin(self.port, networks, &mut tasks);
        flood::begin(self.port, networks, course, began, &mut tasks);

        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut counted = self.counts();
        let mut second_began = began;
        while !story.is_over(began.elapsed()) {
            for _ in 0..LOOKS_PER_SECOND {
                looks.tick().await;
                tell(&story.look(began.elapsed(), self.now()))?;
            }
            let counts = self.counts();
            let second = Second {
                elapsed: second_began.elapsed(),
                asked: counts.asked - counted.asked,
                challenged: counts.challenged - counted.challenged,
                visited: visitors.take(),
                site_delay: self.workers.take_delay(),
            };
            (counted, second_began) = (counts, Instant::now());
            tell(&story.second(began.elapsed(), self.now(), &second))?;
        }
        tasks.shutdown().await;
        tell(&story.summary(began.elapsed()))
    }

    fn now(&self) -> Now {
        let config = self.verifier.config.load();
        let Some(site) = config.sites.first() else { return Now::default() };
        let report = self.verifier.gate.report(site, self.verifier.started.elapsed());
        let price = self.verifier.gate.pricing(&config, site).price;
        let gate = match report.state {
            State::Attack => Gate::Down,
            State::Hold => Gate::Holds,
            // By hand.
            State::Calm if price > 0 => Gate::Down,
            State::Calm if report.crowded => Gate::Partly,
            State::Calm => Gate::Open,
        };
        Now { gate, price, hold_left: report.hold_left }
    }

    fn counts(&self) -> Counts {
        let decided = self.verifier.metrics.decisions();
        let [_, _, challenged, ..] = decided;
        Counts { asked: decided.iter().sum(), challenged }
    }
}

/// Requests that the gate decided about so far.
#[derive(Clone, Copy)]
struct Counts {
    asked: u64,
    challenged: u64,
}
