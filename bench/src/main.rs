//! The measurements behind `cargo xtask bench`, which builds what is measured and then runs this.
//!
//! Every figure stands beside a yardstick measured in the same run, in turns with it. Tables go to stdout as Markdown,
//! progress to stderr. Browsers, verifier and clients are those of the end-to-end tests, which say what went wrong by
//! panicking.

mod check_cpu;
mod checks;
mod clock;
mod files;
mod hashwx;
mod load;
mod machine;
mod native;
mod page;
mod page_bytes;
mod page_views;
mod policy;
mod priority;
mod sample;
mod solver;
mod table;
mod top;
mod workspace;

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use crate::sample::ROUNDS;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> anyhow::Result<()> {
    let began = Instant::now();
    priority::raise();
    // Parts can be named: `cargo xtask bench checks`.
    let only: Vec<_> = std::env::args().skip(1).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    let mut tables = Vec::new();
    let mut browsers = None;
    if wanted("solver") {
        let (solver, versions) = part("Solver", solver::measure)?;
        tables.extend(solver);
        browsers = Some(versions);
    }
    if wanted("hashwx") {
        tables.extend(part("The second algorithm", hashwx::measure)?);
    }
    if wanted("checks") {
        tables.push(part("Checks of solutions", checks::measure)?);
    }
    if wanted("cpu") {
        tables.push(part("Server CPU per check", on_a_thread_of_its_own(check_cpu::measure))?);
    }
    if wanted("policy") {
        tables.extend(part("Decisions of many rules", policy::measure)?);
    }
    if wanted("top") {
        tables.extend(part("Who asks most", on_a_thread_of_its_own(top::measure))?);
    }
    if wanted("views") {
        tables.push(part("Page views through nginx", on_a_thread_of_its_own(page_views::measure))?);
    }
    if wanted("bytes") {
        tables.push(part("Bytes of a first visit", page_bytes::measure)?);
    }
    println!("{}", machine::described(browsers.as_deref()));
    println!("Medians of {ROUNDS} rounds with the least and the most; ratios are taken round by round.\n");
    for table in &tables {
        println!("{table}");
    }
    eprintln!("==> measured in {:.0} s", began.elapsed().as_secs_f32());
    Ok(())
}

fn part<T>(name: &str, measure: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprintln!("==> {name}");
    measure()
}

/// On which cores a thread may run is its own affair, and ends with it.
fn on_a_thread_of_its_own<T: Send>(
    measure: impl FnOnce() -> anyhow::Result<T> + Send,
) -> impl FnOnce() -> anyhow::Result<T> {
    || thread::scope(|scope| scope.spawn(measure).join()).map_err(|_| anyhow::anyhow!("it went wrong, see above"))?
}
