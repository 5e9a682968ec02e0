//! Whether an origin still answers: requests that wait for the head of their answer since the last one came.

use puzzle::ClientNetwork;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Client networks that wait in vain before an origin counts as silent. On a quiet site a lone request that takes long,
/// or a page that waits for news, is no sign that anybody holds the origin's workers.
const SILENT_FOR_NETWORKS: usize = 3;

/// The requests at one origin of which no head has come since the last head came.
#[derive(Debug, Default)]
pub(super) struct OriginHeads {
    waiting: Mutex<Waiting>,
    /// The networks whose free requests were told last to wait no more.
    cut: watch::Sender<HashSet<ClientNetwork>>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// How many heads have come.
    heads: u64,
    requests: HashMap<ClientNetwork, u32>,
    /// When the first of the requests was sent.
    since: Option<Instant>,
}

/// A request that waits for its head; dropped when it does not any more.
#[derive(Debug)]
pub(super) struct Asked {
    of: Arc<OriginHeads>,
    network: ClientNetwork,
    heads: u64,
    cut: watch::Receiver<HashSet<ClientNetwork>>,
}

impl OriginHeads {
    /// A request goes to the origin, and nothing of it is to come any more: from now on the origin is waited for.
    pub(super) fn asked(self: &Arc<Self>, network: ClientNetwork) -> Asked {
        let mut waiting = self.lock();
        waiting.since.get_or_insert_with(Instant::now);
        *waiting.requests.entry(network).or_default() += 1;
        Asked { of: Arc::clone(self), network, heads: waiting.heads, cut: self.cut.subscribe() }
    }

    /// The head of an answer came: the origin works.
    pub(super) fn answered(&self) {
        let mut waiting = self.lock();
        waiting.heads += 1;
        waiting.requests.clear();
        waiting.since = None;
    }

    /// Requests of these networks that wait now, and that nobody paid for, wait no more.
    pub(super) fn cut(&self, networks: HashSet<ClientNetwork>) {
        self.cut.send_replace(networks);
    }

    /// How many requests wait, and for how long no head has come to them, where that tells that the origin is silent.
    pub(super) fn silent(&self) -> Option<(usize, Duration)> {
        let waiting = self.lock();
        let since = waiting.since.filter(|_| waiting.requests.len() >= SILENT_FOR_NETWORKS)?;
        let requests: u32 = waiting.requests.values().sum();
        Some((usize::try_from(requests).unwrap_or(usize::MAX), since.elapsed()))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Ends when the request has to wait no more because of others of its network.
    pub(super) async fn cut(&mut self) {
        while self.cut.changed().await.is_ok() {
            if self.cut.borrow_and_update().contains(&self.network) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// What `answered` gives, or `None` where the request is told before to wait no more and may be.
pub(super) async fn unless_cut<T>(
    mut asked: Option<Asked>,
    may_be_cut: bool,
    answered: impl Future<Output = T>,
) -> Option<T> {
    let Some(asked) = asked.as_mut().filter(|_| may_be_cut) else { return Some(answered.await) };
    tokio::select! {
        biased;
        answered = answered => Some(answered),
        () = asked.cut() => None,
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut waiting = self.of.lock();
        if waiting.heads != self.heads {
            return;
        }
        if let Some(requests) = waiting.requests.get_mut(&self.network) {
            *requests -= 1;
            if *requests == 0 {
                waiting.requests.remove(&self.network);
            }
        }
        if waiting.requests.is_empty() {
            waiting.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(third: u8) -> ClientNetwork {
        ClientNetwork::of([203, 0, third, 9].into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_is_silent_when_three_networks_wait_in_vain() {
        let heads = Arc::new(OriginHeads::default());
        let many: Vec<Asked> = (0..50).map(|_| heads.asked(network(1))).collect();
        let second = heads.asked(network(2));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(heads.silent(), None, "two networks that wait tell nothing");
        let third = heads.asked(network(3));
        assert_eq!(heads.silent(), Some((52, Duration::from_secs(2))));
        heads.answered();
        assert_eq!(heads.silent(), None);
        drop((many, second, third));
        assert_eq!(heads.lock().requests.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_waits_no_more() {
        let heads = Arc::new(OriginHeads::default());
        let left: Vec<Asked> = (0..5).map(|third| heads.asked(network(third))).collect();
        drop(left);
        assert_eq!(heads.silent(), None);
        let _alone = heads.asked(network(9));
        tokio::time::advance(Duration::from_secs(9)).await;
        let _others = [heads.asked(network(7)), heads.asked(network(8))];
        assert_eq!(heads.silent().map(|(requests, _)| requests), Some(3));
    }
}
