//! What stands before the site: the verifier, and nginx where it is in front.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;
use tests::nginx::{Nginx, Site};
use tests::ports;
use tests::stage::Front;
use tests::verifier::Verifier;

use crate::proc::ProcessState;
use crate::run::destination;
use crate::scenario::{self, Scenario};
use crate::watch::Watched;

/// Where a verifier will be, and what is there before it.
#[derive(Debug)]
pub struct Place {
    /// The verifier's port for visitors or for nginx.
    verifier_port: u16,
    /// Where nginx's log goes.
    access_log: String,
    nginx: Option<Nginx>,
}

/// A verifier and the folder that it keeps its state in.
#[derive(Debug)]
pub struct Guard {
    verifier: Verifier,
    _state: Option<TempDir>,
}

impl Place {
    /// Starts nginx with the recipe where the scenario wants it; with `fail_open` everything passes until there is a verifier.
    pub async fn prepare(scenario: &Scenario, origin: SocketAddr, fail_open: bool) -> anyhow::Result<Self> {
        let beside = scenario.front == Front::Nginx;
        let prepared = tokio::task::spawn_blocking(move || {
            let (verifier_port, access_log) = (ports::free(), format!("127.0.0.1:{}", ports::free()));
            let lines = format!(
                "location / {{ proxy_pass http://{origin}; proxy_http_version 1.1; proxy_set_header Host $http_host;\n\
                 proxy_set_header Connection \"\"; }}\n"
            );
            let site = Site { lines, fail_open, log: access_log.clone(), ..Site::default() };
            let nginx = beside.then(|| Nginx::start(verifier_port, &site));
            Self { verifier_port, access_log, nginx }
        });
        prepared.await.context("nginx does not start")
    }

    /// Where visitors and attackers connect.
    pub fn port(&self) -> u16 {
        self.nginx.as_ref().map_or(self.verifier_port, |nginx| nginx.port)
    }
}

impl Guard {
    /// Starts a verifier in its place, with the profile of a folder and what the site did before, if there are any.
    pub async fn start(
        place: &Place,
        scenario: &Scenario,
        origin: SocketAddr,
        profile: Option<&Path>,
        at_least: Option<f64>,
    ) -> anyhow::Result<Self> {
        let state = profile.map(copied).transpose()?;
        let settings = scenario::settings(scenario, &format!("http://{origin}"), &place.access_log);
        let settings = match &state {
            Some(state) => settings.set("state_dir", state.path().display().to_string()),
            None => settings,
        };
        let settings = match at_least {
            Some(at_least) => settings.of_site("capacity_at_least_per_second", at_least),
            None => settings,
        };
        let port = place.verifier_port;
        let started =
            tokio::task::spawn_blocking(move || Self { verifier: Verifier::start_on(settings, port), _state: state });
        started.await.context("the verifier does not start")
    }

    /// Where it is read from.
    pub fn watched(&self) -> Watched {
        Watched { admin: destination(self.verifier.admin_port, "127.0.0.1"), id: self.verifier.id() }
    }

    /// Whether it panicked or is gone.
    pub fn is_broken(&self) -> bool {
        ProcessState::of(self.verifier.id()).is_none() || self.verifier.log().contains("panicked")
    }
}

/// A `state_dir` with the files of a folder in it.
fn copied(from: &Path) -> anyhow::Result<TempDir> {
    let folder = TempDir::with_prefix("portcullis-siege-state-")?;
    for entry in std::fs::read_dir(from)? {
        let file = entry?.path();
        std::fs::copy(&file, folder.path().join(file.file_name().context("a file has a name")?))?;
    }
    Ok(folder)
}
