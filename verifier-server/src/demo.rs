//! `portcullis demo`: a small site on loopback, and the verifier in front of it in mode `on`.

mod site;

use crate::config::Config;
use crate::startup::{self, Running};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;

/// A demo that runs.
pub struct Demo {
    /// The verifier.
    pub running: Running,
    /// Where it can be visited.
    pub url: String,
    /// Its configuration, for `portcullis mode off --config …`.
    pub config: PathBuf,
    folder: Folder,
}

impl Demo {
    /// Ends it, and removes its folder.
    pub async fn stop(self) {
        self.running.stop().await;
        drop(self.folder);
    }
}

/// Starts the site and the verifier. A busy `port` is replaced by a free one.
///
/// # Errors
/// Whatever keeps a listener or the folder from being made.
pub async fn start(port: u16) -> Result<Demo, Box<dyn std::error::Error>> {
    let origin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let origin_address = origin.local_addr()?;
    tokio::spawn(site::serve(origin));
    let folder = Folder::make()?;
    let visitors = free_address(port).await?;
    let admin = free_address(9090).await?;
    let file = folder.0.join("portcullis.toml");
    std::fs::write(&file, configuration(visitors, admin, origin_address))?;
    let config = Config::load(&file)?;
    let running = startup::start(config, &file).await?;
    Ok(Demo { running, url: format!("http://{visitors}/"), config: file, folder })
}

fn configuration(visitors: SocketAddr, admin: SocketAddr, origin: SocketAddr) -> String {
    format!(
        "listen = \"{visitors}\"\nadmin = \"{admin}\"\nmode = \"on\"\nlog = \"warn\"\n\n\
         [[site]]\nname = \"demo\"\norigin = \"http://{origin}\"\n\n\
         [[rule]]\npath = \"/static/**\"\nasset = true\n\n\
         [[rule]]\npath = [\"/robots.txt\", \"/.well-known/**\"]\naction = \"allow\"\n"
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
