//! `cargo xtask`: one place that builds, tests and measures.

mod assets;
mod steps;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Builds, tests and measures Portcullis")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build what browsers load: solver, page, worker, styles.
    Assets,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Assets => assets::build(),
    }
}
