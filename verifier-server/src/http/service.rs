//! The way of a request: from the connection to the gate, and from there to the origin or to an answer of our own.

use super::admission::{Admissions, Slot, Word};
use super::answer::{self, Context};
use super::body::AnswerBody;
use super::checks::Checks;
use super::client_body::{Broken, ClientBody};
use super::connections::{Connections, InProgress};
use super::crawlers::{Claim, Crawlers};
use super::decided::{DecisionLog, RefusalLog};
use super::doubts::Doubts;
use super::failures::PageFailureLog;
use super::former_assets::FormerAssets;
use super::kinds::{is_navigation, is_preflight, is_safe};
use super::original::{self, Peer, Unclear, Visitor};
use super::origins::OriginClient;
use super::page_rates::PageRates;
use super::preview::Previews;
use super::proxy::Destination;
use super::pulse::Pulse;
use super::read_ahead::{READ_AHEAD_TOTAL_BYTES_MAX, ReadAheads};
use super::shortage::Origins;
use super::streams::Streams;
use super::transfers::{Party, Transfers};
use super::turned_away::TurnedAway;
use super::{beside, canonical, clearances, cors, endpoints, learning, proxy, tickets};
use crate::clock;
use crate::config::{Config, Mode, OnFailure, Site};
use crate::gate::admission::{self, Class};
use crate::gate::crawlers::NamedAddresses;
use crate::gate::learned::LearnedAssets;
use crate::gate::networks::Nested;
use crate::gate::policy::Subject;
use crate::gate::target::Target;
use crate::gate::top::Top;
use crate::gate::{Decision, Gate, Met, Receipt, RequestFacts};
use crate::load::access_log::Checks as AwaitedLines;
use crate::load::{Amount, ToldLoad};
use crate::notices::Notices;
use crate::restrict::Fit;
use crate::telemetry::{Metrics, Sampled, Seconds};
use crate::timeline::Timeline;
use arc_swap::ArcSwap;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use puzzle::{ClearanceId, ClientNetwork, UnixSeconds};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::Instant;

/// Everything that requests share.
pub struct Verifier {
    /// The decision core.
    pub gate: Gate,
    /// The configuration in force, swapped whole.
    pub config: ArcSwap<Config>,
    /// What is counted.
    pub metrics: Metrics,
    /// The load as a program of the operator's tells it.
    pub told_load: ToldLoad,
    /// The attacks there were.
    pub timeline: Timeline,
    /// When it started: the clock of the controllers.
    pub started: Instant,
    pub(super) connections: Arc<Connections>,
    pub(super) turned_away: TurnedAway,
    pub(super) origins: OriginClient,
    pub(super) admissions: Admissions,
    pub(super) learned: LearnedAssets,
    pub(crate) crawlers: Crawlers,
    pub(super) read_aheads: Arc<ReadAheads>,
    pub(super) transfers: Arc<Transfers>,
    pub(super) streams: Arc<Streams>,
    pub(super) origin_heads: Origins,
    pub(super) page_rates: PageRates,
    pub(super) checks: Checks,
    pub(super) previews: Previews,
    pub(super) unclear_log: Sampled,
    pub(super) doubts: Doubts,
    pub(super) pulse: Pulse,
    pub(super) origin_log: Sampled,
    pub(super) accept_log: Sampled,
    pub(super) decision_log: DecisionLog,
    pub(super) refusal_log: RefusalLog,
    pub(super) page_failure_log: PageFailureLog,
    /// Who asks most.
    pub top: Top,
    /// What the dashboard's curves show.
    pub(super) seconds: Seconds,
    /// Requests admitted by a check, whose lines of the web server's log are waited for.
    pub(super) awaited_lines: AwaitedLines,
    pub(super) log_unreliable: AtomicBool,
    pub(super) log_line_log: Sampled,
    pub(super) pass_log: Sampled,
    /// What the operator has to say on the pages of the sites.
    pub(crate) notices: Notices,
    /// What browsers load of the versions before this one.
    pub(crate) former_assets: FormerAssets,
    pub(super) site_secret_log: Sampled,
    request_ids: RequestIds,
}

impl Verifier {
    /// A verifier for `config`.
    #[must_use]
    pub fn new(gate: Gate, config: Arc<Config>, metrics: Metrics) -> Self {
        let fit = Fit::now();
        let verifier = Self {
            metrics,
            told_load: ToldLoad::default(),
            timeline: Timeline::new(config.state_dir.as_deref()),
            started: Instant::now(),
            connections: Connections::new(fit.connections),
            turned_away: TurnedAway::new(fit.turned_away),
            origins: OriginClient::new(&config, fit),
            admissions: Admissions::new(gate.hash_key("queues")),
            learned: LearnedAssets::new(gate.hash_key("learned assets")),
            crawlers: Crawlers::new(NamedAddresses::new(gate.hash_key("crawlers"))),
            read_aheads: ReadAheads::new(READ_AHEAD_TOTAL_BYTES_MAX),
            transfers: Arc::default(),
            streams: Arc::default(),
            origin_heads: Origins::default(),
            config: ArcSwap::new(config),
            page_rates: PageRates::default(),
            checks: Checks::default(),
            previews: Previews::default(),
            unclear_log: Sampled::default(),
            doubts: Doubts::default(),
            pulse: Pulse::default(),
            origin_log: Sampled::default(),
            accept_log: Sampled::default(),
            decision_log: DecisionLog::default(),
            refusal_log: RefusalLog::default(),
            page_failure_log: PageFailureLog::default(),
            top: Top::new(gate.hash_key("top")),
            seconds: Seconds::default(),
            awaited_lines: AwaitedLines::new(gate.hash_key("awaited lines")),
            log_unreliable: AtomicBool::new(false),
            log_line_log: Sampled::default(),
            pass_log: Sampled::default(),
            notices: Notices::default(),
            former_assets: FormerAssets::default(),
            site_secret_log: Sampled::default(),
            request_ids: RequestIds::default(),
            gate,
        };
        verifier.set_slots(&verifier.config.load());
        verifier
    }

    /// This second, for what is redeemed in it. Where the clock has leapt, nothing from before that is honoured.
    pub(super) fn second_of_redeeming(&self) -> UnixSeconds {
        let now = clock::now();
        self.gate.begin_not_before(clock::leapt());
        now
    }

    /// Open client connections.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }

    /// An id for a request that brings none which we believe.
    pub(super) fn next_request_id(&self) -> String {
        self.request_ids.next()
    }

    /// Answers a request of a visitor, or of the web server beside us.
    pub(super) async fn answer(
        self: &Arc<Self>,
        peer: Peer,
        request: Request<Incoming>,
        in_progress: InProgress,
    ) -> Response<AnswerBody> {
        let config = self.config.load_full();
        // HTTP/1 is bounded while it is read; HTTP/2 only by bytes.
        if request.headers().len() > config.limits.max_headers {
            return ending(answer::bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE), in_progress);
        }
        if request.uri().path().starts_with(beside::BASE_PATH) {
            return ending(beside::answer(self, &config, peer, &request), in_progress);
        }
        let request_id = self.next_request_id();
        let visitor = match original::visitor(&config, peer, &request) {
            Ok(visitor) => visitor,
            Err(unclear) => return ending(self.unclear(&config, &unclear, &request_id), in_progress),
        };
        self.doubts.look(&config, peer, request.headers(), &visitor);
        let Some(site) = config.site_of(visitor.host()) else {
            let context = Context::new(self, &config, &visitor, &request_id, request.headers(), request.method());
            return ending(context.unknown_host(), in_progress);
        };
        let base = config.base_path.as_str();
        if let Some(endpoint) = request.uri().path().strip_prefix(base).map(str::to_owned) {
            let answered = endpoints::answer(self, &config, site, &visitor, &request_id, &endpoint, request).await;
            return ending(answered, in_progress);
        }
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        if let Some(redirect) = canonical::redirect(&config, &visitor, target) {
            return ending(redirect, in_progress);
        }
        self.gated(&config, site, &visitor, request_id, request, in_progress).await
    }

    /// A request for the site itself.
    async fn gated(
        self: &Arc<Self>,
        config: &Arc<Config>,
        site: &Site,
        visitor: &Visitor,
        request_id: String,
        request: Request<Incoming>,
        mut in_progress: InProgress,
    ) -> Response<AnswerBody> {
        let context = Context::new(self, config, visitor, &request_id, request.headers(), request.method());
        let Some(origins) = &site.origin else { return ending(context.nothing_here(), in_progress) };
        let shared_connection = request.version() == Version::HTTP_2;
        let (parts, incoming) = request.into_parts();
        let request = Request::from_parts(parts, ());
        let mut body = ClientBody::new(incoming, config.limits.body_timeout);
        if !body.is_end_stream() {
            let (network, connection) = (visitor.network(), Arc::clone(in_progress.connection()));
            body.noted_in(self.transfers.begin(Party { site: site.mark, network, connection, shared_connection }));
        }
        let raw_target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let target = Target::parse(raw_target);
        let claim = self.crawlers.claim(config, visitor.address, request.headers());
        let subject = Subject {
            target: &target,
            has_query: raw_target.contains('?'),
            host: visitor.host(),
            address: visitor.address,
            crawler: Claim::name(claim.as_ref()),
            method: Some(request.method().as_str()),
            headers: Some(request.headers()),
        };
        let mut route = self.gate.route(config, site, &subject);
        self.find_out(claim.as_ref(), &route);
        let may_be_asset = config.learned_assets && learning::may_be_asset(&subject, &route);
        route.asset |= may_be_asset && self.learned.knows(site.mark, raw_target, clock::now());
        let ids = clearances::of(request.headers(), request.method(), visitor.scheme, site);
        let tickets = tickets::of(request.headers(), visitor.scheme);
        let facts = RequestFacts {
            site,
            route,
            key: config.api_keys.shown_by(request.headers()),
            network: visitor.network(),
            clearances: &ids,
            tickets: &tickets,
            safe_method: is_safe(request.method()),
            navigation: is_navigation(request.headers()),
            preflight: is_preflight(request.method(), request.headers()),
            repeat: None,
        };
        self.note_caller(&subject, &facts);
        let asked = (&facts, request.headers(), raw_target);
        match self.admitted(config, &context, asked, &mut body, &mut in_progress).await {
            Ok(Admitted { slot, cost, receipt }) => {
                let (load, heads) = (self.gate.load_of(site), self.origin_heads.of(site));
                let destination = Destination { origins, load, cost, slot, site, receipt, heads, may_be_asset };
                let request = request.map(|()| body);
                proxy::forward(self, config, destination, visitor, &request_id, request, in_progress).await
            }
            Err(mut refusal) => {
                if !body.is_end_stream() {
                    in_progress.connection().leave_unread();
                    // Said before, so that nobody goes on sending: what comes is not read as a further request.
                    if !shared_connection {
                        refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    }
                }
                cors::allow(&mut refusal, site, visitor, request.headers());
                ending(refusal, in_progress)
            }
        }
    }

    /// Decides about a request, reads the beginning of its body, and lets it wait for a slot at the origin: what it
    /// holds there and what it costs, or the answer to it.
    async fn admitted(
        &self,
        config: &Config,
        context: &Context<'_>,
        (facts, headers, target): (&RequestFacts<'_>, &HeaderMap, &str),
        body: &mut ClientBody,
        in_progress: &mut InProgress,
    ) -> Result<Admitted, Response<AnswerBody>> {
        // Once more where the gate went down while it waited, and then never again.
        for _ in 0..2 {
            let met = self.gate.meet(config, facts, clock::now());
            self.note_decided(config, facts, context.visitor(), &met, context.request_id());
            self.note_top(facts, headers, target, met.decision);
            let Met { decision, receipt, .. } = met;
            let class = match decision {
                Decision::Denied => return Err(context.denied()),
                Decision::Challenged => match context.challenged(facts, headers) {
                    // Without randomness there is no challenge: what happens then is the operator's choice.
                    None if config.on_failure == OnFailure::Open => Class::Unpaid,
                    None => return Err(context.overloaded()),
                    Some(challenged) => return Err(challenged),
                },
                Decision::Free => Class::Free,
                Decision::Unpaid => Class::Unpaid,
                Decision::Reserved => Class::Reserved,
                Decision::Busy => return Err(context.overloaded()),
                Decision::Paid => Class::Cleared,
            };
            if receipt.is_some() {
                in_progress.admit();
            }
            let cost = Amount::of(met.cost);
            if let Some(transfer) = body.transfer() {
                transfer.admitted(receipt, in_progress.admittance().cloned());
            }
            if self.gate.mode_of(facts.site) == Mode::Off {
                return Ok(Admitted { slot: None, cost, receipt });
            }
            // A body that trickles must hold no slot. Of a second time there is nothing left to read.
            self.read_ahead(body, facts).await.map_err(|broken| context.body_broken(&broken))?;
            let word = tokio::select! {
                word = self.wait_for_slot(class, facts, &met) => word,
                () = body.loses_its_room() => Word::Dropped,
            };
            match word {
                Word::Go(slot) => {
                    if let Some(receipt) = &receipt {
                        self.gate.goes_on(facts.site, receipt, clock::now());
                    }
                    return Ok(Admitted { slot: Some(slot), cost, receipt });
                }
                Word::AskAgain => {}
                Word::Dropped => {
                    if let Some(receipt) = &receipt {
                        self.gate.give_back(facts.site, receipt, clock::now());
                    }
                    self.note_dropped(config, facts, context.visitor(), context.request_id());
                    return Err(context.overloaded());
                }
            }
        }
        Err(context.overloaded())
    }

    /// Reads the beginning of a body before anything at the origin is held for it.
    async fn read_ahead(&self, body: &mut ClientBody, facts: &RequestFacts<'_>) -> Result<(), Broken> {
        if body.is_end_stream() || body.is_read_ahead() {
            return Ok(());
        }
        body.read_ahead(self.read_aheads.begin(facts.network), |network| self.shares_of(network)).await
    }

    /// The whole shares of a client network, at least 1.
    pub(super) fn shares_of(&self, network: ClientNetwork) -> u32 {
        Nested::of(network).levels().first().map_or(1, |narrow| self.gate.memory().weight(*narrow))
    }

    async fn wait_for_slot(&self, class: Class, facts: &RequestFacts<'_>, met: &Met) -> Word {
        let network = Nested::of(facts.network);
        let clearance = met.receipt.map_or(ClearanceId([0; 16]), |receipt| receipt.clearance);
        let (cost, part) = (Amount::of(met.cost), met.part);
        let request = admission::Request { class, network, shares: [1; 3], clearance, cost, part };
        let shares = || {
            let mut shares = [1; 3];
            for (shares, level) in shares.iter_mut().zip(network.levels()) {
                *shares = self.gate.memory().weight(*level);
            }
            shares
        };
        self.admissions.of(facts.site).ask(request, shares).await
    }

    /// Once a second, before the controllers step: what the queues tell of the load.
    pub(crate) fn take_in_queues(&self, config: &Config) {
        self.admissions.keep_only(config);
        for site in config.sites.iter().filter(|site| site.origin.is_some()) {
            let queued = self.admissions.of(site).second();
            let queueing = self.gate.mode_of(site) != Mode::Off;
            self.gate.load_of(site).set_queued(queueing.then_some(queued));
        }
    }

    /// Once a second, after the controllers stepped: how many requests may be at each origin from now on.
    pub(crate) fn set_slots(&self, config: &Config) {
        for site in config.sites.iter().filter(|site| site.origin.is_some()) {
            let (slots, closed) = self.gate.slots(config, site);
            self.admissions.of(site).set(slots, closed);
        }
    }

    /// A request that the configured headers do not make clear.
    fn unclear(&self, config: &Config, unclear: &Unclear, request_id: &str) -> Response<AnswerBody> {
        self.log_unclear(unclear);
        let text = "The web server in front of this site did not say whose request this is.";
        answer::message(config, request_id, StatusCode::BAD_REQUEST, "This request cannot be answered", text)
    }

    /// Counts it, and writes a line a second at the most.
    pub(super) fn log_unclear(&self, unclear: &Unclear) {
        self.metrics.unclear_requests.inc();
        if let Some(left_out) = self.unclear_log.turn() {
            tracing::warn!(left_out, "a request cannot be told: {unclear}; see `beside` and `trusted_proxies`");
        }
    }
}

/// A request that goes to the origin.
struct Admitted {
    /// What it holds there; nothing in mode `off`.
    slot: Option<Slot>,
    /// What it costs by its route.
    cost: Amount,
    /// What it was charged.
    receipt: Option<Receipt>,
}

fn ending(response: Response<AnswerBody>, in_progress: InProgress) -> Response<AnswerBody> {
    response.map(|body| body.ending(in_progress))
}

/// Ids of requests: unique here, and telling nothing about how many there were.
#[derive(Default)]
struct RequestIds {
    hasher: RandomState,
    next: AtomicU64,
}

impl RequestIds {
    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}", self.hasher.hash_one(number))
    }
}
