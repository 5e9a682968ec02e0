//! The attack lab: `cargo xtask siege` builds it and the verifier, and runs it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser;
use siege::holds;
use siege::report::{Played, Report, line};
use siege::run::{Lab, Timing};
use siege::scale::Scale;
use siege::scenario::scenarios;

#[derive(Parser)]
#[command(about = "Attacks Portcullis over loopback, and measures what visitors get")]
struct Arguments {
    /// This scenario only; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Write SIEGE.md and its pictures into this folder
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Before there is any other thread: each begins with the priority of the one that starts it.
    if !siege::priority::raise() {
        eprintln!("    at ordinary priority: other programs may disturb the measurements");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| runtime.block_on(siege(Arguments::parse())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn siege(arguments: Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let all = scenarios();
    let names: Vec<&str> = all.iter().map(|scenario| scenario.name).chain([holds::NAME]).collect();
    for name in &arguments.only {
        ensure!(names.contains(&name.as_str()), "no scenario is called {name}; there are: {}", names.join(", "));
    }
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    println!("All hash rates, the floor and the ceiling are divided by {}.", Scale::USUAL.factor);
    let lab = Lab::open(Timing::WHOLE)?;
    let mut report = Report::default();
    for scenario in all.into_iter().filter(|scenario| wanted(scenario.name)) {
        println!("==> {:.0} s  {}: {}", began.elapsed().as_secs_f64(), scenario.name, scenario.what);
        let outcomes = lab.play(&scenario, |outcome| println!("    {}", line(outcome))).await?;
        report.played.push(Played { scenario, outcomes });
    }
    if wanted(holds::NAME) {
        println!("==> {:.0} s  {}: {}", began.elapsed().as_secs_f64(), holds::NAME, holds::WHAT);
        let held = holds::measure(holds::Timing::WHOLE).await?;
        println!("    {held}");
        report.held = Some(held);
    }
    report.seconds = began.elapsed().as_secs_f64();
    if let Some(folder) = &arguments.report {
        report.write(folder)?;
    }
    println!("==> {:.0} s  done", began.elapsed().as_secs_f64());
    Ok(())
}
