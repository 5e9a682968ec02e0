//! What a binary is made of: the crates that are compiled into it, those of the solver for browsers included.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::Target;
use crate::assets::solver::WASM_TARGET;
use crate::steps::{cargo, output_of, workspace};

/// Name and version.
pub(crate) type Name = (String, String);

/// A crate inside.
pub(crate) struct Crate {
    /// SPDX 2.3, as its authors wrote it.
    pub(crate) licence: String,
    /// Where its source is.
    pub(crate) folder: PathBuf,
    /// SHA-256 of the archive in the registry; nothing for a crate of this workspace.
    pub(crate) checksum: Option<String>,
    /// Which others it uses, of those inside.
    pub(crate) uses: BTreeSet<Name>,
}

/// What is inside.
pub(crate) struct Inside {
    pub(crate) crates: BTreeMap<Name, Crate>,
    /// The version of the compiler, and so of its standard library.
    pub(crate) rust: String,
}

/// What the binary for a target is made of.
pub(crate) fn of(target: Target) -> anyhow::Result<Inside> {
    let mut names = compiled(&["verifier-server"], target.triple())?;
    names.append(&mut compiled(&["challenge-wasm", "hashwx-wasm"], WASM_TARGET)?);
    let metadata = output_of(&mut cargo(&["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is JSON")?;
    let uses = uses(&metadata, &names)?;
    let checksums = checksums(&fs::read_to_string(workspace().join("Cargo.lock"))?);
    let crates = packages(&metadata)?
        .filter(|(name, _)| names.contains(name))
        .map(|(name, package)| {
            let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
            let inside = Crate {
                licence: package["license"].as_str().unwrap_or_default().to_owned(),
                folder: manifest.parent().context("a manifest lies in a folder")?.to_owned(),
                checksum: checksums.get(&name).cloned(),
                uses: uses.get(&name).cloned().unwrap_or_default(),
            };
            Ok((name, inside))
        })
        .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
    ensure!(crates.len() == names.len(), "cargo tree and cargo metadata name different crates");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output_of(std::process::Command::new(rustc).current_dir(workspace()).arg("--version"))?;
    let rust = version.split_whitespace().nth(1).context("rustc tells its version")?.to_owned();
    Ok(Inside { crates, rust })
}

/// The crates whose code is in what these packages are compiled to: without those that only run while compiling.
fn compiled(packages: &[&str], triple: &str) -> anyhow::Result<BTreeSet<Name>> {
    let mut command = cargo(&["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none"]);
    command.args(["--format", "{p}", "--target", triple]);
    for package in packages {
        command.args(["--package", package]);
    }
    let lines = output_of(&mut command)?;
    lines.lines().filter(|line| !line.is_empty()).map(|line| named(line).with_context(|| line.to_owned())).collect()
}

/// A line of `cargo tree`, such as `puzzle v0.1.0 (/folder)`.
fn named(line: &str) -> Option<Name> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    Some((name, words.next()?.strip_prefix('v')?.to_owned()))
}

fn packages(metadata: &Value) -> anyhow::Result<impl Iterator<Item = (Name, &Value)>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let text = |package: &Value, field: &str| package[field].as_str().unwrap_or_default().to_owned();
    Ok(packages.iter().map(move |package| ((text(package, "name"), text(package, "version")), package)))
}

/// Which of these crates each of them uses.
fn uses(metadata: &Value, names: &BTreeSet<Name>) -> anyhow::Result<BTreeMap<Name, BTreeSet<Name>>> {
    let by_id: BTreeMap<&str, Name> =
        packages(metadata)?.filter_map(|(name, package)| Some((package["id"].as_str()?, name))).collect();
    let nodes = metadata["resolve"]["nodes"].as_array().context("cargo metadata tells who uses whom")?;
    let uses = nodes.iter().filter_map(|node| {
        let used = node["deps"].as_array()?.iter().filter_map(|used| {
            // A kind that is null is an ordinary one; others are for building and testing.
            let ordinary = used["dep_kinds"].as_array()?.iter().any(|kind| kind["kind"].is_null());
            by_id.get(used["pkg"].as_str()?).filter(|name| ordinary && names.contains(*name)).cloned()
        });
        Some((by_id.get(node["id"].as_str()?)?.clone(), used.collect()))
    });
    Ok(uses.collect())
}

/// The checksums in `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<Name, String> {
    let of = |package: &str| {
        let field = |name: &str| {
            let begin = format!("{name} = \"");
            package.lines().find_map(|line| Some(line.strip_prefix(&begin)?.strip_suffix('"')?.to_owned()))
        };
        Some(((field("name")?, field("version")?), field("checksum")?))
    };
    lock.split("[[package]]").filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_and_the_tree_name_crates_alike() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\nsource = \"registry\"\nchecksum = \"00ff\"\n\
                    dependencies = [\n \"b\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"0.1.0\"\n";
        let found = checksums(lock);
        assert_eq!(found.len(), 1);
        assert_eq!(found.get(&named("a v1.2.3").expect("a name")).map(String::as_str), Some("00ff"));
        assert_eq!(named("b v0.1.0 (/folder)"), Some(("b".to_owned(), "0.1.0".to_owned())));
        assert_eq!(named("b"), None);
    }
}
