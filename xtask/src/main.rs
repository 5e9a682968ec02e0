//! `cargo xtask`: one place that builds, tests and measures.

mod assets;
mod bench;
mod dependencies;
mod dist;
mod licence;
mod server;
mod setup;
mod siege;
mod steps;
mod test;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Builds, tests and measures Portcullis")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build what browsers load into target/www: solver, script, style, pages; and www/dist, the script tag for npm
    Assets,
    /// Check what the workspace depends on, known vulnerabilities included where a tool for that is installed
    Audit,
    /// Build, then measure: solvers, checks, CPU, rules, page views and bytes, each against a yardstick in the same run
    Bench {
        /// Write the results into docs/BENCHMARKS.md
        #[arg(long)]
        record: bool,
        /// Measure these parts only
        #[arg(value_parser = ["solver", "hashwx", "checks", "cpu", "policy", "top", "views", "bytes"], conflicts_with = "record")]
        parts: Vec<String>,
    },
    /// Build target/release/portcullis with everything that browsers load inside
    Build,
    /// Build, then run a small site with the verifier in front of it
    Demo {
        /// What `portcullis demo` is to be told
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Make what a release uploads: static binaries, Debian packages, container images, lists of what is inside, checksums
    Dist {
        /// For this kind of machine only; may be given several times
        #[arg(long, value_name = "MACHINE")]
        only: Vec<dist::Target>,
        /// Build a second time in another folder, which must give the same bytes, and try every file
        #[arg(long)]
        check: bool,
    },
    /// Make the package of this machine from a quick build: the tests install it
    Package,
    /// Build, then attack: an origin of known capacity, honest visitors and every attacker, with and without the gate
    Siege {
        /// This scenario only; may be given several times
        #[arg(long, value_name = "NAME", conflicts_with = "record")]
        only: Vec<String>,
        /// Write docs/SIEGE.md and docs/images/siege
        #[arg(long)]
        record: bool,
    },
    /// Install what the tests need, then run every check there is
    Test,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Assets => assets::build(),
        Task::Audit => dependencies::audit(),
        Task::Bench { record, parts } => bench::measure(record, &parts),
        Task::Build => server::build(),
        Task::Dist { only, check } => dist::make(&only, check),
        Task::Package => dist::quick_package(),
        Task::Demo { arguments } => server::demo(&arguments),
        Task::Siege { only, record } => siege::lay(&only, record),
        Task::Test => test::everything(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", steps::chain(&error));
            ExitCode::FAILURE
        }
    }
}
