//! `cargo xtask dist`: everything that a release uploads, made of this source and nothing else.
//!
//! One folder, `target/distribution/files`: for each kind of machine a static binary, a Debian package, a container image and a
//! list of what is inside, and the checksums of all of them. The same source gives the same bytes, wherever it lies.

mod again;
mod archive;
pub(crate) mod binary;
mod image;
mod inside;
mod notices;
mod package;
mod sbom;
mod sums;
mod target;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::assets;
use crate::setup;
use crate::steps::{output_of, step, workspace};
use binary::Build;
pub(crate) use target::Target;

/// What one run makes.
pub(crate) struct Release {
    /// The workspace's version.
    version: String,
    /// The time that every file and archive is given, in Unix seconds.
    epoch: u64,
}

/// Makes the files of a release for these targets, all where none is named; with `check` builds them a second time elsewhere and tries each.
pub(crate) fn make(targets: &[Target], check: bool) -> anyhow::Result<()> {
    let targets = if targets.is_empty() { &Target::ALL } else { targets };
    step("What a release needs on this machine", || setup::release(targets, check))?;
    let release = Release::of_this_source()?;
    step("Assets", assets::build)?;
    let folder = files();
    step("An empty folder for the files", || empty(&folder))?;
    for &target in targets {
        let name = target.name();
        let built = step(&format!("Server, static, {name}"), || binary::build(target, Build::Release))?;
        step(&format!("List of what is inside, {name}"), || release.list(target, &folder))?;
        step(&format!("Binary and Debian package, {name}"), || {
            fs::copy(&built, folder.join(release.file(target, "")))?;
            package::build(&release, target, &built, &folder)
        })?;
        step(&format!("Container image, {name}"), || image::build(&release, target, &built, &folder))?;
    }
    step("Checksums", || sums::write(&folder))?;
    if check {
        again::compare(&release, targets, &folder)?;
        trial::run_all(&release, targets, &folder)?;
    }
    println!("    {}", folder.display());
    Ok(())
}

/// Builds what browsers load, then the package that the tests install.
pub(crate) fn quick_package() -> anyhow::Result<()> {
    step("What a package needs on this machine", setup::quick_package)?;
    step("Assets", assets::build)?;
    step("Package, from a quick build", package_for_tests)
}

/// Makes the package of this machine from a quick build: the tests install it.
pub(crate) fn package_for_tests() -> anyhow::Result<()> {
    let target = Target::of_this_machine()?;
    let release = Release::of_this_source()?;
    let folder = workspace().join("target/distribution/quick");
    empty(&folder)?;
    let built = binary::build(target, Build::Quick)?;
    release.list(target, &folder)?;
    let package = package::build(&release, target, &built, &folder)?;
    println!("    {}", package.display());
    sums::write(&folder)
}

/// Tries what else a release has, made of quick builds: the image, and the binary for the other kind of machine.
pub(crate) fn try_quick_builds() -> anyhow::Result<()> {
    let own = Target::of_this_machine()?;
    let release = Release::of_this_source()?;
    let folder = workspace().join("target/distribution/quick");
    if setup::may_mount() {
        let built = binary::build(own, Build::Quick)?;
        let once = fs::read(image::build(&release, own, &built, &folder)?)?;
        let again = fs::read(image::build(&release, own, &built, &folder)?)?;
        ensure!(once == again, "the container image, made twice of one binary, is not the same");
        trial::in_a_container(&release, own, &folder, binary::ANOTHER_VERSION)?;
    } else {
        println!("    NOT TESTED: the container image; only root that may mount can make and run one");
    }
    for other in Target::ALL.into_iter().filter(|target| *target != own) {
        let built = binary::build(other, Build::Quick)?;
        trial::end_to_end(&trial::starter(other, &built)?, &trial::QUICK_TESTS)?;
    }
    Ok(())
}

impl Release {
    fn of_this_source() -> anyhow::Result<Self> {
        let manifest = fs::read_to_string(workspace().join("Cargo.toml"))?;
        let line = manifest.lines().find_map(|line| line.strip_prefix("version = "));
        let version = line.context("Cargo.toml has a line `version = `")?.trim_matches('"').to_owned();
        Ok(Self { version, epoch: epoch()? })
    }

    /// The name of a file of this release for a target.
    fn file(&self, target: Target, ending: &str) -> String {
        format!("portcullis-{}-{}-linux{ending}", self.version, target.name())
    }

    fn list(&self, target: Target, folder: &Path) -> anyhow::Result<()> {
        let inside = inside::of(target)?;
        fs::write(folder.join(self.file(target, ".cdx.json")), sbom::text(self, target, &inside)?)?;
        fs::write(folder.join(self.file(target, ".licences.txt")), notices::text(&inside)?)?;
        println!("    {} crates", inside.crates.len());
        Ok(())
    }
}

/// Where the files of a release are put.
fn files() -> PathBuf {
    workspace().join("target/distribution/files")
}

fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    Ok(())
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org), or the time of the commit that is built.
fn epoch() -> anyhow::Result<u64> {
    let text = if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        text
    } else {
        let mut git = std::process::Command::new("git");
        output_of(git.current_dir(workspace()).args(["log", "-1", "--format=%ct"]))
            .context("outside of a git repository SOURCE_DATE_EPOCH has to say when the source was made")?
    };
    text.trim().parse().context("SOURCE_DATE_EPOCH is a number of seconds since 1970")
}
