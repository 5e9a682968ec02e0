//! The limit of connections: the new one is accepted, the most wasteful one is closed.
//!
//! Closed is, in the network with most connections, the one that has waited longest without a complete request head,
//! then the one that has been idle longest, then one whose requests were not admitted; where that network has none, in
//! the next. Never one with an admitted request in progress.

use super::activity::{Activity, Phase};
use puzzle::ClientNetwork;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Connections looked out at a time when the limit is reached: one look over all of them serves so many newcomers.
const VICTIMS_AT_A_TIME: usize = 256;

/// How long the next look waits after one that found little: it goes over all connections each time.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    inner: Mutex<Inner>,
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
    admitted: bool,
    untaken: bool,
}

impl InProgress {
    /// Notes the begin of a request.
    pub(super) fn begin(place: &Arc<Place>) -> Self {
        let answer = place.activity.request_begins();
        Self { place: Arc::clone(place), answer, admitted: false, untaken: false }
    }

    /// Notes that it has been admitted.
    pub(super) fn admit(&mut self) {
        if !self.admitted {
            self.admitted = true;
            self.place.activity.request_admitted();
        }
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
        self.place.activity.request_ends(self.answer, self.admitted);
    }
}

impl Connections {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default() })
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.lock().open.len()
    }

    /// Takes a place for a new connection; at `max` the most wasteful one is closed for it. `None` if every one of
    /// them has a request in progress.
    pub(super) fn enter(self: &Arc<Self>, network: Option<ClientNetwork>, max: usize) -> Option<Arc<Place>> {
        let mut inner = self.lock();
        if inner.open.len() >= max {
            inner.close_most_wasteful()?;
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
    fn close_most_wasteful(&mut self) -> Option<()> {
        if self.close_next_victim().is_some() {
            return Some(());
        }
        if self.looked_at.is_some_and(|looked_at| looked_at.elapsed() < LOOK_PAUSE) {
            return None;
        }
        self.look_for_victims();
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

    fn look_for_victims(&mut self) {
        /// How many connections a network has, and those of them that may be closed.
        type Crowd = (usize, Vec<(u64, Phase)>);
        let mut networks: HashMap<Option<ClientNetwork>, Crowd> = HashMap::new();
        for (id, activity) in &self.open {
            let (count, wasteful) = networks.entry(activity.network).or_default();
            *count += 1;
            let phase = activity.phase();
            if phase != Phase::Admitted {
                wasteful.push((*id, phase));
            }
        }
        let mut groups: Vec<_> = networks.into_values().filter(|(_, wasteful)| !wasteful.is_empty()).collect();
        for (_, wasteful) in &mut groups {
            // The worst last, so that it is popped first.
            wasteful.sort_by_key(|(_, phase)| std::cmp::Reverse(waste(*phase)));
        }
        let mut crowded: BinaryHeap<(usize, usize)> =
            groups.iter().enumerate().map(|(index, (count, _))| (*count, index)).collect();
        while self.victims.len() < VICTIMS_AT_A_TIME
            && let Some((count, index)) = crowded.pop()
        {
            let wasteful = &mut groups[index].1;
            self.victims.extend(wasteful.pop());
            if !wasteful.is_empty() {
                crowded.push((count - 1, index));
            }
        }
    }
}

/// Orders phases by waste, the most wasteful least: a head that does not come before silence, the oldest first.
fn waste(phase: Phase) -> (u8, Option<Instant>) {
    match phase {
        Phase::Head(since) => (0, Some(since)),
        Phase::Idle(since) => (1, Some(since)),
        Phase::Answering(since) => (2, Some(since)),
        Phase::Admitted => (3, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(connections: &Arc<Connections>, third: u8, max: usize) -> Option<Arc<Place>> {
        connections.enter(Some(ClientNetwork::of([192, 0, third, 1].into())), max)
    }

    fn is_open(connections: &Connections, place: &Place) -> bool {
        connections.lock().open.contains_key(&place.id)
    }

    #[test]
    fn the_oldest_unfinished_head_of_the_most_crowded_network_is_closed() {
        let connections = Connections::new();
        let alone = enter(&connections, 1, 4).expect("a place");
        let crowd: Vec<Arc<Place>> = (0..3).filter_map(|_| enter(&connections, 2, 4)).collect();
        let newcomer = enter(&connections, 3, 4).expect("a place");
        assert!(is_open(&connections, &alone) && is_open(&connections, &newcomer));
        assert_eq!(crowd.iter().map(|place| is_open(&connections, place)).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(connections.open(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unfinished_head_goes_before_an_idle_connection_and_a_request_stays() {
        let connections = Connections::new();
        let requesting = enter(&connections, 1, 3).expect("a place");
        let mut request = InProgress::begin(&requesting);
        request.admit();
        let idle = enter(&connections, 1, 3).expect("a place");
        drop(InProgress::begin(&idle));
        let head = enter(&connections, 1, 3).expect("a place");
        let _a = enter(&connections, 2, 3).expect("a place");
        assert!(!is_open(&connections, &head));
        tokio::time::advance(LOOK_PAUSE).await;
        let _b = enter(&connections, 3, 3).expect("a place");
        assert!(!is_open(&connections, &idle));
        assert!(is_open(&connections, &requesting));
    }

    #[tokio::test(start_paused = true)]
    async fn where_every_connection_is_in_a_request_the_newcomer_is_turned_away() {
        let connections = Connections::new();
        let place = enter(&connections, 1, 1).expect("a place");
        let mut request = InProgress::begin(&place);
        request.admit();
        assert!(enter(&connections, 2, 1).is_none());
        drop(request);
        tokio::time::advance(LOOK_PAUSE).await;
        assert!(enter(&connections, 2, 1).is_some());
    }

    #[test]
    fn a_request_that_was_not_admitted_makes_room() {
        let connections = Connections::new();
        let place = enter(&connections, 1, 1).expect("a place");
        let _unpaid = InProgress::begin(&place);
        assert!(enter(&connections, 2, 1).is_some());
        assert!(!is_open(&connections, &place));
    }
}
