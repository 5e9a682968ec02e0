//! The report: one table, notes for each scenario, pictures.

mod notes;
mod pictures;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::holds::Held;
use crate::origin::{BACKLOG_MAX, CAPACITY, SERVICE, WORKERS};
use crate::outcome::{Outcome, expected_s};
use crate::run::Timing;
use crate::scale::{DEVICES, Scale};
use crate::scenario::{Aim, Scenario, Stand};
use crate::visitors::LEGITIMATE;

/// Everything below this line of the page is written by the lab.
const RESULTS_BELOW: &str = "<!-- below: cargo xtask siege --record -->";
/// Where the pictures lie, beside the page.
const PICTURES: &str = "images/siege";
/// A lab that takes more of both cores than this may be what is measured.
const GENERATOR_CORES_MAX: f64 = 1.2;
/// A solution that comes later than this makes visitors look slower than they are.
const LATE_S_MAX: f64 = 0.1;
/// All solvers together ought to take less.
const SOLVER_CORES_MAX: f64 = 0.25;
/// How soon the gate is to be down.
const PROTECTED_S_MAX: f64 = 2.0;

/// A scenario with its runs.
#[derive(Debug)]
pub struct Played {
    /// What was played.
    pub scenario: Scenario,
    /// Its runs.
    pub outcomes: Vec<Outcome>,
}

/// All that was measured.
#[derive(Debug, Default)]
pub struct Report {
    /// The scenarios.
    pub played: Vec<Played>,
    /// Whether the verifier itself holds.
    pub held: Option<Held>,
    /// How long everything took.
    pub seconds: f64,
}

/// A run in a line.
#[must_use]
pub fn line(outcome: &Outcome) -> String {
    let times = outcome.times(|_| true).map_or_else(|| "–".to_owned(), |t| format!("{:.1}/{:.1} s", t.p50, t.p95));
    let price = outcome.price_s().map_or_else(String::new, |(mean, most)| format!(", price {mean:.2}–{most:.2} s"));
    let paid =
        outcome.paid_s().map_or_else(String::new, |(paid, sales)| format!(", attackers paid {paid:.2} s × {sales}"));
    let verifier = outcome.verifier_cores().map_or_else(String::new, |cores| format!(", verifier {cores:.2} cores"));
    let losses: Vec<String> = outcome.losses().iter().map(|(fate, count)| format!("{} {count}", fate.name())).collect();
    format!(
        "{}: served {:.1} % of {} pages (after 3 s {:.1} %), {times}; attack at the origin {:.0}/s (of {:.0} that came), visitors {:.0}/s{price}{paid}; protected \
         after {}{verifier}, lab {:.2} cores, solver {:.2} (late {:.0} ms){}{}{}",
        outcome.stand.name(),
        outcome.served_percent(|_| true),
        outcome.under_attack().count(),
        outcome.served_percent(|page| outcome.is_settled(page)),
        outcome.rate(|reading| reading.attackers.served),
        outcome.rate(|reading| reading.attackers.arrived),
        outcome.rate(|reading| reading.visitors.served),
        outcome.to_protect_s().map_or_else(|| "never".to_owned(), |seconds| format!("{seconds:.1} s")),
        outcome.generator_cores,
        outcome.solver_cores,
        outcome.solver_late_s * 1e3,
        if losses.is_empty() { String::new() } else { format!("; lost: {}", losses.join(", ")) },
        if outcome.broken { "; THE VERIFIER BROKE" } else { "" },
        outcome.to_let_go_s().map_or_else(String::new, |seconds| format!("; open {seconds:.1} s after the end")),
    )
}

impl Report {
    /// Writes `SIEGE.md` and its pictures into `folder`. What stands above the line for it in a page that is there stays.
    ///
    /// # Errors
    /// Where something cannot be read or written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let page = folder.join("SIEGE.md");
        let above = fs::read_to_string(&page).unwrap_or_else(|_| format!("# The attack lab\n\n{RESULTS_BELOW}\n"));
        let (above, _) =
            above.split_once(RESULTS_BELOW).with_context(|| format!("the page has no line {RESULTS_BELOW}"))?;
        let pictures = folder.join(PICTURES);
        fs::create_dir_all(&pictures)?;
        for (name, svg) in pictures::all(self) {
            fs::write(pictures.join(format!("{name}.svg")), svg)?;
        }
        fs::write(&page, format!("{above}{RESULTS_BELOW}\n\n{}", self.text())).context("the page cannot be written")
    }

    fn text(&self) -> String {
        let mut text = self.about();
        text.push_str(&self.table());
        text.push_str("\n![Pages served](images/siege/served.svg)\n\n![95th percentile of a page's time](images/siege/latency.svg)\n");
        if let Some(held) = &self.held {
            text.push_str(&notes::held(held));
        }
        for played in &self.played {
            text.push_str(&notes::of(played));
        }
        text
    }

    fn about(&self) -> String {
        let timing = Timing::WHOLE;
        let solver = self.outcomes().filter(|outcome| outcome.scale == Scale::USUAL);
        let solver_cores = solver.map(|outcome| outcome.solver_cores).fold(0.0, f64::max);
        format!(
            "- Measured by `cargo xtask siege --record` in {:.0} s with {}\n- Machine: {}, {} cores, Linux {}\n- Origin: \
             {WORKERS} workers × {:.0} ms = {CAPACITY:.0} credits/s, {BACKLOG_MAX} requests in line, beyond them 503 at once\n- \
             Visitors: {LEGITIMATE:.0} credits/s\n- Factor: all hash rates, the floor and the ceiling ÷ {}; most that all solvers \
             together took: {solver_cores:.2} of a core (aim: below {SOLVER_CORES_MAX})\n- A run: attack for {:.0} s without, {:.0} s \
             installed in the middle of it, {:.0} s with a profile after {:.0} s of calm\n\n",
            self.seconds,
            version(),
            processor(),
            std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
            SERVICE.as_secs_f64() * 1e3,
            Scale::USUAL.factor,
            timing.bare.as_secs_f64(),
            timing.fresh.as_secs_f64(),
            timing.profiled.as_secs_f64(),
            timing.calm.as_secs_f64(),
        )
    }

    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.played.iter().flat_map(|played| &played.outcomes)
    }

    fn table(&self) -> String {
        let classes: Vec<&str> = DEVICES.iter().map(|device| device.name).collect();
        let mut table = format!(
            "*Served*: pages with all their parts, of those begun during the attack; *after 3 s*: of those begun later. *p95 by device*: {}. *Attack at the \
             origin*: credits/s of attackers that came there, and that were served. *Price*: for a full clearance, in seconds \
             of a slow phone, mean and highest. Times in seconds; CPU in cores; *lab* is everything but the verifier and the solvers.\n\n\
             | scenario | | served | after 3 s | p50 | p95 | p95 by device | attack at the origin | price | protected after | verifier CPU | memory MiB | lab CPU |\n\
             |---|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|\n",
            classes.join(" / "),
        );
        for played in &self.played {
            for outcome in &played.outcomes {
                table.push_str(&row(&played.scenario, outcome));
            }
        }
        table
    }
}

fn row(scenario: &Scenario, outcome: &Outcome) -> String {
    let dash = || "–".to_owned();
    let times = outcome.times(|_| true);
    let classes: Vec<String> = DEVICES
        .iter()
        .map(|device| {
            let times = outcome.times(|page| page.device == device.name);
            times.map_or_else(dash, |times| format!("{:.1}", times.p95))
        })
        .collect();
    let mut row = String::new();
    let _ = writeln!(
        row,
        "| [{0}](#{0}) | {1} | {2:.1} %{3} | {15:.1} % | {4} | {5} | {6} | {7:.0}, {8:.0} | {9} | {10} | {11} | {12} | {13:.2}{14} |",
        scenario.name,
        outcome.stand.name(),
        outcome.served_percent(|_| true),
        if outcome.stand == scenario.main_stand() { verdict(scenario, outcome) } else { "" },
        times.map_or_else(dash, |times| format!("{:.1}", times.p50)),
        times.map_or_else(dash, |times| format!("{:.1}", times.p95)),
        classes.join(" / "),
        outcome.rate(|reading| reading.attackers.arrived),
        outcome.rate(|reading| reading.attackers.served),
        outcome.price_s().map_or_else(dash, |(mean, most)| format!("{mean:.2}, {most:.2}")),
        match outcome.stand {
            Stand::Bare => dash(),
            _ => outcome.to_protect_s().map_or_else(
                || "never".to_owned(),
                |seconds| {
                    format!("{seconds:.1}{}", if seconds < PROTECTED_S_MAX + 0.05 { "" } else { " **not met**" })
                }
            ),
        },
        outcome.verifier_cores().map_or_else(dash, |cores| format!("{cores:.2}")),
        outcome.memory_mib().map_or_else(dash, |(first, most)| format!("{first:.0} → {most:.0}")),
        outcome.generator_cores,
        if is_bottleneck(outcome) { " **!**" } else { "" },
        outcome.served_percent(|page| outcome.is_settled(page)),
    );
    row
}

/// Whether the run that the aim is about did what is asked of it.
fn verdict(scenario: &Scenario, outcome: &Outcome) -> &'static str {
    let met = match scenario.aim {
        Aim::Served(percent) => outcome.served_percent(|_| true) >= percent,
        Aim::Invisible => outcome.challenged() == 0 && outcome.served_percent(|_| true) >= 99.0,
    };
    if met { "" } else { " **not met**" }
}

/// Whether the lab itself may be what was measured.
fn is_bottleneck(outcome: &Outcome) -> bool {
    outcome.generator_cores > GENERATOR_CORES_MAX || outcome.solver_late_s > LATE_S_MAX
}

/// By how much what attackers paid differs from what the design says, in percent.
fn price_difference(scenario: &Scenario, outcome: &Outcome) -> Option<f64> {
    let (paid, _) = outcome.paid_s()?;
    Some(100.0 * (paid / expected_s(scenario.phones?) - 1.0))
}

fn version() -> String {
    let output = Command::new(tests::verifier::binary()).arg("--version").output();
    output.map_or_else(|_| "portcullis".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map_or("?", |(_, name)| name.trim()).to_owned()
}
