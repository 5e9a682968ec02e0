//! Whether the servers of sites answer: asked every few seconds, so that no visitor has to find out.

use super::lent_body::LentBody;
use super::origins::Server;
use super::service::Verifier;
use crate::config::{Config, Host, Site};
use hyper::Request;
use hyper::header::{HOST, USER_AGENT};
use hyper::http::uri::PathAndQuery;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How often servers are asked, and how long an answer may take.
const CHECK_EVERY: Duration = Duration::from_secs(3);
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Checks until the verifier stops. The next round waits for the slowest.
pub(super) async fn keep_checking(verifier: Arc<Verifier>, mut stopped: tokio::sync::watch::Receiver<bool>) {
    let rounds = async {
        loop {
            tokio::time::sleep(CHECK_EVERY).await;
            let config = verifier.config.load_full();
            verifier.origins.keep_only(&config);
            check_all(&verifier, &config).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        _ = stopped.changed() => {}
    }
}

async fn check_all(verifier: &Arc<Verifier>, config: &Config) {
    let mut round = JoinSet::new();
    for site in &config.sites {
        let Some(origins) = &site.origin else { continue };
        for origin in &origins.servers {
            let server = verifier.origins.server(origin);
            let (name, host, path) = (site.name.clone(), host_of(site, &server), origins.health_path.clone());
            // Without a path only those are looked at that took no connection.
            if path.is_some() || server.is_down() {
                round.spawn(async move {
                    let checked = tokio::time::timeout(CHECK_TIMEOUT, check(&server, host, path)).await;
                    tell(&server, &name, checked.unwrap_or_else(|_| Err("no answer in time".to_owned())));
                });
            }
        }
    }
    round.join_all().await;
}

/// The name by which a server knows the site.
fn host_of(site: &Site, server: &Server) -> String {
    let exact = site.hosts.iter().find_map(|host| match host {
        Host::Exact(name) => Some(name.clone()),
        Host::Below(_) => None,
    });
    exact.unwrap_or_else(|| server.origin.authority.to_string())
}

async fn check(server: &Server, host: String, path: Option<PathAndQuery>) -> Result<(), String> {
    let Some(path) = path else {
        let authority = &server.origin.authority;
        let address = (authority.host().trim_matches(['[', ']']), server.origin.port());
        return TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string());
    };
    let uri = server.uri(&path).ok_or("the path cannot be asked for")?;
    let request = Request::builder().uri(uri).header(HOST, host).header(USER_AGENT, "portcullis-health");
    let request = request.body(LentBody::default()).map_err(|error| error.to_string())?;
    let response = server.send(request).await.map_err(|error| cause(&error))?;
    let status = response.status();
    if status.is_success() || status.is_redirection() { Ok(()) } else { Err(format!("it answered {status}")) }
}

fn tell(server: &Server, site: &str, checked: Result<(), String>) {
    let origin = server.origin.to_string();
    match (server.checked(checked.is_ok()), checked) {
        (Some(true), Err(why)) => tracing::warn!(site, origin, why, "an origin is down and left alone"),
        (Some(false), _) => tracing::info!(site, origin, "an origin is up again"),
        _ => {}
    }
}

/// An error with what caused it.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
