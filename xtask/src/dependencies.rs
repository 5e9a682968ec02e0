//! Rules for what the workspace depends on, checked without a network.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::licence;
use crate::steps::{cargo, in_path, output_of, run, step};

/// Crates that must not come in, not even through others, and what to do instead.
const BANNED: [(&str, &str); 10] = [
    ("async-std", "no longer maintained; tokio is here already"),
    ("chrono", "a verifier needs unix seconds, not calendars with time zones"),
    ("failure", "no longer maintained; thiserror"),
    ("figment", "loses the place of a value in the file; the configuration is read with toml and checked by hand"),
    ("fred", "there is no shared store"),
    ("jsonwebtoken", "a clearance is opaque: nothing in it is for the client to read or the server to parse"),
    ("native-tls", "a C library that a static binary would have to carry"),
    ("openssl", "a C library that a static binary would have to carry"),
    ("openssl-sys", "a C library that a static binary would have to carry"),
    ("wasm-opt", "compiles a C++ project for a few per cent; the solver is small as it is"),
];

/// Where crates may come from; members of the workspace have no source.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks licences, sources and bans; every violation is named, not only the first.
///
/// The rules hold for every platform, so packages that only others use are fetched once; the rules themselves need no
/// network.
pub(crate) fn check() -> anyhow::Result<()> {
    run(&mut cargo(&["fetch", "--quiet", "--locked"]))?;
    let metadata = output_of(&mut cargo(&["metadata", "--format-version", "1", "--locked", "--offline"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists packages")?;
    let violations: Vec<String> = packages.iter().flat_map(violations_of).collect();
    if !violations.is_empty() {
        bail!("{} violations of the rules for dependencies:\n  {}", violations.len(), violations.join("\n  "));
    }
    println!("    {} packages: licences, sources and bans in order", packages.len());
    Ok(())
}

/// The same rules, then the known vulnerabilities, which need a network and one of two tools.
pub(crate) fn audit() -> anyhow::Result<()> {
    step("Dependencies: licences, sources, bans", check)?;
    if in_path("cargo-deny").is_some() {
        step("Advisories", || run(&mut cargo(&["deny", "check", "advisories"])))
    } else if in_path("cargo-audit").is_some() {
        step("Advisories", || run(&mut cargo(&["audit"])))
    } else {
        bail!("known vulnerabilities were not looked up: run `cargo install --locked cargo-audit`, then this again")
    }
}

fn violations_of(package: &Value) -> Vec<String> {
    let text = |field: &str| package[field].as_str().unwrap_or_default();
    let (name, version) = (text("name"), text("version"));
    let mut violations = Vec::new();
    match package["source"].as_str() {
        None | Some(REGISTRY) => {}
        Some(source) => violations.push(format!("{name} {version} comes from {source}, not from crates.io")),
    }
    let banned: BTreeMap<_, _> = BANNED.into_iter().collect();
    if let Some(reason) = banned.get(name) {
        violations.push(format!("{name} {version} is banned: {reason}"));
    }
    let licence = text("license");
    match licence::allowed(licence) {
        Ok(true) => {}
        Ok(false) => violations.push(format!("{name} {version} is under `{licence}`, which is not allowed")),
        Err(error) => violations.push(format!("{name} {version}: `{licence}` is no licence expression: {error}")),
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(name: &str, license: &str, source: Option<&str>) -> usize {
        violations_of(&serde_json::json!({"name": name, "version": "1.0.0", "license": license, "source": source}))
            .len()
    }

    #[test]
    fn each_rule_is_kept() {
        assert_eq!(violations("serde", "MIT OR Apache-2.0", Some(REGISTRY)), 0);
        assert_eq!(violations("puzzle", "MIT", None), 0);
        assert_eq!(violations("openssl", "Apache-2.0", Some(REGISTRY)), 1);
        assert_eq!(violations("serde", "MIT", Some("git+https://example.org/serde")), 1);
        assert_eq!(violations("serde", "GPL-3.0-only", Some(REGISTRY)), 1);
        assert_eq!(violations("serde", "", Some(REGISTRY)), 1);
        assert_eq!(violations("openssl", "(MIT", Some("registry+https://example.org/index")), 3);
    }
}
