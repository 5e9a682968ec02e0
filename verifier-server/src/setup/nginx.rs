//! nginx: which servers are gated, and what is written for it. The texts are those of deploy/nginx.

mod ask;
mod config;
mod files;
mod log;
mod server;

use super::journal::Journal;
use super::plan::{Plan, Problem};
use super::source::{Edits, indentation, own_file};
use super::text::Edit;
use super::verifier::Verifier;
use config::{Configuration, Directive, flat};
use server::{Server, Verdict};
use std::path::Path;

/// Where Debian has it, and most others.
pub(super) const MAIN: &str = "/etc/nginx/nginx.conf";

/// What is gated, where nothing keeps it from being so. `chosen` are host names; empty for all.
///
/// # Errors
/// The configuration cannot be read.
pub(super) fn plan(main: &Path, verifier: &Verifier, journal: &Journal, chosen: &[String]) -> Result<Plan, Problem> {
    let configuration = Configuration::read(main)?;
    let top = flat(&configuration.directives);
    let Some(http) = top.iter().copied().find(|directive| directive.name == "http" && directive.block.is_some()) else {
        return Err(Problem {
            file: main.to_owned(),
            line: 1,
            what: "there is no `http { … }`".to_owned(),
            paste: "name nginx's main file: portcullis setup nginx --web-config FILE".to_owned(),
        });
    };
    let servers: Vec<Server<'_>> =
        http.children().into_iter().filter(|child| child.name == "server").map(Server::of).collect();
    let names = servers.iter().flat_map(Server::chosen_by);
    let mut work = Work { configuration: &configuration, plan: Plan::default(), edits: Edits::default() };
    work.plan.unknown_names(main, chosen, names);
    work.plan.check = command(main, &["-t"]);
    work.plan.reload = command(main, &["-s", "reload"]);
    work.plan.remedy = remedy(&top);
    let gated = work.servers(http, &servers, chosen, verifier);
    if work.plan.problems.is_empty() && !gated.is_empty() {
        let folder = main.parent().unwrap_or(Path::new("/")).to_owned();
        let mut places = files::Places::of(&configuration, http, &folder, journal);
        places.log = log::repeat(&mut work, http, &gated, verifier);
        work.connections(&top);
        work.gate(http, &gated, &places);
        work.finish(verifier, journal, &places);
    }
    Ok(work.plan)
}

/// nginx is told by its program; another main file has to be named each time.
fn command(main: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = vec!["nginx".to_owned()];
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    if main != Path::new(MAIN) {
        command.extend(["-c".to_owned(), main.display().to_string()]);
    }
    command
}

fn remedy(top: &[&Directive]) -> String {
    let user = top.iter().find(|directive| directive.name == "user").and_then(|user| user.arguments.first());
    let user = user.map_or("nobody", String::as_str);
    format!(
        "nginx's user has to be in the group that owns the verifier's socket: usermod --append --groups portcullis {user}"
    )
}

/// A plan in the making.
struct Work<'c> {
    configuration: &'c Configuration,
    plan: Plan,
    edits: Edits,
}

impl<'c> Work<'c> {
    /// Looks at every server; gives those that are to be gated.
    fn servers<'s>(
        &mut self,
        http: &Directive,
        servers: &'s [Server<'c>],
        chosen: &[String],
        verifier: &Verifier,
    ) -> Vec<&'s Server<'c>> {
        let mut gated = Vec::new();
        for server in servers {
            let place = self.configuration.place(server.directive);
            let names = server.told();
            match server.verdict(chosen) {
                Verdict::Gate => {
                    self.plan.problems.extend(server.problems(self.configuration, http, verifier));
                    self.plan.gated(&names, &place);
                    match ask::of(self.configuration, http, server, servers) {
                        Ok(ask) => self.plan.asks.push(ask),
                        Err(why) => self.plan.lines.push(format!("note        {names} is not asked afterwards: {why}")),
                    }
                    gated.push(server);
                }
                Verdict::LeftAlone(why) => self.plan.left_alone(&names, &place, why),
            }
        }
        let shared = servers.iter().filter(|server| !gated.iter().any(|other| std::ptr::eq(*other, *server)));
        let shared: Vec<&Directive> = shared.flat_map(|server| server.directive.below()).collect();
        for server in &gated {
            for location in server.own_error_pages() {
                if self.is_shared(location, &shared) {
                    self.plan.problems.push(self.configuration.problem(
                        location,
                        "this `error_page` is also used by a server that is not gated",
                        "write error_page 401 = @portcullis_gate; beside the include in the gated server's own location",
                    ));
                }
            }
        }
        gated
    }

    /// Whether it stands in a file that others include too.
    fn is_shared(&self, directive: &Directive, others: &[&Directive]) -> bool {
        let sources = &self.configuration.sources;
        let place = |directive: &Directive| (sources.real(directive.file), directive.span.start);
        others.iter().any(|other| place(other) == place(directive))
    }

    fn edit(&mut self, file: usize, edit: Edit) {
        self.edits.add(&self.configuration.sources, file, edit);
    }

    fn note(&mut self, text: impl Into<String>) {
        self.plan.lines.push(format!("note        {}", text.into()));
    }

    /// The two settings that an attack needs: see deploy/nginx/nginx.conf.
    fn connections(&mut self, top: &[&Directive]) {
        let Some(events) = top.iter().find(|directive| directive.name == "events") else { return };
        let less = |directive: &&Directive, than: u32| {
            directive
                .arguments
                .first()
                .and_then(|number| number.parse::<u32>().ok())
                .is_some_and(|number| number < than)
        };
        let (connections, files) = (files::worker_connections(), files::worker_files());
        let children = events.children();
        match children.iter().find(|child| child.name == "worker_connections") {
            Some(found) if less(found, connections) => {
                let text = format!("worker_connections {connections};");
                self.edit(
                    found.file,
                    Edit::replace(self.configuration.sources.bytes(found.file), found.span.clone(), text),
                );
            }
            Some(_) => {}
            None => {
                if let Some(block) = &events.block {
                    self.edit(
                        events.file,
                        Edit::insert(block.open, format!("\n    worker_connections {connections};")),
                    );
                }
            }
        }
        match top.iter().find(|directive| directive.name == "worker_rlimit_nofile") {
            Some(found) if less(found, files) => {
                let text = format!("worker_rlimit_nofile {files};");
                self.edit(
                    found.file,
                    Edit::replace(self.configuration.sources.bytes(found.file), found.span.clone(), text),
                );
            }
            Some(_) => {}
            None => self.edit(events.file, Edit::insert(events.span.start, format!("worker_rlimit_nofile {files};\n"))),
        }
    }

    /// The one line in each server, and again the `error_page` where a location has lines of its own.
    fn gate(&mut self, http: &Directive, gated: &[&Server<'c>], places: &files::Places) {
        for server in gated {
            let Some(block) = &server.directive.block else { continue };
            let file = server.directive.file;
            let bytes = self.configuration.sources.bytes(file);
            // As its first line, where that stands in a line of its own.
            let inner = block.directives.first().map(|first| indentation(bytes, first.span.start)).unwrap_or_default();
            let outer = indentation(bytes, server.directive.span.start);
            let inner = if inner.is_empty() { format!("{outer}    ") } else { inner };
            let line = format!("\n{inner}include {};", places.server.display());
            // nginx takes those above only where there is none, and now there is one.
            let pages = server.error_pages_above(http).into_iter().map(|page| {
                let text = self.configuration.sources.bytes(page.file).get(page.span.clone()).unwrap_or_default();
                format!("\n{inner}{}", String::from_utf8_lossy(text))
            });
            let lines = std::iter::once(line).chain(pages).collect::<String>();
            self.edit(file, Edit::insert(block.open, lines));
            for page in server.own_error_pages() {
                self.edit(page.file, Edit::insert(page.span.end, " error_page 401 = @portcullis_gate;"));
            }
        }
        if let (Some(lines), Some(block)) = (places.http_lines(), &http.block) {
            self.edit(http.file, Edit::insert(block.open, lines));
        }
    }

    /// The files, and then the changes in those that are there.
    fn finish(&mut self, verifier: &Verifier, journal: &Journal, places: &files::Places) {
        for (path, text) in places.texts(verifier) {
            let refused = own_file(&mut self.plan, path, &text, journal).err();
            self.plan.problems.extend(refused);
        }
        let (changes, problems) = self.configuration.sources.changes(std::mem::take(&mut self.edits));
        self.plan.changes.extend(changes);
        self.plan.problems.extend(problems);
    }
}
