//! The attack lab: builds the verifier as it ships and the lab, then lets the lab run.

use std::process::Command;

use crate::server;
use crate::steps::{cargo, run, step, workspace};

/// Builds both and plays the scenarios named, or all of them; `record` writes docs/SIEGE.md and its pictures.
pub(crate) fn lay(only: &[String], record: bool) -> anyhow::Result<()> {
    server::build()?;
    let target = workspace().join("target");
    step("Attack lab, release build", || {
        let mut command = cargo(&["build", "--release", "--package", "siege", "--bin", "siege"]);
        run(command.arg("--target-dir").arg(&target))
    })?;
    step("Attacks over loopback, some 25 minutes; leave the machine alone meanwhile", || {
        let mut lab = Command::new(target.join("release/siege"));
        for name in only {
            lab.args(["--only", name]);
        }
        if record {
            lab.arg("--report").arg(workspace().join("docs"));
        }
        run(lab.env("PORTCULLIS_BINARY", server::binary()))
    })
}
