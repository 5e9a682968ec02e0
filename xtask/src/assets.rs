//! What browsers load, built into `target/www`, which the server embeds.
//!
//! The order follows the hashes in the names: the scripts name the solvers, the page's script names the other worker's, the
//! pages name script and style.

mod another;
mod join;
mod languages;
mod limits;
mod package;
mod publish;
mod script;
mod shrink;
pub(crate) mod solver;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::steps::{step, workspace};
use languages::Language;
use publish::{Publication, Sizes};

/// Pages that the server fills in.
const TEMPLATES: [&str; 6] =
    ["gate.html", "gate-small.html", "message.html", "pass.html", "frame.html", "dashboard/dashboard.html"];

/// Builds every asset.
pub(crate) fn build() -> anyhow::Result<()> {
    let source = workspace().join("www");
    let solver = step("Solver for browsers, with and without simd128", solver::build)?;
    let hashwx = step("Solver of hashwx", solver::build_hashwx)?;
    let publication = step("Page, scripts and style", || publication(&source, &solver, &hashwx))?;
    let folder = workspace().join("target/www");
    print_sizes(publication.sizes());
    limits::check(publication.sizes())?;
    let package = publication.files(is_of_tag);
    publication.write(&folder)?;
    println!("    {} is up to date", folder.display());
    package::write(&source.join("dist"), package)?;
    another::write(&folder, &of_another_version())
}

/// What browsers load of another version of this source, for the tests of an upgrade.
pub(crate) fn of_another_version() -> PathBuf {
    workspace().join("target/www-another")
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
    // Where wasm does not run.
    let javascript = script(&publication, "sha256.js", "sha256.js", "")?;
    publication.asset("sha256.js", "text/javascript; charset=utf-8", javascript.as_bytes())?;
    let worker = script(&publication, "hashwx.js", "hashwx.js", hashwx_glue)?;
    publication.asset("hashwx.js", "text/javascript; charset=utf-8", worker.as_bytes())?;

    let style = shrink::style(&publication.resolve("gate.css", &read("gate.css")?)?)?;
    publication.asset("gate.css", "text/css; charset=utf-8", style.as_bytes())?;

    let languages = languages::read(&source.join("languages"))?;
    speak(&mut publication, &languages, &read, &solver.glue)?;

    // What is loaded once there is something to solve, and its worker; then the tag, which names it.
    buying(&mut publication, &languages, &read, &solver.glue)?;
    let frame = script(&publication, "frame.js", "frame.js", "")?;
    publication.asset("frame.js", "text/javascript; charset=utf-8", frame.as_bytes())?;
    let widget = script(&publication, "widget.js", "widget.js", "")?;
    publication.asset("widget.js", "text/javascript; charset=utf-8", widget.as_bytes())?;
    let tag = join::join("portcullis.js", "", &|module| read(&format!("src/{module}")))?;
    let tag = publication.resolve("portcullis.js", &shrink::script(&join::classic(&tag))?)?;
    publication.named("portcullis.js", "text/javascript; charset=utf-8", tag.as_bytes())?;

    // What the admin listener alone serves, by these names.
    let style = shrink::style(&read("dashboard/dashboard.css")?)?;
    publication.asset("dashboard.css", "text/css; charset=utf-8", style.as_bytes())?;
    let dashboard = join::join("dashboard.js", "", &|module| read(&format!("dashboard/{module}")))?;
    publication.asset("dashboard.js", "text/javascript; charset=utf-8", shrink::script(&dashboard)?.as_bytes())?;

    for name in TEMPLATES {
        let page = shrink::page(&publication.resolve(name, &read(name)?)?).with_context(|| name.to_owned())?;
        // The dashboard is in one language.
        let (name, languages) =
            name.strip_prefix("dashboard/").map_or((name, languages.as_slice()), |name| (name, &[]));
        publication.template(name, &page, languages)?;
    }
    Ok(publication)
}

/// The scripts of the pages in every language: a visitor loads the words of one.
fn speak(
    publication: &mut Publication,
    languages: &[Language],
    read: join::Read<'_>,
    glue: &str,
) -> anyhow::Result<()> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    let whole = |tag: &str| format!("texts-{tag}.json");
    for language in languages {
        publication.asset(&whole(&language.tag), "application/json", language.whole_page().as_bytes())?;
    }
    let list = languages::list(languages, |tag| publication.served(&whole(tag)))?;
    let script = |publication: &Publication, entry: &str, glue: &str, made: (&str, &str)| {
        let read = |module: &str| if module == made.0 { Ok(made.1.to_owned()) } else { read(&format!("src/{module}")) };
        shrink::script(&publication.resolve(entry, &join::join(entry, glue, &read)?)?)
    };
    let changer = script(publication, "languages.js", "", ("languages-list.js", &list))?;
    publication.asset("languages.js", SCRIPT, changer.as_bytes())?;
    // Shrunk once, and then each language's words put in.
    let page = script(publication, "main.js", glue, languages::MODULE)?;
    let pass = script(publication, "pass.js", "", languages::MODULE)?;
    for language in languages {
        let words = language.for_page(&publication.served(&whole(&language.tag))?);
        let page = languages::speaking(&page, &words)?;
        publication.asset(&limits::in_language("gate.js", &language.tag), SCRIPT, page.as_bytes())?;
        // A script of its own: visitors never load it.
        let pass = languages::speaking(&pass, &language.for_pass())?;
        publication.asset(&limits::in_language("pass.js", &language.tag), SCRIPT, pass.as_bytes())?;
    }
    Ok(())
}

/// What buys for the script tag, with what the tag says in English and the names of the files with other languages.
fn buying(
    publication: &mut Publication,
    languages: &[Language],
    read: join::Read<'_>,
    glue: &str,
) -> anyhow::Result<()> {
    let file = |tag: &str| format!("tag-{tag}.json");
    for language in languages.iter().filter(|language| language.tag != languages::SOURCE) {
        publication.asset(&file(&language.tag), "application/json", language.for_tag().to_string().as_bytes())?;
    }
    let words = languages::tag_words(languages, |tag| publication.served(&file(tag)))?;
    let read = |module: &str| if module == "tag-words.js" { Ok(words.clone()) } else { read(&format!("src/{module}")) };
    let script = publication.resolve("buying.js", &shrink::script(&join::join("buying.js", glue, &read)?)?)?;
    publication.asset("buying.js", "text/javascript; charset=utf-8", script.as_bytes())
}

/// Whether the tag loads it, by and by.
fn is_of_tag(name: &str) -> bool {
    const FILES: [&str; 8] = [
        "portcullis.js",
        "buying.js",
        "widget.js",
        "sha256.js",
        "hashwx.js",
        "hashwx.wasm",
        "solver-simd.wasm",
        "solver-scalar.wasm",
    ];
    FILES.contains(&name) || name.starts_with("tag-")
}

fn print_sizes(sizes: &[Sizes]) {
    println!("    {:<20}{:>8}{:>8}{:>8}", "bytes", "raw", "gzip", "brotli");
    let of_others = |name: &str| {
        let tag = name.rsplit_once('.').and_then(|(stem, _)| stem.rsplit_once('-')).map_or("", |(_, tag)| tag);
        tag.len() == 2 && tag != languages::SOURCE
    };
    let sums = limits::first_visits(sizes).into_iter().chain([limits::hashwx(sizes)]).collect::<Vec<_>>();
    for Sizes { name, raw, gzip, brotli } in sizes.iter().filter(|size| !of_others(&size.name)).chain(&sums) {
        println!("    {name:<20}{raw:>8}{gzip:>8}{brotli:>8}");
    }
}
