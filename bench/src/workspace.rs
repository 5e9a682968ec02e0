//! Where `cargo xtask bench` leaves what is measured.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A file below the workspace's target folder.
pub(crate) fn built(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(path)
}

/// One line of `target/www/manifest.txt`: an asset as it is published.
pub(crate) struct Asset {
    /// What sources call it, such as `gate.js`.
    pub(crate) name: String,
    /// What it is served as, with a hash of its content.
    pub(crate) served: String,
    pub(crate) content_type: String,
}

/// Everything published, read from the manifest that the server embeds too.
pub(crate) fn assets() -> anyhow::Result<Vec<Asset>> {
    let manifest = built("www/manifest.txt");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let asset = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Asset { name: fields.next()?, served: fields.next()?, content_type: fields.next()? })
    };
    text.lines().map(|line| asset(line).with_context(|| format!("not a line of a manifest: {line}"))).collect()
}

/// The asset of this name.
pub(crate) fn asset<'a>(assets: &'a [Asset], name: &str) -> anyhow::Result<&'a Asset> {
    assets.iter().find(|asset| asset.name == name).with_context(|| format!("{name} is not published"))
}
