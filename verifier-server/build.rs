//! Embeds what browsers load: everything in `target/www`, which `cargo xtask assets` builds.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let www = root.join("target/www");
    println!("cargo::rerun-if-changed={}", www.display());
    let manifest = fs::read_to_string(www.join("manifest.txt"))
        .expect("what browsers load has not been built: run `cargo xtask assets` first");
    let mut code = String::from("static ASSETS: &[Asset] = &[\n");
    for line in manifest.lines() {
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
    let pages =
        [("GATE", "gate.html"), ("GATE_SMALL", "gate-small.html"), ("MESSAGE", "message.html"), ("PASS", "pass.html")];
    for (constant, page) in pages {
        writeln!(code, "const {constant}: &str = include_str!({});", literal(&www.join(page)))
            .expect("a string takes everything");
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("assets.rs"), code).expect("OUT_DIR can be written");
}

/// A path as a Rust string literal.
fn literal(path: &Path) -> String {
    format!("{:?}", path.to_str().expect("the workspace's path is UTF-8"))
}
