//! `GET /events`: what the dashboard shows, once a second, as server-sent events.
//!
//! An event `seconds` has the curves of one site, first of the last minutes and then what is new; `attacks` the newest attacks,
//! whenever something of them has changed; `status` is what `GET /status` says. A reader that stops taking holds nothing but its
//! connection, whose life is bounded.

use super::service::Verifier;
use super::{admin_attacks, status};
use crate::clock;
use crate::config::{Config, Site};
use crate::gate::price::State;
use crate::load::Capacity;
use crate::telemetry::{Gauges, Process};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use puzzle::UnixSeconds;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};

/// Dashboards that are open at the same time. A further one is served, and the oldest ends.
pub(super) const DASHBOARDS_MAX: usize = 8;
/// How often there is news.
const EVERY: Duration = Duration::from_secs(1);

/// The dashboards that are open, and what all of them are told of this second.
#[derive(Debug, Default)]
pub(super) struct Dashboards {
    /// Oldest first; whether each has to end.
    open: Mutex<VecDeque<Arc<AtomicBool>>>,
    told: Mutex<Option<(UnixSeconds, Told)>>,
}

/// Events that are the same for all dashboards.
#[derive(Clone, Debug)]
struct Told {
    attacks: Bytes,
    status: Bytes,
}

/// The body of an answer of the admin listener.
pub(super) enum AdminBody {
    /// All of it.
    Whole(Full<Bytes>),
    /// Something every second.
    Events(Box<Events>),
}

/// The stream of one dashboard.
pub(super) struct Events {
    verifier: Arc<Verifier>,
    dashboards: Arc<Dashboards>,
    site: String,
    ticks: Interval,
    /// The newest second that it was told.
    newest: u32,
    /// What it was told of attacks.
    attacks: Bytes,
    replaced: Arc<AtomicBool>,
    ended: bool,
}

/// Begins a stream about the site of this name; left out: the first one.
pub(super) fn begin(verifier: &Arc<Verifier>, dashboards: &Arc<Dashboards>, query: &str) -> Response<AdminBody> {
    let named =
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "site").map(|(_, site)| site.into_owned());
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = Events {
        verifier: Arc::clone(verifier),
        site: named.unwrap_or_default(),
        ticks,
        newest: 0,
        attacks: Bytes::new(),
        replaced: dashboards.enter(),
        dashboards: Arc::clone(dashboards),
        ended: false,
    };
    let mut response = Response::new(AdminBody::Events(Box::new(events)));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

impl Dashboards {
    /// One more is open; the oldest has to end where there are too many.
    fn enter(&self) -> Arc<AtomicBool> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while open.len() >= DASHBOARDS_MAX {
            if let Some(oldest) = open.pop_front() {
                oldest.store(true, Ordering::Relaxed);
            }
        }
        let place = Arc::new(AtomicBool::new(false));
        open.push_back(Arc::clone(&place));
        place
    }

    fn leave(&self, place: &Arc<AtomicBool>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|open| !Arc::ptr_eq(open, place));
    }

    /// The attacks, and what `GET /status` says: made once a second for all that are open.
    fn told(&self, verifier: &Verifier, keep_attacks_days: u32, now: UnixSeconds) -> Told {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match &*told {
            Some((at, told)) if *at == now => told.clone(),
            _ => {
                let attacks = admin_attacks::newest(verifier, keep_attacks_days);
                let made = Told {
                    attacks: format!("event: attacks\ndata: {attacks}\n\n").into(),
                    status: format!("event: status\ndata: {}\n\n", status::status(verifier)).into(),
                };
                *told = Some((now, made.clone()));
                made
            }
        }
    }
}

impl Events {
    fn news(&mut self) -> Bytes {
        let config = self.verifier.config.load();
        let named = config.sites.iter().find(|site| site.name == self.site);
        let Some(site) = named.or_else(|| config.sites.first()) else { return Bytes::from_static(b":\n\n") };
        let (mut seconds, newest) = self.verifier.seconds.told(site.mark, self.newest);
        self.newest = newest;
        seconds["site"] = json!(site.name);
        let told = self.dashboards.told(&self.verifier, config.keep_attacks_days, clock::now());
        let mut event = format!("event: seconds\ndata: {seconds}\n\n").into_bytes();
        if self.attacks != told.attacks {
            event.extend_from_slice(&told.attacks);
            self.attacks = told.attacks;
        }
        event.extend_from_slice(&told.status);
        event.into()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.dashboards.leave(&self.replaced);
    }
}

impl AdminBody {
    /// A body that is there as a whole.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl Body for AdminBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let events = match &mut *self {
            Self::Whole(whole) => return Pin::new(whole).poll_frame(context),
            Self::Events(events) => events,
        };
        if events.ended {
            return Poll::Ready(None);
        }
        ready!(events.ticks.poll_tick(context));
        events.ended = events.replaced.load(Ordering::Relaxed);
        let event = if events.ended { Bytes::from_static(b"event: replaced\ndata: {}\n\n") } else { events.news() };
        Poll::Ready(Some(Ok(Frame::data(event))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(whole) if whole.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

impl Verifier {
    /// Once a second, after the controllers stepped: what the curves show.
    pub(crate) fn note_second(&self, config: &Config, elapsed: Duration) {
        let (used, slots) = self.gate.table_fill();
        let (cpu_seconds, resident_bytes) = self.metrics.process();
        let table_fill = share(used, slots);
        self.seconds.of_process(Process { cpu_seconds, resident_bytes, table_fill }, elapsed);
        self.seconds.keep_only(|mark| config.sites.iter().any(|site| site.mark == mark));
        for site in &config.sites {
            let gauges = self.gauges(config, site);
            self.seconds.of_site(site.mark, self.metrics.counts_of(&site.name), &gauges, elapsed, clock::now());
        }
    }

    fn gauges(&self, config: &Config, site: &Site) -> Gauges {
        let report = self.gate.report(site, self.started.elapsed());
        let price = self.gate.pricing(config, site).price;
        let state = match report.state {
            // By hand.
            State::Calm if price > 0 => 1.0,
            State::Calm => 0.0,
            State::Attack => 1.0,
            State::Hold => 2.0,
        };
        let demand = &report.measured.demand;
        Gauges {
            state,
            price: crate::load::float(price),
            capacity: report.measured.capacity.map_or(f64::NAN, Capacity::credits_per_second),
            raw: demand.raw,
            offered: demand.offered,
            paid: demand.paid,
        }
    }
}

fn share(used: usize, slots: usize) -> f64 {
    let whole = |count: usize| crate::load::float(count as u64);
    whole(used) / whole(slots).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_dashboards_stay_and_the_oldest_ends() {
        let dashboards = Dashboards::default();
        let places: Vec<_> = (0..DASHBOARDS_MAX).map(|_| dashboards.enter()).collect();
        assert!(places.iter().all(|place| !place.load(Ordering::Relaxed)));
        let one_more = dashboards.enter();
        assert!(places[0].load(Ordering::Relaxed) && !places[1].load(Ordering::Relaxed));
        assert!(!one_more.load(Ordering::Relaxed));
        dashboards.leave(&places[1]);
        dashboards.enter();
        assert!(!places[2].load(Ordering::Relaxed), "a place was free");
    }
}
