//! Embeds what browsers load: everything in `target/www`, which `cargo xtask assets` builds. The tests of an upgrade build another
//! version of the same source: `PORTCULLIS_WWW` names the folder of its files, `PORTCULLIS_VERSION` what it calls itself.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    println!("cargo::rerun-if-env-changed=PORTCULLIS_WWW");
    println!("cargo::rerun-if-env-changed=PORTCULLIS_VERSION");
    let version = env::var("PORTCULLIS_VERSION").or_else(|_| env::var("CARGO_PKG_VERSION"));
    println!("cargo::rustc-env=PORTCULLIS_VERSION={}", version.expect("cargo sets CARGO_PKG_VERSION"));
    let www = env::var_os("PORTCULLIS_WWW").map_or_else(|| root.join("target/www"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", www.display());
    let manifest = fs::read_to_string(www.join("manifest.txt"))
        .expect("what browsers load has not been built: run `cargo xtask assets` first");
    let is_of_dashboard = |line: &&str| line.starts_with(OF_DASHBOARD);
    let mut code = String::new();
    list(&mut code, "ASSETS", manifest.lines().filter(|line| !is_of_dashboard(line)), &www);
    list(&mut code, "DASHBOARD_ASSETS", manifest.lines().filter(is_of_dashboard), &www);
    let pages = [
        ("GATE", "gate.html"),
        ("GATE_SMALL", "gate-small.html"),
        ("MESSAGE", "message.html"),
        ("PASS", "pass.html"),
        ("FRAME", "frame.html"),
        ("DASHBOARD", "dashboard.html"),
    ];
    for (constant, page) in pages {
        writeln!(code, "const {constant}: &str = include_str!({});", literal(&www.join(page)))
            .expect("a string takes everything");
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("assets.rs"), code).expect("OUT_DIR can be written");
    let languages = languages(&manifest, &root.join("www/languages"));
    fs::write(Path::new(&out).join("languages.rs"), languages).expect("OUT_DIR can be written");
}

/// What the names of the dashboard's files begin with: the admin listener has them, and visitors cannot load them.
const OF_DASHBOARD: &str = "dashboard.";

/// Writes the assets of these lines of the manifest.
fn list<'a>(code: &mut String, constant: &str, lines: impl Iterator<Item = &'a str>, www: &Path) {
    writeln!(code, "static {constant}: &[Asset] = &[").expect("a string takes everything");
    for line in lines {
        let mut fields = line.split('\t').skip(1);
        let (name, kind) = fields.next().zip(fields.next()).expect("a line of the manifest has three fields");
        let tag = Some(fields.next().unwrap_or_default()).filter(|tag| !tag.is_empty());
        let tag = tag.map(|tag| format!("\"{tag}\""));
        let file = |suffix: &str| format!("include_bytes!({})", literal(&www.join(format!("{name}{suffix}"))));
        writeln!(
            code,
            "    Asset {{ name: {name:?}, content_type: {kind:?}, tag: {tag:?}, identity: {}, gzip: {}, brotli: {} }},",
            file(""),
            file(".gz"),
            file(".br"),
        )
        .expect("a string takes everything");
    }
    code.push_str("];\n");
}

/// The languages that have scripts of their own, with their words.
fn languages(manifest: &str, folder: &Path) -> String {
    let served = |logical: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(logical)?.strip_prefix('\t'));
        line.and_then(|line| line.split('\t').next()).map(str::to_owned)
    };
    let mut code = String::from("static EMBEDDED: &[Embedded] = &[\n");
    for logical in manifest.lines().filter_map(|line| line.split('\t').next()) {
        let Some(tag) = logical.strip_prefix("gate-").and_then(|rest| rest.strip_suffix(".js")) else { continue };
        let gate = served(logical).expect("it is in the manifest");
        let pass = served(&format!("pass-{tag}.js")).expect("a language has both scripts");
        let words = literal(&folder.join(format!("{tag}.json")));
        writeln!(
            code,
            "    Embedded {{ tag: {tag:?}, gate_script: {gate:?}, pass_script: {pass:?}, words: include_str!({words}) }},"
        )
        .expect("a string takes everything");
    }
    code.push_str("];\n");
    code
}

/// A path as a Rust string literal.
fn literal(path: &Path) -> String {
    format!("{:?}", path.to_str().expect("the workspace's path is UTF-8"))
}
