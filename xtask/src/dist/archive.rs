//! An archive of an image, written again without what is there by chance: the same source gives the same bytes.
//!
//! The layout is that of `docker save`: `manifest.json` names a configuration, called by its own checksum, and layers.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Release;
use super::sums::hex;
use crate::steps::{run, workspace};

const MANIFEST: &str = "manifest.json";

/// Takes the container that an image was made in, which has a random number, out of the image's archive.
///
/// What is not named in the manifest is left out too: copies of the configuration for versions of Docker before 1.10.
pub(crate) fn settle(release: &Release, archive: &Path) -> anyhow::Result<()> {
    let folder = workspace().join("target/distribution/archive");
    super::empty(&folder)?;
    run(Command::new("tar").arg("--extract").arg("--file").arg(archive).arg("--directory").arg(&folder))?;

    let mut manifest = read(&folder.join(MANIFEST))?;
    let image = manifest.get_mut(0).context("the archive has an image")?;
    let named = image["Config"].as_str().context("the manifest names a configuration")?;
    let configuration = without_container(read(&folder.join(named))?).to_string();
    let name = format!("{}.json", hex(&Sha256::digest(&configuration)));
    fs::write(folder.join(&name), configuration)?;
    let layers: Vec<String> = serde_json::from_value(image["Layers"].clone()).context("the manifest names layers")?;
    image["Config"] = name.clone().into();
    fs::write(folder.join(MANIFEST), manifest.to_string())?;

    let mut pack = Command::new("tar");
    pack.args(["--create", "--format", "ustar", "--owner", "0", "--group", "0", "--numeric-owner", "--mode", "0644"]);
    pack.arg("--mtime").arg(format!("@{}", release.epoch)).arg("--file").arg(archive).arg("--directory").arg(&folder);
    run(pack.args([MANIFEST, &name]).args(layers))?;
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// An image's configuration that says nothing of the container it was made in. Docker itself writes neither field any more.
fn without_container(mut configuration: Value) -> Value {
    if let Some(fields) = configuration.as_object_mut() {
        fields.remove("container");
        fields.remove("container_config");
    }
    if let Some(run) = configuration["config"].as_object_mut() {
        run.remove("Hostname");
    }
    configuration
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("not JSON: {}", file.display()))
}
