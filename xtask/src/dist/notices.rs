//! What the licences of the crates inside ask to be handed on with a binary: their notices and texts, each text once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use super::inside::Inside;

/// How such files begin.
const BEGINNINGS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// Every text, below the names of the crates that have it.
pub(crate) fn text(inside: &Inside) -> anyhow::Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut all = String::from("The program contains these crates:\n\n");
    for ((name, version), inside) in &inside.crates {
        writeln!(all, "    {name} {version}: {}", inside.licence)?;
        let entries = fs::read_dir(&inside.folder).with_context(|| inside.folder.display().to_string())?;
        for file in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
            let called = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            if BEGINNINGS.iter().any(|beginning| called.starts_with(beginning)) {
                let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                texts.entry(text.trim().replace('\r', "")).or_default().push(format!("{name} {version}"));
            }
        }
    }
    for (text, mut crates) in texts {
        crates.dedup();
        write!(all, "\n{}\n{}\n\n{text}\n", "-".repeat(80), crates.join(", "))?;
    }
    Ok(all)
}
