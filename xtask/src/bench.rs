//! The measurements: builds what is measured, and what it is measured against, then runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::assets::solver;
use crate::steps::{cargo, output_of, run, step, workspace};
use crate::{server, setup};

/// The results stand below this line of the page, up to its end.
const RESULTS_BELOW: &str = "<!-- below: cargo xtask bench --record -->";

/// Builds, measures, prints one table for each part, and writes them into docs/BENCHMARKS.md where asked to.
pub(crate) fn measure(record: bool, parts: &[String]) -> anyhow::Result<()> {
    step("What the measurements need on this machine", setup::measurements)?;
    server::build()?;
    let target = workspace().join("target");
    step("Yardstick for the solver: the sha2 crate in scalar wasm", || yardstick(&target))?;
    step("Solvers of other projects, from npm", || {
        let peers = workspace().join("bench/peers");
        run(Command::new("npm").current_dir(peers).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))
    })?;
    step("Measuring programs, release build", || {
        let mut command = cargo(&["build", "--release", "--package", "bench", "--bins"]);
        run(command.arg("--target-dir").arg(&target))
    })?;
    let results = step("Measurements, some minutes; leave the machine alone meanwhile", || {
        let mut bench = Command::new(target.join("release/bench"));
        bench.args(parts);
        // Its progress is for whoever waits, its tables are for the page.
        output_of(bench.env("PORTCULLIS_BINARY", server::binary()).stderr(Stdio::inherit()))
    })?;
    println!("\n{results}");
    if record { step("docs/BENCHMARKS.md", || write(&results)) } else { Ok(()) }
}

/// Where the measuring program looks for it.
fn yardstick(target: &Path) -> anyhow::Result<()> {
    let module = solver::build_yardstick()?;
    let folder = target.join("bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join("sha2.wasm");
    fs::write(&file, module).with_context(|| format!("cannot write {}", file.display()))
}

fn write(results: &str) -> anyhow::Result<()> {
    let page = workspace().join("docs/BENCHMARKS.md");
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let (above, _) = text.split_once(RESULTS_BELOW).with_context(|| format!("the page has no line {RESULTS_BELOW}"))?;
    fs::write(&page, format!("{above}{RESULTS_BELOW}\n\n{}\n", results.trim_end()))?;
    println!("    written");
    Ok(())
}
