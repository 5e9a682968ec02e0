//! A bare Debian with a web server and PHP, in which the tests install the package as an operator would.

use std::fs;
use std::process::Command;

use crate::steps::{run, workspace};

/// Where it is.
const FOLDER: &str = "target/tools/debian";

/// Its release: the one for which the recipes are tested.
const RELEASE: &str = "bookworm";

/// What it has beyond what every Debian has.
const PACKAGES: &str = "ca-certificates,curl,dbus,nginx-light,php-fpm,systemd-sysv";

/// Makes it, some two minutes once; as anybody but root who may mount it cannot be made, nor booted.
pub(super) fn make(is_possible: bool) -> anyhow::Result<()> {
    let folder = workspace().join(FOLDER);
    if folder.exists() {
        return Ok(());
    }
    if !is_possible {
        println!(
            "    NOT TESTED: the package; only root that may mount can make and boot the Debian that it is installed in"
        );
        return Ok(());
    }
    println!("    missing, to be made with debootstrap: {FOLDER}, with {PACKAGES}");
    let unfinished = workspace().join(format!("{FOLDER}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", &format!("--include={PACKAGES}"), RELEASE]).arg(&unfinished);
    run(&mut command)?;
    fs::rename(unfinished, folder)?;
    Ok(())
}
