//! The front: the recipe's file, with a `VirtualHost` for each that moved behind the verifier.

use super::super::glob;
use super::config::{Configuration, Line};
use super::host::Host;
use crate::config::Listen;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const RECIPE: &str = include_str!("../../../../deploy/apache/portcullis.conf");
/// What a site includes that moved behind the verifier.
pub(super) const SITE: &str = include_str!("../../../../deploy/apache/portcullis-site.conf");

/// The front's file among others: its `VirtualHost`s come before all others, as the first of an address is for unknown names.
pub(super) const FRONT_FILE: &str = "0-portcullis.conf";
/// What [`SITE`] is called.
pub(super) const SITE_FILE: &str = "portcullis-site.conf";

/// The line to change in [`RECIPE`].
const SOCKET: &str = "\"unix:/run/portcullis/portcullis.sock|http://portcullis\"";
/// The site's own address in [`RECIPE`].
const SITE_URL: &str = "\"http://127.0.0.1:8081\"";
/// Where the `VirtualHost` of [`RECIPE`] begins.
const HOST: &str = "<VirtualHost *:80>\n    ServerName example.org\n    ServerAlias www.example.org\n";

/// The modules that the recipe needs, in the order in which they need each other.
const MODULES: [&str; 8] =
    ["proxy", "proxy_http", "slotmem_shm", "proxy_balancer", "lbmethod_byrequests", "headers", "remoteip", "setenvif"];

/// Where the files go.
#[derive(Debug)]
pub(super) struct Place {
    /// The front.
    pub(super) front: PathBuf,
    /// What each site includes.
    pub(super) site: PathBuf,
    /// Where the front has to be included, in which file; `None` where Apache includes it by itself.
    pub(super) include_at: Option<(usize, usize)>,
}

impl Place {
    pub(super) fn of(configuration: &Configuration, main: &Path, gated: &[&Host<'_>]) -> Self {
        let folder = main.parent().unwrap_or(Path::new("/"));
        let site = folder.join(SITE_FILE);
        let of_hosts: Vec<&Path> =
            gated.iter().filter_map(|host| configuration.sources.path(host.line.file).parent()).collect();
        let ready =
            configuration.lines.iter().filter(|line| matches!(line.name.as_str(), "include" | "includeoptional"));
        let ready = ready.filter_map(|line| Some(folder.join(line.arguments.first()?))).find(|pattern| {
            let text = pattern.display().to_string();
            !glob::is_plain(&text)
                && glob::finds(pattern, FRONT_FILE)
                && pattern.parent().is_some_and(|into| of_hosts.contains(&into) && into.is_dir())
        });
        if let Some(into) = ready.as_deref().and_then(Path::parent) {
            return Self { front: into.join(FRONT_FILE), site, include_at: None };
        }
        let has_hosts = |line: &&Line| {
            line.name == "virtualhost"
                || line.below().iter().any(|below| below.name == "virtualhost")
                || !line.included.is_empty() && {
                    super::flat(&line.included).iter().any(|below| below.name == "virtualhost")
                }
        };
        let first = configuration.lines.iter().find(has_hosts);
        let include_at = first.map(|line| (line.file, line.span.start));
        Self { front: folder.join(FRONT_FILE), site, include_at }
    }
}

/// The front.
pub(super) struct Front<'a, 'c> {
    pub(super) gated: &'a [&'a Host<'c>],
    /// All lines, for the modules that are loaded.
    pub(super) lines: &'a [&'c Line],
    /// Where the verifier listens.
    pub(super) listen: &'a Listen,
    /// Where the sites listen now.
    pub(super) port: u16,
}

impl Front<'_, '_> {
    /// The whole file.
    pub(super) fn text(&self) -> String {
        let (before, _) = RECIPE.split_once(HOST).unwrap_or_default();
        let to = match self.listen {
            Listen::Tcp(address) => format!("\"http://{address}\""),
            Listen::Unix(path) => format!("\"unix:{}|http://portcullis\"", path.display()),
        };
        let before = before.replace(SOCKET, &to).replace(SITE_URL, &format!("\"http://127.0.0.1:{}\"", self.port));
        format!(
            "{}# Where the sites listen now, behind the verifier.\nListen 127.0.0.1:{}\n\n{before}{}",
            self.modules(),
            self.port,
            self.hosts()
        )
    }

    /// What a file that is there already is given besides: each host.
    pub(super) fn hosts(&self) -> String {
        let (_, host) = RECIPE.split_once(HOST).unwrap_or_default();
        let mut text = String::new();
        for moved in self.gated {
            let ifs: Vec<&&Line> = moved.around.iter().collect();
            let opening: Vec<String> = ifs.iter().map(|line| format!("{}\n", line.text)).collect();
            let (opening, closing) = (opening.concat(), "</IfModule>\n".repeat(ifs.len()));
            let _ = writeln!(
                text,
                "{opening}<VirtualHost {}>\n{}{host}{closing}",
                moved.line.arguments.join(" "),
                own(moved)
            );
        }
        text
    }

    /// The modules that are missing, as `a2enmod` would load them.
    fn modules(&self) -> String {
        let all: Vec<&Line> = self.lines.iter().flat_map(|line| std::iter::once(*line).chain(line.below())).collect();
        let loads: Vec<&Line> = all.into_iter().filter(|line| line.name == "loadmodule").collect();
        let folder = loads.iter().find_map(|line| Path::new(line.arguments.get(1)?).parent());
        let folder = folder.unwrap_or(Path::new("/usr/lib/apache2/modules")).display();
        let is_loaded = |name: &str| {
            loads.iter().any(|line| line.arguments.first().is_some_and(|module| module == &format!("{name}_module")))
        };
        let missing = MODULES.iter().filter(|name| !is_loaded(name)).map(|name| {
            format!("<IfModule !{name}_module>\n    LoadModule {name}_module {folder}/mod_{name}.so\n</IfModule>\n")
        });
        missing.collect::<Vec<_>>().concat()
    }
}

/// Its names, and what of its own lines belongs in front.
fn own(host: &Host<'_>) -> String {
    let names = host.line.section.as_deref().unwrap_or_default().iter();
    let names = names.filter(|line| matches!(line.name.as_str(), "servername" | "serveralias"));
    let lines: Vec<String> = names.chain(host.for_the_front()).map(|line| format!("    {}\n", line.text)).collect();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_in_the_recipe_is_there_to_be_changed() {
        for what in [SOCKET, SITE_URL, HOST] {
            assert_eq!(RECIPE.matches(what).count(), 1, "{what}");
        }
    }
}
