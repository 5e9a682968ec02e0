//! What browsers load, built into `target/www`, which the server embeds.
//!
//! The order follows the hashes in the names: the script names the solvers, the pages name script and style.

mod join;
mod limits;
mod publish;
mod script;
mod shrink;
pub(crate) mod solver;

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::steps::{step, workspace};
use publish::{Publication, Sizes};

/// Pages that the server fills in.
const TEMPLATES: [&str; 4] = ["gate.html", "gate-small.html", "message.html", "pass.html"];

/// Builds every asset.
pub(crate) fn build() -> anyhow::Result<()> {
    let source = workspace().join("www");
    let solver = step("Solver for browsers, with and without simd128", solver::build)?;
    let publication = step("Page, script and style", || publication(&source, &solver))?;
    let folder = workspace().join("target/www");
    print_sizes(publication.sizes());
    limits::check(publication.sizes())?;
    publication.write(&folder)?;
    println!("    {} is up to date", folder.display());
    Ok(())
}

fn publication(source: &Path, solver: &solver::Solver) -> anyhow::Result<Publication> {
    let read = |name: &str| {
        let file = source.join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let mut publication = Publication::default();
    publication.asset("solver-simd.wasm", "application/wasm", &solver.simd)?;
    publication.asset("solver-scalar.wasm", "application/wasm", &solver.scalar)?;

    let style = shrink::style(&publication.resolve("gate.css", &read("gate.css")?)?)?;
    publication.asset("gate.css", "text/css; charset=utf-8", style.as_bytes())?;

    let script = join::join("main.js", &solver.glue, &|module| read(&format!("src/{module}")))?;
    let script = publication.resolve("gate.js", &shrink::script(&script)?)?;
    publication.asset("gate.js", "text/javascript; charset=utf-8", script.as_bytes())?;

    // A script of its own: visitors never load it.
    let script = join::join("pass.js", "", &|module| read(&format!("src/{module}")))?;
    publication.asset("pass.js", "text/javascript; charset=utf-8", shrink::script(&script)?.as_bytes())?;

    for name in TEMPLATES {
        let page = shrink::page(&publication.resolve(name, &read(name)?)?).with_context(|| name.to_owned())?;
        publication.template(name, &page)?;
    }
    Ok(publication)
}

fn print_sizes(sizes: &[Sizes]) {
    println!("    {:<20}{:>8}{:>8}{:>8}", "bytes", "raw", "gzip", "brotli");
    for Sizes { name, raw, gzip, brotli } in sizes.iter().chain([&limits::first_visit(sizes)]) {
        println!("    {name:<20}{raw:>8}{gzip:>8}{brotli:>8}");
    }
}
