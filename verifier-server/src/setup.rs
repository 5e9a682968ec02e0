//! `portcullis setup`: the gate put into a web server's configuration, seen to be there, and taken out again byte for byte.
//!
//! What is not understood is never touched. Everything that is written is noted before in a journal, so that whatever happens
//! in between it can be put back.

mod apache;
mod apply;
mod base64;
mod caddy;
mod change;
mod commands;
mod glob;
mod journal;
mod nginx;
mod plan;
mod proof;
mod public;
mod source;
mod taken_back;
mod text;
mod verifier;

pub use journal::JournalError;
pub use plan::Problem;
pub(crate) use proof::CHALLENGE_HEADER;
pub use verifier::TEST_PATH;

use crate::cli::SetupArguments;
use change::Change;
use journal::Journal;
use plan::Plan;
use std::path::{Path, PathBuf};
use verifier::Verifier;

/// A web server whose configuration is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum WebServer {
    /// nginx, which asks
    Nginx,
    /// Apache, behind which the site is chained
    Apache,
    /// Caddy, which asks
    Caddy,
}

impl WebServer {
    /// As it is called on the command line.
    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Caddy => "caddy",
        }
    }

    /// `beside` of the verifier.
    const fn beside(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "proxy",
            Self::Caddy => "caddy",
        }
    }

    /// Its main configuration file.
    fn main(self) -> &'static Path {
        Path::new(match self {
            Self::Nginx => nginx::MAIN,
            Self::Apache => apache::MAIN,
            Self::Caddy => caddy::MAIN,
        })
    }

    /// The verifier's configuration for it: the recipe's.
    fn configuration(self) -> String {
        match self {
            Self::Nginx => verifier::for_every_host(include_str!("../../deploy/nginx/portcullis.toml")),
            Self::Apache => {
                let port = apache::site_port();
                verifier::for_every_host(include_str!("../../deploy/apache/portcullis.toml"))
                    .replace("http://127.0.0.1:8081", &format!("http://127.0.0.1:{port}"))
            }
            Self::Caddy => verifier::for_every_host(include_str!("../../deploy/caddy/portcullis.toml")),
        }
    }

    fn plan(self, main: &Path, verifier: &Verifier, journal: &Journal, chosen: &[String]) -> Result<Plan, Problem> {
        match self {
            Self::Nginx => nginx::plan(main, verifier, journal, chosen),
            Self::Apache => apache::plan(main, verifier, journal, chosen),
            Self::Caddy => caddy::plan(main, verifier, journal, chosen),
        }
    }
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Something is not understood, or would open or close what it should not.
    #[error("{}nothing was changed:\n\n{}", .0, listed(.1))]
    Refused(String, Vec<Problem>),
    /// The journal cannot be used.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Another one runs.
    #[error("another `portcullis setup` is at work: {} is locked", .0.display())]
    Locked(PathBuf),
    /// The web server's own check fails before anything is changed.
    #[error("the configuration is wrong as it stands; mend it first:\n{0}")]
    WrongBefore(String),
    /// The verifier has to run first.
    #[error("{0}")]
    NotRunning(String),
    /// A step failed, and everything was put back, or nothing could be.
    #[error("{step}\n\n{}", put_back(.left))]
    PutBack {
        /// Which step, and how.
        step: String,
        /// What stood against it.
        left: Vec<String>,
    },
    /// No server is gated, and none was before.
    #[error("{0}there is no server to be gated: nothing was changed")]
    NothingToGate(String),
    /// The files are as they were, and their web server does not go by them.
    #[error("{}", .0.join("\n"))]
    NotRead(Vec<String>),
    /// Something stands against putting it back.
    #[error("{}", put_back(.0))]
    Left(Vec<String>),
    /// There is nothing to be taken out.
    #[error("nothing was set up: there is no journal in {}", .0.display())]
    NothingThere(PathBuf),
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}

fn put_back(left: &[String]) -> String {
    match left {
        [] => "everything was put back".to_owned(),
        left => format!("nothing was put back, because of this:\n{}", left.join("\n")),
    }
}

/// Shows, writes or takes back.
///
/// # Errors
/// See [`SetupError`].
pub async fn run(arguments: &SetupArguments) -> Result<String, SetupError> {
    // What is noted in the journal has to be found from any folder.
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let file = absolute(&arguments.config);
    let Some(server) = arguments.server else { return apply::remove(&file).await };
    let refused = |problem| SetupError::Refused(String::new(), vec![problem]);
    let main = arguments.web_config.as_deref().map_or_else(|| server.main().to_owned(), absolute);
    // An earlier run that broke off comes first: what it left is not to be planned on.
    let verifier = Verifier::of(&file, server, &server.configuration()).map_err(refused)?;
    let mended = apply::mend(&verifier).await?;
    let verifier = if mended.is_some() {
        Verifier::of(&file, server, &server.configuration()).map_err(refused)?
    } else {
        verifier
    };
    let journal = Journal::load(&verifier::journal_folder(&file))?.unwrap_or_else(Journal::new);
    let mut plan = server.plan(&main, &verifier, &journal, &arguments.site).map_err(refused)?;
    plan.problems.extend(verifier.problems.iter().cloned());
    plan.problems.extend(apply::taken(&verifier, &journal, server));
    for (given, command) in [(&arguments.check, &mut plan.check), (&arguments.reload, &mut plan.reload)] {
        if let Some(given) = given {
            *command = commands::of_shell(given);
        }
    }
    let told = mended.map_or_else(String::new, |mended| format!("{mended}\n\n"))
        + &told(server, &main, &verifier, &plan, arguments.apply);
    if !plan.problems.is_empty() {
        return Err(SetupError::Refused(told, plan.problems));
    }
    if !plan.gates {
        return Err(SetupError::NothingToGate(told));
    }
    if !arguments.apply {
        let hint = format!("Nothing was changed. To do this: portcullis setup {} --apply", server.name());
        return Ok(format!("{told}{hint}"));
    }
    apply::apply(server, &verifier, plan).await.map(|done| format!("{told}{done}"))
}

/// What would be done, for people; while it `is_done`, files that are new are named only: there is no time to read them.
fn told(server: WebServer, main: &Path, verifier: &Verifier, plan: &Plan, is_done: bool) -> String {
    let head = format!("web server  {}, {}\nverifier    {}", server.name(), main.display(), verifier.file.display());
    let changes = verifier.change.iter().chain(&plan.changes);
    let diff = |change: &Change| {
        if is_done && change.is_new() {
            format!("\nnew         {}\n", change.path.display())
        } else {
            format!("\n{}", change.diff())
        }
    };
    let diffs: Vec<String> = changes.map(diff).collect();
    format!("{head}\n{}\n{}\n", plan.lines.join("\n"), diffs.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VERIFIER: &str = "beside = \"nginx\"\naccess_log = \"127.0.0.1:8081\"\n[[site]]\norigin = \"http://127.0.0.1:8081\"\n\
                            [[rule]]\npath = \"/portcullis-test/**\"\naction = \"challenge\"\n";

    /// The plan for a configuration of this text.
    fn plan(server: WebServer, text: &str) -> Result<Plan, Problem> {
        let folder = tempfile::tempdir().expect("a folder");
        let (main, file) = (folder.path().join("main"), folder.path().join("portcullis.toml"));
        std::fs::write(&main, text).expect("written");
        let own = VERIFIER.replace("\"nginx\"\naccess_log = \"127.0.0.1:8081\"", &format!("\"{}\"", server.beside()));
        let own = if server == WebServer::Nginx { VERIFIER.to_owned() } else { own };
        std::fs::write(&file, own).expect("written");
        let verifier = Verifier::of(&file, server, &server.configuration()).expect("a configuration");
        server.plan(&main, &verifier, &Journal::new(), &[])
    }

    proptest! {
        #[test]
        fn whatever_a_configuration_says_nothing_panics(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("http {\n".to_owned()),
                    Just("server {".to_owned()),
                    Just("events {}".to_owned()),
                    Just("listen 80;".to_owned()),
                    Just("location / { error_page 404 x; }".to_owned()),
                    Just("<VirtualHost *:80>\n".to_owned()),
                    Just("ServerName a\n".to_owned()),
                    Just("</VirtualHost>\n".to_owned()),
                    Just("a.test {\n".to_owned()),
                    Just("respond x\n".to_owned()),
                    Just("}\n".to_owned()),
                    "[ -~äß\n]{0,20}",
                ],
                0..20,
            )
        ) {
            let text = pieces.concat();
            for server in [WebServer::Nginx, WebServer::Apache, WebServer::Caddy] {
                if let Ok(plan) = plan(server, &text) {
                    prop_assert!(plan.changes.iter().all(|change| !change.diff().is_empty()));
                }
            }
        }
    }

    #[test]
    fn a_site_of_each_is_gated_by_a_line_or_two() {
        for (server, text) in [
            (WebServer::Nginx, "events {}\nhttp {\n access_log x;\n server {\n  listen 80;\n }\n}\n"),
            (WebServer::Apache, "<VirtualHost *:80>\n ServerName a\n</VirtualHost>\n"),
            (WebServer::Caddy, "http://a.test {\n\trespond x\n}\n"),
        ] {
            let plan = plan(server, text).expect("understood");
            assert_eq!(plan.problems, []);
            assert_eq!(plan.asks.len(), 1);
            let diff = plan.changes.last().expect("the main file is changed").diff();
            let added = diff.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++")).count();
            assert!((1..=8).contains(&added), "{diff}");
        }
    }
}
