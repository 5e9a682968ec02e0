//! The verifier's side: whether its configuration fits the web server, and what it would have to be.

use super::WebServer;
use super::change::Change;
use super::plan::Problem;
use super::text::Edit;
use crate::config::{Beside, Config, Listen};
use crate::gate::policy::{Action, Subject};
use crate::gate::target::Target;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// A path that asks for work at all times, by a rule of the shipped configurations: what shows from outside that the gate is there.
pub const TEST_PATH: &str = "/portcullis-test";

/// A file that begins with this line may be written anew.
pub(super) const MARK: &str = "# `portcullis setup` may write this file anew as long as this line stands here.\n";

/// As the package brings it: what nobody has changed may be written anew too.
const PACKAGED: &str = include_str!("../../../deploy/debian/portcullis.toml");

/// The verifier, as its configuration says.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Its configuration file.
    pub(super) file: PathBuf,
    /// What is in it, or will be.
    pub(super) config: Config,
    /// Where the web server reaches it.
    pub(super) listen: Listen,
    /// What has to be written into it.
    pub(super) change: Option<Change>,
    /// Whether there was no file at all.
    pub(super) is_new: bool,
    /// What does not fit and is not ours to write.
    pub(super) problems: Vec<Problem>,
}

impl Verifier {
    /// The verifier beside or behind `server`.
    ///
    /// # Errors
    /// Its configuration cannot be read.
    pub(super) fn of(file: &Path, server: WebServer, wanted: &str) -> Result<Self, Problem> {
        let problem =
            |what: String, paste: &str| Problem { file: file.to_owned(), line: 1, what, paste: paste.to_owned() };
        let wanted = format!("{MARK}{wanted}");
        let there = match fs::read(file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(problem(format!("it cannot be read: {error}"), "run this as root")),
        };
        let parse = |text: &str| {
            Config::parse(text, file)
                .map_err(|problems| problem(format!("it is wrong:\n{problems}"), "mend that first"))
        };
        let Some(there) = there else {
            return Ok(Self {
                change: Some(Change::create(file.to_owned(), wanted.as_bytes())),
                is_new: true,
                ..Self::with(file, parse(&wanted)?)
            });
        };
        let text = String::from_utf8_lossy(&there);
        let verifier = Self::with(file, parse(&text)?);
        let lacks = lacks(&verifier.config, server, &wanted);
        if lacks.is_empty() {
            return Ok(verifier);
        }
        // The rule alone can be added to any file, behind the operator's own rules, which go first.
        let with_rule = format!("{}\n{TEST_RULE_TEXT}", text.trim_end_matches('\n'));
        let (edit, new) = if text.starts_with(MARK) || text == PACKAGED {
            (Edit::replace(&there, 0..there.len(), wanted.as_bytes()), parse(&wanted)?)
        } else {
            let new = Config::parse(&with_rule, file).ok().filter(|new| self::lacks(new, server, &wanted).is_empty());
            let Some(new) = new else {
                let problems = lacks.into_iter().map(|(what, paste)| problem(what, &paste)).collect();
                return Ok(Self { problems, ..verifier });
            };
            let ended = if text.ends_with('\n') { "" } else { "\n" };
            (Edit::insert(there.len(), format!("{ended}{TEST_RULE_TEXT}")), new)
        };
        let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let change = Change::edit(real, &there, vec![edit])
            .map_err(|error| problem(format!("it cannot be changed: {error}"), "write it by hand"))?;
        Ok(Self { change: Some(change), ..Self::with(file, new) })
    }

    /// What keeps the host `name` from being served, if the verifier has no site for it. `*.` before a name stands for all below it,
    /// `.` for these and itself; patterns of other kinds are not looked at.
    pub(super) fn unknown_host(&self, name: &str) -> Option<Problem> {
        let below = |parent: &str| format!("portcullis-test.{parent}");
        let asked = match (name.strip_prefix("*."), name.strip_prefix('.')) {
            (Some(parent), _) => vec![below(parent)],
            (_, Some(parent)) => vec![parent.to_owned(), below(parent)],
            _ => vec![name.to_owned()],
        };
        let is_pattern = |name: &String| name.is_empty() || name == "_" || name.contains(['*', '~', '?', '$', '{']);
        if asked.iter().all(|name| is_pattern(name) || self.config.site_of(name).is_some()) {
            return None;
        }
        Some(Problem {
            file: self.file.clone(),
            line: 1,
            what: format!("the verifier has no site for the host {name}, and would answer 421"),
            paste: format!("write it into `hosts` of a [[site]], or leave `hosts` out for every host: \"{name}\""),
        })
    }

    fn with(file: &Path, config: Config) -> Self {
        let unix = config.listen.iter().find(|listen| matches!(listen, Listen::Unix(_)));
        let listen = unix.or(config.listen.first()).cloned();
        let mut listen = listen.unwrap_or(Listen::Tcp((Ipv4Addr::LOCALHOST, 8080).into()));
        if let Listen::Tcp(address) = &mut listen
            && address.ip().is_unspecified()
        {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        Self { file: file.to_owned(), config, listen, change: None, is_new: false, problems: Vec::new() }
    }
}

/// Where the journal is kept: beside the verifier's configuration, which is the operator's own and not the verifier's.
pub(super) fn journal_folder(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// What the configuration would have to say besides, each with the line for it.
fn lacks(config: &Config, server: WebServer, wanted: &str) -> Vec<(String, String)> {
    let mut lacks = Vec::new();
    let beside = config.beside.as_ref().map(Beside::name);
    if beside != Some(server.beside()) {
        let now = beside.map_or_else(|| "`beside` is left out".to_owned(), |name| format!("`beside` is \"{name}\""));
        lacks.push((
            format!("{now}, and the verifier would not understand {}", server.name()),
            format!("write, instead of what is there:\n\n{}", wanted.replace(MARK, "").trim_end()),
        ));
    }
    if !tests_path(config) {
        lacks.push((
            format!("no rule asks for work at {TEST_PATH} at all times, so that nobody sees from outside whether the gate is there"),
            format!("write, before the rule that takes it:\n{TEST_RULE_TEXT}"),
        ));
    }
    lacks
}

/// The rule for [`TEST_PATH`], as it is added to a file.
const TEST_RULE_TEXT: &str = "\n# `portcullis setup` and `portcullis doctor` ask for this path to see that the gate is there.\n\
                              [[rule]]\nname = \"portcullis-test\"\npath = [\"/portcullis-test\", \"/portcullis-test/**\"]\n\
                              action = \"challenge\"\n";

/// Whether [`TEST_PATH`], and what is below it, asks for work at all times.
fn tests_path(config: &Config) -> bool {
    let below = format!("{TEST_PATH}/x.php");
    [("GET", TEST_PATH), ("POST", &below)].into_iter().all(|(method, path)| {
        let subject = Subject {
            target: &Target::parse(path),
            has_query: false,
            host: "portcullis-test.invalid",
            address: Ipv4Addr::LOCALHOST.into(),
            crawler: None,
            method: Some(method),
            headers: None,
        };
        config.policy.route(&subject).action == Action::Challenge
    })
}

/// A shipped configuration for every host: without the names and the capacity of its example, and with `more` below `beside`.
pub(super) fn for_every_host(shipped: &str) -> String {
    let mut text = String::new();
    let mut comments = String::new();
    for line in shipped.lines() {
        if line.starts_with('#') {
            comments.push_str(line);
            comments.push('\n');
            continue;
        }
        if line.starts_with("hosts = ") || line.starts_with("capacity_per_second = ") {
            comments.clear();
            continue;
        }
        text.push_str(&std::mem::take(&mut comments));
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_fits_its_server() {
        for server in [WebServer::Nginx, WebServer::Apache, WebServer::Caddy] {
            let text = server.configuration();
            let config = Config::parse(&text, Path::new("portcullis.toml")).expect("a configuration");
            assert_eq!(lacks(&config, server, &text), [], "{text}");
            assert!(config.sites.iter().all(|site| site.hosts.is_empty()));
            let other = if server == WebServer::Caddy { WebServer::Nginx } else { WebServer::Caddy };
            assert_eq!(lacks(&config, other, "").len(), 1);
        }
    }

    #[test]
    fn a_file_of_the_operators_own_is_told_what_it_lacks() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("portcullis.toml");
        fs::write(&file, "beside = \"caddy\"\n[[site]]\n").expect("written");
        let verifier = Verifier::of(&file, WebServer::Nginx, &WebServer::Nginx.configuration()).expect("read");
        assert_eq!(verifier.problems.len(), 2);
        assert!(verifier.change.is_none());
        // What only lacks the rule gets it, unless another rule would take its path.
        for (rule, problems) in [("", 0), ("[[rule]]\npath = \"/**\"\naction = \"allow\"\n", 1)] {
            fs::write(&file, format!("beside = \"nginx\"\n[[site]]\n{rule}")).expect("written");
            let verifier = Verifier::of(&file, WebServer::Nginx, &WebServer::Nginx.configuration()).expect("read");
            assert_eq!((verifier.problems.len(), verifier.change.is_some()), (problems, problems == 0));
        }
        fs::write(&file, format!("{MARK}beside = \"caddy\"\n[[site]]\n")).expect("written");
        let verifier = Verifier::of(&file, WebServer::Nginx, &WebServer::Nginx.configuration()).expect("read");
        assert!(verifier.problems.is_empty() && verifier.change.is_some());
    }

    #[test]
    fn the_packages_file_fits_nginx_as_it_is_and_is_written_anew_for_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("portcullis.toml");
        fs::write(&file, PACKAGED).expect("written");
        for (server, changes) in [(WebServer::Nginx, false), (WebServer::Apache, true), (WebServer::Caddy, true)] {
            let verifier = Verifier::of(&file, server, &server.configuration()).expect("read");
            assert_eq!((verifier.problems.len(), verifier.change.is_some()), (0, changes), "{server:?}");
        }
        fs::write(&file, format!("{PACKAGED}# mine\n")).expect("written");
        let verifier = Verifier::of(&file, WebServer::Apache, &WebServer::Apache.configuration()).expect("read");
        assert_eq!((verifier.problems.len(), verifier.change.is_some()), (1, false));
    }

    #[test]
    fn hosts_that_the_verifier_does_not_serve_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("portcullis.toml");
        let rule = "[[rule]]\npath = \"/portcullis-test/**\"\naction = \"challenge\"\n";
        fs::write(&file, format!("beside = \"nginx\"\n[[site]]\nhosts = [\"a.test\", \"*.b.test\"]\n{rule}"))
            .expect("written");
        let verifier = Verifier::of(&file, WebServer::Nginx, &WebServer::Nginx.configuration()).expect("read");
        for (name, known) in [
            ("a.test", true),
            ("b.a.test", false),
            ("*.b.test", true),
            (".b.test", false),
            (".a.test", false),
            ("*.a.test", false),
            ("_", true),
            ("~^www", true),
            ("", true),
        ] {
            assert_eq!(verifier.unknown_host(name).is_none(), known, "{name}");
        }
    }
}
