//! Connections to the sites' servers: which of them a request goes to, and which are left alone because they do not answer.

use super::lent_body::LentBody;
use crate::config::{Config, Limits, Origin, Origins};
use crate::restrict::Fit;
use crate::tls;
use arc_swap::ArcSwap;
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::rustls::RootCertStore;

/// How long a connection to an origin is kept for the next request.
/// Shorter than common servers keep theirs, so that none is used in the moment the origin closes it.
const ORIGIN_IDLE: Duration = Duration::from_secs(4);

/// Checks in a row that have to fail before a server is left alone: one may have been lost.
const FAILED_CHECKS_MIN: u32 = 2;

/// Connections to origins.
pub(super) struct OriginClient {
    servers: ArcSwap<Vec<Arc<Server>>>,
    connect_timeout: Duration,
    /// Connections that each server keeps for later requests.
    kept: usize,
    /// Requests at origins at once.
    room: Arc<Semaphore>,
    /// Which of several equally loaded servers is next.
    turn: AtomicUsize,
}

/// One server, with its connections.
pub(super) struct Server {
    pub(super) origin: Origin,
    client: Client<HttpsConnector<HttpConnector>, LentBody>,
    in_flight: AtomicUsize,
    /// Left alone, as far as another one of its site is there.
    down: AtomicBool,
    /// Checks that failed in a row.
    failed_checks: AtomicU32,
}

impl OriginClient {
    /// `fit`: for how many connections there are descriptors.
    pub(super) fn new(config: &Config, fit: Fit) -> Self {
        let Limits { origin_connect_timeout, max_connections, .. } = config.limits;
        let servers = config.sites.iter().filter_map(|site| site.origin.as_ref()).map(|all| all.servers.len()).sum();
        Self {
            servers: ArcSwap::default(),
            connect_timeout: origin_connect_timeout,
            kept: fit.kept.div_ceil(usize::max(servers, 1)),
            room: Arc::new(Semaphore::new(max_connections.min(fit.connections))),
            turn: AtomicUsize::default(),
        }
    }

    /// A server, with what is known of it.
    pub(super) fn server(&self, origin: &Origin) -> Arc<Server> {
        let find = |servers: &[Arc<Server>]| servers.iter().find(|server| server.origin == *origin).map(Arc::clone);
        if let Some(found) = find(&self.servers.load()) {
            return found;
        }
        let fresh = Arc::new(Server::new(origin.clone(), self.connect_timeout, self.kept));
        self.servers.rcu(|servers| {
            let mut servers = Vec::clone(servers);
            if find(&servers).is_none() {
                servers.push(Arc::clone(&fresh));
            }
            servers
        });
        find(&self.servers.load()).unwrap_or(fresh)
    }

    /// Forgets the servers that are configured no more; requests that are there end there.
    pub(super) fn keep_only(&self, config: &Config) {
        let configured = |server: &Arc<Server>| {
            config.sites.iter().filter_map(|site| site.origin.as_ref()).any(|all| all.servers.contains(&server.origin))
        };
        if !self.servers.load().iter().all(configured) {
            self.servers.rcu(|servers| servers.iter().filter(|server| configured(server)).cloned().collect::<Vec<_>>());
        }
    }

    /// Room at the server with the fewest requests of those that answer; of all, where none does. `None` at the limit of
    /// requests at origins.
    pub(super) fn enter(&self, origins: &Origins) -> Option<AtServer> {
        let permit = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let server = match origins.servers.as_slice() {
            [only] => self.server(only),
            several => self.choose(several, &[], true).or_else(|| self.choose(several, &[], false))?,
        };
        Some(AtServer::new(server, permit))
    }

    /// Another server that answers, than those `tried`.
    pub(super) fn another(&self, origins: &Origins, tried: &[Origin]) -> Option<Arc<Server>> {
        self.choose(&origins.servers, tried, true)
    }

    /// Each of a site's servers, for status: whether it is up and how many requests are there.
    pub(super) fn report(&self, origins: &Origins) -> Value {
        let server = |origin: &Origin| {
            let server = self.server(origin);
            json!({ "url": origin.to_string(), "up": !server.is_down(), "in_flight": server.in_flight() })
        };
        origins.servers.iter().map(server).collect()
    }

    fn choose(&self, origins: &[Origin], tried: &[Origin], up: bool) -> Option<Arc<Server>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let rotated = origins.iter().cycle().skip(first % origins.len().max(1)).take(origins.len());
        rotated
            .filter(|origin| !tried.contains(origin))
            .map(|origin| self.server(origin))
            .filter(|server| !up || !server.down.load(Ordering::Relaxed))
            .min_by_key(|server| server.in_flight.load(Ordering::Relaxed))
    }
}

impl Server {
    fn new(origin: Origin, connect_timeout: Duration, kept: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(connect_timeout));
        connector.set_nodelay(true);
        // Of plain HTTP nobody's certificates are ever looked at.
        let config = origin.tls.as_ref().map_or_else(|| tls::client(RootCertStore::empty()), |tls| Ok(tls.config()));
        let config = config.expect("ring has cipher suites for the default versions of TLS");
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(ORIGIN_IDLE)
            .pool_max_idle_per_host(kept)
            .http1_preserve_header_case(true)
            .set_host(false)
            .build(builder.wrap_connector(connector));
        Self {
            origin,
            client,
            in_flight: AtomicUsize::default(),
            down: AtomicBool::default(),
            failed_checks: AtomicU32::default(),
        }
    }

    /// Sends a request there and returns the head of the answer.
    pub(super) async fn send(&self, request: Request<LentBody>) -> Result<Response<Incoming>, Error> {
        self.client.request(request).await
    }

    /// The address of a target there; `None` where it has no path, as in `CONNECT`.
    pub(super) fn uri(&self, target: &PathAndQuery) -> Option<Uri> {
        let target = target.as_str().starts_with('/').then(|| target.clone())?;
        let Origin { authority, .. } = &self.origin;
        Uri::builder().scheme(self.origin.scheme()).authority(authority.clone()).path_and_query(target).build().ok()
    }

    /// Whether it is left alone as far as another one is there.
    pub(super) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Requests that are there now.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// It took no connection. Whether it was up until now.
    pub(super) fn refused(&self) -> bool {
        !self.down.swap(true, Ordering::Relaxed)
    }

    /// A check went well, or not. What it is from now on, if that is another than before: whether it is down.
    pub(super) fn checked(&self, well: bool) -> Option<bool> {
        if well {
            self.failed_checks.store(0, Ordering::Relaxed);
            return self.down.swap(false, Ordering::Relaxed).then_some(false);
        }
        let failed = self.failed_checks.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        (failed >= FAILED_CHECKS_MIN && self.refused()).then_some(true)
    }
}

/// A request at a server, until its answer has been passed on.
pub(super) struct AtServer {
    server: Arc<Server>,
    _permit: OwnedSemaphorePermit,
}

impl AtServer {
    fn new(server: Arc<Server>, permit: OwnedSemaphorePermit) -> Self {
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { server, _permit: permit }
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Goes to another server instead.
    pub(super) fn move_to(&mut self, server: Arc<Server>) {
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        let before = std::mem::replace(&mut self.server, server);
        before.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for AtServer {
    fn drop(&mut self) {
        self.server.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for AtServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "AtServer({})", self.server.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn stage() -> (OriginClient, Origins) {
        let origins = "[\"http://a.test\", \"http://b.test\", \"http://c.test\"]";
        let text = format!("[[site]]\norigin = {origins}");
        let config = Config::parse(&text, Path::new("test.toml")).expect("a configuration");
        (OriginClient::new(&config, Fit::now()), config.sites[0].origin.clone().expect("origins"))
    }

    fn name(at: &AtServer) -> String {
        at.server().origin.authority.to_string()
    }

    #[test]
    fn each_request_goes_where_the_fewest_are() {
        let (client, origins) = stage();
        let mut all: Vec<AtServer> = (0..9).filter_map(|_| client.enter(&origins)).collect();
        let at = |all: &[AtServer], host: &str| all.iter().filter(|at| name(at) == host).count();
        assert_eq!(["a.test", "b.test", "c.test"].map(|host| at(&all, host)), [3, 3, 3]);
        all.retain(|at| name(at) != "b.test");
        all.extend((0..3).filter_map(|_| client.enter(&origins)));
        assert_eq!(at(&all, "b.test"), 3, "those that ended there made room there");
    }

    #[test]
    fn a_server_that_is_down_is_left_alone_while_another_is_up() {
        let (client, origins) = stage();
        let servers = origins.servers.iter().map(|origin| client.server(origin)).collect::<Vec<_>>();
        assert!(servers[0].refused() && !servers[0].refused(), "it is told once");
        let all: Vec<AtServer> = (0..20).filter_map(|_| client.enter(&origins)).collect();
        assert!(all.iter().all(|at| name(at) != "a.test"));
        let tried = [origins.servers[1].clone()];
        assert_eq!(
            client.another(&origins, &tried).map(|server| server.origin.to_string()).as_deref(),
            Some("http://c.test")
        );
        servers[1].refused();
        servers[2].refused();
        assert!(client.another(&origins, &[]).is_none(), "nobody tries again where all are down");
        assert!(client.enter(&origins).is_some(), "but a request is still tried once");
    }

    #[test]
    fn two_failed_checks_in_a_row_put_a_server_down_and_one_good_one_brings_it_back() {
        let (client, origins) = stage();
        let server = client.server(&origins.servers[0]);
        let told: Vec<Option<bool>> =
            [false, true, false, false, false, true, true].map(|well| server.checked(well)).into();
        assert_eq!(told, [None, None, None, Some(true), None, Some(false), None]);
    }
}
