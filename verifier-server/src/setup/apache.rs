//! Apache, which asks nobody and is chained: a front of the recipe takes over the addresses of each site, and the site itself
//! moves behind the verifier. The texts are those of deploy/apache.

mod config;
mod front;
mod host;
mod reach;

use super::journal::Journal;
use super::plan::{Plan, Problem, Trust};
use super::source::{Edits, growing_file, own_file};
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
pub(super) fn plan(main: &Path, verifier: &Verifier, journal: &Journal, chosen: &[String]) -> Result<Plan, Problem> {
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
    let hosts = host::all(&lines);
    plan.unknown_names(main, chosen, hosts.iter().flat_map(|host| host.names.iter().copied()));
    let gated = choose(&configuration, &hosts, chosen, verifier, &mut plan);
    plan.problems.extend(reach::differs(&configuration, &gated, &hosts));
    plan.problems.extend(above(&configuration, &lines));
    if !gated.is_empty() {
        let asked = host::asks_of_tls(&lines);
        plan.problems.extend(asked.into_iter().map(|line| host::asked_of_tls(&configuration, line)));
    }
    let port = origin_port(verifier);
    if !gated.is_empty() && port.is_none() {
        plan.problems.push(Problem {
            file: verifier.file.clone(),
            line: 1,
            what: "no site of the verifier has its `origin` on a port of 127.0.0.1".to_owned(),
            paste: "write into its [[site]]: origin = \"http://127.0.0.1:8081\"".to_owned(),
        });
    }
    if let (Some(port), true, false) = (port, plan.problems.is_empty(), gated.is_empty()) {
        write(&configuration, main, &gated, verifier, port, journal, &mut plan);
    }
    Ok(plan)
}

fn write(
    configuration: &Configuration,
    main: &Path,
    gated: &[&Host<'_>],
    verifier: &Verifier,
    port: u16,
    journal: &Journal,
    plan: &mut Plan,
) {
    let mut edits = Edits::default();
    let mut place = Place::of(configuration, main, gated);
    if let Some(front) = journal.made().find(|made| made.ends_with(front::FRONT_FILE) && made.exists()) {
        (place.front, place.include_at) = (front.to_owned(), None);
    }
    for host in gated {
        move_behind(configuration, host, &place, port, &mut edits);
    }
    if let Some((file, at)) = place.include_at {
        edits.add(&configuration.sources, file, Edit::insert(at, format!("Include {}\n", place.front.display())));
    }
    let lines = flat(&configuration.lines);
    let front = Front { gated, lines: &lines, listen: &verifier.listen, port };
    let refused = growing_file(plan, place.front.clone(), &front.text(), &front.hosts(), journal).err();
    plan.problems.extend(refused);
    let refused = own_file(plan, place.site.clone(), front::SITE, journal).err();
    plan.problems.extend(refused);
    let (changes, problems) = configuration.sources.changes(edits);
    plan.changes.extend(changes);
    plan.problems.extend(problems);
}

/// Looks at every host; gives those that are to be gated.
fn choose<'h, 'c>(
    configuration: &Configuration,
    hosts: &'h [Host<'c>],
    chosen: &[String],
    verifier: &Verifier,
    plan: &mut Plan,
) -> Vec<&'h Host<'c>> {
    let mut gated = Vec::new();
    let mut taken = BTreeSet::new();
    for host in hosts {
        let (place, told) = (configuration.place(host.line), host.told());
        match host.verdict(chosen, origin_port(verifier)) {
            Verdict::Ours => {}
            Verdict::LeftAlone(why) => plan.left_alone(&told, &place, why),
            Verdict::Gate => {
                plan.gated(&told, &place);
                plan.problems.extend(host.problems(configuration));
                plan.problems.extend(host.plain_names().filter_map(|name| verifier.unknown_host(name)));
                // Of those without a name only the first would ever answer.
                let names = if host.names.is_empty() { vec![""] } else { host.names.clone() };
                if !names.iter().all(|name| taken.insert(name.to_ascii_lowercase())) {
                    plan.problems.push(configuration.problem(
                        host.line,
                        format!("{told} has more than one VirtualHost that serves pages, and behind the verifier there is one"),
                        format!(
                            "let the one for plain HTTP lead to the other; put in the place of what it serves: \
                             Redirect permanent / https://{}/",
                            host.names.first().copied().unwrap_or("example.org")
                        ),
                    ));
                }
                match host.ask(configuration) {
                    Ok(ask) => plan.asks.push(ask),
                    Err(why) => plan.lines.push(format!("note        {told} is not asked afterwards: {why}")),
                }
                gated.push(host);
            }
        }
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

/// What stands above all hosts and would say that visitors are somebody else, or that all hosts speak TLS.
fn above(configuration: &Configuration, lines: &[&Line]) -> Vec<Problem> {
    let problem = |line: &&&Line| match line.name.as_str() {
        "remoteipheader" => Some(host::another_proxy(configuration, line)),
        "sslengine" if line.arguments.first().is_none_or(|on| !on.eq_ignore_ascii_case("off")) => {
            Some(configuration.problem(
                line,
                "this has every VirtualHost speak TLS, also those that would stand behind the verifier",
                "write it, with its certificate, into each VirtualHost that speaks TLS",
            ))
        }
        _ => None,
    };
    lines.iter().filter_map(|line| problem(&line)).collect()
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
        // A format is known in the VirtualHost alone that names it.
        let formats: Vec<String> = flat(&moved.included)
            .iter()
            .filter(|line| host::is_neutral(line))
            .map(|line| format!("\n{indentation}    {}", line.text))
            .collect();
        if !formats.is_empty() {
            edits.add(sources, moved.file, Edit::insert(moved.span.end, formats.concat()));
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
