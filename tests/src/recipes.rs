//! The real web servers under the very files of `deploy/`, each with the verifier and a site of its own.
//!
//! Of a file nothing is changed but what an operator has to change: names, addresses, paths; and the line that chooses what a
//! dead verifier means. A line that is to be changed and is not there fails the test.

mod apache;
mod caddy;
mod envoy;
mod files;
mod haproxy;
mod nginx;
mod nginx_chained;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::client::Client;
use crate::origin::Origin;
use crate::ports;
use crate::process::Process;
use crate::settings::Settings;
use crate::stage::HOST;
use crate::verifier::{Unit, Verifier};
use crate::wait::{SOON, until_true};
pub use files::{shipped, web_group};

/// A policy under which the gate's page could do nothing, as a site may set it for everything it serves.
pub const SITE_POLICY: &str = "default-src 'none'";

/// A web server for which there is a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// nginx asks.
    Nginx,
    /// nginx passes requests on.
    NginxChained,
    /// Apache passes requests on.
    Apache,
    /// Caddy asks.
    Caddy,
    /// `HAProxy` passes requests on.
    Haproxy,
    /// Envoy asks.
    Envoy,
}

/// What a dead verifier means, as the operator chose it in the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nobody gets in.
    Closed,
    /// Everybody gets in.
    Open,
}

impl Server {
    /// Whether it asks the verifier and serves the site itself; else it passes requests on through the verifier.
    pub const fn asks(self) -> bool {
        matches!(self, Self::Nginx | Self::Caddy | Self::Envoy)
    }

    /// Whether its recipe has it send the lines of its log.
    pub const fn sends_its_log(self) -> bool {
        matches!(self, Self::Nginx)
    }

    /// Its folder in `deploy/`.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxChained => "nginx-chained",
            Self::Apache => "apache",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    /// What visitors see of a dead verifier that fails closed.
    pub const fn closed_status(self) -> &'static [u16] {
        match self {
            Self::Nginx => &[500],
            Self::NginxChained | Self::Caddy => &[502, 504],
            Self::Apache | Self::Haproxy | Self::Envoy => &[503],
        }
    }
}

/// What a server needs to know of its surroundings.
struct Place<'a> {
    folder: &'a Path,
    failure: Failure,
    /// The verifier's unix socket.
    socket: String,
    /// Where the verifier takes the lines of a web server's log.
    log: String,
    /// The site: host and port.
    origin: String,
    /// Where visitors connect.
    port: u16,
    /// Where those connect who speak HTTP/2 from the first byte; the same port where a server can tell.
    h2_port: u16,
    /// Where the site's own server listens behind the verifier.
    site_port: u16,
    /// What is written in its files instead of what, for a recipe that is broken on purpose, or changed as it says itself.
    breaks: &'a [(&'a str, &'a str)],
    /// How often that was found.
    broken: Cell<usize>,
}

/// A recipe at work.
#[derive(Debug)]
pub struct Recipe {
    /// Which one.
    pub server: Server,
    process: Process,
    directory: TempDir,
    /// The verifier, on a unix socket.
    pub verifier: Verifier,
    /// The site.
    pub origin: Origin,
    /// Where visitors connect.
    pub port: u16,
    /// Where those connect who speak HTTP/2 from the first byte.
    pub h2_port: u16,
}

impl Recipe {
    /// A server under its recipe, in front of a site that is called `main`.
    pub fn start(server: Server, failure: Failure) -> Self {
        Self::start_with(server, failure, Unit::default(), |settings| settings)
    }

    /// The same, where the verifier is configured further or runs in a unit that tells it something.
    pub fn start_with(
        server: Server,
        failure: Failure,
        unit: Unit,
        further: impl FnOnce(Settings) -> Settings,
    ) -> Self {
        let mut recipe = Self::launch(server, failure, unit, further, &[]);
        recipe.wait_until(|status| status == 429);
        recipe
    }

    /// A recipe with other words in the web server's files: each of the first has to be there.
    pub fn start_broken(server: Server, breaks: &[(&str, &str)]) -> Self {
        let mut recipe = Self::launch(server, Failure::Closed, Unit::default(), |settings| settings, breaks);
        recipe.wait_until(|_| true);
        recipe
    }

    /// A recipe that an operator has changed, in the web server's files and in the verifier's, and that works.
    pub fn start_changed(server: Server, changes: &[(&str, &str)], further: impl FnOnce(Settings) -> Settings) -> Self {
        let mut recipe = Self::launch(server, Failure::Closed, Unit::default(), further, changes);
        recipe.wait_until(|status| status == 429);
        recipe
    }

    fn launch(
        server: Server,
        failure: Failure,
        mut unit: Unit,
        further: impl FnOnce(Settings) -> Settings,
        breaks: &[(&str, &str)],
    ) -> Self {
        let origin = Origin::start("main");
        let directory = TempDir::with_prefix("portcullis-recipe-").unwrap();
        let folder = directory.path();
        // Some servers give up root: they have to reach the socket as an operator's would, by its group.
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let socket = folder.join("portcullis.sock").display().to_string();
        let port = ports::free();
        let place = Place {
            folder,
            failure,
            socket: socket.clone(),
            log: format!("127.0.0.1:{}", ports::free()),
            origin: format!("127.0.0.1:{}", origin.port),
            port,
            h2_port: if matches!(server, Server::Nginx | Server::NginxChained) { ports::free() } else { port },
            site_port: ports::free(),
            breaks,
            broken: Cell::new(0),
        };
        let shipped = Settings::from_text(&shipped(server.folder(), "portcullis.toml"));
        let site_url = format!("http://127.0.0.1:{}", place.site_port);
        let settings = shipped
            .without("state_dir")
            .without("secret_file")
            .set("listen", format!("unix:{socket}"))
            .of_site("hosts", vec![HOST]);
        let settings = if server.sends_its_log() { settings.set("access_log", place.log.clone()) } else { settings };
        let settings = if server.asks() { settings } else { settings.of_site("origin", site_url) };
        unit.group = files::web_group();
        let verifier = Verifier::start_in(unit, further(settings), port);
        let mut command = match server {
            Server::Nginx => nginx::command(&place),
            Server::NginxChained => nginx_chained::command(&place),
            Server::Apache => apache::command(&place),
            Server::Caddy => caddy::command(&place),
            Server::Haproxy => haproxy::command(&place),
            Server::Envoy => envoy::command(&place),
        };
        let h2_port = place.h2_port;
        assert!(place.broken.get() >= breaks.len(), "the recipe has all of {breaks:?}");
        let process = Process::start(&mut command, &folder.join("server.log"));
        Self { server, process, directory, verifier, origin, port, h2_port }
    }

    fn wait_until(&mut self, is_ready: impl Fn(u16) -> bool) {
        let client = self.client();
        until_true(SOON, "the web server to serve", || {
            assert!(self.process.exited().is_none(), "it ended: {}", self.process.output());
            client.request("GET", "/").try_send().is_ok_and(|reply| is_ready(reply.status))
        });
    }

    /// A client of the web server.
    pub fn client(&self) -> Client {
        Client::new(self.port, HOST)
    }

    /// The address of a page.
    pub fn url(&self, target: &str) -> String {
        format!("http://{HOST}:{}{target}", self.port)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }
}

/// A program that Debian may keep out of an ordinary user's `PATH`.
fn program(name: &str) -> Command {
    let found =
        ["/usr/sbin", "/usr/local/sbin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.map_or_else(|| Command::new(name), Command::new)
}
