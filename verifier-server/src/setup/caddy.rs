//! Caddy, which asks: in each site what answers moves into a `route` behind the gate, in the order it has. The snippet is that of
//! deploy/caddy.

mod config;
mod site;

use super::journal::Journal;
use super::plan::{Plan, Problem};
use super::source::{Edits, indentation, own_file};
use super::text::Edit;
use super::verifier::Verifier;
use crate::config::Listen;
use config::{Configuration, Line};
use site::Verdict;
use std::path::Path;

/// Where Debian has it.
pub(super) const MAIN: &str = "/etc/caddy/Caddyfile";

const SNIPPET: &str = include_str!("../../../deploy/caddy/portcullis.caddy");
/// What the snippet is called, beside the main file.
const SNIPPET_FILE: &str = "portcullis.caddy";
/// What is to be changed in [`SNIPPET`].
const SOCKET: &str = "unix//run/portcullis/portcullis.sock";
const BASE_PATH: &str = "/.portcullis/";

/// What is gated, where nothing keeps it from being so. `chosen` are host names; empty for all.
///
/// # Errors
/// The configuration cannot be read.
pub(super) fn plan(main: &Path, verifier: &Verifier, journal: &Journal, chosen: &[String]) -> Result<Plan, Problem> {
    let configuration = Configuration::read(main)?;
    let mut plan = Plan {
        check: command(main, "validate"),
        reload: command(main, "reload"),
        remedy: "Caddy's user has to be in the group that owns the verifier's socket, and Caddy restarted once: usermod --append \
                 --groups portcullis caddy"
            .to_owned(),
        ..Plan::default()
    };
    plan.unknown_names(
        main,
        chosen,
        configuration.top.iter().filter_map(site::of).flat_map(|site| site.hosts().collect::<Vec<_>>()),
    );
    let mut edits = Edits::default();
    let mut gated = 0_usize;
    for line in &configuration.top {
        let Some(site) = site::of(line) else { continue };
        let (place, names) = (configuration.place(line), line.words.join(", "));
        match site.verdict(&configuration, chosen) {
            Err(problem) => plan.problems.push(problem),
            Ok(Verdict::LeftAlone(why)) => plan.left_alone(&names, &place, why),
            Ok(Verdict::Gate(answers)) => {
                gated += 1;
                plan.gated(&names, &place);
                plan.problems.extend(site.hosts().filter_map(|host| verifier.unknown_host(host)));
                match site.ask(&configuration) {
                    Ok(ask) => plan.asks.push(ask),
                    Err(why) => plan.lines.push(format!("note        {names} is not asked afterwards: {why}")),
                }
                enclose(&configuration, &answers, &mut edits);
            }
        }
    }
    if gated == 0 {
        return Ok(plan);
    }
    import(&configuration, &mut edits);
    let text = SNIPPET.replace(SOCKET, &dial(&verifier.listen)).replace(BASE_PATH, &verifier.config.base_path);
    let snippet = main.parent().unwrap_or(Path::new("/")).join(SNIPPET_FILE);
    let refused = own_file(&mut plan, snippet, &text, journal).err();
    plan.problems.extend(refused);
    let (changes, problems) = configuration.sources.changes(edits);
    plan.changes.extend(changes);
    plan.problems.extend(problems);
    Ok(plan)
}

/// What answers is put, as it stands and in the order that Caddy gives it, behind the gate.
fn enclose(configuration: &Configuration, answers: &[&Line], edits: &mut Edits) {
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else { return };
    let sources = &configuration.sources;
    let before = indentation(sources.bytes(first.file), first.span.start);
    let opening = format!("route {{\n{before}\timport portcullis\n{before}\thandle {{\n{before}");
    edits.add(sources, first.file, Edit::insert(first.span.start, opening));
    edits.add(sources, last.file, Edit::insert(last.span.end, format!("\n{before}\t}}\n{before}}}")));
}

/// The snippet is imported behind the global options, before anything that uses it.
fn import(configuration: &Configuration, edits: &mut Edits) {
    if configuration.top.iter().any(|line| line.words == ["import", SNIPPET_FILE]) {
        return;
    }
    let at = match configuration.top.first() {
        Some(options) if options.words.is_empty() => options.span.end,
        _ => 0,
    };
    let text = if at == 0 { format!("import {SNIPPET_FILE}\n") } else { format!("\nimport {SNIPPET_FILE}") };
    edits.add(&configuration.sources, 0, Edit::insert(at, text));
}

fn dial(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix/{}", path.display()),
    }
}

fn command(main: &Path, word: &str) -> Vec<String> {
    ["caddy", word, "--adapter", "caddyfile", "--config", &main.display().to_string()].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_in_the_recipe_is_there_to_be_changed() {
        assert_eq!(SNIPPET.matches(SOCKET).count(), 2);
        assert_eq!(SNIPPET.matches(BASE_PATH).count(), 1);
    }
}
