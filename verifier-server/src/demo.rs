//! `portcullis demo`: a small site on loopback, and the verifier in front of it, in mode `on` or under attack.

mod app;
mod attack;
mod course;
mod flood;
mod lines;
mod networks;
mod reported;
mod second;
mod site;
mod story;
mod totals;
mod visitors;
mod workers;

pub use course::{FLOOD_SECONDS, FLOOD_SECONDS_DEFAULT};

use crate::config::{Config, Mode};
use crate::secret;
use crate::startup::{self, Running, StartError};
use attack::Target;
use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use workers::{CAPACITY_PER_SECOND, Workers};

/// Where the operator's listener is, if nobody has that port.
const ADMIN_PORT: u16 = 9090;
/// Few enough for what systems allow a program to open without being asked.
const CONNECTIONS_MAX: u32 = 400;
/// How often a start is tried: a port that was free may be taken a moment later.
const STARTS_MAX: u32 = 5;

/// Shows the gate in mode `on`, or an attack of so many seconds on it in mode `auto`, and serves until SIGINT or SIGTERM.
///
/// # Errors
/// Whatever keeps a listener or the folder from being made.
pub async fn run(port: u16, attack_seconds: Option<u64>) -> Result<(), Box<dyn Error>> {
    // First of all: a signal in the first moment must not leave the folder behind.
    let (mut interrupts, mut terminations) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut ended = std::pin::pin!(async {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
    });
    let mode = if attack_seconds.is_some() { Mode::Auto } else { Mode::On };
    let demo = tokio::select! {
        demo = Demo::start(port, mode) => demo?,
        () = &mut ended => return Ok(()),
    };
    let shown = async {
        demo.show(attack_seconds).await?;
        std::future::pending().await
    };
    let shown: io::Result<()> = tokio::select! {
        shown = shown => shown,
        () = &mut ended => Ok(()),
    };
    demo.stop().await;
    match shown {
        // Whoever closes what they read from has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        shown => Ok(shown?),
    }
}

/// A demo that runs.
struct Demo {
    running: Running,
    /// Where visitors connect.
    address: SocketAddr,
    /// Its configuration, for `portcullis mode off --config …`.
    config: PathBuf,
    /// What its operator's listener wants to hear before it changes anything.
    token: String,
    /// What keeps the site from answering at once, under attack.
    workers: Option<Arc<Workers>>,
    folder: Folder,
}

impl Demo {
    /// Starts the site and the verifier. A busy `port` is replaced by a free one.
    async fn start(port: u16, mode: Mode) -> Result<Self, Box<dyn Error>> {
        let origin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin_address = origin.local_addr()?;
        let workers = (mode == Mode::Auto).then(|| Arc::new(Workers::new()));
        tokio::spawn(site::serve(origin, workers.clone()));
        let folder = Folder::make()?;
        let file = folder.0.join("portcullis.toml");
        let mut starts = 0;
        loop {
            let address = free_address(port).await?;
            let admin = free_address(ADMIN_PORT).await?;
            std::fs::write(&file, configuration(address, admin, origin_address, mode))?;
            starts += 1;
            let config = Config::load(&file)?;
            let token_file = config.admin_token_file.clone();
            match startup::start(config, &file).await {
                Ok(running) => {
                    let token = secret::admin_tokens(&token_file)?.newest().to_owned();
                    return Ok(Self { running, address, config: file, token, workers, folder });
                }
                Err(StartError::Bind(_)) if starts < STARTS_MAX => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Says what there is to see, and shows the attack, if there is to be one.
    async fn show(&self, attack_seconds: Option<u64>) -> io::Result<()> {
        let operator = self.running.addresses.last().map_or("", String::as_str);
        let opening = match attack_seconds {
            None => "The gate is down. Open this address in a browser: it solves a challenge and shows the site.",
            Some(_) => "The gate is open. Open this address in a browser now, and again when the gate is down:",
        };
        tell(&[
            opening.to_owned(),
            format!("\n    http://{}/\n", self.address),
            "A page that stays and asks for things by itself, with the script tag:".to_owned(),
            format!("\n    http://{}/app\n", self.address),
            "The operator's dashboard:".to_owned(),
            format!("\n    http://{operator}/#token={}\n", self.token),
            format!("Lift the gate:  portcullis mode off --config {}", self.config.display()),
            "End the demo with Ctrl-C.".to_owned(),
        ])?;
        if attack_seconds.is_none() {
            tell(&["The whole story, calm, attack, gate, release, report:  portcullis demo --attack".to_owned()])?;
        }
        if let (Some(seconds), Some(workers)) = (attack_seconds, &self.workers) {
            let verifier = &*self.running.server.verifier;
            let target = Target { verifier, port: self.address.port(), workers };
            tell(&[String::new()])?;
            target.attack(Duration::from_secs(seconds)).await?;
            tell(&reported::lines(verifier, &self.config, &self.folder.0))?;
            tell(&["\nThe site and the gate go on, without visitors. End the demo with Ctrl-C.".to_owned()])?;
        }
        Ok(())
    }

    /// Ends it, and removes its folder.
    async fn stop(self) {
        self.running.stop().await;
        drop(self.folder);
    }
}

/// Writes lines to whoever watches.
fn tell(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn configuration(visitors: SocketAddr, admin: SocketAddr, origin: SocketAddr, mode: Mode) -> String {
    let (name, [machine, capacity]) = match mode {
        // The machine also runs flood and visitors here, so that its own pressure tells nothing of the site.
        Mode::Auto => (
            mode.name(),
            ["pressure_dir = \"no-pressure\"\n".to_owned(), format!("capacity_per_second = {CAPACITY_PER_SECOND}\n")],
        ),
        Mode::On | Mode::Off => (mode.name(), Default::default()),
    };
    format!(
        "listen = \"{visitors}\"\nadmin = \"{admin}\"\nmode = \"{name}\"\nlog = \"warn\"\nstate_dir = \"state\"\n{machine}\n\
         [[site]]\nname = \"demo\"\norigin = \"http://{origin}\"\n{capacity}\n\
         [[rule]]\npath = \"/static/**\"\nasset = true\n\n\
         [[rule]]\npath = [\"/robots.txt\", \"/.well-known/**\"]\naction = \"allow\"\n\n\
         [limits]\nmax_connections = {CONNECTIONS_MAX}\n"
    )
}

/// The address with this port if it is free, else one with a free port.
async fn free_address(port: u16) -> std::io::Result<SocketAddr> {
    let wanted = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = match wanted {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    listener.local_addr()
}

/// A folder of our own that goes away with the demo.
struct Folder(PathBuf);

impl Folder {
    fn make() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("portcullis-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(Path::new(&self.0)) {
            tracing::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}
