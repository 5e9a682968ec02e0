//! The attack lab: builds the verifier as it ships and the lab, then lets the lab run.

use std::process::Command;

use crate::dist::{Target, binary};
use crate::steps::{cargo, run, step, workspace};
use crate::{assets, setup};

/// Builds both and plays the scenarios named, or all of them; `record` writes docs/SIEGE.md and its pictures.
pub(crate) fn lay(only: &[String], record: bool) -> anyhow::Result<()> {
    step("What the verifier is built with as it ships", setup::quick_package)?;
    step("Assets", assets::build)?;
    let verifier = step("Verifier, as it ships", || binary::build(Target::of_this_machine()?, binary::Build::Release))?;
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
        run(lab.env("PORTCULLIS_BINARY", &verifier))
    })
}
