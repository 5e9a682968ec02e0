//! The operator's listener (PROTOCOL §9): its own address, its own guards, never below the base paths.

use super::client_io::Stream;
use super::listener::Listener;
use super::original::{Peer, host_of};
use super::shortage::Lasting;
use super::{admin_explain, admin_passes, status};
use crate::config::Mode;
use crate::load::ToldLoad;
use crate::reload::Reload;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Operators' connections at once.
const CONNECTIONS_MAX: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the admin listener works on.
pub struct Admin {
    /// Reads the configuration again, and holds the verifier.
    pub reload: Arc<Reload>,
    /// What writes need, and everything from beyond loopback.
    pub token: String,
    /// Host names beyond loopback that may name this listener.
    pub hosts: Vec<String>,
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
            let _ = match stream {
                Stream::Tcp(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
                Stream::Unix(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
            };
            drop(place);
        });
    }
}

/// The body of `POST /mode`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMode {
    mode: String,
}

/// The body of `POST /load`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLoad {
    load: f64,
}

impl Admin {
    async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        if let Err((status, reason)) = self.guard(peer, &parts.method, parts.uri.path(), &parts.headers) {
            return json_answer(status, &json!({ "error": reason }));
        }
        match (&parts.method, parts.uri.path()) {
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
                let Some(mode) = read_json::<NewMode, _>(body).await.and_then(|new| Mode::parse(&new.mode)) else {
                    let reason = "send {\"mode\":\"off\"}, {\"mode\":\"auto\"} or {\"mode\":\"on\"}";
                    return json_answer(StatusCode::BAD_REQUEST, &json!({ "error": reason }));
                };
                self.reload.verifier.gate.set_mode(mode);
                tracing::info!("mode {} set over the admin listener", mode.name());
                json_answer(StatusCode::OK, &status::status(&self.reload.verifier))
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
            _ => json_answer(StatusCode::NOT_FOUND, &json!({ "error": "there is no such page" })),
        }
    }

    /// Puts the file in force, or says why not: the same in the answer and in the log.
    async fn reload(&self) -> Response<Full<Bytes>> {
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

    /// Who may do what: the guards of PROTOCOL §9, on every request.
    fn guard(
        &self,
        peer: Peer,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(), (StatusCode, &'static str)> {
        let mut hosts = headers.get_all(HOST).into_iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
        if hosts.next().is_some() || !self.is_ours(host_of(host)) {
            return Err((
                StatusCode::FORBIDDEN,
                "this host name is not one of the admin listener's: see `admin_hosts`",
            ));
        }
        let own_origin = |origin: &HeaderValue| {
            let origin = origin.to_str().unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, authority)| authority == host)
        };
        let foreign_site = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
        if foreign_site || !headers.get_all("origin").iter().all(own_origin) {
            return Err((StatusCode::FORBIDDEN, "pages of other sites may not ask here"));
        }
        let (near, socket) = match peer {
            Peer::UnixSocket => (true, true),
            Peer::Address(address) | Peer::Announced(address, _) => (address.is_loopback(), false),
        };
        let writes = !matches!(*method, Method::GET | Method::HEAD);
        let needs_token = (writes && !socket) || (!near && path != "/healthz");
        if needs_token && !self.has_token(headers) {
            return Err((StatusCode::UNAUTHORIZED, "send the token in `admin_token_file` as Authorization: Bearer …"));
        }
        let json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if writes && json.split(';').next().unwrap_or_default().trim() != "application/json" {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json"));
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        loopback
            || host.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
        let token = sent.strip_prefix(b"Bearer ").unwrap_or_default();
        token.ct_eq(self.token.as_bytes()).into()
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let verifier = &self.reload.verifier;
        let config = verifier.config.load();
        verifier.metrics.set_networks(&verifier.gate.memory().health());
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

fn json_answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    answer(status, "application/json", body.to_string())
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}
