//! The reverse proxy: an admitted request on its way to the origin, and the answer on its way back. No body is held.

use super::admission::Slot;
use super::answer::Context;
use super::body::{AnswerBody, AtOrigin};
use super::client_body::{Broken, ClientBody, Upload};
use super::connections::InProgress;
use super::kinds::is_safe;
use super::learning::Says;
use super::lent_body::BodyLender;
use super::origin_heads::{self, OriginHeads};
use super::original::Visitor;
use super::origins::AtServer;
use super::service::Verifier;
use super::streams::OpenStream;
use super::transfers::{Party, Transfer};
use super::{forward, health, learning, tunnel};
use crate::clock;
use crate::config::{Config, Origins, Site};
use crate::gate::Receipt;
use crate::gate::networks::Nested;
use crate::load::{Amount, Answered, Outcome, SiteLoad, Waiting};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Version};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Servers that one request is sent to at the most: where many fail, requests must not be multiplied by it.
const ATTEMPTS_MAX: usize = 2;

/// The media type of server-sent events.
const EVENT_STREAM: &[u8] = b"text/event-stream";

/// Where an admitted request goes.
pub(super) struct Destination<'a> {
    /// The site's servers.
    pub(super) origins: &'a Origins,
    /// Who hears how long it takes.
    pub(super) load: Arc<SiteLoad>,
    /// What the request costs by its route.
    pub(super) cost: Amount,
    /// What it holds there until its answer has been passed on; nothing in mode `off`.
    pub(super) slot: Option<Slot>,
    /// The site it belongs to.
    pub(super) site: &'a Site,
    /// What was charged for the request.
    pub(super) receipt: Option<Receipt>,
    /// Who hears whether the origin answers at all.
    pub(super) heads: Arc<OriginHeads>,
    /// Whether the answer may make the target an asset.
    pub(super) may_be_asset: bool,
}

/// Forwards a request and returns the origin's answer, or says why there is none.
pub(super) async fn forward(
    verifier: &Verifier,
    config: &Config,
    destination: Destination<'_>,
    visitor: &Visitor,
    request_id: &str,
    mut request: Request<ClientBody>,
    in_progress: InProgress,
) -> Response<AnswerBody> {
    let context = Context::new(verifier, config, visitor, request_id, request.headers(), request.method());
    let failed = |in_progress: InProgress, status, code, text| {
        context.failed(status, code, text).map(|body| body.ending(in_progress))
    };
    let target = request.uri().path_and_query().map_or_else(|| PathAndQuery::from_static("/"), Clone::clone);
    if !target.as_str().starts_with('/') {
        let text = "The address asked for cannot be forwarded.";
        return failed(in_progress, StatusCode::BAD_REQUEST, "bad_target", text);
    }
    let Some(mut at_server) = verifier.origins.enter(destination.origins) else {
        return context.overloaded().map(|body| body.ending(in_progress));
    };
    let upgrade = asks_for_websocket(&request);
    let stream = if upgrade { verifier.open_websocket(config, &destination, visitor) } else { None };
    if upgrade && stream.is_none() {
        return context.overloaded().map(|body| body.ending(in_progress));
    }
    let client_side = upgrade.then(|| hyper::upgrade::on(&mut request));
    let shared_connection = request.version() == Version::HTTP_2;
    let (mut parts, body) = request.into_parts();
    let (upload, known_transfer) = (body.upload().clone(), body.transfer().cloned());
    // What there is of it has waited for the origin until now.
    upload.moves();
    if let Some(transfer) = &known_transfer {
        transfer.goes_to_origin();
    }
    parts.version = Version::HTTP_11;
    forward::to_origin(&mut parts.headers, visitor, request_id, upgrade);
    let waiting = Waiting::begin(Arc::clone(&destination.load));
    // While an upload goes on nobody waits for the head of its answer.
    let sending = Sending { target, empty: body.is_end_stream(), timeout: config.limits.origin_timeout };
    let asked_origin = body.is_whole().then(|| destination.heads.asked(visitor.network()));
    // Whatever else may have been done by now, asking again for something to read does no harm.
    let may_be_cut = destination.receipt.is_none() && is_safe(&parts.method) && !upgrade;
    let answered = sending.send(verifier, destination.origins, &mut at_server, parts, body, &upload);
    let Some(answered) = origin_heads::unless_cut(asked_origin, may_be_cut, answered).await else {
        verifier.metrics.unanswered_cut.inc();
        return context.overloaded().map(|body| body.ending(in_progress));
    };
    if matches!(answered, Some(Ok(_))) {
        destination.heads.answered();
    }
    // What ends because of the client says nothing about the origin.
    if !matches!(answered, Some(Err(_)) if upload.stalled()) {
        let outcome = Outcome::of(answered.as_ref().and_then(|answer| Some(answer.as_ref().ok()?.status().as_u16())));
        let network = Nested::of(visitor.network());
        let (path, delay) = (sending.target.path(), upload.moved_at().elapsed());
        let report = Answered { network: &network, path, cost: destination.cost, delay, outcome };
        waiting.answered(&report, clock::now());
        verifier.metrics.origin_answered(&destination.site.name, delay, outcome.is_error());
    }

    let mut response = match answered {
        Some(Ok(response)) => response,
        Some(Err(_)) if upload.stalled() => {
            return context.body_broken(&Broken::Stalled).map(|body| body.ending(in_progress));
        }
        Some(Err(error)) => {
            log_failure(verifier, request_id, &error);
            let text =
                "The site's own server does not answer. The people who run it can find this request by its number.";
            return failed(in_progress, StatusCode::BAD_GATEWAY, "origin_unreachable", text);
        }
        None => {
            log_failure(verifier, request_id, &std::io::Error::from(std::io::ErrorKind::TimedOut));
            let text = "The site's own server takes too long. Please try again in a while.";
            return failed(in_progress, StatusCode::GATEWAY_TIMEOUT, "origin_timeout", text);
        }
    };
    verifier.learn(&destination, &sending.target, &response);
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    forward::to_client(response.headers_mut(), switched);
    match (client_side, stream) {
        (Some(client_side), Some(stream)) if switched => {
            let origin_side = hyper::upgrade::on(&mut response);
            // A tunnel lasts for hours and takes no worker meanwhile.
            drop(destination.slot);
            tokio::spawn(tunnel::run(client_side, origin_side, in_progress, at_server, stream));
            return response.map(|_| AnswerBody::empty());
        }
        _ if switched => {
            return failed(
                in_progress,
                StatusCode::BAD_GATEWAY,
                "origin_unreachable",
                "The site's own server changed the protocol unasked.",
            );
        }
        _ if response.body().is_end_stream() => return response.map(|_| AnswerBody::empty().ending(in_progress)),
        _ => {}
    }
    let is_stream = is_event_stream(&response);
    let stream = if is_stream { verifier.open_stream(config, &destination, visitor) } else { None };
    if is_stream && stream.is_none() {
        return context.no_place().map(|body| body.ending(in_progress));
    }
    let transfer = known_transfer
        .unwrap_or_else(|| verifier.begin_transfer(&destination, visitor, &in_progress, shared_connection));
    if let Some(stream) = &stream {
        stream.cut_by(&transfer);
    }
    let slot = destination.slot.filter(|_| !is_stream);
    let at_origin = AtOrigin { _server: at_server, _slot: slot, _stream: stream };
    response.map(|body| AnswerBody::origin(transfer, body, at_origin, is_stream).ending(in_progress))
}

/// How a request is sent to one of several servers.
struct Sending {
    target: PathAndQuery,
    /// Whether it has no body.
    empty: bool,
    timeout: Duration,
}

impl Sending {
    /// Sends a request, to another server where one did not take it: see [`Sending::may_go_elsewhere`].
    async fn send(
        &self,
        verifier: &Verifier,
        origins: &Origins,
        at_server: &mut AtServer,
        parts: Parts,
        body: ClientBody,
        upload: &Upload,
    ) -> Option<Result<Response<Incoming>, hyper_util::client::legacy::Error>> {
        let (lender, safe) = (BodyLender::new(body), is_safe(&parts.method));
        let mut tried = Vec::new();
        let mut parts = Some(parts);
        loop {
            // Where no other one can follow, nothing is copied.
            let last = tried.len() + 1 >= origins.servers.len().min(ATTEMPTS_MAX);
            let mut parts = if last { parts.take()? } else { parts.clone()? };
            let server = Arc::clone(at_server.server());
            parts.uri = server.uri(&self.target)?;
            let answered = server.send(Request::from_parts(parts, lender.lend()));
            let answered = within(self.timeout, upload, answered).await;
            let Some(Err(error)) = &answered else { return answered };
            if error.is_connect() && server.refused() {
                let (origin, why) = (server.origin.to_string(), health::cause(error));
                tracing::warn!(origin, why, "an origin takes no connection");
            }
            if last || !self.may_go_elsewhere(error.is_connect(), safe, &lender, upload) {
                return answered;
            }
            tried.push(server.origin.clone());
            match verifier.origins.another(origins, &tried) {
                Some(another) => at_server.move_to(another),
                None => return answered,
            }
        }
    }

    /// Whether a request that failed may be sent once more: it never left, or it has no body and changes nothing.
    fn may_go_elsewhere(&self, unconnected: bool, safe: bool, lender: &BodyLender, upload: &Upload) -> bool {
        (unconnected && lender.is_there()) || (!upload.stalled() && safe && self.empty)
    }
}

impl Verifier {
    /// What the origin answered a target with tells whether it is an asset.
    fn learn<B>(&self, from: &Destination<'_>, asked: &PathAndQuery, response: &Response<B>) {
        if !from.may_be_asset {
            return;
        }
        let (site, says) = (from.site.mark, learning::says(response));
        let target = asked.as_str();
        let now = clock::now();
        if says == Says::Asset || (says == Says::Unchanged && self.learned.knows(site, target, now)) {
            self.learned.learn(site, target, now);
        }
    }

    /// A download begins.
    fn begin_transfer(
        &self,
        to: &Destination<'_>,
        visitor: &Visitor,
        in_progress: &InProgress,
        shared_connection: bool,
    ) -> Arc<Transfer> {
        let (network, connection) = (visitor.network(), Arc::clone(in_progress.connection()));
        let transfer = self.transfers.begin(Party { site: to.site.mark, network, connection, shared_connection });
        transfer.admitted(to.receipt, in_progress.admittance().cloned());
        transfer.goes_to_origin();
        transfer
    }

    /// A stream for a WebSocket, before the origin is asked: for whom there is no place is paid back.
    fn open_websocket(&self, config: &Config, to: &Destination<'_>, visitor: &Visitor) -> Option<OpenStream> {
        let stream = self.open_stream(config, to, visitor);
        if let Some(receipt) = to.receipt.as_ref().filter(|_| stream.is_none()) {
            self.gate.give_back(to.site, receipt, clock::now());
        }
        stream
    }

    /// A stream for an admitted request, if there is a place for it.
    fn open_stream(&self, config: &Config, to: &Destination<'_>, visitor: &Visitor) -> Option<OpenStream> {
        let asked = self.gate.pricing(config, to.site).price > 0;
        let places = asked.then(|| self.stream_places(config, to.site));
        let stream = self.streams.open(to.site.mark, visitor.network(), to.receipt, places);
        if stream.is_none() {
            self.metrics.streams_refused.inc();
        }
        stream
    }
}

/// Whether an answer goes on for as long as the page is open.
fn is_event_stream<B>(response: &Response<B>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.len() >= EVENT_STREAM.len() && kind[..EVENT_STREAM.len()].eq_ignore_ascii_case(EVENT_STREAM)
}

/// The origin's answer, unless it takes longer than `timeout` after the last part of the upload came.
async fn within<T>(timeout: Duration, upload: &Upload, answered: impl Future<Output = T>) -> Option<T> {
    let mut answered = pin!(answered);
    loop {
        let deadline = upload.moved_at() + timeout;
        if let Ok(answer) = tokio::time::timeout_at(deadline, &mut answered).await {
            return Some(answer);
        }
        if upload.moved_at() + timeout <= deadline {
            return None;
        }
    }
}

/// Whether a request opens a WebSocket: the one upgrade that is passed on. Any other protocol in a tunnel would carry
/// requests that no rule sees (`h2c`, for one).
fn asks_for_websocket<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let connection = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && headers.get(UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && connection.flat_map(|list| list.split(',')).any(|item| item.trim().eq_ignore_ascii_case("upgrade"))
}

fn log_failure(verifier: &Verifier, request_id: &str, error: &dyn std::error::Error) {
    verifier.metrics.origin_failures.inc();
    if let Some(left_out) = verifier.origin_log.turn() {
        tracing::warn!(request_id, left_out, "the origin did not answer: {}", health::cause(error));
    }
}
