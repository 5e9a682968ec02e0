//! The script for a site's own pages as a folder that npm can publish, or that a site can serve itself: `www/dist`.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use data_encoding::BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha384};

use crate::steps::workspace;

/// What the tag names in a page.
const SCRIPT: &str = "portcullis.js";
const TYPES: &str = "portcullis.d.ts";
const README: &str = "\
# Portcullis: the script tag

The script for pages behind a Portcullis gate, and for forms with its tokens: `fetch` and `XMLHttpRequest` are paid for when the
gate asks, forms are sent once they may be, and widgets get tokens. Documentation is in `docs/OPERATING.md` and `docs/FORMS.md` of
the project. Serve all files of this folder from one path of your site, of the same version as your verifier, and say where its
endpoints are:

    <script src=\"/assets/portcullis/portcullis.js\" data-base=\"/.portcullis/\"
            integrity=\"INTEGRITY\" defer></script>

`portcullis.d.ts` has the types of the global `portcullis`. `integrity.json` has the subresource-integrity hash of every file. The
names of what the script loads by itself have hashes of their content.
";

/// A file of the package: its name and what is in it.
pub(crate) type File = (String, Vec<u8>);

/// Makes the folder hold exactly these scripts and what npm asks for.
pub(crate) fn write(folder: &Path, mut files: Vec<File>) -> anyhow::Result<()> {
    let root = workspace();
    let read = |path: &str| fs::read(root.join(path)).with_context(|| format!("cannot read {path}"));
    let integrity = integrities(&files);
    let of_script =
        integrity.get(SCRIPT).and_then(Value::as_str).context("the script is part of the package")?.to_owned();
    files.push((TYPES.to_owned(), read(&format!("www/{TYPES}"))?));
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        files.push((licence.to_owned(), read(licence)?));
    }
    println!("    {}, and `integrity=` of each of its scripts:", folder.display());
    for (name, hash) in &integrity {
        println!("    {}  {name}", hash.as_str().unwrap_or_default());
    }
    files.push(("README.md".to_owned(), README.replace("INTEGRITY", &of_script).into_bytes()));
    files.push(("integrity.json".to_owned(), pretty(&Value::Object(integrity))?));
    files.push(("package.json".to_owned(), pretty(&manifest(&files))?));
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    for (name, content) in &files {
        fs::write(folder.join(name), content).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// What `integrity=` takes (SRI), by file.
fn integrities(files: &[File]) -> Map<String, Value> {
    let hash = |content: &[u8]| format!("sha384-{}", BASE64.encode(&Sha384::digest(content)));
    files.iter().map(|(name, content)| (name.clone(), Value::from(hash(content)))).collect()
}

fn manifest(files: &[File]) -> Value {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    json!({
        "name": "portcullis-gate",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Script tag and form widget of Portcullis, a gate that drops while a website is under attack",
        "license": "MIT OR Apache-2.0",
        "main": SCRIPT,
        "types": TYPES,
        "sideEffects": true,
        "files": names,
    })
}

fn pretty(value: &Value) -> anyhow::Result<Vec<u8>> {
    Ok((serde_json::to_string_pretty(value)? + "\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_the_scripts_their_hashes_and_what_npm_asks_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("dist");
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("old.js"), "gone").expect("written");
        let files = [(SCRIPT, "abc"), ("widget.0123456789abcdef.js", "b")];
        let files = files.map(|(name, content)| (name.to_owned(), content.as_bytes().to_vec())).into();
        write(&folder, files).expect("written");
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
        assert!(!folder.join("old.js").exists() && read(SCRIPT) == "abc");
        // The SHA-384 of `abc`: FIPS 180-4, in the base64 that SRI asks for.
        let of_abc = "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn";
        let integrity: Value = serde_json::from_str(&read("integrity.json")).expect("JSON");
        assert_eq!(integrity[SCRIPT], of_abc);
        assert!(read("README.md").contains(of_abc));
        let package: Value = serde_json::from_str(&read("package.json")).expect("JSON");
        assert_eq!((&package["main"], &package["types"]), (&json!(SCRIPT), &json!(TYPES)));
        for file in package["files"].as_array().expect("files") {
            assert!(folder.join(file.as_str().expect("a name")).exists(), "{file}");
        }
    }
}
