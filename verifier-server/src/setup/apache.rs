//! Apache, which asks nobody and is chained: a front of the recipe takes over the addresses of each site, and the site itself
//! moves behind the verifier. The texts are those of deploy/apache.

mod config;
mod front;
mod host;

use super::plan::{Plan, Problem, Trust};
use super::source::{Edits, new_file};
use super::text::Edit;
use super::verifier::Verifier;
use config::{Configuration, Line, flat};
use front::{Front, Place};
use host::{Host, Verdict};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// Where Debian has it.
pub(super) const MAIN: &str = "/etc/apache2/apache2.conf";
/// Where sites may listen behind the verifier: the first that nobody has.
const SITE_PORTS: std::ops::RangeInclusive<u16> = 8081..=8099;

/// A free port for the sites.
pub(super) fn site_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    SITE_PORTS.clone().find(free).unwrap_or(*SITE_PORTS.start())
}

/// What is gated, where nothing keeps it from being so. `chosen` are host names; empty for all.
///
/// # Errors
/// The configuration cannot be read.
pub(super) fn plan(main: &Path, verifier: &Verifier, chosen: &[String]) -> Result<Plan, Problem> {
    let configuration = Configuration::read(main)?;
    let lines = flat(&configuration.lines);
    let mut plan = Plan {
        check: command(main, "configtest", "-t"),
        reload: command(main, "graceful", "-k graceful"),
        ..Plan::default()
    };
    let user = lines.iter().find(|line| line.name == "user").and_then(|line| line.arguments.first());
    let user = user.filter(|user| !user.contains("${")).map_or("www-data", String::as_str);
    plan.remedy = format!(
        "Apache's user has to be in the group that owns the verifier's socket: usermod --append --groups portcullis {user}"
    );
    let port = origin_port(verifier);
    let hosts = host::all(&lines);
    let gated = choose(&configuration, &hosts, chosen, port, &mut plan);
    plan.problems.extend(above(&configuration, &lines));
    if !gated.is_empty() && port.is_none() {
        plan.problems.push(Problem {
            file: verifier.file.clone(),
            line: 1,
            what: "no site of the verifier has its `origin` on a port of 127.0.0.1".to_owned(),
            paste: "write into its [[site]]: origin = \"http://127.0.0.1:8081\"".to_owned(),
        });
    }
    if let (Some(port), true, false) = (port, plan.problems.is_empty(), gated.is_empty()) {
        write(&configuration, main, &gated, verifier, port, &mut plan);
    }
    Ok(plan)
}

fn write(
    configuration: &Configuration,
    main: &Path,
    gated: &[&Host<'_>],
    verifier: &Verifier,
    port: u16,
    plan: &mut Plan,
) {
    let mut edits = Edits::default();
    let place = Place::of(configuration, main, gated);
    for host in gated {
        move_behind(configuration, host, &place, port, &mut edits);
    }
    if let Some((file, at)) = place.include_at {
        edits.add(&configuration.sources, file, Edit::insert(at, format!("Include {}\n", place.front.display())));
    }
    let lines = flat(&configuration.lines);
    let front = Front { hosts: gated, lines: &lines, listen: &verifier.listen, port };
    for (path, text) in [(place.front.clone(), front.text()), (place.site.clone(), front::SITE.to_owned())] {
        match new_file(path, &text) {
            Ok(change) => plan.changes.extend(change),
            Err(problem) => plan.problems.push(problem),
        }
    }
    let (changes, problems) = configuration.sources.changes(edits);
    plan.changes.extend(changes);
    plan.problems.extend(problems);
}

/// Looks at every host; gives those that are to be gated.
fn choose<'h, 'c>(
    configuration: &Configuration,
    hosts: &'h [Host<'c>],
    chosen: &[String],
    port: Option<u16>,
    plan: &mut Plan,
) -> Vec<&'h Host<'c>> {
    let mut gated = Vec::new();
    let mut taken = BTreeSet::new();
    for host in hosts {
        let (place, names) = (configuration.place(host.line), host.told());
        match host.verdict(chosen, port) {
            Verdict::Ours => {}
            Verdict::LeftAlone(why) => plan.lines.push(format!("left alone  {names} ({place}): {why}")),
            Verdict::Gate => {
                plan.lines.push(format!("gated       {names} ({place})"));
                plan.problems.extend(host.problems(configuration));
                if !host.names.iter().all(|name| taken.insert(name.to_ascii_lowercase())) {
                    plan.problems.push(configuration.problem(
                        host.line,
                        format!("{names} has more than one VirtualHost that serves pages, and behind the verifier there is one"),
                        format!(
                            "let the one for plain HTTP lead to the other; put in the place of what it serves: \
                             Redirect permanent / https://{}/",
                            host.names.first().copied().unwrap_or("example.org")
                        ),
                    ));
                }
                match host.ask(configuration) {
                    Ok(ask) => plan.asks.push(ask),
                    Err(why) => plan.lines.push(format!("note        {names} is not asked afterwards: {why}")),
                }
                gated.push(host);
            }
        }
    }
    if gated.is_empty() && plan.problems.is_empty() {
        plan.lines.push("note        there is no VirtualHost to be gated".to_owned());
    }
    if gated.iter().any(|host| host.trust(configuration) != Ok(Trust::Plain)) {
        plan.lines.push(
            "note        behind the verifier TLS has ended: `%{HTTPS}` in an .htaccess file is off there; ask for \
             %{HTTP:X-Forwarded-Proto} instead"
                .to_owned(),
        );
    }
    gated
}

/// What stands above all hosts and would say that visitors are somebody else.
fn above(configuration: &Configuration, lines: &[&Line]) -> Vec<Problem> {
    let found = lines.iter().filter(|line| line.name == "remoteipheader");
    found.map(|line| host::another_proxy(configuration, line)).collect()
}

/// The `VirtualHost` listens where the verifier's `origin` is; what is of TLS stays in front.
fn move_behind(configuration: &Configuration, host: &Host<'_>, place: &Place, port: u16, edits: &mut Edits) {
    let line = host.line;
    let sources = &configuration.sources;
    let indentation = super::source::indentation(sources.bytes(line.file), line.span.start);
    let opening = format!("<VirtualHost 127.0.0.1:{port}>\n{indentation}    Include {}", place.site.display());
    edits.add(sources, line.file, Edit::replace(sources.bytes(line.file), line.span.clone(), opening));
    for moved in host.for_the_front() {
        if moved.name != "protocols" {
            edits.add(sources, moved.file, Edit::insert(moved.span.start, "#portcullis-setup# "));
        }
    }
}

/// The port of the first site's origin.
fn origin_port(verifier: &Verifier) -> Option<u16> {
    let origins = verifier.config.sites.iter().filter_map(|site| site.origin.as_ref());
    let mut servers = origins.flat_map(|origins| &origins.servers);
    let ours = |host: &str| matches!(host, "127.0.0.1" | "localhost");
    servers.find(|server| server.tls.is_none() && ours(server.authority.host())).map(crate::config::Origin::port)
}

fn command(main: &Path, word: &str, flags: &str) -> Vec<String> {
    let exists =
        |name: &str| ["/usr/sbin", "/usr/local/sbin"].iter().any(|folder| Path::new(folder).join(name).exists());
    if main == Path::new(MAIN) && exists("apache2ctl") {
        return vec!["apache2ctl".to_owned(), word.to_owned()];
    }
    let program = if exists("apache2") { "apache2" } else { "httpd" };
    let mut command = vec![program.to_owned(), "-f".to_owned(), main.display().to_string()];
    command.extend(flags.split(' ').map(str::to_owned));
    command
}
