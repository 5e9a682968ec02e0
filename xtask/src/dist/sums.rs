//! `SHA256SUMS`, as `sha256sum --check` reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// The file of checksums.
pub(crate) const FILE: &str = "SHA256SUMS";

/// Writes the checksums of all files of a folder beside them.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    let mut text = String::new();
    for (name, sum) in of(folder)? {
        writeln!(text, "{sum}  {name}")?;
    }
    print!("{text}");
    fs::write(folder.join(FILE), text)?;
    Ok(())
}

/// The checksum of each file of a folder, but for the file of checksums itself.
pub(crate) fn of(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != FILE {
            sums.insert(name, hex(&Sha256::digest(fs::read(&path)?)));
        }
    }
    Ok(sums)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}
