//! What browsers load, built into `target/www`, which the server embeds.
//!
//! The order follows the hashes in the names: the scripts name the solvers, the page's script names the other worker's, the
//! pages name script and style.

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
    let hashwx = step("Solver of hashwx", solver::build_hashwx)?;
    let publication = step("Page, scripts and style", || publication(&source, &solver, &hashwx))?;
    let folder = workspace().join("target/www");
    print_sizes(publication.sizes());
    limits::check(publication.sizes())?;
    publication.write(&folder)?;
    println!("    {} is up to date", folder.display());
    Ok(())
}

fn publication(
    source: &Path,
    solver: &solver::Solver,
    (hashwx, hashwx_glue): &(Vec<u8>, String),
) -> anyhow::Result<Publication> {
    let read = |name: &str| {
        let file = source.join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let mut publication = Publication::default();
    publication.asset("solver-simd.wasm", "application/wasm", &solver.simd)?;
    publication.asset("solver-scalar.wasm", "application/wasm", &solver.scalar)?;

    publication.asset("hashwx.wasm", "application/wasm", hashwx)?;
    let script = |publication: &Publication, name: &str, entry: &str, glue: &str| {
        let joined = join::join(entry, glue, &|module| read(&format!("src/{module}")))?;
        publication.resolve(name, &shrink::script(&joined)?)
    };
    let worker = script(&publication, "hashwx.js", "hashwx.js", hashwx_glue)?;
    publication.asset("hashwx.js", "text/javascript; charset=utf-8", worker.as_bytes())?;

    let style = shrink::style(&publication.resolve("gate.css", &read("gate.css")?)?)?;
    publication.asset("gate.css", "text/css; charset=utf-8", style.as_bytes())?;

    let page = script(&publication, "gate.js", "main.js", &solver.glue)?;
    publication.asset("gate.js", "text/javascript; charset=utf-8", page.as_bytes())?;

    // A script of its own: visitors never load it.
    let pass = join::join("pass.js", "", &|module| read(&format!("src/{module}")))?;
    publication.asset("pass.js", "text/javascript; charset=utf-8", shrink::script(&pass)?.as_bytes())?;

    // What is loaded once there is something to solve, and its worker; then the tag, which names it.
    let buying = script(&publication, "buying.js", "buying.js", &solver.glue)?;
    publication.asset("buying.js", "text/javascript; charset=utf-8", buying.as_bytes())?;
    // What is loaded besides where there is a widget, or a form that needs a token.
    let widget = script(&publication, "widget.js", "widget.js", "")?;
    publication.asset("widget.js", "text/javascript; charset=utf-8", widget.as_bytes())?;
    let tag = join::join("portcullis.js", "", &|module| read(&format!("src/{module}")))?;
    let tag = publication.resolve("portcullis.js", &shrink::script(&join::classic(&tag))?)?;
    publication.named("portcullis.js", "text/javascript; charset=utf-8", tag.as_bytes())?;

    for name in TEMPLATES {
        let page = shrink::page(&publication.resolve(name, &read(name)?)?).with_context(|| name.to_owned())?;
        publication.template(name, &page)?;
    }
    Ok(publication)
}

fn print_sizes(sizes: &[Sizes]) {
    println!("    {:<20}{:>8}{:>8}{:>8}", "bytes", "raw", "gzip", "brotli");
    for Sizes { name, raw, gzip, brotli } in sizes.iter().chain([&limits::first_visit(sizes), &limits::hashwx(sizes)]) {
        println!("    {name:<20}{raw:>8}{gzip:>8}{brotli:>8}");
    }
}
