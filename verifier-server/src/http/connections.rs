//! The limit of connections: the new one is accepted, the most wasteful one is closed.
//!
//! Closed is, in the network with most connections over its shares, the one that has waited longest without a complete
//! request head, then the one that has been idle longest, then one whose requests were not admitted; where that network has
//! none, in the next. Never one with an admitted request in progress. A head that began a moment ago is on its way and goes
//! after the idle ones: else a network full of those would have its newcomers closed for each other.

use super::activity::{Activity, Admittance, Phase};
use super::crowds::crowding;
use puzzle::ClientNetwork;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Connections looked out at a time when the limit is reached: one look over all of them serves so many newcomers.
const VICTIMS_AT_A_TIME: usize = 256;

/// How long a head may be on its way before it is wasteful: a few round trips of a slow line.
const HEAD_GRACE: Duration = Duration::from_secs(2);

/// How long the next look waits after one that found little: it goes over all connections each time.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    inner: Mutex<Inner>,
    /// As many as there are descriptors for, whatever the configuration says.
    fit: usize,
}

#[derive(Debug, Default)]
struct Inner {
    open: HashMap<u64, Arc<Activity>>,
    next_id: u64,
    /// The most wasteful ones at the last look, worst first, with the phase they were in.
    victims: VecDeque<(u64, Phase)>,
    looked_at: Option<Instant>,
}

/// A place among the connections, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    connections: Arc<Connections>,
    pub(super) activity: Arc<Activity>,
}

/// A request in progress; its end is noted when this is dropped, with the answer's body or with the tunnel it became.
/// It holds the connection's place, so that a tunnel counts as a connection.
#[derive(Debug)]
pub(super) struct InProgress {
    place: Arc<Place>,
    answer: u32,
    admittance: Option<Arc<Admittance>>,
    untaken: bool,
}

impl InProgress {
    /// Notes the begin of a request.
    pub(super) fn begin(place: &Arc<Place>) -> Self {
        let answer = place.activity.request_begins();
        Self { place: Arc::clone(place), answer, admittance: None, untaken: false }
    }

    /// Notes that it has been admitted.
    pub(super) fn admit(&mut self) {
        let activity = &self.place.activity;
        self.admittance.get_or_insert_with(|| Arc::new(Admittance::new(activity)));
    }

    /// What keeps its connection from being closed for others, if it has been admitted.
    pub(super) const fn admittance(&self) -> Option<&Arc<Admittance>> {
        self.admittance.as_ref()
    }

    /// The connection it came on.
    pub(super) fn connection(&self) -> &Arc<Activity> {
        &self.place.activity
    }

    /// Notes whether the client has something of the answer to take.
    pub(super) fn set_untaken(&mut self, untaken: bool) {
        if untaken == self.untaken {
            return;
        }
        self.untaken = untaken;
        if untaken {
            self.place.activity.waits_for_client(self.answer);
        } else {
            self.place.activity.client_took(self.answer);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        if let Some(admittance) = &self.admittance {
            admittance.withdraw();
        }
        self.place.activity.request_ends(self.answer);
    }
}

impl Connections {
    pub(super) fn new(fit: usize) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), fit })
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Takes a place for a new connection; at `max` the most wasteful one is closed for it. `shares` says what a network
    /// weighs, where that counts. `None` if every one of them has a request in progress.
    pub(super) fn enter(
        self: &Arc<Self>,
        network: Option<ClientNetwork>,
        max: usize,
        shares: impl Fn(ClientNetwork) -> u32,
    ) -> Option<Arc<Place>> {
        let mut inner = self.lock();
        if inner.open.len() >= max.min(self.fit) {
            inner.close_most_wasteful(shares)?;
        }
        let id = inner.next_id;
        inner.next_id += 1;
        let activity = Arc::new(Activity::new(network));
        inner.open.insert(id, Arc::clone(&activity));
        drop(inner);
        Some(Arc::new(Place { id, connections: Arc::clone(self), activity }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().open.remove(&self.id);
    }
}

impl Inner {
    fn close_most_wasteful(&mut self, shares: impl Fn(ClientNetwork) -> u32) -> Option<()> {
        if self.close_next_victim().is_some() {
            return Some(());
        }
        if self.looked_at.is_some_and(|looked_at| looked_at.elapsed() < LOOK_PAUSE) {
            return None;
        }
        self.look_for_victims(shares);
        let found_little = self.victims.len() < VICTIMS_AT_A_TIME.min(self.open.len() / 16 + 1);
        self.looked_at = found_little.then(Instant::now);
        self.close_next_victim()
    }

    /// Closes the next victim that still does what it did when it was looked out.
    fn close_next_victim(&mut self) -> Option<()> {
        while let Some((id, phase)) = self.victims.pop_front() {
            let unchanged = self.open.get(&id).is_some_and(|activity| activity.phase() == phase);
            if unchanged && let Some(activity) = self.open.remove(&id) {
                activity.evict();
                return Some(());
            }
        }
        None
    }

    fn look_for_victims(&mut self, shares: impl Fn(ClientNetwork) -> u32) {
        let now = Instant::now();
        let mut networks: HashMap<Option<ClientNetwork>, Crowd> = HashMap::new();
        for (id, activity) in &self.open {
            let crowd = networks.entry(activity.network()).or_default();
            crowd.count += 1;
            let phase = activity.phase();
            if phase != Phase::Admitted {
                crowd.wasteful.push((*id, phase));
            }
        }
        let mut crowds = Vec::new();
        for (network, mut crowd) in networks {
            if crowd.wasteful.is_empty() {
                continue;
            }
            // A lone connection is within any share.
            crowd.shares = network.filter(|_| crowd.count > 1).map_or(1, &shares);
            // The worst last, so that it is popped first.
            crowd.wasteful.sort_by_key(|(_, phase)| Reverse(waste(*phase, now)));
            crowds.push(crowd);
        }
        let mut order: BinaryHeap<(u64, usize)> =
            crowds.iter().enumerate().map(|(index, crowd)| (crowding(crowd.count, crowd.shares), index)).collect();
        while self.victims.len() < VICTIMS_AT_A_TIME
            && let Some((_, index)) = order.pop()
        {
            let crowd = &mut crowds[index];
            self.victims.extend(crowd.wasteful.pop());
            crowd.count -= 1;
            if !crowd.wasteful.is_empty() {
                order.push((crowding(crowd.count, crowd.shares), index));
            }
        }
    }
}

/// The connections of a network.
#[derive(Default)]
struct Crowd {
    count: usize,
    shares: u32,
    /// Those of them that may be closed.
    wasteful: Vec<(u64, Phase)>,
}

/// Orders phases by waste, the most wasteful least: a head that does not come before silence, the oldest first.
fn waste(phase: Phase, now: Instant) -> (u8, Option<Instant>) {
    match phase {
        Phase::Head(since) if now.duration_since(since) >= HEAD_GRACE => (0, Some(since)),
        Phase::Idle(since) => (1, Some(since)),
        Phase::Head(since) => (2, Some(since)),
        Phase::Answering(since) => (3, Some(since)),
        Phase::Admitted => (4, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(third: u8) -> ClientNetwork {
        ClientNetwork::of([192, 0, third, 1].into())
    }

    fn enter(connections: &Arc<Connections>, third: u8, max: usize) -> Option<Arc<Place>> {
        connections.enter(Some(network(third)), max, |_| 1)
    }

    fn is_open(connections: &Connections, place: &Place) -> bool {
        connections.lock().open.contains_key(&place.id)
    }

    #[test]
    fn the_oldest_unfinished_head_of_the_most_crowded_network_is_closed() {
        let connections = Connections::new(usize::MAX);
        let alone = enter(&connections, 1, 4).expect("a place");
        let crowd: Vec<Arc<Place>> = (0..3).filter_map(|_| enter(&connections, 2, 4)).collect();
        let newcomer = enter(&connections, 3, 4).expect("a place");
        assert!(is_open(&connections, &alone) && is_open(&connections, &newcomer));
        assert_eq!(crowd.iter().map(|place| is_open(&connections, place)).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(connections.open(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unfinished_head_goes_before_an_idle_connection_and_a_request_stays() {
        let connections = Connections::new(usize::MAX);
        let requesting = enter(&connections, 1, 3).expect("a place");
        let mut request = InProgress::begin(&requesting);
        request.admit();
        let idle = enter(&connections, 1, 3).expect("a place");
        drop(InProgress::begin(&idle));
        let head = enter(&connections, 1, 3).expect("a place");
        tokio::time::advance(HEAD_GRACE).await;
        let _a = enter(&connections, 2, 3).expect("a place");
        assert!(!is_open(&connections, &head));
        tokio::time::advance(LOOK_PAUSE).await;
        let _b = enter(&connections, 3, 3).expect("a place");
        assert!(!is_open(&connections, &idle));
        assert!(is_open(&connections, &requesting));
    }

    #[tokio::test(start_paused = true)]
    async fn where_every_connection_is_in_a_request_the_newcomer_is_turned_away() {
        let connections = Connections::new(usize::MAX);
        let place = enter(&connections, 1, 1).expect("a place");
        let mut request = InProgress::begin(&place);
        request.admit();
        assert!(enter(&connections, 2, 1).is_none());
        drop(request);
        tokio::time::advance(LOOK_PAUSE).await;
        assert!(enter(&connections, 2, 1).is_some());
    }

    #[test]
    fn there_are_never_more_than_there_are_descriptors_for() {
        let connections = Connections::new(2);
        let places: Vec<_> = (0..5).filter_map(|third| enter(&connections, third, 100)).collect();
        assert_eq!((places.len(), connections.open()), (5, 2));
    }

    #[test]
    fn a_request_that_was_not_admitted_makes_room() {
        let connections = Connections::new(usize::MAX);
        let place = enter(&connections, 1, 1).expect("a place");
        let _unpaid = InProgress::begin(&place);
        assert!(enter(&connections, 2, 1).is_some());
        assert!(!is_open(&connections, &place));
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_whose_head_is_on_its_way_is_not_closed_for_the_next_one() {
        let connections = Connections::new(usize::MAX);
        let idle: Vec<Arc<Place>> = (0..4).filter_map(|_| enter(&connections, 1, 5)).collect();
        for place in &idle {
            drop(InProgress::begin(place));
        }
        let slow_line = enter(&connections, 1, 5).expect("a place");
        for _ in 0..3 {
            let newcomer = enter(&connections, 1, 5).expect("a place");
            drop(InProgress::begin(&newcomer));
        }
        assert!(is_open(&connections, &slow_line));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_many_visitors_keeps_as_many_connections_as_they_have_shares() {
        let connections = Connections::new(usize::MAX);
        let shares = |of| if of == network(1) { 50 } else { 1 };
        let enter = |third| connections.enter(Some(network(third)), 14, shares).expect("a place");
        let office: Vec<Arc<Place>> = (0..10).map(|_| enter(1)).collect();
        let few: Vec<Arc<Place>> = (0..4).map(|_| enter(2)).collect();
        let _newcomers = [enter(3), enter(4)];
        assert!(office.iter().all(|place| is_open(&connections, place)));
        assert_eq!(few.iter().filter(|place| is_open(&connections, place)).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn silent_sockets_of_ones_own_network_lock_nobody_out() {
        let connections = Connections::new(usize::MAX);
        let _silent: Vec<Arc<Place>> = (0..100).filter_map(|_| enter(&connections, 1, 100)).collect();
        for _ in 0..500 {
            let visitor = enter(&connections, 1, 100).expect("a place");
            let mut request = InProgress::begin(&visitor);
            request.admit();
            let _more = enter(&connections, 1, 100).expect("a place");
            assert!(is_open(&connections, &visitor));
            tokio::time::advance(LOOK_PAUSE).await;
        }
    }

    #[test]
    fn an_admitted_request_that_is_not_worth_it_any_more_makes_room() {
        let connections = Connections::new(usize::MAX);
        let place = enter(&connections, 1, 1).expect("a place");
        let mut request = InProgress::begin(&place);
        request.admit();
        request.admittance().expect("admitted").withdraw();
        assert!(enter(&connections, 2, 1).is_some());
        drop(request);
        assert!(matches!(place.activity.phase(), Phase::Idle(_)), "and it is counted out once");
    }
}
