//! The files of `deploy/systemd`, as systemd reads them.

use std::process::{Command, Output};

use tempfile::TempDir;
use tests::recipes::shipped;

const UNITS: [&str; 2] = ["portcullis.service", "portcullis.socket"];

/// What `systemd-analyze security` may find at the most, in tenths.
const EXPOSURE_MAX: &str = "15";

/// Both units in a folder, with the binary under test in the place of the one that is not installed.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let here = format!("ExecStart={} ", tests::verifier::binary().display());
    for name in UNITS {
        let unit = shipped("systemd", name).replace("ExecStart=/usr/local/bin/portcullis ", &here);
        std::fs::write(folder.path().join(name), unit).unwrap();
    }
    folder
}

fn analyze(arguments: &[&str], folder: &TempDir, names: &[&str]) -> Output {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).args(names.iter().map(|name| folder.path().join(name)));
    command.output().unwrap()
}

#[test]
fn systemd_understands_both() {
    assert_eq!(shipped("systemd", UNITS[0]).matches("ExecStart=/usr/local/bin/portcullis ").count(), 1);
    let told = analyze(&["verify", "--man=no"], &folder(), &UNITS);
    assert!(told.status.success() && told.stderr.is_empty(), "{told:?}");
}

#[test]
fn the_service_is_exposed_to_no_more_than_1_5_and_reads_the_pressure() {
    let told = analyze(&["security", "--offline=true", "--threshold", EXPOSURE_MAX], &folder(), &UNITS[..1]);
    assert!(told.status.success(), "{told:?}");
    let unit = shipped("systemd", UNITS[0]);
    assert!(!unit.lines().any(|line| line.starts_with("ProcSubset=")), "/proc/pressure would be hidden");
}

#[test]
fn every_line_has_its_reason_above_it() {
    for name in UNITS {
        let unit = shipped("systemd", name);
        let mut above = "";
        for line in unit.lines() {
            let says_something = !line.is_empty() && !line.starts_with(['#', '[']);
            assert!(!says_something || above.starts_with("# "), "{name}: {line}");
            above = line;
        }
    }
}
