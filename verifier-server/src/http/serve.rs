//! The accept loop, one task a connection, and the drain at the end.

use super::activity::Overdue;
use super::client_io::{ClientIo, Protocol, Stream};
use super::connections::{InProgress, Place};
use super::health;
use super::listener::Entrance;
use super::original::{self, Peer};
use super::proxy_protocol::{self, Announced};
use super::service::Verifier;
use crate::clock::{self, Step, Steps};
use crate::config::Limits;
use crate::watch::{self, Watch};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use puzzle::ClientNetwork;
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::time::MissedTickBehavior;

/// How long the loop waits after an error of `accept`, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a stream or connection of HTTP/2 that may wait for the reader.
const H2_STREAM_WINDOW: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How long a silent HTTP/2 client has to hear that its connection ends.
const H2_GOODBYE: Duration = Duration::from_secs(1);
const H2_PING_EVERY: Duration = Duration::from_secs(20);
const H2_PONG_WITHIN: Duration = Duration::from_secs(20);
/// How long a connection that is new when the drain begins has for its first request, which is on its way already.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// A verifier that serves.
pub struct Server {
    /// What all requests share.
    pub verifier: Arc<Verifier>,
    /// Becomes true when the drain begins; closed when everything has ended.
    stop: Sender<bool>,
}

/// Starts to accept on all listeners, and the tick once a second.
#[must_use]
pub fn serve(verifier: Arc<Verifier>, entrances: Vec<Entrance>) -> Server {
    // A gate that begins down has as few slots as a closed one from the first request on.
    verifier.set_slots(&verifier.config.load());
    let (stop, stopped) = channel(false);
    for entrance in entrances {
        tokio::spawn(accept_all(Arc::clone(&verifier), entrance, stopped.clone()));
    }
    tokio::spawn(health::keep_checking(Arc::clone(&verifier), stopped.clone()));
    tokio::spawn(watch::probe(Arc::clone(&verifier), stopped.clone()));
    tokio::spawn(tick(Arc::clone(&verifier), stopped));
    Server { verifier, stop }
}

impl Server {
    /// Whether it serves: its loops go round, and it answers a request of its own. The caller bounds the time.
    pub async fn serves(&self) -> bool {
        self.verifier.serves(&self.stop.subscribe()).await
    }

    /// Accepts nobody any more, lets requests in progress end within the drain time, and returns then.
    pub async fn drain(self) {
        self.stop.send_replace(true);
        let within = self.verifier.config.load().limits.drain;
        if tokio::time::timeout(within, self.stop.closed()).await.is_err() {
            tracing::warn!("some requests had not ended after {} s", within.as_secs());
        }
    }
}

async fn tick(verifier: Arc<Verifier>, mut stopped: Receiver<bool>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch::new(Arc::clone(&verifier));
    let ticks = verifier.pulse.begin();
    let mut steps = Steps::default();
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            _ = stopped.changed() => return,
        }
        if let Some(step) = steps.look() {
            tell(step);
        }
        verifier.gate.tick(clock::now());
        verifier.second_of_transfers();
        watch.second().await;
        ticks.beat();
    }
}

fn tell(step: Step) {
    match step {
        Step::Forward(seconds) => tracing::warn!(
            seconds,
            "the clock was set forward: what would have expired meanwhile has expired, and visitors solve once more"
        ),
        Step::Back(seconds) => tracing::warn!(
            seconds,
            "the clock was set back: the verifier's own goes on from where it was, and takes fifteen seconds of sixteen until \
             the two agree"
        ),
        Step::Agreed => tracing::info!("the verifier's own clock and the system's agree again"),
    }
}

async fn accept_all(verifier: Arc<Verifier>, entrance: Entrance, mut stopped: Receiver<bool>) {
    let Entrance { listener, announced } = entrance;
    let accepts = verifier.pulse.begin();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = seconds.tick() => {
                accepts.beat();
                continue;
            }
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((stream, peer)) => accept(&verifier, stream, peer, announced, &stopped),
            // The client was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if let Some(left_out) = verifier.accept_log.turn() {
                    tracing::warn!(left_out, "cannot accept a connection: {error}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

pub(super) fn accept(verifier: &Arc<Verifier>, stream: Stream, peer: Peer, announced: bool, stopped: &Receiver<bool>) {
    let network = match peer {
        Peer::Address(address) | Peer::Announced(address, _) => {
            let config = verifier.config.load();
            if announced && !original::contains(&config.trusted_proxies, address) {
                verifier.doubts.not_announced(&config, Some(address));
                return;
            }
            (!announced).then(|| ClientNetwork::of(address))
        }
        Peer::UnixSocket => None,
    };
    let limits = verifier.config.load().limits;
    let shares = |network| verifier.shares_of(network);
    if let Some(place) = verifier.connections.enter(network, limits.max_connections, shares) {
        let client = Client { stream, peer, announced };
        tokio::spawn(connection(Arc::clone(verifier), client, place, limits, stopped.clone()));
    } else {
        verifier.metrics.connections_refused.inc();
        verifier.turned_away.tell(stream);
    }
}

/// A client that was accepted.
struct Client {
    stream: Stream,
    peer: Peer,
    /// Whether the peer has to say first whose connection it is.
    announced: bool,
}

impl Client {
    /// Whose connection it is; nobody's where that was not said as it should be.
    async fn announced(&mut self, verifier: &Verifier, place: &Place) -> Option<Peer> {
        let said = match &mut self.stream {
            Stream::Tcp(stream) => proxy_protocol::read(stream).await,
            Stream::Unix(stream) => proxy_protocol::read(stream).await,
        };
        match said {
            Ok(Announced::Client(address, scheme)) => {
                place.activity.comes_from(ClientNetwork::of(address));
                Some(Peer::Announced(address, scheme))
            }
            Ok(Announced::Local) => Some(self.peer),
            Err(refused) => {
                verifier.metrics.unclear_requests.inc();
                if let Some(left_out) = verifier.unclear_log.turn() {
                    tracing::warn!(left_out, "a connection on listen_proxy_protocol was closed: {refused}");
                }
                None
            }
        }
    }
}

/// Serves one connection until it ends, stands still for too long, or has to make room.
async fn connection(
    verifier: Arc<Verifier>,
    mut client: Client,
    place: Arc<Place>,
    limits: Limits,
    mut stopped: Receiver<bool>,
) {
    if client.announced {
        let announced = tokio::select! {
            announced = client.announced(&verifier, &place) => announced,
            _ = place.activity.overdue(&limits) => return,
            _ = stopped.changed() => return,
        };
        let Some(peer) = announced else { return };
        client.peer = peer;
    }
    let Client { stream, peer, .. } = client;
    let opening = ClientIo::open(stream, Arc::clone(&place.activity), limits.write_timeout);
    let opened = tokio::select! {
        opened = opening => opened,
        _ = place.activity.overdue(&limits) => return,
        () = a_moment_after(&mut stopped) => return,
    };
    let Ok((io, protocol)) = opened else { return };
    let has_begun = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        has_begun.store(true, Ordering::Relaxed);
        let verifier = Arc::clone(&verifier);
        let in_progress = InProgress::begin(&place);
        async move { Ok::<_, Infallible>(verifier.answer(peer, request, in_progress).await) }
    });
    let io = TokioIo::new(io);
    // How a connection ends is the client's affair: hyper has answered what broke the protocol.
    match protocol {
        Protocol::Http1 => {
            let mut connection = pin!(http1(&limits).serve_connection(io, service).with_upgrades());
            tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                _ = place.activity.overdue(&limits) => return,
                () = the_end(&mut stopped) => {}
            }
            if !has_begun.load(Ordering::Relaxed)
                && tokio::time::timeout(FIRST_REQUEST, connection.as_mut()).await.is_ok()
            {
                return;
            }
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                _ = connection => {}
                _ = place.activity.overdue(&limits) => {}
            }
        }
        Protocol::Http2 => {
            let mut connection = pin!(http2(&limits).serve_connection(io, service));
            let overdue = tokio::select! {
                biased;
                _ = connection.as_mut() => return,
                overdue = place.activity.overdue(&limits) => Some(overdue),
                () = the_end(&mut stopped) => None,
            };
            // A silent client is told that no further request will be answered before the connection goes.
            let within = match overdue {
                None => limits.drain,
                Some(Overdue::Silent) => H2_GOODBYE,
                Some(Overdue::Evicted | Overdue::Untaken) => return,
            };
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(within, connection).await;
        }
    }
}

/// Until the drain begins, or has begun.
async fn the_end(stopped: &mut Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn a_moment_after(stopped: &mut Receiver<bool>) {
    the_end(stopped).await;
    tokio::time::sleep(FIRST_REQUEST).await;
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .half_close(false)
        .preserve_header_case(true)
        .auto_date_header(false)
        .max_headers(limits.max_headers)
        .max_buf_size(usize::try_from(limits.max_head_bytes).unwrap_or(usize::MAX));
    builder
}

fn http2(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(Limits::H2_STREAMS_MAX)
        .max_header_list_size(limits.max_head_bytes)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .keep_alive_interval(H2_PING_EVERY)
        .keep_alive_timeout(H2_PONG_WITHIN);
    builder
}
