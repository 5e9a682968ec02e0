//! The operator's listener (PROTOCOL §9): its own address, its own guards, never below the base paths.

use super::admin_events::{self, AdminBody, Dashboards};
use super::admin_guard::Guard;
use super::admin_reports::{self, Reports};
use super::client_io::Stream;
use super::listener::Listener;
use super::original::Peer;
use super::shortage::Lasting;
use super::{admin_attacks, admin_by_hand, admin_dashboard, admin_explain, admin_notice, admin_passes, status};
use crate::clock;
use crate::config::Mode;
use crate::load::ToldLoad;
use crate::reload::Reload;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Operators' connections at once.
const CONNECTIONS_MAX: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection lives at the most: one whose other end is gone without a word must not keep its place. A dashboard
/// comes again by itself.
const CONNECTION_LIFE_MAX: Duration = Duration::from_mins(15);
const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the admin listener works on.
pub struct Admin {
    /// Reads the configuration again, and holds the verifier.
    reload: Arc<Reload>,
    guard: Guard,
    dashboards: Arc<Dashboards>,
    reports: Reports,
}

/// Accepts operators until the process ends.
pub async fn serve(admin: Arc<Admin>, listener: Listener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = listener.accept().await;
        let place = Arc::clone(&places).try_acquire_owned();
        let (Ok((stream, peer)), Ok(place)) = (accepted, place) else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(admin.answer(peer, request).await) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(16 * 1024);
            // How an operator's connection ends is of no interest.
            let serving = async {
                match stream {
                    Stream::Tcp(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
                    Stream::Unix(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
                }
            };
            let _ = tokio::time::timeout(CONNECTION_LIFE_MAX, serving).await;
            drop(place);
        });
    }
}

/// The body of `POST /mode`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMode {
    mode: String,
    /// The name of a site; left out for all.
    site: Option<String>,
}

/// The body of `POST /load`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLoad {
    load: f64,
}

impl Admin {
    /// An admin listener that is reached by loopback and by these names.
    #[must_use]
    pub fn new(reload: Arc<Reload>, hosts: Vec<String>) -> Self {
        Self { reload, guard: Guard { hosts }, dashboards: Arc::default(), reports: Reports::default() }
    }

    async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Response<AdminBody> {
        let (parts, body) = request.into_parts();
        let is_page = parts.method == Method::GET && parts.uri.path() == "/";
        let (tokens, path) = (self.reload.tokens.load_full(), parts.uri.path());
        if let Err((status, reason)) = self.guard.admits(&tokens, peer, &parts.method, path, &parts.headers) {
            if is_page && status == StatusCode::UNAUTHORIZED {
                return admin_dashboard::page(false);
            }
            return json_answer(status, &json!({ "error": reason }));
        }
        match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/") => admin_dashboard::page(true),
            (&Method::GET, "/events") => {
                let query = parts.uri.query().unwrap_or_default();
                admin_events::begin(&self.reload.verifier, &self.dashboards, query)
            }
            (&Method::GET, path) if path.starts_with(admin_dashboard::FILES) => {
                admin_dashboard::file(path, &parts.headers).unwrap_or_else(nothing_here)
            }
            (&Method::GET, "/healthz") => json_answer(StatusCode::OK, &json!({ "ok": true })),
            (&Method::GET, "/status") => json_answer(StatusCode::OK, &status::status(&self.reload.verifier)),
            (&Method::GET, "/metrics") => self.metrics(),
            (&Method::GET, "/explain") => {
                let query = parts.uri.query().unwrap_or_default();
                let (status, body) = admin_explain::answer(&self.reload.verifier, query);
                json_answer(status, &body)
            }
            (&Method::POST, "/reload") => self.reload().await,
            (&Method::POST, "/mode") => {
                if let Err((status, reason)) = self.set_mode(read_json(body).await) {
                    return json_answer(status, &json!({ "error": reason }));
                }
                json_answer(StatusCode::OK, &status::status(&self.reload.verifier))
            }
            (&Method::GET, "/notice") => json_answer(StatusCode::OK, &admin_notice::list(&self.reload.verifier)),
            (&Method::POST, "/notice") => {
                let (status, body) = admin_notice::set(&self.reload.verifier, read_json(body).await).await;
                json_answer(status, &body)
            }
            (&Method::GET, "/attacks") => {
                let config = self.reload.verifier.config.load();
                json_answer(StatusCode::OK, &admin_attacks::list(&self.reload.verifier, config.keep_attacks_days))
            }
            (&Method::GET, path) if admin_reports::is_one(path) => {
                let query = parts.uri.query().unwrap_or_default();
                let made = admin_reports::make(&self.reload.verifier, &self.reports, path, query).await;
                made.unwrap_or_else(|(status, reason)| json_answer(status, &json!({ "error": reason })))
            }
            (&Method::GET, path) if path.starts_with("/attacks/") => {
                let (status, body) = admin_attacks::one(&self.reload.verifier, path).await;
                json_answer(status, &body)
            }
            (&Method::GET, "/passes") => json_answer(StatusCode::OK, &admin_passes::list(&self.reload.verifier)),
            (&Method::POST, "/passes") => {
                let (status, body) = admin_passes::make(&self.reload.verifier, read_json(body).await).await;
                json_answer(status, &body)
            }
            (&Method::POST, "/passes/revoke") => {
                let (status, body) = admin_passes::revoke(&self.reload.verifier, read_json(body).await).await;
                json_answer(status, &body)
            }
            (&Method::POST, "/rules") => {
                let (status, body) = admin_by_hand::make(&self.reload.verifier, read_json(body).await).await;
                json_answer(status, &body)
            }
            (&Method::POST, "/rules/revoke") => {
                let (status, body) = admin_by_hand::revoke(&self.reload.verifier, read_json(body).await).await;
                json_answer(status, &body)
            }
            (&Method::POST, "/price") => {
                let (status, body) = admin_by_hand::pin(&self.reload.verifier, read_json(body).await).await;
                json_answer(status, &body)
            }
            (&Method::POST, "/load") => {
                let told = read_json::<NewLoad, _>(body).await;
                let verifier = &self.reload.verifier;
                if !told.is_some_and(|told| verifier.told_load.tell(told.load, verifier.started.elapsed())) {
                    let reason = "send {\"load\":0.5}: a number from 0, 1 for full";
                    return json_answer(StatusCode::BAD_REQUEST, &json!({ "error": reason }));
                }
                let lapses_after = ToldLoad::LAPSES_AFTER.as_secs();
                json_answer(StatusCode::OK, &json!({ "ok": true, "lapses_after_seconds": lapses_after }))
            }
            _ => nothing_here(),
        }
    }

    /// Sets the mode of all sites, or of one.
    fn set_mode(&self, new: Option<NewMode>) -> Result<(), (StatusCode, String)> {
        let Some((mode, site)) = new.and_then(|new| Some((Mode::parse(&new.mode)?, new.site))) else {
            let reason = "send {\"mode\":\"off\"}, {\"mode\":\"auto\"} or {\"mode\":\"on\"}, and \"site\" with its name for one site";
            return Err((StatusCode::BAD_REQUEST, reason.to_owned()));
        };
        let gate = &self.reload.verifier.gate;
        let Some(name) = site else {
            gate.set_mode(mode);
            tracing::info!("mode {} set over the admin listener", mode.name());
            return Ok(());
        };
        let config = self.reload.verifier.config.load();
        let Some(site) = config.sites.iter().find(|site| site.name == name) else {
            return Err((StatusCode::NOT_FOUND, format!("no site is called `{name}`")));
        };
        if gate.mode() == Mode::Off && mode != Mode::Off {
            let reason = "everything is off, and no site is excepted from that: set the mode of all to auto first";
            return Err((StatusCode::CONFLICT, reason.to_owned()));
        }
        gate.set_mode_of(site, Some(mode));
        tracing::info!(site = name, "mode {} set over the admin listener", mode.name());
        Ok(())
    }

    /// Puts the file in force, or says why not: the same in the answer and in the log.
    async fn reload(&self) -> Response<AdminBody> {
        let reload = Arc::clone(&self.reload);
        let outcome = tokio::task::spawn_blocking(move || {
            let outcome = reload.run();
            reload.log(&outcome);
            outcome
        });
        match outcome.await {
            Ok(Ok(reloaded)) => {
                let (warnings, changes) = (&reloaded.config.warnings, reloaded.changes.lines());
                json_answer(StatusCode::OK, &json!({ "ok": true, "warnings": warnings, "changes": changes }))
            }
            Ok(Err(error)) => {
                let body = json!({ "error": error.to_string(), "problems": error.problems() });
                json_answer(StatusCode::UNPROCESSABLE_ENTITY, &body)
            }
            Err(error) => json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": error.to_string() })),
        }
    }

    fn metrics(&self) -> Response<AdminBody> {
        let verifier = &self.reload.verifier;
        let config = verifier.config.load();
        verifier.metrics.set_networks(&verifier.gate.memory().health());
        verifier.metrics.set_crawlers(verifier.crawlers.addresses.report(clock::now()));
        verifier.metrics.sites(config.sites.iter().map(|site| {
            let price = verifier.gate.pricing(&config, site).price;
            (site.name.as_str(), price, verifier.gate.report(site, verifier.started.elapsed()))
        }));
        for site in &config.sites {
            let Lasting { slow, streams, .. } = verifier.lasting(&config, site);
            verifier.metrics.site_lasting(&site.name, slow, streams.open, streams.with_place);
            for origin in site.origin.iter().flat_map(|origins| &origins.servers) {
                let server = verifier.origins.server(origin);
                verifier.metrics.site_origin(&site.name, &origin.to_string(), !server.is_down(), server.in_flight());
            }
        }
        let read_ahead_bytes = verifier.read_aheads.bytes();
        match verifier.metrics.text(verifier.open_connections(), read_ahead_bytes, verifier.gate.table_fill()) {
            Ok(text) => answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
            Err(error) => json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": error.to_string() })),
        }
    }
}

async fn read_json<T, B>(body: B) -> Option<T>
where
    T: for<'de> Deserialize<'de>,
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = Limited::new(body, BODY_BYTES_MAX).collect();
    let bytes = tokio::time::timeout(BODY_TIMEOUT, collected).await.ok()?.ok()?.to_bytes();
    serde_json::from_slice(&bytes).ok()
}

fn nothing_here() -> Response<AdminBody> {
    json_answer(StatusCode::NOT_FOUND, &json!({ "error": "there is no such page" }))
}

fn json_answer(status: StatusCode, body: &Value) -> Response<AdminBody> {
    answer(status, "application/json", body.to_string())
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<AdminBody> {
    let mut response = Response::new(AdminBody::whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}
